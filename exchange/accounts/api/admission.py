"""Who may come in, and how often: log-in, limits and the memory of signatures in one round trip to Valkey (`buckets`).

A log-in that was read from the database is trusted for TRUST_S, and only while no mark of its end stands in Valkey
(`accounts.log_ins`), which the same script looks at first.
What must never happen here: a log-in trusted beyond TRUST_S, or at all while Valkey cannot be asked; a limit that money's
safety rests on (when Valkey is away, requests go through); a signed request that changes something done when nobody can tell
whether it was done before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from django.db import DatabaseError
from django.utils import timezone

from exchange.accounts import freedoms, log_ins
from exchange.accounts.api import authentication, buckets, signing, threads
from exchange.accounts.api.authentication import By, Credentials
from exchange.accounts.api.signing import Signed
from exchange.accounts.keys import networks, selectors
from exchange.accounts.keys import services as keys
from exchange.accounts.keys.selectors import Material
from exchange.core import errors
from exchange.core.errors import NotAuthenticated, PermissionDenied, Unavailable
from exchange.outbox import valkey

log = structlog.get_logger(__name__)
TRUST_S = 5.0
TRUSTED_MAX = 100_000
READ_AGAIN_MAX = 3
KEY_BUCKETS = {"customer": "key", "orders": "key_orders"}
USE_NOTED_EVERY_S = 60.0


class KeyExpired(NotAuthenticated):
    """The key's end has passed; told to who can sign with it."""

    code = "key_expired"


class KeyAddressNotAllowed(PermissionDenied):
    """The key is taken from other addresses alone."""

    code = "key_address_not_allowed"


class SignatureReplayed(NotAuthenticated):
    """The same signed request came before."""

    code = "signature_replayed"


class ReplayGuardUnavailable(Unavailable):
    """Whether a request came before is not known, so one that changes something is not done."""

    code = "replay_guard_unavailable"

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


class ScopeMissing(PermissionDenied):
    """The key may do other things, not this."""

    code = "scope_missing"


@dataclass(slots=True)
class LogIn:
    """A log-in as it was read. `marks` stood at that time; `until` is by the process's own clock. `key` is the API key's
    material, where it is one; `freedoms` is what its customer may do without being counted."""

    user_id: int
    by: By
    until: float
    keys: tuple[str, ...]
    marks: tuple[bytes, ...]
    key: Material | None = None
    freedoms: frozenset[str] = frozenset()

    @property
    def expired(self) -> bool:
        """Whether its key has come to its end."""
        ends = self.key.expires_at if self.key is not None else None
        return ends is not None and ends.timestamp() <= time.time()

    @property
    def scopes(self) -> frozenset[str] | None:
        """What it may do; None: all that its customer may."""
        return self.key.scopes if self.key is not None else None

    def require(self, scope: str) -> None:
        """Raises ScopeMissing."""
        if self.key is not None and scope not in self.key.scopes:
            raise ScopeMissing(f"This key has no scope {scope!r}. Make another one that has.", param=scope)


_trusted: dict[tuple[str, str], LogIn] = {}
_uses: dict[str, tuple[float, str]] = {}


async def admit(
    given: Credentials,
    *names: str,
    address: str | None = None,
    cost: int = 1,
    signed: Signed | None = None,
    write: bool = False,
) -> tuple[LogIn | None, list[buckets.Spent]]:
    """The log-in behind `given`, after this request was counted in the customer's buckets `names` (a key's in its own as well),
    and in that of its `address`. None for a cookie whose log-in has ended. A request that brings a signature is `signed`, and
    is admitted once; `write` says that it changes something. Raises SessionTokenInvalid, KeyInvalid and its kin, Refused."""
    place = (given.by, given.key)
    found = _trusted.get(place)
    counted = address
    if found is None or found.until < time.monotonic():
        # Strangers reach the database through here: they are counted before they do.
        if address is not None:
            await buckets.spend(buckets.bucket("address", address))
            counted = None
        try:
            found = await read(given)
        except signing.KeyInvalid:
            if signed is not None:
                signing.fits(signed, None)  # as long as for a key that there is
            raise
    for _ in range(READ_AGAIN_MAX):
        if found is None:
            return None, []
        await _judge(found, signed, address=address, counted=counted)
        spending = [buckets.bucket(name, found.user_id) for name in names]
        if found.key is not None:
            spending += [buckets.bucket(KEY_BUCKETS[name], given.key) for name in names]
        if counted is not None:
            spending.append(buckets.bucket("address", counted))
        memory = (f"signed:{signed.digest.hex()}", buckets.SEEN_SINCE) if signed is not None else ()
        try:
            answer = await valkey.pipe().evaluate(
                buckets.SCRIPT,
                [*found.keys, *memory, *(each.key for each in spending)],
                buckets.arguments(spending, cost=cost, marks=found.marks, signed=signed, write=write),
            )
        except valkey.ValkeyError as error:
            log.warning("limits cannot be counted", error=str(error))
            _trusted.pop(place, None)
            if signed is not None and write:
                raise ReplayGuardUnavailable(
                    "Nobody can tell at the moment whether this was sent before, so nothing was done. Sign it anew.",
                    wait=1,
                ) from None
            found = await read(given)
            if found is not None:
                await _judge(found, signed, address=address, counted=None)
            return found, []
        if answer[0] == 1:
            if found.key is not None and address is not None:
                await _note_use(found.key, address)
            return found, buckets.judged(answer, spending)
        if answer[0] != 0:
            await _repeated(answer[0], counted)
        _trusted.pop(place, None)
        found = await read(given)
    raise authentication.SessionTokenInvalid("The log-in keeps changing. Please try again.")


async def _judge(found: LogIn, signed: Signed | None, *, address: str | None, counted: str | None) -> None:
    """Is the key this request's, does it live, is it used from where it may be? The first answer tells a stranger nothing; the
    others are for whoever has the key. A refusal counts against the address, if it is not yet. Raises KeyInvalid and its kin."""
    key = found.key
    if key is None:
        return
    refusal: errors.DomainError | None = None
    if signed is not None and not signing.fits(signed, key):
        refusal = signing.KeyInvalid()
    elif found.expired:
        refusal = KeyExpired("This key has expired. Please make another one.")
    elif address is not None and key.networks and not networks.holds(key.networks, address):
        refusal = KeyAddressNotAllowed("This key is not taken from this address.")
    if refusal is None:
        return
    if counted is not None:
        await buckets.spend(buckets.bucket("address", counted))
    raise refusal


async def _repeated(why: int, counted: str | None) -> None:
    if counted is not None:
        await buckets.spend(buckets.bucket("address", counted))
    if why == 2:
        raise SignatureReplayed(
            "This very request was sent before. Sign each with a time of its own; microseconds do as well as milliseconds."
        )
    raise ReplayGuardUnavailable(
        "What was sent before is remembered since a moment ago only, and this was signed before that. Sign it anew.",
        wait=2,
    )


async def _note_use(key: Material, address: str) -> None:
    """Writes down when and from where a key was used, once in a while. Never what stops a request."""
    at, before = _uses.get(key.key_id, (0.0, ""))
    now = time.monotonic()
    if before == address and now - at < USE_NOTED_EVERY_S:
        return
    if len(_uses) >= TRUSTED_MAX:
        _uses.clear()
    _uses[key.key_id] = (now, address)
    try:
        await threads.run(keys.note_use, row_id=key.row_id, address=address, now=timezone.now())
    except DatabaseError as error:
        log.warning("a key's use could not be noted", error=str(error))


async def unmarked(found: LogIn) -> bool:
    """Whether no word of its end has come since it was read; where nobody can tell, none has."""
    try:
        marks = await valkey.pipe().send("MGET", *found.keys) if found.keys else ()
    except valkey.ValkeyError:
        return True
    return tuple(mark or b"" for mark in marks) == found.marks and not found.expired


def forget() -> None:
    """For tests, which put the database back."""
    _trusted.clear()
    _uses.clear()


async def read(given: Credentials) -> LogIn | None:
    """The log-in out of the database; raises SessionTokenInvalid, KeyInvalid. Where a mark stands, the database is read once
    more after it was seen: what ended before the mark was read is then gone, and what ends later changes the mark."""
    until = time.monotonic() + TRUST_S
    known = await threads.run(_known, given)
    if known is None:
        return None
    user_id, key, free = known
    own = log_ins.key_mark(given.key) if given.by == "key" else log_ins.session_mark(given.key)
    names = (own, log_ins.user_mark(user_id))
    try:
        marks = tuple(mark or b"" for mark in await valkey.pipe().send("MGET", *names))
    except valkey.ValkeyError:
        return LogIn(user_id, given.by, 0.0, (), (), key, free)  # not kept: nobody could tell of its end
    if any(marks):
        again = await threads.run(_known, given)
        if again is None or again[0] != user_id:
            return None
        _, key, free = again
    found = LogIn(user_id, given.by, until, names, marks, key, free)
    if len(_trusted) >= TRUSTED_MAX:
        _trusted.clear()
    _trusted[given.by, given.key] = found
    return found


def _known(given: Credentials) -> tuple[int, Material | None, frozenset[str]] | None:
    """Whose they are, in a thread. Raises SessionTokenInvalid, KeyInvalid."""
    if given.by == "key":
        key = selectors.material(given.key)
        if key is None:
            raise signing.KeyInvalid
        return key.user_id, key, freedoms.of(key.user_id)
    identity = authentication.by_credentials(given)
    return (identity.user_id, None, freedoms.of(identity.user_id)) if identity is not None else None
