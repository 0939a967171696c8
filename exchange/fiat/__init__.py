"""Fiat: bank and card money."""
