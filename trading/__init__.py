"""Trading: markets, orders, market data."""
