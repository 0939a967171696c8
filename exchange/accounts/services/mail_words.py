"""The word by which a customer knows our e-mails: he chooses it, each mail to him carries it, a forger does not know it.

Kept sealed. What must never happen here: the word in a mail to an address that its owner has not confirmed, in a log, or on a
page without a second factor just shown.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction

from exchange.accounts.models import MailWord
from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest
from exchange.secrets import services as secrets

LENGTH_MIN, LENGTH_MAX = 4, 32
_PURPOSE = "mail_word"


class WordInvalid(InvalidRequest):
    code = "mail_word_invalid"


def choose(*, user_id: int, word: str, origin: str = "", now: datetime) -> None:
    """Puts this word into every e-mail from now on. Raises WordInvalid."""
    word = word.strip()
    if not (LENGTH_MIN <= len(word) <= LENGTH_MAX and word.isprintable()):
        raise WordInvalid(f"Choose {LENGTH_MIN} to {LENGTH_MAX} letters, digits, spaces or signs.", param="word")
    sealed = secrets.seal(purpose=_PURPOSE, plaintext=word.encode(), context=_context(user_id))
    with transaction.atomic():
        MailWord.objects.update_or_create(user_id=user_id, defaults={"sealed": sealed, "chosen_at": now})
        _record(user_id, "mail_word.choose", origin, now)


def forget(*, user_id: int, origin: str = "", now: datetime) -> None:
    """E-mails carry none from now on."""
    with transaction.atomic():
        if MailWord.objects.filter(user_id=user_id).delete()[0]:
            _record(user_id, "mail_word.forget", origin, now)


def of(user_id: int) -> str:
    """The word; "" for none. For e-mails, and for the page behind a second factor."""
    row = MailWord.objects.filter(user_id=user_id).first()
    if row is None:
        return ""
    return secrets.open(purpose=_PURPOSE, sealed=bytes(row.sealed), context=_context(user_id)).decode()


def for_address(email: str) -> str:
    """The word of whoever has confirmed this address as theirs; "" for all others: a stranger must not read it."""
    owner = EmailAddress.objects.filter(email__iexact=email, verified=True).values_list("user_id", flat=True).first()
    return "" if owner is None else of(owner)


def chosen_at(user_id: int) -> datetime | None:
    """Since when there is one; the word itself is not touched."""
    return MailWord.objects.filter(user_id=user_id).values_list("chosen_at", flat=True).first()


def _context(user_id: int) -> str:
    return f"mail_word:{user_id}"


def _record(user_id: int, action: str, origin: str, now: datetime) -> None:
    audit.record(actor_id=user_id, action=action, subject=f"user:{user_id}", origin=origin, now=now)
