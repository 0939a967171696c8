"""Who may come in, and how often: log-in and limits in one round trip to Valkey.

Limits are buckets, one for each address and each customer, so that all processes count together: the generic cell rate
algorithm, one number a key, no window that can be spent twice at its edge. A log-in that was read from the database is trusted
for TRUST_S, and only while no mark of its end stands in Valkey (`accounts.log_ins`), which the same script looks at first.
What must never happen here: a log-in trusted beyond TRUST_S, or at all while Valkey cannot be asked; a limit that money's
safety rests on (when Valkey is away, requests go through).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from django.conf import settings
from prometheus_client import Counter

from exchange.accounts import log_ins
from exchange.accounts.api import authentication, threads
from exchange.accounts.api.authentication import Credentials
from exchange.core.errors import TooMany
from exchange.outbox import valkey

log = structlog.get_logger(__name__)
REFUSED = Counter("bourse_api_rate_limited_total", "Requests refused by a limit.", ["limit"])
TRUST_S = 5.0
TRUSTED_MAX = 100_000
READ_AGAIN_MAX = 3

# One call for everything that stands before a request. KEYS: marks, then buckets. ARGV: how many marks, the marks as they were
# when the log-in was read, how many requests this counts for, then of each bucket the interval between two requests and its
# capacity as time, both in microseconds. Buckets are spent all or none.
ADMIT = """
local marks, at = tonumber(ARGV[1]), 2
for number = 1, marks do
  if (redis.call('GET', KEYS[number]) or '') ~= ARGV[at] then return {0} end
  at = at + 1
end
local cost = tonumber(ARGV[at])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answer, full, allowed = {1}, {}, true
for number = marks + 1, #KEYS do
  local interval, capacity = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 2
  local full_at = math.max(tonumber(redis.call('GET', KEYS[number]) or now), now)
  local after = full_at + interval * cost
  if after - now > capacity then
    allowed = false
    for _, value in ipairs({0, 0, full_at - now, after - now - capacity}) do answer[#answer + 1] = value end
  else
    full[number] = after
    for _, value in ipairs({1, math.floor((capacity - (after - now)) / interval), after - now, 0}) do
      answer[#answer + 1] = value
    end
  end
end
if allowed then
  for number, after in pairs(full) do
    redis.call('SET', KEYS[number], string.format('%d', after), 'PX', math.ceil((after - now) / 1000) + 1)
  end
end
return answer
"""
_ADMIT = valkey.Script(ADMIT)


class RateLimited(TooMany):
    """More requests than the limit allows."""

    code = "rate_limited"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a bucket said of one request. Seconds are rounded up."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int
    retry_s: int


class Refused(RateLimited):
    """With the seconds to wait."""

    def __init__(self, spent: Spent) -> None:
        super().__init__(f"Too many requests. Please try again in {spent.retry_s} s.")
        self.spent, self.wait = spent, spent.retry_s


@dataclass(frozen=True, slots=True)
class Bucket:
    """`count` requests in `interval_us` × `count`, of one customer or address."""

    name: str
    key: str
    interval_us: int
    count: int


def bucket(name: str, who: str | int) -> Bucket:
    """The limit `name`, as settings.API_LIMITS has it, for `who`."""
    count, period_s = settings.API_LIMITS[name]
    return Bucket(name, f"limit:{name}:{who}", period_s * 1_000_000 // count, count)


def arguments(buckets: list[Bucket], *, cost: int = 1, marks: tuple[bytes, ...] = ()) -> list[Any]:
    """ARGV of the script."""
    given: list[Any] = [len(marks), *marks, cost]
    for each in buckets:
        given += (each.interval_us, each.interval_us * each.count)
    return given


def judged(answer: list[int], buckets: list[Bucket]) -> Spent:
    """The tightest bucket. Raises Refused for one that is empty."""
    tightest: Spent | None = None
    for number, each in enumerate(buckets):
        allowed, remaining, reset, retry = answer[1 + 4 * number : 5 + 4 * number]
        spent = Spent(bool(allowed), each.count, remaining, -(-reset // 1_000_000), -(-retry // 1_000_000))
        if not allowed:
            REFUSED.labels(each.name).inc()
            raise Refused(spent)
        if tightest is None or remaining < tightest.remaining:
            tightest = spent
    assert tightest is not None
    return tightest


async def spend(*buckets: Bucket, cost: int = 1) -> Spent | None:
    """Count a request in each bucket; None where nobody can count. Raises Refused."""
    spending = list(buckets)
    try:
        answer = await valkey.pipe().evaluate(_ADMIT, [each.key for each in spending], arguments(spending, cost=cost))
    except valkey.ValkeyError as error:
        log.warning("limits cannot be counted", error=str(error))
        return None
    return judged(answer, spending)


@dataclass(slots=True)
class LogIn:
    """A log-in as it was read. `marks` stood at that time; `until` is by the process's own clock."""

    user_id: int
    by: Literal["session", "token"]
    until: float
    keys: tuple[str, ...]
    marks: tuple[bytes, ...]


_trusted: dict[tuple[str, str], LogIn] = {}


async def admit(
    given: Credentials, *names: str, address: str | None = None, cost: int = 1
) -> tuple[LogIn | None, Spent | None]:
    """The log-in behind `given`, after this request was counted in the customer's buckets `names`, and in that of its
    `address`. None for a cookie whose log-in has ended. Raises SessionTokenInvalid, Refused."""
    place = (given.by, given.key)
    found = _trusted.get(place)
    if found is None or found.until < time.monotonic():
        # Strangers reach the database through here: they are counted before they do.
        if address is not None:
            await spend(bucket("address", address))
            address = None
        found = await read(given)
    for _ in range(READ_AGAIN_MAX):
        if found is None:
            return None, None
        buckets = [bucket(name, found.user_id) for name in names]
        if address is not None:
            buckets.append(bucket("address", address))
        try:
            answer = await valkey.pipe().evaluate(
                _ADMIT,
                [*found.keys, *(each.key for each in buckets)],
                arguments(buckets, cost=cost, marks=found.marks),
            )
        except valkey.ValkeyError as error:
            log.warning("limits cannot be counted", error=str(error))
            _trusted.pop(place, None)
            return await read(given), None
        if answer[0]:
            return found, judged(answer, buckets)
        _trusted.pop(place, None)
        found = await read(given)
    raise authentication.SessionTokenInvalid("The log-in keeps changing. Please try again.")


async def unmarked(found: LogIn) -> bool:
    """Whether no word of its end has come since it was read; where nobody can tell, none has."""
    try:
        marks = await valkey.pipe().send("MGET", *found.keys) if found.keys else ()
    except valkey.ValkeyError:
        return True
    return tuple(mark or b"" for mark in marks) == found.marks


def forget() -> None:
    """For tests, which put the database back."""
    _trusted.clear()


async def read(given: Credentials) -> LogIn | None:
    """The log-in out of the database; raises SessionTokenInvalid. Where a mark stands, the database is read once more after
    it was seen: what ended before the mark was read is then gone, and what ends later changes the mark."""
    until = time.monotonic() + TRUST_S
    identity = await threads.run(authentication.by_credentials, given)
    if identity is None:
        return None
    keys = (log_ins.session_mark(given.key), log_ins.user_mark(identity.user_id))
    try:
        marks = tuple(mark or b"" for mark in await valkey.pipe().send("MGET", *keys))
    except valkey.ValkeyError:
        return LogIn(identity.user_id, given.by, 0.0, (), ())  # not kept: nobody could tell of its end
    if any(marks):
        again = await threads.run(authentication.by_credentials, given)
        if again is None or again.user_id != identity.user_id:
            return None
    found = LogIn(identity.user_id, given.by, until, keys, marks)
    if len(_trusted) >= TRUSTED_MAX:
        _trusted.clear()
    _trusted[given.by, given.key] = found
    return found
