"""What may be asked of the trading room: orders, and markets."""
