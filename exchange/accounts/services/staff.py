"""Makes members of staff. They are people like any other who may also enter the staff pages.

What must never happen here: a customer who becomes staff without a line in the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from exchange.accounts.models import User
from exchange.accounts.services.customers import EmailTaken
from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest


class OfficeUnknown(InvalidRequest):
    code = "office_unknown"


def may(user_id: int, right: str) -> bool:
    """Whether this person is of the staff now and has the right, by an office or by name."""
    user = User.objects.filter(pk=user_id, is_staff=True, is_active=True).first()
    return user is not None and user.has_perm(right)


def open(
    *,
    email: str,
    password: str,
    display_name: str = "",
    superuser: bool = False,
    offices: Sequence[str] = (),
    actor_id: int | None = None,
    now: datetime,
) -> int:
    """A new member of staff with a confirmed address, in these offices; the user's id. Raises EmailTaken, OfficeUnknown."""
    groups = list(Group.objects.filter(name__in=offices))
    if len(groups) < len(set(offices)):
        raise OfficeUnknown("There is no such office.", param="offices")
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email, password, display_name=display_name, is_staff=True, is_superuser=superuser, date_joined=now
            )
            EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
            user.groups.set(groups)
            audit.record(
                actor_id=actor_id,
                action="staff.open",
                subject=f"user:{user.id}",
                after={"is_superuser": superuser, "offices": sorted(set(offices))},
                now=now,
            )
    except IntegrityError:
        raise EmailTaken("This address is in use.", param="email") from None
    return user.id
