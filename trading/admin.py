"""What staff see of markets, orders and trades, and what they may decide: a market's state and rules, fee tiers, and that
orders are taken back.

What must never happen here: a row edited by hand, or money. What changes a market's rules, lets orders in again or changes a rate
is proposed here and approved by somebody else; what narrows a market is done at once. Either goes through its service, and what
concerns a market through the engine, like every other command.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from exchange.core import amounts
from exchange.core.errors import DomainError
from exchange.proposals.desk import ProposedAdmin, ReasonForm, propose
from trading import desk, presentation, proposing, selectors
from trading.models import AccountFee, FeeTier, Market, Order, Shard, Trade, Volume
from trading.presentation import MarketView, OrderView
from trading.services import catalogue, markets, staff


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
class MarketAdmin(ProposedAdmin):
    list_display = ("symbol", "state", "opened", "shard", "tick_size", "lot_size", "maker_fee", "taker_fee", "band")
    list_filter = ("state", "shard")
    ordering = ("id",)
    actions = ("open_markets", "rest_only_markets", "narrow_markets", "halt_markets", "cancel_orders")
    action_form = ReasonForm

    def has_trade_permission(self, request: HttpRequest) -> bool:
        """Who may change a market's state."""
        return bool(request.user.has_perm("trading.change_market"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return desk.OpenForm if obj is None else desk.RulesForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        form = self.get_form(request, obj)
        return [(None, {"fields": list(dict.fromkeys([*(form.field_order or ()), *form.base_fields]))})]

    def wish(self, obj: Any, form: Any, formsets: Any, change: bool) -> tuple[str, str, dict[str, Any]]:
        figures = form.figures()
        return ("market.rules" if change else "market.open"), f"market:{obj.symbol or figures['symbol']}", figures

    @admin.display(description="Tick")
    def tick_size(self, row: Market) -> str:
        return _view(row.pk).tick_size

    @admin.display(description="Lot")
    def lot_size(self, row: Market) -> str:
        return _view(row.pk).lot_size

    @admin.display(description="Maker fee %")
    def maker_fee(self, row: Market) -> str:
        return presentation.percent(row.maker_fee_ppm)

    @admin.display(description="Taker fee %")
    def taker_fee(self, row: Market) -> str:
        return presentation.percent(row.taker_fee_ppm)

    @admin.display(description="Band %")
    def band(self, row: Market) -> str:
        return presentation.percent(row.band_ppm) if row.band_ppm else "none"

    @admin.action(description="Open", permissions=["trade"])
    def open_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "open")

    @admin.action(description="Post-only: orders that rest, and cancels", permissions=["trade"])
    def rest_only_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "post_only")

    @admin.action(description="Cancel only: nothing new, orders may be cancelled", permissions=["trade"])
    def narrow_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "cancel_only")

    @admin.action(description="Halt: neither new orders nor cancels", permissions=["trade"])
    def halt_markets(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._set_state(request, queryset, "halted")

    def _set_state(self, request: HttpRequest, queryset: QuerySet[Market], state: str) -> None:
        reason = request.POST.get("reason", "")
        for symbol in queryset.values_list("symbol", flat=True):
            try:
                if proposing.widens(symbol, state):
                    propose(request, "market.state", f"market:{symbol}", {"state": state}, reason)
                    told = _("%(market)s: proposed. It opens when somebody else has approved it.") % {"market": symbol}
                    self.message_user(request, told, messages.WARNING)
                    continue
                markets.set_state_sync(
                    symbol=symbol, state=state, actor_id=int(request.user.pk or 0), now=timezone.now()
                )
            except DomainError as error:
                self.message_user(request, f"{symbol}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"{symbol} is {state} now.", messages.SUCCESS)

    @admin.action(description="Cancel every order of these markets", permissions=["trade"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        for symbol in queryset.values_list("symbol", flat=True):
            try:
                count = staff.cancel_market_sync(symbol=symbol, actor_id=request.user.pk, now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"{symbol}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"{symbol}: {count} orders cancelled.", messages.SUCCESS)


@admin.register(FeeTier)
class FeeTierAdmin(ProposedAdmin):
    list_display = ("name", "volume", "maker_fee", "taker_fee")
    ordering = ("volume_from",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return desk.TierForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [name for name in desk.TierForm.base_fields if obj is not None or name != "remove"]
        return [(None, {"fields": fields})]

    def wish(self, obj: Any, form: Any, formsets: Any, change: bool) -> tuple[str, str, dict[str, Any]]:
        figures = form.figures()
        if not change:
            return "fee_tier.add", f"fee_tier_new:{figures['name'].strip()}", figures
        if form.cleaned_data["remove"]:
            return "fee_tier.remove", f"fee_tier:{obj.pk}", {"removed": True}
        return "fee_tier.edit", f"fee_tier:{obj.pk}", figures

    @admin.display(description="From $")
    def volume(self, row: FeeTier) -> str:
        return _dollars(row.volume_from)

    @admin.display(description="Maker fee %")
    def maker_fee(self, row: FeeTier) -> str:
        return presentation.percent(row.maker_fee_ppm)

    @admin.display(description="Taker fee %")
    def taker_fee(self, row: FeeTier) -> str:
        return presentation.percent(row.taker_fee_ppm)


@admin.register(AccountFee)
class AccountFeeAdmin(ReadOnly):
    list_display = ("user_id", "shard_id", "maker_fee_ppm", "taker_fee_ppm")
    search_fields = ("=user_id",)


@admin.register(Volume)
class VolumeAdmin(ReadOnly):
    list_display = ("user_id", "day", "asset_id", "dollars")
    search_fields = ("=user_id",)
    ordering = ("-id",)

    @admin.display(description="$")
    def dollars(self, row: Volume) -> str:
        return _dollars(row.usd_units)


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
        "stop_price",
        "size",
        "filled",
        "status",
        "reason",
        "created_at",
    )
    list_filter = ("state", "phase", "kind")
    search_fields = ("=id", "=user_id", "=client_order_id")
    ordering = ("-id",)
    actions = ("cancel_customers",)

    def has_trade_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("trading.change_order"))

    @admin.action(description="Cancel ALL orders of these customers", permissions=["trade"])
    def cancel_customers(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        for user_id in sorted(set(queryset.values_list("user_id", flat=True))):
            try:
                count = staff.cancel_customer_sync(user_id=user_id, actor_id=request.user.pk, now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"Customer {user_id}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"Customer {user_id}: {count} orders cancelled.", messages.SUCCESS)

    @admin.display(description="Market")
    def market(self, row: Order) -> str:
        return _view(row.market_id).symbol

    @admin.display(description="Price")
    def at_price(self, row: Order) -> str:
        return _order(row).price or "market"

    @admin.display(description="Stop")
    def stop_price(self, row: Order) -> str:
        return _order(row).stop_price or ""

    @admin.display(description="Quantity")
    def size(self, row: Order) -> str:
        shown = _order(row)
        return shown.quantity or f"for {shown.quote_amount}"

    @admin.display(description="Filled")
    def filled(self, row: Order) -> str:
        return _order(row).filled_quantity

    @admin.display(description="State")
    def status(self, row: Order) -> str:
        return _order(row).state


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


def _dollars(units: Any) -> str:
    return amounts.format(int(units), decimals=selectors.USD_DECIMALS)


def _view(market_id: Any) -> MarketView:
    return catalogue.market_by_id(market_id)


def _order(row: Order) -> OrderView:
    return presentation.order(_view(row.market_id), selectors.order_row(row))
