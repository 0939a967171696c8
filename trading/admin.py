"""What staff see of markets, orders and trades, and what they may decide: a market's state and rules, fee tiers, and that
orders are taken back.

What must never happen here: a row edited by hand, or money. Each decision is one call of a service; what concerns a market
goes through the engine, like every other command.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.admin import ModelAdmin

from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.core.errors import DomainError
from trading import desk, presentation, selectors
from trading.models import AccountFee, FeeTier, Market, Order, Shard, Trade, Volume
from trading.presentation import MarketView, OrderView
from trading.services import catalogue, fees, markets, staff


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


class Decided(ModelAdmin):
    """A form whose saving is one call of a service. A refusal is shown on the same page, and nothing is said to be saved."""

    list_per_page = 50
    actions_on_bottom = False

    def decide(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Call the service; on adding, give `obj` its id."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        try:
            self.decide(request, obj, form, change)
        except DomainError as error:
            request.trading_refusal = error  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if _refusal(request) else super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None if _refusal(request) else super().log_change(request, obj, message)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._refused(request) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._refused(request) or super().response_change(request, obj)

    def _refused(self, request: HttpRequest) -> HttpResponse | None:
        error = _refusal(request)
        if error is None:
            return None
        self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())


@admin.register(Market)
class MarketAdmin(Decided):
    list_display = ("symbol", "state", "opened", "shard", "tick_size", "lot_size", "maker_fee", "taker_fee", "band")
    list_filter = ("state", "shard")
    ordering = ("id",)
    actions = ("open_markets", "rest_only_markets", "narrow_markets", "halt_markets", "cancel_orders")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_trade_permission(self, request: HttpRequest) -> bool:
        """Who may change a market's state."""
        return bool(request.user.has_perm("trading.change_market"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return desk.OpenForm if obj is None else desk.RulesForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        form = self.get_form(request, obj)
        return [(None, {"fields": list(dict.fromkeys([*(form.field_order or ()), *form.base_fields]))})]

    def decide(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        figures, now = form.figures(), timezone.now()
        if change:
            markets.set_rules_sync(symbol=obj.symbol, **figures, actor_id=request.user.pk, now=now)
            return
        base, quote = (assets.asset(code) for code in figures["symbol"].split("-"))
        obj.symbol = figures["symbol"]
        obj.pk = markets.open(
            **figures, base_asset_id=base.id, quote_asset_id=quote.id, base_decimals=base.decimals,
            quote_decimals=quote.decimals, actor_id=request.user.pk, now=now,
        )  # fmt: skip

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
        for symbol in queryset.values_list("symbol", flat=True):
            try:
                markets.set_state_sync(symbol=symbol, state=state, actor_id=request.user.pk, now=timezone.now())
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
class FeeTierAdmin(Decided):
    list_display = ("name", "volume", "maker_fee", "taker_fee")
    ordering = ("volume_from",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return desk.TierForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": list(desk.TierForm.base_fields)})]

    def get_actions(self, request: HttpRequest) -> Any:
        """Removed one at a time: each is a deed of its own."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def decide(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = {**form.figures(), "actor_id": request.user.pk, "now": timezone.now()}
        if change:
            fees.edit_tier(tier_id=obj.pk, **given)
        else:
            obj.pk = fees.add_tier(**given)

    def delete_model(self, request: HttpRequest, obj: FeeTier) -> None:
        fees.remove_tier(tier_id=obj.pk, actor_id=request.user.pk, now=timezone.now())

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


def _refusal(request: HttpRequest) -> DomainError | None:
    found: DomainError | None = getattr(request, "trading_refusal", None)
    return found


def _dollars(units: Any) -> str:
    return amounts.format(int(units), decimals=selectors.USD_DECIMALS)


def _view(market_id: Any) -> MarketView:
    return catalogue.market_by_id(market_id)


def _order(row: Order) -> OrderView:
    return presentation.order(_view(row.market_id), selectors.order_row(row))
