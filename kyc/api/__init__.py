"""REST: applications for a level, and the pictures that belong to them."""
