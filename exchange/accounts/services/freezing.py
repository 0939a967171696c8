"""The customer says "this was not me": everything that opens the account ends, and stays shut until staff lift it.

A freeze switches the log-in off, makes the password void (whoever knew it cannot use it after the lifting either: the owner
chooses a new one by e-mail), takes away every linked account, for they log in alone as the password does, and the factors that
were added since the oldest e-mail whose link is still good, ends every session and API key, and pauses withdrawals. Coins already
asked for are taken back by the rooms above, which hear of it from the outbox. What must never happen here: a freeze lifted
without a name and a reason, or by the person whose account it is; a thief's own way in that the lifting opens again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction

from exchange.accounts.models import Freeze, NotMeLink, Pause, User
from exchange.accounts.second_factors import selectors as factors
from exchange.accounts.selectors import PersonNotFound
from exchange.accounts.services import pauses, sessions
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, PermissionDenied
from exchange.outbox import services as outbox


class NotFrozenByOwner(Conflict):
    code = "not_frozen_by_owner"


class ReasonMissing(InvalidRequest):
    code = "reason_missing"


class OwnFreeze(PermissionDenied):
    """Nobody lifts the freeze of the own account."""

    code = "own_freeze"


def freeze(*, user_id: int, reason: str, origin: str = "", sent_to: str = "", now: datetime) -> int:
    """Shuts the account; the freeze's id. One that stands is given back. `sent_to` is the address whose link was followed."""
    with transaction.atomic():
        user = _locked(user_id)
        standing = Freeze.objects.filter(user_id=user_id, lifted_at=None).first()
        if standing is not None:
            return standing.id
        made = Freeze.objects.create(
            user_id=user_id, reason=reason[:200], sent_to=sent_to, was_active=user.is_active, frozen_at=now
        )
        Pause.objects.create(
            user_id=user_id, reason="Frozen by the owner.", actor_id=user_id, began_at=now, until=None, freeze=made
        )
        user.is_active = False
        user.set_unusable_password()
        user.save(update_fields=["is_active", "password"])
        ended = sessions.end_all_access(user_id=user_id, now=now)
        _take_ways_in(user_id, now)
        audit.record(
            actor_id=user_id,
            action="account.freeze",
            subject=f"user:{user_id}",
            after={"reason": reason[:200], "sessions_ended": ended},
            origin=origin,
            now=now,
        )
        outbox.append(
            topic="accounts.frozen_by_customer",
            key=f"user:{user_id}",
            payload={"user_id": user_id, "freeze_id": made.id, "reason": reason[:200], "also_to": sent_to},
            now=now,
        )
    return made.id


def lift(*, user_id: int, reason: str, actor_id: int | None, origin: str = "", now: datetime) -> None:
    """Opens the account again, withdrawals a day later. Its owner chooses a new password by e-mail, which pauses them once more.

    Links of mails sent before are void. `actor_id` is None for whoever sits at the machine itself (`manage.py accounts lift`).
    Raises ReasonMissing, OwnFreeze, NotFrozenByOwner.
    """
    if not reason.strip():
        raise ReasonMissing("A reason is needed.", param="reason")
    _refuse_own(user_id, actor_id)
    with transaction.atomic():
        user = _locked(user_id)
        standing = Freeze.objects.filter(user_id=user_id, lifted_at=None).first()
        if standing is None:
            raise NotFrozenByOwner("This account is not frozen by its owner.")
        standing.lifted_at, standing.lifted_by, standing.lift_reason = now, actor_id, reason.strip()[:500]
        standing.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
        standing.pauses.filter(lifted_at=None).update(lifted_at=now)
        NotMeLink.objects.filter(user_id=user_id, used_at=None, expires_at__gt=now).update(expires_at=now)
        user.is_active = standing.was_active
        user.save(update_fields=["is_active"])
        pauses.pause(user_id=user_id, reason="Freeze lifted", actor_id=actor_id, origin=origin, now=now)
        audit.record(
            actor_id=actor_id,
            action="account.lift_freeze",
            subject=f"user:{user_id}",
            after={"reason": standing.lift_reason, "freeze_id": standing.id},
            origin=origin,
            now=now,
        )
        outbox.append(
            topic="accounts.freeze_lifted",
            key=f"user:{user_id}",
            payload={"user_id": user_id, "freeze_id": standing.id, "also_to": standing.sent_to},
            now=now,
        )


def _take_ways_in(user_id: int, now: datetime) -> None:
    """Row by row, for each is written down and told. Older factors stay: the mailbox alone must not take them away."""
    for link in SocialAccount.objects.filter(user_id=user_id):
        link.delete()
    new = now - timedelta(days=settings.NOT_ME_LINK_DAYS)
    for factor in Authenticator.objects.filter(user_id=user_id, created_at__gt=new):
        factor.delete()
    if not factors.has_factor(user_id):  # recovery codes only stand in for one
        Authenticator.objects.filter(user_id=user_id).delete()


def _refuse_own(user_id: int, actor_id: int | None) -> None:
    if actor_id == user_id:
        raise OwnFreeze("Somebody else has to lift the freeze of your own account.")


def _locked(user_id: int) -> User:
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise PersonNotFound("There is no such person.")
    return user
