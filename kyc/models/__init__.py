"""The rows of this room: `levels` and their limits, `applications` with their documents, `screening`."""

from kyc.models.applications import Application, ApplicationApproval, ApplicationStep, Document, ProviderEvent
from kyc.models.levels import Customer, Level, Limit

__all__ = [
    "Application",
    "ApplicationApproval",
    "ApplicationStep",
    "Customer",
    "Document",
    "Level",
    "Limit",
    "ProviderEvent",
]
