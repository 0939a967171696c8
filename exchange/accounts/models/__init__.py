"""Rows of people (`people`); what guards them (`guard`), their programs' keys (`api_keys`) and what they leave with (`leaving`)
stand beside."""

from exchange.accounts.models.api_keys import ApiKey
from exchange.accounts.models.guard import Device, Freeze, MailWord, NotMeLink, Pause
from exchange.accounts.models.leaving import Closure, Export, ExportPiece
from exchange.accounts.models.people import User, UserQueries
from exchange.accounts.models.second_factors import FactorDevice, FactorReset

__all__ = [
    "ApiKey",
    "Closure",
    "Device",
    "Export",
    "ExportPiece",
    "FactorDevice",
    "FactorReset",
    "Freeze",
    "MailWord",
    "NotMeLink",
    "Pause",
    "User",
    "UserQueries",
]
