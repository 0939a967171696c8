"""Opens customers: one way for the sign-up form, for log-ins through Google and Facebook, and for set-up.

What must never happen here: a customer who exists without accounts in the ledger, or news of a customer whose sign-up was
rolled back.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.utils import crypto

from exchange.accounts import registry
from exchange.accounts.models import User
from exchange.audit import services as audit
from exchange.core.errors import Conflict
from exchange.core.ids import uuid7
from exchange.outbox import services as outbox


class EmailTaken(Conflict):
    """Somebody logs in with this address already. Never shown to a visitor: it would tell who exists."""

    code = "email_taken"


def open(*, email: str, password: str, email_verified: bool = False, display_name: str = "", now: datetime) -> int:
    """Makes a customer without the form, for set-up and tests; the user's id. Raises EmailTaken."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, display_name=display_name, date_joined=now)
            EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=email_verified)
            opened(user_id=user.id, now=now)
    except IntegrityError:
        raise EmailTaken("This address is in use.", param="email") from None
    return user.id


def opened(*, user_id: int, origin: str = "", now: datetime) -> None:
    """What a new user row needs to be a customer: accounts in the ledger, an audit record, the news. In the caller's
    transaction, once for each user."""
    registry.customer_opened(user_id=user_id, now=now)
    audit.record(actor_id=user_id, action="customer.open", subject=f"user:{user_id}", after={}, origin=origin, now=now)
    outbox.append(topic="accounts.customer_opened", key=f"user:{user_id}", payload={"user_id": user_id}, now=now)


def rehearse(*, now: datetime) -> None:
    """The work of opening a customer, all of it thrown away: who signs up with a known address waits as long as a newcomer,
    whose password is hashed and whose accounts are opened."""
    with transaction.atomic():
        email = f"{uuid7()}@rehearsal.invalid"
        user = User.objects.create_user(email, crypto.get_random_string(20), date_joined=now)
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=False)
        opened(user_id=user.id, now=now)
        transaction.set_rollback(True)


def set_language(*, user_id: int, language: str) -> None:
    """The language of pages and e-mails to this person. Whoever calls has checked that it is one of settings.LANGUAGES."""
    User.objects.filter(id=user_id).update(language=language)


def set_display_currency(*, user_id: int, code: str) -> None:
    """In which currency values are shown; it changes no amount. Whoever calls has checked that it can be shown in."""
    User.objects.filter(id=user_id).update(display_currency=code)
