"""Ledger: the double-entry book: the only owner of balances."""
