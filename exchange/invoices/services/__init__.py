"""Creates invoices (`invoices`) and follows what is paid on them (`payments`)."""
