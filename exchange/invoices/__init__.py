"""Invoices: merchants' crypto invoices and their webhooks."""
