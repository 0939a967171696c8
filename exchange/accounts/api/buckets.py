"""How often, and what was seen: one script in Valkey for all that stands before a request.

Limits are buckets, one for each address, customer and key, so that all processes count together: the generic cell rate
algorithm, one number a key, no window that can be spent twice at its edge. What a key has signed is remembered until no window
takes it any more; since when it is remembered stands beside it, so that an emptied Valkey is noticed, and which server it was,
so that one is noticed that came back from its disk, or was a copy until a moment ago: either may have forgotten the last second.
What must never happen here: a bucket spent by a request that another one refused, a request remembered that did not pass.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from prometheus_client import Counter

from exchange.accounts.api import addresses, signing
from exchange.accounts.api.signing import Signed
from exchange.core.errors import TooMany
from exchange.outbox import valkey

log = structlog.get_logger(__name__)
REFUSED = Counter("bourse_api_rate_limited_total", "Requests refused by a limit.", ["limit"])
SEEN_SINCE = "signed:since"
SEEN_BY = "signed:server"
SEEN_LONGER_MS = 30_000  # than its window: the clocks of the servers are not one
DOUBTED_MS = signing.AHEAD_MS + 1_000  # what was signed so shortly after the memory began may have been seen before

# One call for everything that stands before a request. KEYS: marks; for a signed request its name in the memory and since when
# that remembers; buckets. ARGV: how many marks, the marks as they were when the log-in was read; for how many milliseconds to
# remember (0: nothing is signed), when it was signed, the time here, whether it changes something; how many requests this counts
# for; of each bucket the interval between two requests and its capacity as time, both in microseconds. Buckets are spent all or
# none, and only a request that passes is remembered. Answers 0: the log-in is to be read again, 2: seen before, 3: nobody knows.
TEXT = f"""
local marks, at = tonumber(ARGV[1]), 2
for number = 1, marks do
  if (redis.call('GET', KEYS[number]) or '') ~= ARGV[at] then return {{0}} end
  at = at + 1
end
local kept, signed, here, strict = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3] == '1'
at = at + 4
local before = marks
if kept > 0 then
  before = marks + 2
  local since = redis.call('GET', KEYS[marks + 2])
  if not since then
    since = string.format('%d', here)
    redis.call('SET', KEYS[marks + 2], since)
  end
  if redis.call('EXISTS', KEYS[marks + 1]) == 1 then return {{2}} end
  if strict and signed <= tonumber(since) + {DOUBTED_MS} then return {{3}} end
end
local cost = tonumber(ARGV[at])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answer, full, allowed = {{1}}, {{}}, true
for number = before + 1, #KEYS do
  local interval, capacity = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 2
  local full_at = math.max(tonumber(redis.call('GET', KEYS[number]) or now), now)
  local after = full_at + interval * cost
  if after - now > capacity then
    allowed = false
    for _, value in ipairs({{0, 0, full_at - now, after - now - capacity}}) do answer[#answer + 1] = value end
  else
    full[number] = after
    for _, value in ipairs({{1, math.floor((capacity - (after - now)) / interval), after - now, 0}}) do
      answer[#answer + 1] = value
    end
  end
end
if allowed then
  for number, after in pairs(full) do
    redis.call('SET', KEYS[number], string.format('%d', after), 'PX', math.ceil((after - now) / 1000) + 1)
  end
  if kept > 0 then redis.call('SET', KEYS[marks + 1], '', 'PX', kept) end
end
return answer
"""
SCRIPT = valkey.Script(TEXT)
# Runs first on every connection, and none outlives its server: a memory that another server wrote begins anew. KEYS: which server
# that was, since when it remembers. ARGV: the time here. A server that does not say which it is counts as another each time.
SAME_SERVER = """
local told = redis.pcall('INFO', 'server')
local server = type(told) == 'string' and string.match(told, 'run_id:(%w+)') or ''
local before = redis.call('GET', KEYS[1])
if before == server and server ~= '' then return 0 end
redis.call('SET', KEYS[1], server)
if not before then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
return 1
"""
valkey.Script(SAME_SERVER, first=lambda: ((SEEN_BY, SEEN_SINCE), (time.time_ns() // 1_000_000,)))


class RateLimited(TooMany):
    """More requests than the limit allows."""

    code = "rate_limited"


class Bucket(NamedTuple):
    """`most` requests in `period_s`, of one customer, key or address."""

    name: str
    key: str
    interval_us: int
    most: int
    period_s: int


class Spent(NamedTuple):
    """What a bucket said of one request. Seconds are rounded up."""

    bucket: Bucket
    allowed: bool
    remaining: int
    reset_s: int
    retry_s: int


class Refused(RateLimited):
    """With the seconds to wait, and what every bucket said."""

    def __init__(self, spent: Spent, all_spent: list[Spent]) -> None:
        super().__init__(f"Too many requests. Please try again in {spent.retry_s} s.")
        self.spent, self.all_spent, self.wait = spent, all_spent, spent.retry_s


def bucket(name: str, who: str | int) -> Bucket:
    """The limit `name`, as settings.API_LIMITS has it, for `who`: of addresses, all that are one customer's share it."""
    count, period_s = settings.API_LIMITS[name]
    if name == "address":
        who = addresses.counted(str(who))
    return Bucket(name, f"limit:{name}:{who}", period_s * 1_000_000 // count, count, period_s)


def arguments(
    buckets: list[Bucket],
    *,
    cost: int = 1,
    marks: tuple[bytes, ...] = (),
    signed: Signed | None = None,
    write: bool = False,
) -> list[Any]:
    """ARGV of the script."""
    given: list[Any] = [len(marks), *marks]
    if signed is None:
        given += (0, 0, 0, 0)
    else:
        here = time.time_ns() // 1_000_000
        given += (signed.at_ms + signed.window_ms - here + SEEN_LONGER_MS, signed.at_ms, here, int(write))
    given.append(cost)
    for each in buckets:
        given += (each.interval_us, each.interval_us * each.most)
    return given


def judged(answer: list[int], buckets: list[Bucket]) -> list[Spent]:
    """What each bucket said. Raises Refused for one that is empty."""
    found: list[Spent] = []
    refused: Spent | None = None
    for number, each in enumerate(buckets):
        allowed, remaining, reset, retry = answer[1 + 4 * number : 5 + 4 * number]
        spent = Spent(each, bool(allowed), remaining, -(-reset // 1_000_000), -(-retry // 1_000_000))
        found.append(spent)
        if not allowed and (refused is None or spent.retry_s > refused.retry_s):
            refused = spent
    if refused is not None:
        REFUSED.labels(refused.bucket.name).inc()
        raise Refused(refused, found)
    return found


async def spend(*buckets: Bucket, cost: int = 1) -> list[Spent]:
    """Count a request in each bucket; nothing where nobody can count. Raises Refused."""
    spending = list(buckets)
    try:
        answer = await valkey.pipe().evaluate(SCRIPT, [each.key for each in spending], arguments(spending, cost=cost))
    except valkey.ValkeyError as error:
        log.warning("limits cannot be counted", error=str(error))
        return []
    return judged(answer, spending)
