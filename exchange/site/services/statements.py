"""Statements of account: asked for by a customer, made at once where they are short and by a worker where they are long, sealed
with the customer's own key, and destroyed after some days.

One is made in one snapshot of the ledger, from days that were gathered just before. Where the days kept do not come to the
balances they are mended, and it is made anew. What must never happen here: a file in the clear in the database, a statement
of somebody else's, or one in anybody's hands that does not add up.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog
from celery import current_app
from django.db import transaction
from django.utils import translation

from exchange.accounts import selectors as accounts
from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest, NotFound, TooMany
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors.periods import DaysDisagree
from exchange.ledger.services import days
from exchange.ledger.snapshot import snapshot
from exchange.secrets import subjects
from exchange.secrets.services import KeyMissing
from exchange.site.models import Statement, StatementPiece
from exchange.site.statements import as_csv, as_pdf, content

log = structlog.get_logger(__name__)
PIECE_BYTES = 1024 * 1024  # before they are packed
KEPT = timedelta(days=7)
AN_HOUR_MAX = 20
ATTEMPTS_MAX = 3
AT_ONCE = {"csv": 5_000, "pdf": 500}  # movements; more are a worker's business
SHOWN = 20
_PURPOSE = "statement"
_NOT_THERE = "There is no such statement, or it is not there any more. Ask for a new one."


class StatementInvalid(InvalidRequest):
    code = "statement_invalid"


class TooManyStatements(TooMany):
    code = "too_many_statements"


class StatementNotFound(NotFound):
    code = "statement_not_found"


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as the page lists it; `asset` is "" for all of them."""

    id: int
    state: str
    format: str
    asset: str
    since: date
    until: date
    requested_at: datetime
    expires_at: datetime | None
    entries: int
    size: int

    @property
    def ready(self) -> bool:
        return self.state == Statement.State.READY


def request(
    *, user_id: int, format: str, asset: str, since: date, until: date, language: str, origin: str = "", now: datetime
) -> int:
    """Asks for one; its id. A short one is there when this returns. `asset` "" is all of them, days are UTC and both included.

    Raises StatementInvalid, TooManyStatements and AssetNotFound.
    """
    if format not in Statement.Format.values:
        raise StatementInvalid("A statement is a CSV or a PDF file.", param="format")
    until = min(until, now.astimezone(UTC).date())
    if since > until:
        raise StatementInvalid("The first day comes after the last one.", param="since")
    asset_id = assets.asset(asset).id if asset else None
    with transaction.atomic():
        recent = Statement.objects.filter(user_id=user_id, requested_at__gt=now - timedelta(hours=1))
        if recent.count() >= AN_HOUR_MAX:
            raise TooManyStatements(f"{AN_HOUR_MAX} statements were asked for within an hour. Wait a little.")
        row = Statement.objects.create(
            user_id=user_id,
            format=format,
            asset_id=asset_id,
            since=since,
            until=until,
            language=language,
            requested_at=now,
        )
        audit.record(
            actor_id=user_id, action="statement.request", subject=f"user:{user_id}", after={"statement": row.id},
            origin=origin, now=now,
        )  # fmt: skip
    bounds = ledger.days.bounds(owner_id=user_id, since=since, until=until)
    if sum(each.entries for each in bounds.values()) <= AT_ONCE[format]:
        make(statement_id=row.id, now=now)
    else:
        transaction.on_commit(_wake, robust=True)
    return row.id


def _wake() -> None:
    """The timetable looks as well, so a broker that is down costs a minute."""
    current_app.send_task("site.make_statements", retry=False)


def make_waiting(*, now: datetime) -> int:
    """Makes the next that waits; what failed before comes last. How many were made."""
    waiting = Statement.objects.filter(state=Statement.State.REQUESTED).order_by("attempts", "id")
    next_one = waiting.values_list("id", flat=True).first()
    made = next_one is not None and make(statement_id=next_one, now=now)
    if made and waiting.exists():
        _wake()
    return int(made)


def make(*, statement_id: int, now: datetime) -> bool:
    """Makes one; whether it is ready. Three attempts, then it has failed. Who comes while it is being made leaves it alone."""
    days.gather()
    with transaction.atomic():
        row = _take(statement_id)
        if row is None:
            return False
        row.attempts += 1  # before the work: whatever kills the worker is counted
        row.save(update_fields=["attempts"])
    try:
        with translation.override(row.language), snapshot():
            # Held until it is made, so that nobody makes it twice at once.
            if _take(statement_id) is None:
                return False
            _fill(row, now)
    except Exception as error:
        log.exception("site.statement_failed", statement=row.id)
        if isinstance(error, DaysDisagree):
            days.mend(account_ids=error.account_ids, now=now)
        over = row.attempts >= ATTEMPTS_MAX
        state = Statement.State.FAILED if over else Statement.State.REQUESTED
        Statement.objects.filter(id=row.id, state=Statement.State.REQUESTED).update(
            state=state, error=type(error).__name__
        )
        return False
    return True


def _take(statement_id: int) -> Statement | None:
    rows = Statement.objects.select_for_update(skip_locked=True)
    return rows.filter(id=statement_id, state=Statement.State.REQUESTED).first()


def _fill(row: Statement, now: datetime) -> None:
    person = accounts.person(row.user_id)
    subject = content.Subject(
        user_id=row.user_id,
        email=person.email,
        since=row.since,
        until=row.until,
        asset=assets.asset_by_id(row.asset_id) if row.asset_id else None,
        language=row.language,
        made_at=now,
    )
    statement = content.Statement(subject)
    written: Iterable[bytes] = as_csv.chunks(statement) if row.format == "csv" else [as_pdf.render(statement)]
    row.size, row.pieces = _seal(row, written, now)
    row.state, row.entries, row.error = Statement.State.READY, statement.entries, ""
    row.ready_at, row.expires_at = now, now + KEPT
    row.save(update_fields=["state", "entries", "size", "pieces", "ready_at", "expires_at", "error"])


def _seal(row: Statement, written: Iterable[bytes], now: datetime) -> tuple[int, int]:
    """Packs and seals what is written, piece by piece; how many bytes it was, and how many pieces it became."""
    waiting, size, number = bytearray(), 0, 0
    for data in written:
        waiting += data
        size += len(data)
        while len(waiting) > PIECE_BYTES:
            _piece(row, number, bytes(waiting[:PIECE_BYTES]), last=False, now=now)
            del waiting[:PIECE_BYTES]
            number += 1
    _piece(row, number, bytes(waiting), last=True, now=now)
    return size, number + 1


def _piece(row: Statement, number: int, data: bytes, *, last: bool, now: datetime) -> None:
    sealed = subjects.seal(
        subject=f"customer:{row.user_id}", purpose=_PURPOSE, plaintext=zlib.compress(data, 6),
        context=_context(row, number, last=last), now=now,
    )  # fmt: skip
    StatementPiece.objects.create(statement=row, number=number, sealed=sealed)


def _context(row: Statement, number: int, *, last: bool) -> str:
    return f"statement:{row.id}:user:{row.user_id}:{number}:{'last' if last else 'more'}"


class Download:
    """The file, piece by piece."""

    def __init__(self, row: Statement, asset: str) -> None:
        self._row = row
        self.size, self.pieces = row.size, row.pieces
        self.content_type = "text/csv; charset=utf-8" if row.format == "csv" else "application/pdf"
        what = f"-{asset.lower()}" if asset else ""
        self.filename = f"statement{what}-{row.since:%Y-%m-%d}-{row.until:%Y-%m-%d}.{row.format}"

    def piece(self, number: int) -> bytes:
        """Opens one. Raises SecretTampered where it is not what was sealed for this place, KeyMissing after an erasure."""
        found = StatementPiece.objects.get(statement=self._row, number=number)
        context = _context(self._row, number, last=number == self.pieces - 1)
        subject = f"customer:{self._row.user_id}"
        packed = subjects.open(subject=subject, purpose=_PURPOSE, sealed=bytes(found.sealed), context=context)
        return zlib.decompress(packed)

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self.pieces):
            yield self.piece(number)


def open_download(*, user_id: int, statement_id: int, now: datetime) -> Download:
    """The customer's own, ready to be read. Raises StatementNotFound for another's, one not made yet or one that is over."""
    row = Statement.objects.filter(id=statement_id, user_id=user_id, state=Statement.State.READY).first()
    if row is None or row.expires_at is None or row.expires_at <= now:
        raise StatementNotFound(_NOT_THERE)
    found = Download(row, assets.asset_by_id(row.asset_id).code if row.asset_id else "")
    try:
        found.piece(0)
    except KeyMissing:  # he was forgotten, and this came back from a backup
        raise StatementNotFound(_NOT_THERE) from None
    return found


def listing(*, user_id: int, now: datetime) -> list[Asked]:
    """The customer's last ones, newest first. Two queries."""
    codes = {each.id: each.code for each in assets.assets(enabled_only=False)}
    return [
        Asked(
            id=row.id,
            state="expired" if row.expires_at and row.expires_at <= now else row.state,
            format=row.format,
            asset=codes.get(row.asset_id or 0, ""),
            since=row.since,
            until=row.until,
            requested_at=row.requested_at,
            expires_at=row.expires_at,
            entries=row.entries,
            size=row.size,
        )
        for row in Statement.objects.filter(user_id=user_id).order_by("-id")[:SHOWN]
    ]


def expire(*, now: datetime) -> int:
    """Destroys what is over; how many."""
    over = list(
        Statement.objects.filter(state=Statement.State.READY, expires_at__lte=now).values_list("id", flat=True)[:500]
    )
    with transaction.atomic():
        StatementPiece.objects.filter(statement_id__in=over).delete()
        Statement.objects.filter(id__in=over).update(state=Statement.State.EXPIRED)
    return len(over)
