"""Flows: jobs that need trading and wallets at once."""
