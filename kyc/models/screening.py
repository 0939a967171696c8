"""Lists of people and addresses that may not be served, and the cases that come of a match."""
