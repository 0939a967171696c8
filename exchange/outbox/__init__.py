"""Outbox: events committed with what caused them, delivered later, at least once, in order for a key."""
