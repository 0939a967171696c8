"""REST: assets, balances, deposits and withdrawals."""
