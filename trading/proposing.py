"""Which decisions about markets and fees take two of staff, how they are shown, and which service makes them.

To halt a market, or to narrow it, takes one person and no delay; to let orders in again takes two. What must never happen here:
a rule, a state or a rate that changes past its service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from exchange.assets import selectors as assets
from exchange.proposals import registry
from exchange.proposals.registry import Kind, Line, Wish
from trading import presentation, selectors
from trading.models import Market
from trading.services import fees, markets

# How much a market lets in. What lets in more is for two.
OPENNESS = {"halted": 0, "cancel_only": 0, "post_only": 1, "open": 2}
MARKET_RIGHT = "trading.change_market"
OPEN_RIGHT = "trading.add_market"
TIER_RIGHT = "trading.change_feetier"
LABELS = {
    "maker_fee_ppm": _("Maker fee"),
    "taker_fee_ppm": _("Taker fee"),
    "min_notional": _("Least worth of an order"),
    "band_ppm": _("Price band"),
    "slippage_ppm": _("Slippage of market orders"),
    "max_open_orders": _("Open orders a customer"),
    "state": _("State"),
    "symbol": _("Market"),
    "price_decimals": _("Decimal places of a price"),
    "quantity_decimals": _("Decimal places of a quantity"),
    "shard": _("Engine"),
    "name": _("Name"),
    "volume_from": _("From a volume of"),
    "removed": _("Removed"),
}


def register() -> None:
    """In AppConfig.ready()."""
    registry.register(Kind("market.open", _("Open a market"), OPEN_RIGHT, _not_there, _open, lines=_lines, check=None))
    registry.register(
        Kind(
            "market.rules", _("Change a market's rules and fees"), MARKET_RIGHT, _rules, _set_rules, lines=_lines,
            check=lambda subject, after: markets.check_rules(symbol=_name(subject), given=after),
        )
    )  # fmt: skip
    registry.register(
        Kind(
            "market.state", _("Open a market's book again"), MARKET_RIGHT, _state, _set_state, lines=_lines,
            check=lambda subject, after: None,
        )
    )  # fmt: skip
    registry.register(Kind("fee_tier.add", _("Add a fee tier"), TIER_RIGHT, _no_tier, _add_tier, lines=_lines))
    registry.register(Kind("fee_tier.edit", _("Change a fee tier"), TIER_RIGHT, _tier, _edit_tier, lines=_lines))
    registry.register(Kind("fee_tier.remove", _("Remove a fee tier"), TIER_RIGHT, _tier, _remove_tier, lines=_lines))


def widens(symbol: str, state: str) -> bool:
    """Whether this state lets more in than the market's own does now."""
    return OPENNESS[state] > OPENNESS[selectors.market(symbol).state]


def _name(subject: str) -> str:
    return subject.partition(":")[2]


def _lines(before: Mapping[str, Any], after: Mapping[str, Any], subject: str) -> list[Line]:
    return [
        Line(str(LABELS.get(name, name)), _text(name, before.get(name)), _text(name, value))
        for name, value in after.items()
    ]


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_ppm"):
        return f"{presentation.percent(value)} %"
    return f"{value} $" if name == "volume_from" else str(value)


# --- Markets ----------------------------------------------------------------------------------------------------------


def _not_there(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    if Market.objects.filter(symbol=_name(subject)).exists():
        raise markets.MarketRefused("There is a market of this name.", param="symbol")
    return {}


def _open(wish: Wish) -> None:
    base, quote = (assets.asset(code) for code in _name(wish.subject).split("-"))
    markets.open(
        **wish.after, base_asset_id=base.id, quote_asset_id=quote.id, base_decimals=base.decimals,
        quote_decimals=quote.decimals, actor_id=wish.actor_id, now=wish.now,
    )  # fmt: skip


def _rules(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in markets.shown(selectors.market(_name(subject))).items() if name in after}


def _set_rules(wish: Wish) -> None:
    markets.set_rules_sync(symbol=_name(wish.subject), **wish.after, actor_id=wish.actor_id, now=wish.now)


def _state(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": selectors.market(_name(subject)).state}


def _set_state(wish: Wish) -> None:
    state = wish.after["state"]
    markets.set_state_sync(symbol=_name(wish.subject), state=state, actor_id=wish.actor_id, now=wish.now)


# --- Fee tiers --------------------------------------------------------------------------------------------------------


def _no_tier(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _tier(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    stands = {**fees.shown(tier_id=int(_name(subject))), "removed": False}
    return {name: value for name, value in stands.items() if name in after}


def _add_tier(wish: Wish) -> None:
    fees.add_tier(**wish.after, actor_id=wish.actor_id, now=wish.now)


def _edit_tier(wish: Wish) -> None:
    tier_id = int(_name(wish.subject))
    given = {**fees.shown(tier_id=tier_id), **wish.after}
    fees.edit_tier(tier_id=tier_id, **given, actor_id=wish.actor_id, now=wish.now)


def _remove_tier(wish: Wish) -> None:
    fees.remove_tier(tier_id=int(_name(wish.subject)), actor_id=wish.actor_id, now=wish.now)
