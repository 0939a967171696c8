"""A customer who lost both address and log-in: one of staff proposes another address, a second person approves it.

Both addresses lie in the proposal under the customer's own key: forgetting the customer forgets them. What must never happen
here: an account handed to another mailbox by one person, or by anybody to themselves; an address in the clear in a record.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.accounts import protection
from exchange.accounts.models import User
from exchange.accounts.services import emails
from exchange.accounts.services.customers import EmailTaken
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from exchange.proposals import registry
from exchange.proposals import services as proposals
from exchange.proposals.registry import Kind, Line, Wish
from exchange.secrets import subjects
from exchange.secrets.services import KeyMissing

KIND, RIGHT = "accounts.email", "accounts.change_user"
_PURPOSE = "accounts.email_change"


class EmailInvalid(InvalidRequest):
    code = "email_invalid"


class NotThisPerson(PermissionDenied):
    """Superusers alone change an address of the staff's."""

    code = "staff_address"


class AccountShut(Conflict):
    """A closed account is opened first, where the closure stands."""

    code = "account_shut"


class UserNotFound(NotFound):
    code = "person_not_found"


def register() -> None:
    """In AppConfig.ready()."""
    title = gettext_lazy("Change a customer's e-mail address")
    registry.register(
        Kind(
            KIND,
            title,
            RIGHT,
            _stands,
            _apply,
            lines=_lines,
            about=_user_id,
            check=lambda subject, after: None,
            same=_same,
        )
    )


def propose(*, user_id: int, email: str, reason: str, actor_id: int, origin: str = "", now: datetime) -> int:
    """One person's wish; the id. Raises EmailInvalid, EmailTaken, NotThisPerson, AccountShut, and what `propose` does."""
    email = User.objects.normalize_email(email)
    try:
        validate_email(email)
    except ValidationError:
        raise EmailInvalid(_("This is no e-mail address."), param="email") from None
    user = _person(user_id)
    _possible(user, email, actor_id)
    with transaction.atomic():
        return proposals.propose(
            kind=KIND, subject=f"user:{user_id}", after={"email": _sealed(user_id, email, now)}, reason=reason,
            actor_id=actor_id, origin=origin, now=now,
        )  # fmt: skip


def _apply(wish: Wish) -> None:
    user_id = _user_id(wish.subject)
    email = _opened(user_id, wish.after["email"])
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=user_id).first() or _person(user_id)
        _possible(user, email, wish.actor_id)
        old, user.email = user.email, email
        user.save(update_fields=["email"])
        emails.put_by_staff(
            user_id=user_id, old=old, new=email, actor_id=wish.actor_id, origin=wish.origin, now=wish.now
        )


def _possible(user: User, email: str, actor_id: int) -> None:
    # A frozen one takes another address: where a thief put in his, opening first would send him the mail that opens it.
    if protection.is_closed(user.pk):
        raise AccountShut(_("This account is closed. Open it first."), param="email")
    if user.is_staff or user.is_superuser:
        actor = User.objects.filter(pk=actor_id).first()
        if actor is None or not actor.is_superuser:
            raise NotThisPerson(_("Only superusers change an address of the staff's."), param="email")
    if User.objects.filter(email=email).exclude(pk=user.pk).exists():
        raise EmailTaken(_("Somebody else logs in with this address."), param="email")


def _person(user_id: int) -> User:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise UserNotFound(_("There is no such person."))
    return user


def _user_id(subject: str) -> int:
    return int(subject.partition(":")[2])


def _stands(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    user = _person(_user_id(subject))
    # The key is there: what is wished was sealed with it before this is asked for.
    return {"email": _sealed(user.pk, user.email, user.date_joined)}


def _same(subject: str, one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    user_id = _user_id(subject)
    return _opened(user_id, one["email"]) == _opened(user_id, two["email"])


def _lines(before: Mapping[str, Any], after: Mapping[str, Any], subject: str) -> list[Line]:
    user_id = _user_id(subject)

    def shown(sealed: str) -> str:
        try:
            return _opened(user_id, sealed)
        except KeyMissing:
            return _("forgotten")

    label = _("E-mail address of customer %(number)s") % {"number": user_id}
    return [Line(label, shown(before["email"]), shown(after["email"]))]


def _sealed(user_id: int, email: str, now: datetime) -> str:
    sealed = subjects.seal(
        subject=f"customer:{user_id}", purpose=_PURPOSE, plaintext=email.encode(), context=str(user_id), now=now
    )
    return base64.b64encode(sealed).decode()


def _opened(user_id: int, sealed: str) -> str:
    plain = subjects.open(
        subject=f"customer:{user_id}", purpose=_PURPOSE, sealed=base64.b64decode(sealed), context=str(user_id)
    )
    return plain.decode()
