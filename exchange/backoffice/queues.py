"""What waits for staff, how much of it and since when: for the sidebar's badges and the dashboard's first row.

Each by the right to work it. Remembered for some seconds, for every staff page shows it. What must never happen here: a case
counted for whom it is about, or a count that walks over what is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from custody import selectors as custody
from exchange.accounts import standing
from exchange.backoffice.words import list_page
from exchange.ledger.selectors import stops
from exchange.outbox import selectors as outbox
from exchange.proposals import selectors as proposals
from kyc import desk as identity
from kyc.screening import counting as screening
from wallets import figures as wallets

KEPT_S = 15
BREAKS = ("reconciliation", "verification")


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue. `alarm`: anything in it is a trouble, not work."""

    name: str
    title: Any
    model: str
    count: int
    since: datetime | None
    query: tuple[tuple[str, str], ...] = ()
    alarm: bool = False

    def page(self, request: HttpRequest) -> str:
        return list_page(request, self.model, **dict(self.query))


def of(request: HttpRequest) -> list[Queue]:
    """The queues whose pages this person may open."""
    user_id = int(request.user.pk or 0)
    found: list[Queue] = cache.get_or_set(f"backoffice:queues:{user_id}", lambda: _all(user_id), KEPT_S)
    return [each for each in found if each.page(request)]


def _all(user_id: int) -> list[Queue]:
    now = timezone.now()
    applications, handed_in = identity.waiting()
    cases, _strong, opened = screening.waiting(but_of=user_id)
    coins = wallets.waiting(now=now)
    letters = outbox.backlog()
    broken = [each for each in stops.active() if each.source.startswith(BREAKS)]
    return [
        Queue("applications", _("Identity"), "kyc.application", applications, handed_in),
        Queue("withdrawals", _("Withdrawals to approve"), "wallets.withdrawal", coins.review, coins.review_since,
              (("state__exact", "review"),)),
        Queue("cases", _("Screening cases"), "kyc.screeningcase", cases, opened),
        Queue("proposals", _("Proposals"), "proposals.proposal", proposals.waiting_count(now=now), proposals.oldest(now=now)),
        Queue("held", _("Held deposits"), "wallets.deposit", coins.held, coins.held_since, (("state__exact", "held"),)),
        Queue("stuck", _("Stuck transactions"), "wallets.withdrawal", coins.stuck, None, (("stuck", "yes"),), True),
        Queue("breaks", _("Reconciliation breaks"), "ledger.stop", len(broken),
              min((each.created_at for each in broken), default=None), (), True),
        Queue("resets", _("Lost second factors"), "accounts.factorreset", standing.resets_waiting(), None),
        Queue("levels", _("Levels to confirm"), "kyc.levelproposal", identity.levels_waiting(), None),
        Queue("policy", _("Policy edit"), "custody.policyedit", int(custody.open_edit(now=now) is not None), None),
        Queue("cold", _("Cold storage"), "wallets.coldproposal", coins.cold, None),
        Queue("shares", _("Hot shares"), "wallets.hotshare", coins.shares, None),
        Queue("letters", _("Dead letters"), "outbox.delivery", letters.dead, None, (("state__exact", "dead"),), True),
    ]  # fmt: skip
