"""Screens customers by name: one when he applies, all of them when a list changes and once a day.

Who is due stands in the rows themselves (screened against an older epoch, or a day ago), so a run that was killed is taken up
by the next one where it stood, several workers share the work, and a customer who was screened against an old list while a
new one was taken is found again. Whose words do not open stays due and is counted; the others go on. What must never happen
here: a customer who is never due, one taken for screened who was not, or a name kept in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from exchange.accounts import selectors as accounts
from exchange.accounts.selectors import Person as Account
from kyc.models import Screening, ScreeningCase
from kyc.screening import current, details, metrics
from kyc.screening.current import Current
from kyc.screening.matching import Match, Person
from kyc.screening.services import cases

BATCH = 200
RETRIED_AFTER = timedelta(minutes=10)  # who could not be screened
ENROLLED_AT_ONCE = 1_000
HITS_MAX = 50  # cases that one customer's name may open at once; a name that hits more is no name

log = structlog.get_logger(__name__)


def screen_person(
    *, user_id: int, names: Sequence[str], birth_date: str | date | None, country: str, now: datetime
) -> list[int]:
    """Screens these details now; the ids of the cases that this opened. `country` is an ISO code or a name, or "".

    Where a case is open already, or staff have cleared just this, none is opened: ask `selectors.blocked` whether he may go
    on.
    """
    who = details.person(names=list(names), birth_date=birth_date, country=country)
    lists = current.lists()
    with transaction.atomic():
        Screening.objects.bulk_create([Screening(user_id=user_id)], ignore_conflicts=True)
        row = Screening.objects.select_for_update().get(user_id=user_id)
        return _screen(row, [who], lists, now=now)


def soon(*, user_id: int) -> None:
    """Makes a customer due, in the caller's transaction: what is known of him changed."""
    Screening.objects.update_or_create(user_id=user_id, defaults={"epoch": 0, "retry_at": None})


def opened(user_id: int, now: datetime) -> None:
    """Makes a new customer due, in the transaction of his sign-up."""
    Screening.objects.bulk_create([Screening(user_id=user_id)], ignore_conflicts=True)


def enrol(*, now: datetime) -> int:
    """Makes everybody behind the last customer of the walk due; how many there were, at most ENROLLED_AT_ONCE.

    A sign-up with a lower number may commit after it went by: `opened` and `enrol_missed` see to those.
    """
    last = Screening.objects.filter(enrolled=True).order_by("-user_id").values_list("user_id", flat=True).first() or 0
    ids = accounts.ids_after(last, limit=ENROLLED_AT_ONCE)
    # Who was screened before the walk came by keeps what is noted of him.
    Screening.objects.bulk_create(
        [Screening(user_id=user_id, enrolled=True) for user_id in ids],
        update_conflicts=True,
        unique_fields=["user_id"],
        update_fields=["enrolled"],
    )
    return len(ids)


def enrol_missed(*, now: datetime) -> int:
    """Goes through all customers from the first, and makes due who has no row; how many. Two queries a thousand customers."""
    last, missed = 0, 0
    while ids := accounts.ids_after(last, limit=ENROLLED_AT_ONCE):
        last = ids[-1]
        known = set(Screening.objects.filter(user_id__in=ids).values_list("user_id", flat=True))
        new = [Screening(user_id=user_id) for user_id in ids if user_id not in known]
        if new:
            Screening.objects.bulk_create(new, ignore_conflicts=True)
            log.warning("kyc.screening_missed", customers=len(new))
        missed += len(new)
    return missed


def rescreen(*, now: datetime) -> int:
    """One batch of those who are due, in one transaction; how many there were. 0 when everybody has been screened."""
    lists = current.lists()
    if not lists.epoch:
        return 0
    aged = now - timedelta(hours=settings.SANCTIONS_RESCREEN_H)
    due = (Q(epoch__lt=lists.epoch) | Q(screened_at__lt=aged)) & (Q(retry_at=None) | Q(retry_at__lte=now))
    with transaction.atomic():
        rows = list(
            Screening.objects.select_for_update(skip_locked=True).filter(due).order_by("epoch", "user_id")[:BATCH]
        )
        known = accounts.people([row.user_id for row in rows])
        screened = sum(_try(row, known.get(row.user_id), lists, now=now) for row in rows)
    metrics.SCREENED.inc(screened)
    metrics.UNSCREENED.inc(len(rows) - screened)
    return len(rows)


def _try(row: Screening, account: Account | None, lists: Current, *, now: datetime) -> bool:
    """False where the customer's words do not open: he stays due as he was, holds up nobody, and has another turn soon."""
    try:
        known = details.of(row.user_id, account)
    except details.Unopened as error:
        log.error("kyc.screening_cannot_open", user_id=row.user_id, error=str(error))
        row.retry_at = now + RETRIED_AFTER
        row.save(update_fields=["retry_at"])
        return False
    _screen(row, known, lists, now=now)
    return True


def _screen(row: Screening, known: Sequence[Person], lists: Current, *, now: datetime) -> list[int]:
    """Under the row's lock, which makes two screenings of one customer wait for each other. Each of what he is known as is
    searched, and cleared, by itself."""
    opened = []
    for who in known:
        fingerprint = details.fingerprint(row.user_id, who)
        for match in lists.index.search(who)[:HITS_MAX]:
            case_id = cases.record(user_id=row.user_id, found=_found(match, lists, fingerprint), now=now)
            if case_id is not None:
                opened.append(case_id)
    row.epoch, row.screened_at, row.retry_at = lists.epoch, now, None
    row.fingerprint = details.fingerprint(row.user_id, known[-1])
    row.save(update_fields=["epoch", "screened_at", "fingerprint", "retry_at"])
    return opened


def _found(match: Match, lists: Current, fingerprint: str) -> cases.Found:
    return cases.Found(
        kind=ScreeningCase.Kind.PERSON,
        row_id=lists.rows[match.place],
        score=min(match.score, 100),
        strong=match.strong,
        name_place=match.name,
        birth=match.birth,
        country=match.country,
        fingerprint=fingerprint,
    )
