"""SMS, through whichever provider the operator has: a provider is a function from number and text to an outcome.

An SMS cannot be taken back or replaced, and costs money: one whose fate a crash left unknown is not sent again.
What must never happen here: a link in an SMS (forgers send those), or a number in a log or an error.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from exchange.notifications.channels import sms_twilio
from exchange.notifications.channels.parcels import Outcome, Parcel, Refused

TEXT_MAX = 160
Provider = Callable[[str, str], Outcome]


def _none(number: str, text: str) -> Outcome:
    """Where there is no provider."""
    return Refused("no provider of SMS")


PROVIDERS: dict[str, Provider] = {"none": _none, "twilio": sms_twilio.send}


def switched_on() -> bool:
    return settings.SMS_PROVIDER != "none"


def send(parcel: Parcel) -> Outcome:
    return text_to(parcel.phone, f"{settings.SITE_NAME}: {parcel.message.title}")


def text_to(number: str, text: str) -> Outcome:
    """One text to one number; for codes, too."""
    return PROVIDERS[settings.SMS_PROVIDER](number, text[:TEXT_MAX])
