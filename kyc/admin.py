"""What staff see and set of identity: levels and limits."""

from kyc.admin_applications import ApplicationAdmin
from kyc.admin_levels import CustomerAdmin, LevelAdmin

__all__ = ["ApplicationAdmin", "CustomerAdmin", "LevelAdmin"]
