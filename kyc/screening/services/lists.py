"""Takes a publication of a list: refuses what is broken, writes down what changed, and has everybody screened again.

A refused publication leaves the one before in force, a row that says why, and an alert. What must never happen here: a list
in force that is not whole, an entry of an old version lost, or two publications taken at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest
from exchange.outbox import services as outbox
from kyc.models import ListedAddress, ListedEntry, ListVersion
from kyc.screening import keys, publications
from kyc.screening.entries import Entry, ListBroken, Publication
from kyc.screening.publications import Counts

SDN = "SDN"
BATCH = 2_000
_LOCK = 0x6B796331  # any constant

log = structlog.get_logger(__name__)


class ListRefused(InvalidRequest):
    """The files were not taken; the message says why. What was in force still is."""

    code = "list_refused"


def load(
    *,
    files: Mapping[str, bytes],
    list_code: str = SDN,
    source: str,
    published: date | None = None,
    actor_id: int | None = None,
    accept_shrunken: bool = False,
    now: datetime,
) -> int:
    """Takes a list's files, by their names; the id of its version, which is the one in force where nothing changed.

    `published` is for files that do not name their day; `accept_shrunken` is a person's word that so much less is meant.
    Raises ListRefused, after the refusal was written down.
    """
    try:
        publication = publications.read(files)
        with transaction.atomic():
            return _take(
                publication,
                list_code=list_code,
                source=source[:300],
                published=publication.published or published,
                actor_id=actor_id,
                accept_shrunken=accept_shrunken,
                now=now,
            )
    except ListBroken as broken:
        _refuse(str(broken)[:500], list_code=list_code, source=source[:300], files=files, actor_id=actor_id, now=now)
        raise ListRefused(str(broken)) from None


def _take(
    publication: Publication,
    *,
    list_code: str,
    source: str,
    published: date | None,
    actor_id: int | None,
    accept_shrunken: bool,
    now: datetime,
) -> int:
    with connection.cursor() as cursor:
        # One for all lists: their versions come into force in the order of their ids, so that the epoch rises with each.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    before = ListVersion.objects.filter(list_code=list_code, state=ListVersion.State.IN_FORCE).first()
    if before is not None and before.sha256 == publication.sha256:
        return before.id
    counts = publications.counts(publication)
    if before is not None:
        _ensure_plausible(before, counts, published, accept_shrunken=accept_shrunken)
        before.state = ListVersion.State.REPLACED
        before.save(update_fields=["state"])
    version = ListVersion.objects.create(
        list_code=list_code,
        state=ListVersion.State.IN_FORCE,
        published=published,
        sha256=publication.sha256,
        source=source,
        loaded_at=now,
        loaded_by=actor_id,
        entries=counts.entries,
        names=counts.names,
        addresses=counts.addresses,
    )
    version.added, version.removed = _write_changes(publication.entries, version, before)
    version.save(update_fields=["added", "removed"])
    told = {"list": list_code, "entries": counts.entries, "added": version.added, "removed": version.removed}
    audit.record(
        actor_id=actor_id,
        action="kyc.load_sanctions",
        subject=f"sanctions_list:{version.id}",
        before=None if before is None else {"version": before.id, "entries": before.entries},
        after={**told, "sha256": publication.sha256, "shrunken_accepted": accept_shrunken},
        now=now,
    )
    outbox.append(
        topic="kyc.sanctions_loaded", key=f"list:{list_code}", payload={**told, "version": version.id}, now=now
    )
    transaction.on_commit(_wake, robust=True)
    return version.id


def _ensure_plausible(before: ListVersion, counts: Counts, published: date | None, *, accept_shrunken: bool) -> None:
    if published and before.published and published < before.published:
        raise ListBroken(f"It was published on {published}, before the one in force ({before.published}).")
    less = publications.shrunken(
        Counts(before.entries, before.names, before.addresses), counts, percent=settings.SANCTIONS_SHRINK_MAX_PERCENT
    )
    if less and not accept_shrunken:
        raise ListBroken(f"Suspiciously less than in the version in force: {less}.")


def _write_changes(entries: tuple[Entry, ...], version: ListVersion, before: ListVersion | None) -> tuple[int, int]:
    """(entries that are new or changed, entries that are gone or changed)."""
    standing = {
        uid: (row_id, digest)
        for row_id, uid, digest in ListedEntry.objects.filter(
            list_code=version.list_code, last_version=None
        ).values_list("id", "uid", "digest")
    }
    digests = {entry.uid: entry.digest() for entry in entries}
    gone = [row_id for uid, (row_id, digest) in standing.items() if digests.get(uid) != digest]
    for start in range(0, len(gone), BATCH):
        ListedEntry.objects.filter(id__in=gone[start : start + BATCH]).update(last_version=before)
    new = [entry for entry in entries if standing.get(entry.uid, (0, ""))[1] != digests[entry.uid]]
    for start in range(0, len(new), BATCH):
        rows = ListedEntry.objects.bulk_create(
            ListedEntry(
                list_code=version.list_code,
                uid=entry.uid,
                digest=digests[entry.uid],
                body=entry.body(),
                first_version=version,
            )
            for entry in new[start : start + BATCH]
        )
        ListedAddress.objects.bulk_create(
            ListedAddress(
                entry=row, key=keys.of(wallet.address), currency=wallet.currency[:8], address=wallet.address[:200]
            )
            for row, entry in zip(rows, new[start : start + BATCH], strict=True)
            for wallet in entry.wallets
        )
    return len(new), len(gone)


def _refuse(
    why: str, *, list_code: str, source: str, files: Mapping[str, bytes], actor_id: int | None, now: datetime
) -> None:
    log.error("kyc.sanctions_refused", list=list_code, source=source, reason=why)
    with transaction.atomic():
        row = ListVersion.objects.create(
            list_code=list_code,
            state=ListVersion.State.REFUSED,
            sha256=publications.digest(files),
            source=source,
            loaded_at=now,
            loaded_by=actor_id,
            refusal=why,
        )
        audit.record(
            actor_id=actor_id,
            action="kyc.refuse_sanctions",
            subject=f"sanctions_list:{row.id}",
            after={"list": list_code, "reason": why},
            now=now,
        )
        outbox.append(
            topic="kyc.sanctions_refused", key=f"list:{list_code}", payload={"list": list_code, "reason": why}, now=now
        )


def _wake() -> None:
    """The timetable does it, too, so a broker that is down costs a minute."""
    current_app.send_task("kyc.rescreen", retry=False, expires=60)
