"""The rows of this room: `levels` and their limits, `applications` with their documents, `screening`."""

from kyc.models.levels import Customer, Level, Limit

__all__ = ["Customer", "Level", "Limit"]
