"""CoinMarketCap's quotes, asked for all assets in one call.

`GET /v2/cryptocurrency/quotes/latest?symbol=BTC,ETH&convert=USD` with the key in `X-CMC_PRO_API_KEY`; the answer is
`{"status": {"error_code", "error_message", …}, "data": {"BTC": [{"id", "is_active", "cmc_rank", "quote": {"USD": {"price",
"last_updated"}}}, …]}}`. Several coins may share a symbol, so an entry is taken by CoinMarketCap's own id where we know it.
Documented at https://coinmarketcap.com/api/documentation/v1/#operation/getV2CryptocurrencyQuotesLatest.

What must never happen here: a price that went through a float, a redirect that is followed with the key in hand, or the
key in a log line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings

from exchange.assets.sources import Quote, RateLimited, SourceFailed
from exchange.outgoing import calls

NAME = "coinmarketcap"
PATH = "/v2/cryptocurrency/quotes/latest"
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 10
ANSWER_BYTES_MAX = 2_000_000
DEPTH_MAX = 100
RETRY_AFTER_S_DEFAULT, RETRY_AFTER_S_MAX = 60, 3600
CLOCK_SKEW_MAX = timedelta(minutes=2)
PRICE_USD_MIN, PRICE_USD_MAX = Decimal("1e-12"), Decimal("1e12")
# CoinMarketCap's ids of what we list by default; anybody may name a new coin "BTC", nobody else gets its id.
PIVOT = "USDT"  # what national currencies are compared by
KNOWN_IDS = {"BTC": 1, "LTC": 2, "ETH": 1027, "USDT": 825}

_BRACKETS = re.compile(rb"[\[\]{}]")

log = structlog.get_logger(__name__)


def quotes(codes: Iterable[str], *, now: datetime) -> list[Quote]:
    """Quotes of those codes that CoinMarketCap has a sensible price for. Raises SourceFailed or RateLimited."""
    wanted = sorted(codes)
    if not wanted:
        return []
    answer = _ask(wanted)
    data = answer.get("data")
    if not isinstance(data, dict):
        raise SourceFailed("CoinMarketCap's answer has no data.")
    found = []
    for code in wanted:
        try:
            found.append(_quote(code, data.get(code), now))
        except ValueError as error:
            log.warning("assets.quote_refused", source=NAME, asset=code, reason=str(error))
    return found


def national(codes: Iterable[str], *, now: datetime) -> list[Quote]:
    """US dollars for one unit of each national currency: what Tether costs in dollars over what it costs in that currency.

    One call each: cheaper plans take one currency at a time. What fails is left out, and the old rate grows old.
    """
    found = []
    for code in sorted(codes):
        try:
            dollars = _quote(PIVOT, _ask([PIVOT])["data"].get(PIVOT), now)
            there = _quote(PIVOT, _ask([PIVOT], convert=code)["data"].get(PIVOT), now, convert=code)
            found.append(Quote(code=code, usd=dollars.usd / there.usd, as_of=min(dollars.as_of, there.as_of)))
        except (ValueError, KeyError, AttributeError) as error:
            log.warning("assets.quote_refused", source=NAME, asset=code, reason=str(error))
    return found


def _ask(codes: list[str], *, convert: str = "USD") -> dict[str, Any]:
    url = settings.CMC_BASE_URL.rstrip("/") + PATH
    try:
        with calls.Session(connect_s=CONNECT_TIMEOUT_S, seconds=READ_TIMEOUT_S, bytes_max=ANSWER_BYTES_MAX) as session:
            response = session.get(
                url,
                params={"symbol": ",".join(codes), "convert": convert},
                headers={"X-CMC_PRO_API_KEY": settings.CMC_API_KEY, "Accept": "application/json"},
            )
    except calls.TooMuch:
        raise SourceFailed("CoinMarketCap's answer is too long.") from None
    except calls.Failed as error:
        raise SourceFailed(f"CoinMarketCap did not answer: {type(error).__name__}.") from None
    body = response.content
    if response.status_code == 429:
        raise RateLimited("CoinMarketCap's rate limit is used up.", retry_after_s=_retry_after_s(response))
    if response.status_code != 200:
        raise SourceFailed(f"CoinMarketCap answered HTTP {response.status_code}{_reason(body)}.")
    answer = _parse(body)
    status = answer.get("status")
    # The field is 0 in every success and, in some versions of the API, "0".
    if not isinstance(status, dict) or str(status.get("error_code")) != "0":
        raise SourceFailed(f"CoinMarketCap refused{_reason(body)}.")
    return answer


def _parse(body: bytes) -> dict[str, Any]:
    """JSON with decimals for numbers; NaN and Infinity, which JSON does not have, are errors."""
    if _depth(body) > DEPTH_MAX:
        raise SourceFailed("CoinMarketCap's answer is nested too deeply.")
    try:
        answer = json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise SourceFailed("CoinMarketCap's answer is not JSON.") from None
    if not isinstance(answer, dict):
        raise SourceFailed("CoinMarketCap's answer is not an object.")
    return answer


def _depth(body: bytes) -> int:
    """How deep brackets nest at most (those inside texts counted as well). The parser's C code recurses, and a process in
    which somebody raised the recursion limit would die of a deep answer instead of refusing it."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(body):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _reason(body: bytes) -> str:
    """What the service says about its refusal, shortened for a log line."""
    try:
        status = _parse(body)["status"]
        return f": {int(status['error_code'])} {str(status['error_message'])[:200]}"
    except (SourceFailed, KeyError, TypeError, ValueError):
        return ""


def _retry_after_s(response: calls.Response) -> int:
    text = response.headers.get("Retry-After", "")
    wish = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else RETRY_AFTER_S_DEFAULT
    return max(1, min(wish, RETRY_AFTER_S_MAX))


def _quote(code: str, entries: Any, now: datetime, *, convert: str = "USD") -> Quote:
    """The quote in one symbol's entries. ValueError says what is wrong with it."""
    usd = _entry(code, entries).get("quote", {}).get(convert)
    if not isinstance(usd, dict):
        raise ValueError(f"no quote in {convert}")
    price = usd.get("price")
    if isinstance(price, bool) or not isinstance(price, int | Decimal):
        raise ValueError("the price is no number")
    price = Decimal(price)
    if not price.is_finite() or not PRICE_USD_MIN <= price <= PRICE_USD_MAX:
        raise ValueError(f"the price {price:.3e} is out of range")
    return Quote(code=code, usd=price, as_of=_as_of(usd.get("last_updated"), now))


def _as_of(text: Any, now: datetime) -> datetime:
    """The source's own time of a price. A clock a little ahead of ours is taken for ours; far ahead is refused."""
    if not isinstance(text, str):
        raise ValueError("no time of the price")
    as_of = datetime.fromisoformat(text)
    if as_of.tzinfo is None:
        raise ValueError("the time has no zone")
    if as_of > now + CLOCK_SKEW_MAX:
        raise ValueError("the time lies in the future")
    return min(as_of, now)


def _entry(code: str, entries: Any) -> dict[str, Any]:
    """The one coin we mean among those that share a symbol."""
    candidates = [e for e in (entries if isinstance(entries, list) else [entries]) if isinstance(e, dict)]
    if code in KNOWN_IDS:
        candidates = [e for e in candidates if e.get("id") == KNOWN_IDS[code]]
    else:
        ranked = [e for e in candidates if e.get("is_active") == 1 and isinstance(e.get("cmc_rank"), int)]
        candidates = sorted(ranked, key=lambda e: e["cmc_rank"])
    if not candidates or candidates[0].get("symbol") != code:
        raise ValueError("the symbol is not known there")
    return candidates[0]
