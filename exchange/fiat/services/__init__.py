"""Bank money: what customers announce and staff match (`deposits`), and what the bank states (`statements`)."""
