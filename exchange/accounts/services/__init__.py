"""What changes people: customers (`customers`) and members of staff (`staff`)."""
