"""Accounts: customers and staff."""
