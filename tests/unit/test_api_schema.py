"""The OpenAPI document is made without a warning, and says of each shape exactly the fields that are sent."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework import serializers

from exchange.accounts.api.views import Me
from trading import presentation
from trading.api import answers as trading_answers
from trading.api import shapes as trading_shapes
from wallets import selectors as wallet_views
from wallets.api import answers as wallet_answers
from wallets.api import shapes as wallet_shapes


def test_the_schema_is_made_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "openapi.yml"))
    assert (tmp_path / "openapi.yml").stat().st_size > 10_000


def fields(answer: type[serializers.Serializer]) -> list[str]:
    return list(answer().fields)


@pytest.mark.parametrize("name", ["Order", "Fill", "Trade", "Candle", "Ticker"])
def test_what_trading_sends_is_what_is_described(name: str) -> None:
    view = getattr(presentation, f"{name}View")
    sent = [field.name for field in dataclasses.fields(view) if field.name != "user_id"]
    assert sent == fields(getattr(trading_answers, name))


class Anything:
    """Has every attribute, so that a shape can be made without a row."""

    def __init__(self, view: Any) -> None:
        for field in dataclasses.fields(view):
            setattr(self, field.name, _value(str(field.type)))


def _value(kind: str) -> Any:
    from datetime import UTC, datetime

    if kind.startswith("datetime"):
        return datetime(2026, 11, 20, tzinfo=UTC)
    if kind.startswith("tuple"):
        return ()
    return {"int": 1, "str": "x", "bool": True}.get(kind.partition(" ")[0], "x")


@pytest.mark.parametrize(
    ("view", "shape", "answer"),
    [
        (wallet_views.DepositView, wallet_shapes.deposit, wallet_answers.Deposit),
        (wallet_views.WithdrawalView, wallet_shapes.withdrawal, wallet_answers.Withdrawal),
        (wallet_views.AddressView, wallet_shapes.address, wallet_answers.DepositAddress),
        (presentation.MarketView, trading_shapes.market, trading_answers.Market),
        (presentation.BookView, trading_shapes.book, trading_answers.Book),
    ],
)
def test_what_is_sent_is_what_is_described(view: Any, shape: Any, answer: type[serializers.Serializer]) -> None:
    assert list(shape(Anything(view))) == fields(answer)


def test_no_amount_is_described_as_a_number() -> None:
    for module in (trading_answers, wallet_answers):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, serializers.Serializer):
                for name, found in kind().fields.items():
                    assert not isinstance(found, (serializers.FloatField, serializers.DecimalField)), (kind, name)


def test_the_customer_is_described() -> None:
    assert fields(Me)[0] == "id"
