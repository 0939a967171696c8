"""What stands around the code: set-up, the demo's supervisor, database roles, contracts. Nothing in the rooms imports it."""
