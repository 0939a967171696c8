"""The rows of this room: `levels` and their limits, `applications` with their documents, `screening`."""

from kyc.models.applications import Application, ApplicationApproval, ApplicationStep, Document, ProviderEvent
from kyc.models.levels import Customer, Level, LevelProposal, Limit
from kyc.models.screening import ListedAddress, ListedEntry, ListVersion, Screening, ScreeningCase, ScreeningOpinion

__all__ = [
    "Application",
    "ApplicationApproval",
    "ApplicationStep",
    "Customer",
    "Document",
    "Level",
    "LevelProposal",
    "Limit",
    "ListVersion",
    "ListedAddress",
    "ListedEntry",
    "ProviderEvent",
    "Screening",
    "ScreeningCase",
    "ScreeningOpinion",
]
