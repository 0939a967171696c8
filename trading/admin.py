"""What staff see of markets, orders and trades, and the one thing they may decide: whether a market is open.

What must never happen here: a row edited by hand. A market's state goes through the engine, like every other command.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.core.errors import DomainError
from trading import presentation, selectors
from trading.models import Market, Order, Shard, Trade
from trading.presentation import MarketView, OrderView
from trading.services import catalogue, markets


class ReadOnly(ModelAdmin):
    """A page to look at. Counting partitioned tables takes long, so it is not done."""

    show_full_result_count = False
    list_per_page = 50
    actions_on_bottom = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Market)
class MarketAdmin(ReadOnly):
    list_display = ("symbol", "state", "shard", "tick_size", "lot_size", "maker_fee", "taker_fee")
    list_filter = ("state", "shard")
    ordering = ("id",)
    actions = ("open_markets", "narrow_markets", "halt_markets")

    def has_trade_permission(self, request: HttpRequest) -> bool:
        """Who may change a market's state: the model's change permission, though nobody may edit the row."""
        return bool(request.user.has_perm("trading.change_market"))

    @admin.display(description="Tick")
    def tick_size(self, row: Market) -> str:
        return _view(row.pk).tick_size

    @admin.display(description="Lot")
    def lot_size(self, row: Market) -> str:
        return _view(row.pk).lot_size

    @admin.display(description="Maker fee")
    def maker_fee(self, row: Market) -> str:
        return _view(row.pk).maker_fee

    @admin.display(description="Taker fee")
    def taker_fee(self, row: Market) -> str:
        return _view(row.pk).taker_fee

    @admin.action(description="Open", permissions=["trade"])
    def open_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "open")

    @admin.action(description="Cancel only: nothing new, orders may be cancelled", permissions=["trade"])
    def narrow_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "cancel_only")

    @admin.action(description="Halt: neither new orders nor cancels", permissions=["trade"])
    def halt_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "halted")

    def _set_state(self, request: HttpRequest, queryset: QuerySet[Market], state: str) -> None:
        for symbol in queryset.values_list("symbol", flat=True):
            try:
                markets.set_state_sync(symbol=symbol, state=state, actor_id=request.user.pk, now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"{symbol}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"{symbol} is {state} now.", messages.SUCCESS)


@admin.register(Shard)
class ShardAdmin(ReadOnly):
    list_display = ("id", "leader_name", "epoch", "seq", "published_seq", "stream_id")
    ordering = ("id",)


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = (
        "id",
        "user_id",
        "market",
        "side",
        "kind",
        "at_price",
        "size",
        "filled",
        "state",
        "reason",
        "created_at",
    )
    list_filter = ("state",)
    search_fields = ("=id", "=user_id", "=client_order_id")
    ordering = ("-id",)

    @admin.display(description="Market")
    def market(self, row: Order) -> str:
        return _view(row.market_id).symbol

    @admin.display(description="Price")
    def at_price(self, row: Order) -> str:
        return _order(row).price or "market"

    @admin.display(description="Quantity")
    def size(self, row: Order) -> str:
        shown = _order(row)
        return shown.quantity or f"for {shown.quote_amount}"

    @admin.display(description="Filled")
    def filled(self, row: Order) -> str:
        return _order(row).filled_quantity


@admin.register(Trade)
class TradeAdmin(ReadOnly):
    list_display = ("id", "market", "at_price", "quantity", "taker_side", "maker_id", "taker_id", "at")
    search_fields = ("=id", "=maker_id", "=taker_id")
    ordering = ("-id",)

    @admin.display(description="Market")
    def market(self, row: Trade) -> str:
        return _view(row.market_id).symbol

    @admin.display(description="Price")
    def at_price(self, row: Trade) -> str:
        return _view(row.market_id).price(row.price)

    @admin.display(description="Quantity")
    def quantity(self, row: Trade) -> str:
        return _view(row.market_id).quantity(row.lots)


def _view(market_id: Any) -> MarketView:
    return catalogue.market_by_id(market_id)


def _order(row: Order) -> OrderView:
    return presentation.order(_view(row.market_id), selectors.order_row(row))
