"""Staff look at the trading room and decide through its services; a refusal stays on the page, and nobody edits a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import redis
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.audit.models import Record
from exchange.proposals.models import Proposal
from tests.factors import log_in_staff
from tests.second_person import approve
from trading import wire
from trading.models import FeeTier, Market
from trading.services import catalogue, markets
from trading.services.line import EngineOutcomeUnknown

pytestmark = pytest.mark.django_db
PAGES = ["market", "feetier", "accountfee", "volume", "shard", "order", "trade"]
RULES = {
    "maker_fee_ppm": "-0.01", "taker_fee_ppm": "0.2", "min_notional": "5", "band_ppm": "10", "slippage_ppm": "2.5",
    "max_open_orders": "200", "reason": "As agreed with the market makers.",
}  # fmt: skip
TIER = {
    "name": "Gold",
    "volume_from": "25000",
    "maker_fee_ppm": "0.05",
    "taker_fee_ppm": "0.1",
    "reason": "The new table.",
}


@pytest.fixture(autouse=True)
def _no_engine(settings: Any) -> None:
    catalogue.forget()
    settings.ENGINE_REPLY_TIMEOUT_S = 0.2


@pytest.fixture
def enter(client: Client, settings: Any) -> Callable[..., Client]:
    settings.AXES_ENABLED = False

    def with_rights(**rights: Any) -> Client:
        user = get_user_model().objects.create(email="staff@example.com", is_staff=True, is_active=True)
        user.user_permissions.set(Permission.objects.filter(**rights))
        log_in_staff(client, user)
        return client

    return with_rights


@pytest.fixture
def page(enter: Callable[..., Client]) -> Client:
    return enter(content_type__app_label="trading")


def sent(valkey: redis.Redis) -> list[dict[str, Any]]:
    return [orjson.loads(fields[b"c"]) for _, fields in valkey.xrange(wire.stream(0))]


@pytest.mark.parametrize("name", PAGES)
def test_every_list_opens(page: Client, name: str) -> None:
    assert page.get(reverse(f"admin:trading_{name}_changelist")).status_code == 200


def test_rules_go_to_the_engine_as_one_command(page: Client, valkey: redis.Redis) -> None:
    market = Market.objects.get(symbol="BTC-USDT")
    address = reverse("admin:trading_market_change", args=[market.pk])
    shown = page.get(address).content.decode()
    assert 'value="0.1"' in shown and 'value="0.2"' in shown, "the rates as they are, in percent"
    page.post(address, RULES)
    assert not sent(valkey), "proposed, and no more than that"
    with pytest.raises(EngineOutcomeUnknown):
        approve()
    assert Proposal.objects.get().outcome == "unknown"
    (command,) = sent(valkey)
    assert command["op"] == "market" and command["market"] == market.pk
    assert {name: command["rules"][name] for name in ("maker", "taker", "min", "band", "slippage", "max_open")} == {
        "maker": -100, "taker": 2_000, "min": "5000000", "band": 100_000, "slippage": 25_000, "max_open": 200,
    }  # fmt: skip
    deed = Record.objects.get(subject="market:BTC-USDT", action="trading.market_rules.outcome_unknown")

    assert deed.after["asked"]["maker_fee_ppm"] == -100
    market.refresh_from_db()
    assert market.maker_fee_ppm == 1_000, "the row is the engine's to write"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"taker_fee_ppm": "lots"}, "Enter a valid value"),
        ({"taker_fee_ppm": "0.00001"}, "Enter a valid value"),
        ({"max_open_orders": "-1"}, "greater than or equal to 0"),
        ({"min_notional": "x"}, "decimal number"),
        ({"slippage_ppm": "0"}, "cannot have these rules"),
        ({"maker_fee_ppm": "-0.5"}, "cannot have these rules"),
    ],
)
def test_bad_rules_are_told_and_go_nowhere(
    page: Client, valkey: redis.Redis, changed: dict[str, str], said: str
) -> None:
    address = reverse("admin:trading_market_change", args=[1])
    answer = page.post(address, {**RULES, **changed}, follow=True)
    assert said in answer.content.decode()
    assert "was changed successfully" not in answer.content.decode()
    assert not sent(valkey) and not Record.objects.filter(subject="market:BTC-USDT").exists()


def test_a_market_is_opened_from_a_form(page: Client) -> None:
    form = {
        **RULES,
        "symbol": "LTC-BTC",
        "price_decimals": "6",
        "quantity_decimals": "2",
        "shard": "0",
        "state": "post_only",
    }
    assert page.get(reverse("admin:trading_market_add")).status_code == 200
    page.post(reverse("admin:trading_market_add"), form)
    assert not Market.objects.filter(symbol="LTC-BTC").exists()
    approve()
    market = Market.objects.get(symbol="LTC-BTC")
    assert (market.base_asset_id, market.quote_asset_id, market.state, market.opened) == (2, 1, 4, False)
    assert [row.action for row in Record.objects.filter(subject="market:LTC-BTC").order_by("id")] == [
        "proposal.propose", "trading.market_open", "proposal.approve",
    ]  # fmt: skip
    refused = page.post(
        reverse("admin:trading_market_add"), {**form, "symbol": "LTC-ETH", "price_decimals": "18"}, follow=True
    )
    assert "is not possible" in refused.content.decode()
    assert not Market.objects.filter(symbol="LTC-ETH").exists()


def test_a_tier_is_added_changed_and_removed_by_services(page: Client) -> None:
    page.post(reverse("admin:trading_feetier_add"), TIER)
    assert not FeeTier.objects.exists(), "one person alone sets no rate"
    approve()
    tier = FeeTier.objects.get()
    assert (tier.name, tier.volume_from, tier.maker_fee_ppm, tier.taker_fee_ppm) == ("Gold", 2_500_000, 500, 1_000)
    address = reverse("admin:trading_feetier_change", args=[tier.pk])
    assert 'value="25000"' in page.get(address).content.decode()
    page.post(address, {**TIER, "maker_fee_ppm": "-0.02"})
    approve()
    refused = page.post(address, {**TIER, "volume_from": "0"}, follow=True)
    assert "begins above nothing" in refused.content.decode()
    tier.refresh_from_db()
    assert (tier.maker_fee_ppm, tier.volume_from) == (-200, 2_500_000)
    assert page.post(reverse("admin:trading_feetier_delete", args=[tier.pk]), {"post": "yes"}).status_code == 403
    page.post(address, {**TIER, "maker_fee_ppm": "-0.02", "remove": "on"})
    approve()
    assert not FeeTier.objects.exists()
    deeds = Record.objects.filter(subject=f"fee_tier:{tier.pk}", action__startswith="trading").order_by("id")
    assert list(deeds.values_list("action", flat=True)) == [
        "trading.fee_tier_add", "trading.fee_tier_edit", "trading.fee_tier_remove",
    ]  # fmt: skip


@pytest.mark.parametrize(("action", "state"), [("narrow_markets", 2), ("halt_markets", 3)])
def test_what_narrows_a_market_is_done_at_once_by_one(
    page: Client, valkey: redis.Redis, action: str, state: int
) -> None:
    page.post(reverse("admin:trading_market_changelist"), {"action": action, "_selected_action": ["1", "2"]})
    assert [(command["op"], command["market"], command["state"]) for command in sent(valkey)] == [
        ("market_state", 1, state), ("market_state", 2, state),
    ]  # fmt: skip


@pytest.mark.parametrize(("action", "state"), [("open_markets", 1), ("rest_only_markets", 4)])
def test_what_lets_orders_in_again_takes_two(page: Client, valkey: redis.Redis, action: str, state: int) -> None:
    halted = markets.open(
        symbol="LTC-BTC", base_asset_id=2, quote_asset_id=1, base_decimals=8, quote_decimals=8, price_decimals=6,
        quantity_decimals=2, state="halted", now=timezone.now(),
    )  # fmt: skip
    posted = {"action": action, "_selected_action": [str(halted)], "reason": "The node is back."}
    page.post(reverse("admin:trading_market_changelist"), {**posted, "reason": ""})
    assert not Proposal.objects.exists(), "whoever approves has to read why"
    page.post(reverse("admin:trading_market_changelist"), posted)
    assert not sent(valkey)
    with pytest.raises(EngineOutcomeUnknown):
        approve()
    assert [(command["op"], command["market"], command["state"]) for command in sent(valkey)] == [
        ("market_state", halted, state)
    ]  # fmt: skip


def test_without_the_permission_nobody_decides(enter: Callable[..., Client], valkey: redis.Redis) -> None:
    page = enter(codename__in=["view_market", "view_feetier"])
    page.post(reverse("admin:trading_market_changelist"), {"action": "halt_markets", "_selected_action": ["1"]})
    assert page.post(reverse("admin:trading_market_change", args=[1]), RULES).status_code == 403
    assert page.post(reverse("admin:trading_feetier_add"), TIER).status_code == 403
    assert not sent(valkey) and not FeeTier.objects.exists()
