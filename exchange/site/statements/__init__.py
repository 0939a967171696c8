"""Statements of account: what they say (content), and how it is written (as_csv, as_pdf)."""
