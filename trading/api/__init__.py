"""REST: markets, orders and fills."""
