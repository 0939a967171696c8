"""What staff see and set of identity: applications, levels and limits, screening."""

from kyc.admin_applications import ApplicationAdmin
from kyc.admin_levels import CustomerAdmin, LevelAdmin, LevelProposalAdmin
from kyc.admin_screening import ListVersionAdmin, ScreeningCaseAdmin

__all__ = [
    "ApplicationAdmin",
    "CustomerAdmin",
    "LevelAdmin",
    "LevelProposalAdmin",
    "ListVersionAdmin",
    "ScreeningCaseAdmin",
]
