"""Makes members of staff. They are people like any other who may also enter the staff pages.

What must never happen here: a customer who becomes staff without a line in the audit.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from exchange.accounts.models import User
from exchange.accounts.services.customers import EmailTaken
from exchange.audit import services as audit


def open(
    *,
    email: str,
    password: str,
    display_name: str = "",
    superuser: bool = False,
    actor_id: int | None = None,
    now: datetime,
) -> int:
    """A new member of staff with a confirmed address; the user's id. Raises EmailTaken."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email, password, display_name=display_name, is_staff=True, is_superuser=superuser, date_joined=now
            )
            EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
            audit.record(
                actor_id=actor_id,
                action="staff.open",
                subject=f"user:{user.id}",
                after={"is_superuser": superuser},
                now=now,
            )
    except IntegrityError:
        raise EmailTaken("This address is in use.", param="email") from None
    return user.id
