"""Fetches the lists from where the operator says they are published, and hands them to `lists`.

Asked for only where they changed (ETag, Last-Modified); a file that grows past its limit or comes too slowly is dropped. What
must never happen here: a redirect that is followed (a publisher's page could be made to send us anywhere), or half a set of
files taken.
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from exchange.outbox import services as outbox
from exchange.outgoing import calls
from kyc.screening import metrics
from kyc.screening.services import lists

CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ALTOGETHER_S = 10, 30, 240
REMEMBERED_S = 30 * 24 * 3600
AGENT = "Bourse sanctions list reader"

log = structlog.get_logger(__name__)


class FetchFailed(Exception):
    """No list came; what was in force still is."""


def fetch(*, now: datetime) -> int | None:
    """Takes the list at SANCTIONS_URL where it changed: its version's id, None where nothing is set or nothing is new.

    Raises FetchFailed and ListRefused, after staff were told.
    """
    urls = [url.strip() for url in settings.SANCTIONS_URL.split(",") if url.strip()]
    if not urls:
        return None
    try:
        files = _files(urls)
    except FetchFailed as failed:
        metrics.FETCHED.labels("failed").inc()
        _tell(str(failed), now=now)
        raise
    if files is None:
        metrics.FETCHED.labels("unchanged").inc()
        return None
    try:
        version = lists.load(files={name: raw for name, (raw, _) in files.items()}, source=", ".join(urls), now=now)
    except lists.ListRefused:
        metrics.FETCHED.labels("refused").inc()
        raise
    # Only now: what was refused is asked for again in full.
    for url, (_, marks) in zip(urls, files.values(), strict=True):
        cache.set(_key(url), marks, REMEMBERED_S)
    metrics.FETCHED.labels("taken").inc()
    return version


def _files(urls: list[str]) -> dict[str, tuple[bytes, dict[str, str]]] | None:
    """All the files with their marks, or None where none of them changed."""
    until = time.monotonic() + ALTOGETHER_S
    known = [cache.get(_key(url)) or {} for url in urls]
    if all(known) and all(_get(url, marks, until) is None for url, marks in zip(urls, known, strict=True)):
        return None
    files = {}
    for url in urls:
        got = _get(url, {}, until)
        if got is None:
            raise FetchFailed(f"{_place(url)} said that nothing changed though nothing was known.")
        files[urlsplit(url).path.rpartition("/")[2].lower() or "list"] = got
    if len(files) != len(urls):
        raise FetchFailed("Two of the files have one name.")
    return files


def _get(url: str, marks: dict[str, str], until: float) -> tuple[bytes, dict[str, str]] | None:
    """A file and its marks; None where it did not change since the marks were taken."""
    _ensure_secure(url)
    try:
        with calls.Session(
            connect_s=CONNECT_TIMEOUT_S,
            seconds=READ_TIMEOUT_S,
            whole_s=max(until - time.monotonic(), 0.001),
            bytes_max=settings.SANCTIONS_BYTES_MAX,
        ) as session:
            response = session.get(url, headers={"User-Agent": AGENT, **marks})
    except calls.TooMuch:
        raise FetchFailed(f"{_place(url)} sends more than {settings.SANCTIONS_BYTES_MAX} bytes.") from None
    except calls.TooSlow:
        raise FetchFailed(f"{_place(url)} is too slow.") from None
    except calls.Failed as error:
        raise FetchFailed(f"{_place(url)} did not answer: {type(error).__name__}.") from None
    if response.status_code == 304 and marks:
        return None
    if 300 <= response.status_code < 400:
        raise FetchFailed(f"{_place(url)} sends us elsewhere, and we do not follow.")
    if response.status_code != 200:
        raise FetchFailed(f"{_place(url)} answered HTTP {response.status_code}.")
    return response.content, _marks(response)


def _ensure_secure(url: str) -> None:
    if urlsplit(url).scheme != "https" and settings.PRODUCTION:
        raise FetchFailed(f"{_place(url)} is not fetched: it has to be https.")


def _marks(response: calls.Response) -> dict[str, str]:
    """What to send back next time, as headers of the question."""
    marks = {"If-None-Match": response.headers.get("ETag", "")[:200]}
    marks["If-Modified-Since"] = response.headers.get("Last-Modified", "")[:100]
    return {name: value for name, value in marks.items() if value}


def _tell(why: str, *, now: datetime) -> None:
    log.error("kyc.sanctions_not_fetched", reason=why)
    with transaction.atomic():
        outbox.append(
            topic="kyc.sanctions_refused", key=f"list:{lists.SDN}", payload={"list": lists.SDN, "reason": why}, now=now
        )


def _place(url: str) -> str:
    """Without what a query may hold of keys."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def _key(url: str) -> str:
    return f"kyc:sanctions:{hashlib.sha256(url.encode()).hexdigest()[:32]}"
