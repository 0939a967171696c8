"""Controls of limits: what may move in a day and in 30 days, under concurrency, and never by guesswork."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.controls import Control

KYC = "tests/integration/kyc/test_levels.py::"
COINS = "tests/integration/wallets/test_wallets_limits.py::"
HELD = "tests/integration/wallets/test_wallets_held.py::"
TRADING = "tests/integration/trading/test_trading_limits.py::"
FIAT = "tests/integration/fiat/test_bank_limits.py::"
PAGE = "tests/integration/site/test_site_limits.py::"
API = "tests/integration/api/test_api_limits.py::"
NOTHING = "tests.controls.off:nothing"


def worth_of_what_is_known(amounts: Mapping[int, int], *, now: datetime) -> int:
    """In place of a refusal: an amount without a price is worth nothing."""
    from django.conf import settings

    from exchange.assets import prices

    found = prices.worths(amounts=amounts, in_code=settings.REFERENCE_CURRENCY, up=True, now=now)
    return sum(each.amount for each in found.values())


def in_the_newest_day(kind: str, *, user_id: int, now: datetime) -> dict[int, int]:
    """In place of both windows: the day's use stands for the month's as well."""
    from datetime import timedelta

    from kyc import uses
    from kyc.kinds import DAY_S, MONTH_S

    day = uses._counts[kind](user_id=user_id, since=[now - timedelta(seconds=DAY_S)], now=now)[0]
    return {DAY_S: day, MONTH_S: day}


def no_reason(deposit: Any, *, now: datetime) -> str:
    """In place of looking whether a deposit may be credited."""
    return ""


def unanswered(user_id: int, claim: UUID, worth: int, *, param: str, now: datetime) -> None:
    """In place of a refusal of an order for which there is no room."""


CONTROLS = [
    Control(
        "what was held for a limit is screened again before it is credited",
        (("wallets.services.holding:_who_paid", "tests.controls.limits:no_reason"),),
        HELD + "test_what_was_held_is_looked_at_again_before_it_is_credited",
    ),
    Control(
        "a withdrawal beyond the limit is refused",
        (("kyc.services.limits:check", NOTHING),),
        COINS + "test_withdrawals_count_in_a_day_and_in_30_days",
        ("V2.3.2", "V2.4.1"),
    ),
    Control(
        "both windows count",
        (("kyc.uses:of", "tests.controls.limits:in_the_newest_day"),),
        COINS + "test_withdrawals_count_in_a_day_and_in_30_days",
        ("V2.3.2",),
    ),
    Control(
        "limits are counted one after the other",
        (("kyc.services.limits:lock", NOTHING),),
        TRADING + "test_a_hundred_orders_at_once_on_the_last_of_the_room",
        ("V15.4.2",),
    ),
    Control(
        "an amount without a price is refused",
        (("kyc.selectors:worth", "tests.controls.limits:worth_of_what_is_known"),),
        KYC + "test_a_price_that_is_missing_or_a_day_old_lets_nothing_through",
        ("V2.3.2", "V16.5.3"),
    ),
    Control(
        "a deposit beyond the limit is held",
        (("wallets.services.holding:why", "tests.controls.limits:no_reason"),),
        COINS + "test_what_passes_the_limit_is_held_and_shown_and_owed",
        ("V2.3.2",),
    ),
    Control(
        "held deposits count as owed",
        (("wallets.selectors:held_deposits", "builtins:dict"),),
        COINS + "test_what_passes_the_limit_is_held_and_shown_and_owed",
    ),
    Control(
        "an order without room is not sent",
        (("trading.services.reserving:_refusal", "tests.controls.limits:unanswered"),),
        TRADING + "test_what_rests_is_reserved_and_given_back_when_it_is_cancelled",
        ("V2.3.2",),
    ),
    Control(
        "what was traded before a limit came counts",
        (("trading.services.reserving:_take_in", NOTHING),),
        TRADING + "test_whoever_is_limited_from_now_on_is_counted_with_what_he_traded_before",
    ),
    Control(
        "bank money beyond the limit is not credited",
        (("kyc.services.limits:check_fiat", NOTHING),),
        FIAT + "test_what_passes_the_limit_is_held_and_credited_once_there_is_room",
        ("V2.3.2",),
    ),
    Control(
        "limits change by name and reason alone",
        (("kyc.services.levels:audit.record", NOTHING),),
        KYC + "test_limits_are_set_by_name_and_reason_and_stand_in_the_audit",
        ("V16.2.1",),
    ),
]
