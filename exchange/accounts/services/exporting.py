"""A customer's own data, as a zip of JSON files that a worker makes, sealed at rest with his own key, so that forgetting him
makes also the copies in old backups unreadable.

Rooms give their parts through the registry and yield row by row; the zip is written as it is made, in pieces of a fixed size that
are sealed one by one, so a long history costs time and no memory. A piece is sealed for its export, its place, and for being the
last or not: none can be swapped, dropped or handed to another. Each stands as soon as it is sealed, so that no transaction lasts
as long as a history; what an attempt left behind goes before the next one begins. One copy is made at a time, whoever asks, so
the longest one takes one worker. What must never happen here: the data in the clear in the database or on a disk,
another's row in it, or a secret (a password's hash, a key, a token) in any part.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from exchange.accounts import registry
from exchange.accounts.models import Export, ExportPiece, User
from exchange.audit import services as audit
from exchange.core import times
from exchange.core.errors import Conflict, NotFound
from exchange.outbox import services as outbox
from exchange.secrets import subjects
from exchange.secrets.services import KeyMissing

log = structlog.get_logger(__name__)
PIECE_BYTES = 256 * 1024
ATTEMPTS_MAX = 5
ONE_AT_A_TIME = 5_104_017  # the name of a lock in PostgreSQL
_PURPOSE = "export"
_NOT_THERE = "There is no such copy, or it is not there any more. Ask for a new one."


class ExportTooSoon(Conflict):
    code = "export_too_soon"


class ExportNotFound(NotFound):
    code = "export_not_found"


class Overtaken(Exception):
    """Its customer was forgotten while it was being made."""


def request(*, user_id: int, origin: str = "", now: datetime) -> int:
    """Asks for a copy, which a worker makes; its id. Raises ExportTooSoon: one in EXPORT_EVERY_H, whatever became of it: one
    that failed took as much work as any, and five attempts."""
    with transaction.atomic():
        User.objects.select_for_update().only("id").get(id=user_id)
        since = now - timedelta(hours=settings.EXPORT_EVERY_H)
        last = Export.objects.filter(user_id=user_id, requested_at__gt=since).order_by("-requested_at").first()
        if last is not None:
            again = last.requested_at + timedelta(hours=settings.EXPORT_EVERY_H)
            raise ExportTooSoon(f"You can ask again from {again:%-d %B %Y, %H:%M} UTC on.")
        made = Export.objects.create(user_id=user_id, requested_at=now)
        _record(user_id, "export.request", made.id, origin, now)
        transaction.on_commit(_wake, robust=True)
    return made.id


def _wake() -> None:
    """The timetable looks as well, so a broker that is down costs a minute."""
    current_app.send_task("accounts.make_exports", retry=False)


def make_waiting(*, now: datetime) -> bool:
    """Makes the next that waits, and asks for another worker's turn where one is left; whether it was made. What has failed
    before comes last: it stands in nobody's way."""
    waiting = Export.objects.filter(state=Export.State.REQUESTED)
    next_one = waiting.order_by("attempts", "id").values_list("id", flat=True).first()
    made = next_one is not None and make(export_id=next_one, now=now)
    if made and waiting.exists():
        _wake()
    return made


def make(*, export_id: int, now: datetime) -> bool:
    """Makes one: five attempts at most, each from the beginning. False where another is being made."""
    with _alone() as alone:
        if not alone:
            return False
        with transaction.atomic():
            row = Export.objects.select_for_update().filter(id=export_id, state=Export.State.REQUESTED).first()
            if row is None:
                return False
            ExportPiece.objects.filter(export=row).delete()  # of an attempt that was killed
            row.attempts += 1  # before the work: whatever kills the worker is counted
            if row.attempts > ATTEMPTS_MAX:
                _fail(row, now)
                return False
            row.save(update_fields=["attempts"])
        try:
            _fill(row, now)
        except (
            Exception
        ) as error:  # whatever a part raises, the end of its time included; the next attempt may find it mended
            log.exception("export failed", export_id=export_id)
            ExportPiece.objects.filter(export_id=export_id).delete()
            Export.objects.filter(id=export_id).update(error=type(error).__name__)
            return False
    return True


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else makes one now. The lock is the connection's: who is killed lets go of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ONE_AT_A_TIME])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])


def _fail(row: Export, now: datetime) -> None:
    row.state = Export.State.FAILED
    row.save(update_fields=["state", "attempts"])
    outbox.append(topic="accounts.export_failed", key=f"user:{row.user_id}", payload={"user_id": row.user_id}, now=now)


def _fill(row: Export, now: datetime) -> None:
    writer = _Pieces(row, now)
    with zipfile.ZipFile(writer, "w", compression=zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        about = {"user_id": row.user_id, "requested_at": times.iso(row.requested_at), "made_at": times.iso(now)}
        archive.writestr("about.json", json.dumps(about, indent=1))
        for name, part in sorted(registry.export_parts().items()):
            with archive.open(f"{name}.json", "w", force_zip64=True) as file:
                for piece in _as_json(part(row.user_id)):
                    file.write(piece)
    writer.finish()
    row.state, row.ready_at, row.expires_at = Export.State.READY, now, now + timedelta(days=settings.EXPORT_KEPT_DAYS)
    row.size, row.pieces, row.error = writer.size, writer.number, ""
    with transaction.atomic():
        _ensure_mine(row)
        row.save(update_fields=["state", "ready_at", "expires_at", "size", "pieces", "error"])
        told = {"user_id": row.user_id}
        outbox.append(topic="accounts.export_ready", key=f"user:{row.user_id}", payload=told, now=now)


def _as_json(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """A JSON array, a row a line, without ever being whole."""
    yield b"["
    before = b"\n"
    for row in rows:
        yield before + json.dumps(row, default=str, ensure_ascii=False).encode()
        before = b",\n"
    yield b"\n]\n"


class _Pieces:
    """What the zip is written to: it gathers PIECE_BYTES, seals them and forgets them. The last one stays back until `finish`."""

    def __init__(self, row: Export, now: datetime) -> None:
        self.row, self.now, self.number, self.size = row, now, 0, 0
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        self.size += len(data)
        while len(self._waiting) > PIECE_BYTES:
            self._seal(bytes(self._waiting[:PIECE_BYTES]), last=False)
            del self._waiting[:PIECE_BYTES]
        return len(data)

    def flush(self) -> None:
        """The zip asks for it; a piece goes when it is full."""

    def finish(self) -> None:
        self._seal(bytes(self._waiting), last=True)

    def _seal(self, data: bytes, *, last: bool) -> None:
        with transaction.atomic():
            _ensure_mine(self.row)
            sealed = subjects.seal(
                subject=_subject(self.row),
                purpose=_PURPOSE,
                plaintext=data,
                context=_context(self.row, self.number, last=last),
                now=self.now,
            )
            ExportPiece.objects.create(export=self.row, number=self.number, sealed=sealed)
        self.number += 1


def _ensure_mine(row: Export) -> None:
    """Takes the row; raises Overtaken where its customer was forgotten since this attempt began: what was read before may not be
    sealed with a key of afterwards."""
    mine = Export.objects.select_for_update().filter(id=row.id, state=Export.State.REQUESTED, attempts=row.attempts)
    if mine.first() is None:
        raise Overtaken


def open_download(*, user_id: int, export_id: int, origin: str = "", now: datetime) -> Download:
    """The customer's own export, ready to be read. Raises ExportNotFound for another's, one not made yet or one that is over."""
    with transaction.atomic():
        row = _own(user_id, export_id)
        if row is None or row.state != Export.State.READY or row.expires_at <= now:
            raise ExportNotFound(_NOT_THERE)
        found = Download(row)
        try:
            found.piece(0)
        except KeyMissing:  # he was forgotten, and this came back from a backup
            raise ExportNotFound(_NOT_THERE) from None
        row.downloaded_at = now
        row.save(update_fields=["downloaded_at"])
        _record(user_id, "export.download", row.id, origin, now)
    return found


def _own(user_id: int, export_id: int) -> Export | None:
    return Export.objects.select_for_update().filter(id=export_id, user_id=user_id).first()


class Download:
    """The zip, piece by piece."""

    def __init__(self, row: Export) -> None:
        self._row = row
        self.size, self.pieces = row.size, row.pieces
        self.filename = f"my-data-{row.ready_at:%Y-%m-%d}.zip"

    def piece(self, number: int) -> bytes:
        """Opens one. Raises SecretTampered where it is not what was sealed for this place, KeyMissing after an erasure."""
        found = ExportPiece.objects.get(export=self._row, number=number)
        context = _context(self._row, number, last=number == self.pieces - 1)
        return subjects.open(subject=_subject(self._row), purpose=_PURPOSE, sealed=bytes(found.sealed), context=context)

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self.pieces):
            yield self.piece(number)


def listing(user_id: int) -> list[Export]:
    """The customer's last ones, newest first."""
    return list(Export.objects.filter(user_id=user_id).order_by("-id")[:5])


def expire(*, now: datetime) -> int:
    """Destroys what is over; how many exports."""
    over = Export.objects.filter(state=Export.State.READY, expires_at__lte=now)
    ids = list(over.values_list("id", flat=True)[:100])
    for export_id in ids:
        with transaction.atomic():
            ExportPiece.objects.filter(export_id=export_id).delete()
            Export.objects.filter(id=export_id).update(state=Export.State.EXPIRED)
    return len(ids)


def forget(*, user_id: int) -> int:
    """Destroys the copies that a customer could still download, in the caller's transaction; how many. One that is being made is
    begun anew, of what is left."""
    asked = [Export.State.REQUESTED, Export.State.READY]
    rows = list(Export.objects.select_for_update().filter(user_id=user_id, state__in=asked).order_by("id"))
    ready = [row.id for row in rows if row.state == Export.State.READY]
    Export.objects.filter(id__in=[row.id for row in rows if row.id not in ready]).update(attempts=F("attempts") + 1)
    ExportPiece.objects.filter(export_id__in=ready).delete()
    return Export.objects.filter(id__in=ready).update(state=Export.State.EXPIRED)


def _subject(row: Export) -> str:
    """Whose key it is: the one under which everything of his is sealed that may have to be forgotten."""
    return f"customer:{row.user_id}"


def _context(row: Export, number: int, *, last: bool) -> str:
    return f"export:{row.id}:user:{row.user_id}:{number}:{'last' if last else 'more'}"


def _record(user_id: int, action: str, export_id: int, origin: str, now: datetime) -> None:
    audit.record(
        actor_id=user_id, action=action, subject=f"user:{user_id}", after={"export": export_id}, origin=origin, now=now
    )
