"""Assets, balances and deposits. Each view makes one call and shapes its answer.

What must never happen here: another customer's deposit (it is not found, like one that never was).
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api import pages, query_parameters
from exchange.accounts.api.serializers import checked
from exchange.accounts.api.views import CustomerView, PublicView
from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.ledger import selectors as ledger
from wallets import selectors
from wallets.api import answers, forms, shapes
from wallets.services import addresses

ASSET = OpenApiParameter("asset", str, description="Only this asset.")
LIMIT = query_parameters.LIMIT
CURSOR = query_parameters.UUID_CURSOR


class AssetsView(PublicView):
    """GET assets."""

    @extend_schema(
        operation_id="assets", summary="Assets and their networks", tags=["assets"], responses=answers.Assets
    )
    def get(self, request: Request) -> Response:
        networks = assets.asset_networks(enabled_only=False)
        return Response({"data": [shapes.asset(view, networks) for view in assets.assets()]})


class PricesView(PublicView):
    """GET prices."""

    @extend_schema(operation_id="prices", summary="What each asset costs", tags=["assets"], responses=answers.Prices)
    def get(self, request: Request) -> Response:
        now = self.now
        return Response({"data": [shapes.price(view, now=now) for view in prices.latest()]})


class BalancesView(CustomerView):
    """GET balances."""

    @extend_schema(operation_id="balances", summary="Own balances", tags=["wallet"], responses=answers.Balances)
    def get(self, request: Request) -> Response:
        held = {view.asset_id: view for view in ledger.balances(owner_id=self.user_id)}
        worth = prices.worths(amounts={asset_id: view.balance for asset_id, view in held.items()}, now=self.now)
        rows = [
            shapes.balance(held[asset.id], asset, worth.get(asset.id))
            for asset in assets.assets(enabled_only=False)
            if asset.id in held
        ]
        return Response({"data": rows})


class DepositAddressesView(CustomerView):
    """GET and POST deposit-addresses."""

    scope = "trade"

    @extend_schema(
        operation_id="deposit_addresses", summary="Own addresses", tags=["wallet"], responses=answers.DepositAddresses
    )
    def get(self, request: Request) -> Response:
        return Response({"data": [shapes.address(view) for view in selectors.deposit_addresses(self.user_id)]})

    @extend_schema(
        operation_id="deposit_address",
        summary="An address to send coins to",
        description="Makes one, or gives the one there is.",
        tags=["wallet"],
        request=forms.NewDepositAddress,
        responses=answers.DepositAddress,
    )
    def post(self, request: Request) -> Response:
        fields = checked(forms.NewDepositAddress, request.data)
        return Response(shapes.address(addresses.deposit_address(user_id=self.user_id, now=self.now, **fields)))


class DepositsView(CustomerView):
    """GET deposits."""

    parameters: ClassVar[tuple[str, ...]] = ("asset", "limit", "cursor")

    @extend_schema(
        operation_id="deposits",
        summary="Own deposits, newest first",
        tags=["wallet"],
        parameters=[ASSET, LIMIT, CURSOR],
        responses=answers.DepositPage,
    )
    def get(self, request: Request) -> Response:
        wanted = pages.limit(request)
        asset, before = request.query_params.get("asset"), pages.uuid_cursor(request)
        rows = selectors.deposits(self.user_id, before=before, limit=wanted + 1, asset=asset)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=shapes.deposit))


class DepositView(CustomerView):
    """GET deposits/{id}."""

    @extend_schema(operation_id="deposit", summary="One deposit", tags=["wallet"], responses=answers.Deposit)
    def get(self, request: Request, deposit_id: UUID) -> Response:
        return Response(shapes.deposit(selectors.deposit(self.user_id, deposit_id)))
