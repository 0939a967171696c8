"""Rows of people (`people`); what guards them (`guard`) and what they leave with (`leaving`) stands beside."""

from exchange.accounts.models.guard import Device, Freeze, MailWord, NotMeLink, Pause
from exchange.accounts.models.leaving import Closure, Export, ExportPiece
from exchange.accounts.models.people import User, UserQueries

__all__ = [
    "Closure",
    "Device",
    "Export",
    "ExportPiece",
    "Freeze",
    "MailWord",
    "NotMeLink",
    "Pause",
    "User",
    "UserQueries",
]
