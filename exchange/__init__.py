"""What every exchange has: people and their money."""
