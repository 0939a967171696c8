"""What follows when a person's e-mail address changes, whoever changed it: the old one is told, log-ins elsewhere and all API
keys end, and withdrawals pause.

Customers change theirs by a link that is sent to the new one (`exchange.accounts.guarding`); staff do where somebody has lost
both. What must never happen here: an address that logs in and is not the one we write to.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction

from exchange.accounts import registry
from exchange.accounts.models import NotMeLink
from exchange.accounts.services import credentials, sessions


def changed(
    *, user_id: int, old: str, keep_session: str | None, actor_id: int | None = None, origin: str = "", now: datetime
) -> None:
    """After the new address stands. `keep_session` is the session in which its owner did it."""
    with transaction.atomic():
        sessions.end_others(user_id=user_id, keep=keep_session, origin=origin, actor_id=actor_id, now=now)
        registry.access_ended(user_id=user_id, now=now)
        credentials.changed(
            user_id=user_id,
            what="email",
            detail="E-mail address changed, API keys ended",
            actor_id=actor_id,
            origin=origin,
            also_to=old,
            now=now,
        )


def put_by_staff(*, user_id: int, old: str, new: str, actor_id: int, origin: str = "", now: datetime) -> None:
    """Staff have written another address into the person's row: it becomes the one that is known as confirmed."""
    with transaction.atomic():
        EmailAddress.objects.filter(user_id=user_id).delete()
        EmailAddress.objects.create(user_id=user_id, email=new, primary=True, verified=True)
        _void_links_of_others(user_id, new, now)
        changed(user_id=user_id, old=old, keep_session=None, actor_id=actor_id, origin=origin, now=now)


def _void_links_of_others(user_id: int, address: str, now: datetime) -> None:
    """Who had the address before may be whom staff took it from: nothing that was sent there freezes the account any more."""
    standing = NotMeLink.objects.filter(user_id=user_id, used_at=None, expires_at__gt=now)
    standing.exclude(sent_to__iexact=address).update(expires_at=now)
