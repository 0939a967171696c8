"""The one door from Django to the nodes: settings in, a chain object out.

A chain object is cheap and safe between threads; one a process is kept for each configuration. What must never happen
here: a call to a node, or a silent guess of a network that is not configured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from exchange.outgoing import places
from wallets.chains import registry
from wallets.chains.protocol import NodeUnavailable

# The first half of the advisory lock's key: this room's own number, so that no other room's lock collides.
ADVISORY_CLASS = 0x77616C6C
# What a look at a source found counts for so long.
LOOK_FRESH = timedelta(minutes=2)


def chain(network: str) -> Any:
    """The source of this network that does best, by what the last look found; NodeUnavailable when none is configured.

    No call goes out. One query where there are two sources.
    """
    if not settings.CHAINS.get(network, {}).get("second_url"):
        return first(network)
    return _best(network)


def sources(network: str) -> dict[str, Any]:
    """Every configured source by name. No call goes out."""
    found = {"first": first(network)}
    if (other := second(network)) is not None:
        found["second"] = other
    return found


def first(network: str) -> Any:
    """The source that is asked as long as it does well; NodeUnavailable when none is configured. No call goes out."""
    configuration = settings.CHAINS.get(network, {})
    if not configuration.get("url"):
        raise NodeUnavailable(f"no node is configured for {network}")
    return _connect(network, tuple(sorted(configuration.items())))


def second(network: str) -> Any:
    """The source that the first one is compared with, or None where none is configured. No call goes out."""
    configuration = settings.CHAINS.get(network, {})
    if not configuration.get("second_url"):
        return None
    return _second(network, tuple(sorted(configuration.items())))


def rules(network: str) -> Any:
    """What is true of this network without a node: addresses, derivation, signed bytes."""
    row = settings.CHAINS[network]
    offline = tuple((key, row[key]) for key in ("family", "network", "chain_id") if key in row)
    return _rules(network, offline)


def _best(network: str) -> Any:
    # Only here: the tables are not there yet when this module is first imported.
    from wallets.services import sources as looked_at

    found = sources(network)
    names = looked_at.ranked(settings.CHAINS[network]["id"], list(found), since=timezone.now() - LOOK_FRESH)
    return found[next(names)]


@lru_cache(maxsize=64)
def _connect(network: str, configuration: tuple[tuple[str, Any], ...]) -> Any:
    row = dict(configuration)
    _allowed(network, row["url"])
    return registry.connect(network, **row)


@lru_cache(maxsize=64)
def _second(network: str, configuration: tuple[tuple[str, Any], ...]) -> Any:
    row = dict(configuration)
    _allowed(network, row["second_url"])
    return registry.second(network, **row)


def _allowed(network: str, url: str) -> None:
    """The adapters have sessions of their own and follow nobody, so where they go is settled here."""
    try:
        places.check(url, private=True)
    except places.NotAllowed as error:
        raise NodeUnavailable(f"the node of {network} is not called: {error}") from None


@lru_cache(maxsize=64)
def _rules(network: str, configuration: tuple[tuple[str, Any], ...]) -> Any:
    return registry.rules(network, **dict(configuration))


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """True for the one process that may do this now, False for the rest; held by the database session, not by a clock.

    It saves work, it fences nobody: what must be exact is locked and checked again in its own transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [ADVISORY_CLASS, name])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [ADVISORY_CLASS, name])
