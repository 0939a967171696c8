"""What screening does: `lists`, `fetching`, `people`, `addresses`, `cases`, `viewing`."""

from kyc.screening.services.addresses import Hit, screen_address
from kyc.screening.services.people import screen_person

__all__ = ["Hit", "screen_address", "screen_person"]
