"""Notifications: what people are told: readers of the outbox."""
