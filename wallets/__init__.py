"""Wallets: addresses, deposits, withdrawals, the chain index."""
