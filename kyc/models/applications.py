"""What a customer tells and shows us of himself, and what was decided of it."""
