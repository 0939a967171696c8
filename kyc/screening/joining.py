"""Where screening joins sign-ups and applications: a new customer is due from his first moment; handing in an application, he
is screened at once; before he is approved, he must have been.

What must never happen here: a case written inside an approval that its own refusal rolls back (the workers screen; the
approval looks).
"""

from __future__ import annotations

from datetime import datetime

from celery import current_app
from django.db import transaction

from exchange.accounts import registry as accounts
from exchange.core.errors import Conflict
from kyc import registry
from kyc.models import Screening
from kyc.registry import Person
from kyc.screening import selectors
from kyc.screening.services import people

# The timetable sends the same every minute: a call that nobody took by then is not needed, and queues must not fill with them.
WAKE_EXPIRES_S = 60


class NotScreened(Conflict):
    """The lists have changed, or the details have, and the workers have not come round yet."""

    code = "not_screened"


def join() -> None:
    """From AppConfig.ready()."""
    accounts.on_customer_opened(people.opened)
    registry.on_submitted("screening")(handed_in)
    registry.before_approval("screening")(ensure_screened)


def handed_in(person: Person, *, now: datetime) -> None:
    """Makes the customer due, in the transaction of his handing in, and wakes the workers after it."""
    people.soon(user_id=person.user_id)
    transaction.on_commit(_wake, robust=True)


def ensure_screened(person: Person, *, now: datetime) -> None:
    """Raises UnderReview where a case is open or confirmed, NotScreened where he is still due. Without any list, nobody is."""
    if selectors.blocked(person.user_id):
        raise selectors.UnderReview("A screening case of this customer has to be cleared first.")
    epoch = selectors.epoch()
    if epoch and not Screening.objects.filter(user_id=person.user_id, epoch__gte=epoch).exists():
        _wake()
        raise NotScreened("This customer is being screened. Try again in a minute.")


def _wake() -> None:
    """The timetable does it, too."""
    current_app.send_task("kyc.rescreen", retry=False, expires=WAKE_EXPIRES_S)
