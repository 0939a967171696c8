"""Secrets: envelope encryption: the one home of every key that encrypts."""
