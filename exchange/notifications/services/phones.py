"""A customer's telephone number for SMS: shown to be theirs by a code, kept sealed.

Codes cost money and go to whom a stranger names, so they are few: one a minute and six a day for a customer, five tries each.
What must never happen here: a number in a log, a message or an error; a code in the database.
"""

from __future__ import annotations

import hmac
import re
import secrets as randomness
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, TooMany, Unavailable
from exchange.notifications import channels
from exchange.notifications.channels import sms
from exchange.notifications.channels.parcels import Gone, Refused, Sent
from exchange.notifications.models import Delivery, Phone
from exchange.secrets import services as secrets

VALID_FOR = timedelta(minutes=10)
TRIES, CODES_A_DAY = 5, 6
BETWEEN_CODES = timedelta(minutes=1)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_PURPOSE = "phone"


class NumberInvalid(InvalidRequest):
    code = "phone_number_invalid"


class CodeInvalid(InvalidRequest):
    code = "phone_code_invalid"


class CodeOver(Conflict):
    code = "phone_code_over"


class TooManyCodes(TooMany):
    code = "phone_codes_too_many"


class NotOffered(Conflict):
    code = "sms_not_offered"


class NotSent(Unavailable):
    code = "sms_not_sent"


@dataclass(frozen=True, slots=True)
class PhoneView:
    """The number as its owner sees it: its end."""

    ending: str
    confirmed: bool


def of(user_id: int) -> PhoneView | None:
    row = Phone.objects.filter(user_id=user_id).exclude(ending="").only("ending", "confirmed_at").first()
    return None if row is None else PhoneView(ending=row.ending, confirmed=row.confirmed_at is not None)


def number_of(user_id: int) -> str:
    """The confirmed number in the clear, for whoever sends; "" for none."""
    row = Phone.objects.filter(user_id=user_id).exclude(confirmed_at=None).first()
    return "" if row is None else _open(row)


def begin(*, user_id: int, number: str, origin: str = "", now: datetime) -> None:
    """Sends a code to this number. Until it is entered, nothing else is sent there. Raises NumberInvalid, TooManyCodes,
    NotOffered, NotSent."""
    if not channels.switched_on(Delivery.Channel.SMS):
        raise NotOffered("SMS are not offered here.")
    number = re.sub(r"[\s()/.\-]", "", number)
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if not _NUMBER.fullmatch(number):
        raise NumberInvalid("Write the number with its country code, such as +49 170 1234567.", param="number")
    code = f"{randomness.randbelow(1_000_000):06d}"
    with transaction.atomic():
        row = Phone.objects.select_for_update().filter(user_id=user_id).first()
        sent, since = _counted(row, now)
        sealed = secrets.seal(purpose=_PURPOSE, plaintext=number.encode(), context=_context(user_id))
        Phone.objects.update_or_create(
            user_id=user_id,
            defaults={
                "sealed": sealed, "ending": number[-4:], "code_hash": _code_hash(user_id, code), "tries_left": TRIES,
                "code_expires_at": now + VALID_FOR, "sent": sent, "sent_since": since, "confirmed_at": None,
            },
        )  # fmt: skip
        audit.record(actor_id=user_id, action="phone.begin", subject=f"user:{user_id}", origin=origin, now=now)
    outcome = sms.text_to(number, _("{site}: your code is {code}.").format(site=settings.SITE_NAME, code=code))
    if isinstance(outcome, (Gone, Refused)):
        raise NumberInvalid("No SMS can be sent to this number.", param="number")
    if not isinstance(outcome, Sent):
        raise NotSent("The code could not be sent just now. Please try again in a few minutes.")


def confirm(*, user_id: int, code: str, origin: str = "", now: datetime) -> None:
    """The code that was sent. Raises CodeInvalid, CodeOver."""
    wrong = False
    with transaction.atomic():
        row = Phone.objects.select_for_update().filter(user_id=user_id, confirmed_at=None).first()
        if (
            row is None
            or not row.code_hash
            or not row.code_expires_at
            or row.code_expires_at <= now
            or not row.tries_left
        ):
            raise CodeOver("This code is over. Ask for another one.")
        row.tries_left -= 1
        wrong = not hmac.compare_digest(row.code_hash, _code_hash(user_id, code.strip()))
        if not wrong:
            row.confirmed_at, row.code_hash, row.code_expires_at = now, "", None
            audit.record(actor_id=user_id, action="phone.confirm", subject=f"user:{user_id}", origin=origin, now=now)
        row.save(update_fields=["tries_left", "confirmed_at", "code_hash", "code_expires_at"])
    if wrong:  # outside: the try that was counted stays counted
        raise CodeInvalid("This is not the code.", param="code")


def forget(*, user_id: int, origin: str = "", now: datetime) -> None:
    """Nothing is sent there any more. The row stays, without a number, for it counts the codes of the day."""
    with transaction.atomic():
        if Phone.objects.filter(user_id=user_id).exclude(ending="").update(**_EMPTY):
            audit.record(actor_id=user_id, action="phone.forget", subject=f"user:{user_id}", origin=origin, now=now)


def drop_dead(*, user_id: int, why: str, now: datetime) -> None:
    """Its provider says that nothing arrives there, or that its owner wants nothing."""
    with transaction.atomic():
        Phone.objects.filter(user_id=user_id).update(**_EMPTY)
        audit.record(
            actor_id=None,
            action="phone.dropped",
            subject=f"user:{user_id}",
            after={"why": why[:100]},
            origin="",
            now=now,
        )


_EMPTY = {"sealed": b"", "ending": "", "code_hash": "", "code_expires_at": None, "confirmed_at": None}


def _counted(row: Phone | None, now: datetime) -> tuple[int, datetime]:
    """How many codes this one makes, and since when. Raises TooManyCodes."""
    if row is None or row.sent_since < now - timedelta(days=1):
        return 1, now
    if row.code_expires_at is not None and row.code_expires_at - VALID_FOR > now - BETWEEN_CODES:
        raise TooManyCodes("A code was sent a moment ago. Wait a minute before you ask for another.")
    if row.sent >= CODES_A_DAY:
        raise TooManyCodes("Too many codes were asked for. Please try again tomorrow.")
    return row.sent + 1, row.sent_since


def _code_hash(user_id: int, code: str) -> str:
    """Six digits would be guessed from a plain hash; this one takes the house's own key."""
    return salted_hmac("notifications.phone", f"{user_id}:{code}", algorithm="sha256").hexdigest()


def _open(row: Phone) -> str:
    return secrets.open(purpose=_PURPOSE, sealed=bytes(row.sealed), context=_context(row.user_id)).decode()


def _context(user_id: int) -> str:
    return f"phone:{user_id}"
