"""API keys: what a program shows in place of a person's log-in. Made, listed, revoked here; checked in `accounts.api`."""
