"""The link "this was not me" in our e-mails: one press shuts the account, without a log-in, for whoever has the mailbox.

The token is random, made for one mail, and only its hash is kept. Looking at the link changes nothing (mail scanners open
links); its button freezes the account, once. What must never happen here: a token in the database or a log, a link that does
more than freeze, or a second use.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from exchange.accounts.models import Freeze, NotMeLink
from exchange.accounts.services import freezing
from exchange.core.errors import Conflict, NotFound


class LinkInvalid(NotFound):
    code = "not_me_link_invalid"


class LinkUsed(Conflict):
    code = "not_me_link_used"


class LinkOver(Conflict):
    code = "not_me_link_over"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link would do. `open` is whether its button still does something."""

    about: str
    made_at: datetime
    used: bool
    open: bool


def make(*, user_id: int, sent_to: str, about: str, now: datetime) -> str:
    """The path of a new link for one e-mail."""
    token = secrets.token_urlsafe(32)
    NotMeLink.objects.create(
        user_id=user_id,
        token_hash=_hash(token),
        sent_to=sent_to,
        about=about[:40],
        made_at=now,
        expires_at=now + timedelta(days=settings.NOT_ME_LINK_DAYS),
    )
    return reverse("site:not_me", args=[token])


def settled_since(*, user_id: int, when: datetime) -> bool:
    """Whether staff have lifted a freeze of this account since: links about what was before are void, and none is made any
    more."""
    return Freeze.objects.filter(user_id=user_id, lifted_at__gte=when).exists()


def look(*, token: str, now: datetime) -> Link:
    """What the link is about; changes nothing. Raises LinkInvalid for one that never was."""
    row = NotMeLink.objects.filter(token_hash=_hash(token)).first()
    if row is None:
        raise LinkInvalid("This link is no good. Open it from the e-mail itself, or write to support.")
    used = row.used_at is not None
    return Link(about=row.about, made_at=row.made_at, used=used, open=not used and row.expires_at > now)


def use(*, token: str, origin: str = "", now: datetime) -> None:
    """Freezes the account of the mail this link stood in. Raises LinkInvalid, LinkUsed, LinkOver."""
    with transaction.atomic():
        row = NotMeLink.objects.select_for_update().filter(token_hash=_hash(token)).first()
        if row is None:
            raise LinkInvalid("This link is no good. Open it from the e-mail itself, or write to support.")
        _refuse_used(row, now)
        row.used_at = now
        row.save(update_fields=["used_at"])
        freezing.freeze(
            user_id=row.user_id,
            reason=f"“This was not me”, from the e-mail {row.about}.",
            origin=origin,
            sent_to=row.sent_to,
            now=now,
        )


def _refuse_used(row: NotMeLink, now: datetime) -> None:
    if row.used_at is not None:
        raise LinkUsed("This link was used already. If it was you: the account is frozen, and support will help.")
    if row.expires_at <= now:
        raise LinkOver("This link is too old. Please write to support.")


def forget_old(*, now: datetime) -> int:
    """Deletes links that have been over for a month; how many."""
    return NotMeLink.objects.filter(expires_at__lt=now - timedelta(days=30)).delete()[0]


def _hash(token: str) -> str:
    # A token of 256 random bits needs no slow hash: nobody guesses it, and whoever reads the hash learns nothing.
    return hashlib.sha256(token.encode()).hexdigest()
