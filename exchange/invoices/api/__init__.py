"""Invoices over REST."""
