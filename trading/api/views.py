"""Markets, their data, and a customer's orders and fills. Each view makes one call and shapes its answer.

What must never happen here: another customer's order: it is not found, like one that never was.
"""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api import pages, query_parameters
from exchange.accounts.api.views import CustomerView, PublicView
from exchange.core import times
from trading import selectors
from trading.api import answers, filters, forms, shapes
from trading.candles import BY_LENGTH

BOOK_DEPTH, BOOK_DEPTH_MAX = 100, 1000
CANDLES, CANDLES_MAX = 300, 1000
LIMIT = query_parameters.LIMIT
CURSOR = query_parameters.NUMBER_CURSOR
MARKET = OpenApiParameter("market", {"type": "string", "minLength": 1}, description="Only this market.")
SIDE = OpenApiParameter("side", str, enum=list(forms.SIDES), description="Only this side.")
TYPE = OpenApiParameter("type", str, enum=list(forms.TYPES), description="Only this type.")
STATE = OpenApiParameter("state", str, enum=list(filters.STATES), description="Only orders in this state.")
SINCE = query_parameters.time("since", "Only what was made at this ISO 8601 time or later.")
UNTIL = query_parameters.time("until", "Only what was made before this ISO 8601 time.")
_NUMBER = {"type": "integer", "minimum": 0, "maximum": filters.ID_MAX}
ORDER_ID = OpenApiParameter("order_id", _NUMBER, description="Only this order's.")


class MarketsView(PublicView):
    """GET markets."""

    @extend_schema(operation_id="markets", summary="All markets", tags=["markets"], responses=answers.Markets)
    def get(self, request: Request) -> Response:
        return Response({"data": [shapes.market(view) for view in selectors.markets()]})


class MarketView(PublicView):
    """GET markets/{symbol}."""

    @extend_schema(operation_id="market", summary="One market", tags=["markets"], responses=answers.Market)
    def get(self, request: Request, symbol: str) -> Response:
        return Response(shapes.market(selectors.market(symbol)))


class BookView(PublicView):
    """GET markets/{symbol}/book."""

    parameters: ClassVar[tuple[str, ...]] = ("depth",)

    @extend_schema(
        operation_id="book",
        summary="Order book",
        description="`u` is the sequence number that the websocket's updates go on from.",
        tags=["markets"],
        parameters=[query_parameters.whole("depth", "Levels a side", default=BOOK_DEPTH, most=BOOK_DEPTH_MAX)],
        responses=answers.Book,
    )
    def get(self, request: Request, symbol: str) -> Response:
        depth = pages.limit(request, default=BOOK_DEPTH, most=BOOK_DEPTH_MAX, name="depth")
        return Response(shapes.book(selectors.book(symbol, depth=depth)))


class MarketTradesView(PublicView):
    """GET markets/{symbol}/trades."""

    parameters: ClassVar[tuple[str, ...]] = ("limit", "cursor")

    @extend_schema(
        operation_id="market_trades",
        summary="Trades of a market, newest first",
        tags=["markets"],
        parameters=[LIMIT, CURSOR],
        responses=answers.TradePage,
    )
    def get(self, request: Request, symbol: str) -> Response:
        wanted = pages.limit(request)
        rows = selectors.trades(symbol, before=pages.number_cursor(request), limit=wanted + 1)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=shapes.trade))


class TickerView(PublicView):
    """GET markets/{symbol}/ticker."""

    @extend_schema(
        operation_id="ticker", summary="The last 24 hours of a market", tags=["markets"], responses=answers.Ticker
    )
    def get(self, request: Request, symbol: str) -> Response:
        return Response(shapes.ticker(selectors.ticker(symbol, now=self.now)))


class TickersView(PublicView):
    """GET tickers."""

    @extend_schema(
        operation_id="tickers", summary="The last 24 hours of all markets", tags=["markets"], responses=answers.Tickers
    )
    def get(self, request: Request) -> Response:
        return Response({"data": [shapes.ticker(view) for view in selectors.tickers(now=self.now)]})


class CandlesView(PublicView):
    """GET markets/{symbol}/candles."""

    parameters: ClassVar[tuple[str, ...]] = ("interval", "limit", "before", "after")

    @extend_schema(
        operation_id="candles",
        summary="Candles of a market, oldest first, without a gap",
        description="Without `after` the newest that begin before `before`; with it the first that begin after it.",
        tags=["markets"],
        parameters=[
            OpenApiParameter("interval", str, enum=list(BY_LENGTH), default="1m"),
            query_parameters.whole("limit", "How many", default=CANDLES, most=CANDLES_MAX),
            query_parameters.time("before", "Only candles that begin before this ISO 8601 time."),
            query_parameters.time("after", "Only candles that begin after this ISO 8601 time."),
        ],
        responses=answers.Candles,
    )
    def get(self, request: Request, symbol: str) -> Response:
        interval = request.query_params.get("interval", "1m")
        wanted = pages.limit(request, default=CANDLES, most=CANDLES_MAX)
        given = {name: request.query_params.get(name) for name in ("before", "after")}
        bounds = {name: times.parse(text, param=name) for name, text in given.items() if text is not None}
        rows = selectors.candles(symbol, interval, **bounds, limit=wanted, now=self.now)
        return Response({"data": [shapes.candle(view) for view in rows]})


class OrdersView(CustomerView):
    """GET orders; POST and DELETE orders are exchange.site.api.hot's."""

    parameters: ClassVar[tuple[str, ...]] = ("market", "side")

    @extend_schema(
        operation_id="orders",
        summary="Open orders, newest first",
        description="Those in the book and those that wait for their price, at most 1000.",
        tags=["orders"],
        parameters=[MARKET, SIDE],
        responses=answers.Orders,
    )
    def get(self, request: Request) -> Response:
        given = filters.words(request, "market", "side")
        rows = selectors.open_orders(self.user_id, **given, limit=selectors.OPEN_ORDERS_MAX)
        return Response({"data": [shapes.order(view) for view in rows]})


class OrderView(CustomerView):
    """GET orders/{id}; PATCH and DELETE are exchange.site.api.hot's."""

    @extend_schema(operation_id="order", summary="One order", tags=["orders"], responses=answers.Order)
    def get(self, request: Request, order_id: int) -> Response:
        return Response(shapes.order(selectors.order(self.user_id, order_id=order_id)))


class OrderByClientIdView(CustomerView):
    """GET orders/by-client-id/{client_order_id}: how to learn what became of an order whose answer was lost."""

    @extend_schema(
        operation_id="order_by_client_id", summary="One order by your own id", tags=["orders"], responses=answers.Order
    )
    def get(self, request: Request, client_order_id: str) -> Response:
        return Response(shapes.order(selectors.order(self.user_id, client_order_id=client_order_id)))


class OrderHistoryView(CustomerView):
    """GET orders/history."""

    parameters: ClassVar[tuple[str, ...]] = (
        "market", "side", "type", "state", "since", "until", "limit", "cursor",
    )  # fmt: skip

    @extend_schema(
        operation_id="order_history",
        summary="All orders, newest first",
        tags=["orders"],
        parameters=[MARKET, SIDE, TYPE, STATE, SINCE, UNTIL, LIMIT, CURSOR],
        responses=answers.OrderPage,
    )
    def get(self, request: Request) -> Response:
        wanted = pages.limit(request)
        given = filters.words(request, "market", "side", "type", "state") | filters.times(request)
        rows = selectors.orders(self.user_id, **given, before=pages.number_cursor(request), limit=wanted + 1)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=shapes.order))


class FillsView(CustomerView):
    """GET fills."""

    parameters: ClassVar[tuple[str, ...]] = ("market", "order_id", "since", "until", "limit", "cursor")

    @extend_schema(
        operation_id="fills",
        summary="Own trades, newest first",
        tags=["orders"],
        parameters=[MARKET, ORDER_ID, SINCE, UNTIL, LIMIT, CURSOR],
        responses=answers.FillPage,
    )
    def get(self, request: Request) -> Response:
        wanted = pages.limit(request)
        given = filters.words(request, "market") | filters.times(request) | filters.whole(request, "order_id")
        rows = selectors.fills(self.user_id, **given, before=pages.number_cursor(request), limit=wanted + 1)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=shapes.fill))


class FeesView(CustomerView):
    """GET fees."""

    @extend_schema(
        operation_id="fees",
        summary="Your fees and the tier they come from",
        description="By what you traded in the last 30 days. A negative maker fee is a rebate: it is paid to you.",
        tags=["orders"],
        responses=answers.Fees,
    )
    def get(self, request: Request) -> Response:
        return Response(shapes.fees(selectors.fees(self.user_id, now=self.now)))
