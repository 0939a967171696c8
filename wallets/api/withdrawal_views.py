"""Withdrawals and the address book. Each view makes one call and shapes its answer.

What must never happen here: another customer's withdrawal or address (they are not found, like one that never was), or a
withdrawal without an idempotency key.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api import pages, query_parameters
from exchange.accounts.api.serializers import checked
from exchange.accounts.api.views import CustomerView
from exchange.accounts.second_factors import stepping
from wallets import selectors
from wallets.api import answers, forms, shapes
from wallets.api.views import ASSET, CURSOR, LIMIT
from wallets.services import address_book, quoting, withdrawals

KEY = query_parameters.idempotency_key(
    "A text of your own, new for each payment: sent again with the same body, the first answer comes back.",
    required=True,
)
NETWORK = OpenApiParameter("network", str, description="Only this network.")


class WithdrawalsView(CustomerView):
    """GET and POST withdrawals. The root's idempotency stands around POST and has seen to it that there is a key."""

    parameters: ClassVar[tuple[str, ...]] = ("asset", "limit", "cursor")
    limit = "withdrawals"
    scope = "withdraw"

    @extend_schema(
        operation_id="withdrawals",
        summary="Own withdrawals, newest first",
        tags=["wallet"],
        parameters=[ASSET, LIMIT, CURSOR],
        responses=answers.WithdrawalPage,
    )
    def get(self, request: Request) -> Response:
        wanted = pages.limit(request)
        asset, before = request.query_params.get("asset"), pages.uuid_cursor(request)
        rows = selectors.withdrawals(self.user_id, before=before, limit=wanted + 1, asset=asset)
        return Response(pages.page(rows, wanted=wanted, key=lambda row: row.id, shape=shapes.withdrawal))

    @extend_schema(
        operation_id="request_withdrawal",
        summary="Send coins out",
        description="Amount and fee are held at once. Whoever is logged in has to have confirmed with a second factor within "
        "five minutes (`step_up_required`: confirm at `/_allauth/app/v1/auth/2fa/reauthenticate`, then send it again); an API "
        "key needs none. Where `confirmation.state` is `waiting`, the customer follows the link in the e-mail within half an "
        "hour, or everything is free again.",
        tags=["wallet"],
        parameters=[KEY],
        request=forms.RequestWithdrawal,
        responses={201: answers.Withdrawal},
    )
    def post(self, request: Request) -> Response:
        fields = checked(forms.RequestWithdrawal, request.data)
        stepping.check(request, now=self.now)
        view = withdrawals.request(
            user_id=self.user_id, idempotency_key=request.headers.get("Idempotency-Key", ""), now=self.now, **fields
        )
        return Response(shapes.withdrawal(view), status=201)


class WithdrawalView(CustomerView):
    """GET withdrawals/{id}."""

    @extend_schema(operation_id="withdrawal", summary="One withdrawal", tags=["wallet"], responses=answers.Withdrawal)
    def get(self, request: Request, withdrawal_id: UUID) -> Response:
        return Response(shapes.withdrawal(selectors.withdrawal(self.user_id, withdrawal_id)))


class WithdrawalCancelView(CustomerView):
    """POST withdrawals/{id}/cancel."""

    scope = "withdraw"

    @extend_schema(
        operation_id="cancel_withdrawal",
        summary="Cancel a withdrawal",
        description="Possible until it is being signed. The amount and the fee are free again at once.",
        tags=["wallet"],
        request=None,
        responses=answers.Withdrawal,
    )
    def post(self, request: Request, withdrawal_id: UUID) -> Response:
        checked(forms.Nothing, request.data)
        view = withdrawals.cancel(user_id=self.user_id, withdrawal_id=withdrawal_id, now=self.now)
        return Response(shapes.withdrawal(view))


class WithdrawalQuoteView(CustomerView):
    """POST withdrawals/quote. Moves nothing, so it needs no key."""

    scope = "read"

    @extend_schema(
        operation_id="quote_withdrawal",
        summary="What a withdrawal would do",
        description="What arrives, the fee, how long it usually takes. Refused with what the request would be refused with.",
        tags=["wallet"],
        request=forms.QuoteWithdrawal,
        responses=answers.WithdrawalQuote,
    )
    def post(self, request: Request) -> Response:
        fields = checked(forms.QuoteWithdrawal, request.data)
        return Response(shapes.quote(quoting.quote(user_id=self.user_id, now=self.now, **fields)))


class WithdrawalAddressesView(CustomerView):
    """GET and POST withdrawal-addresses."""

    parameters: ClassVar[tuple[str, ...]] = ("network",)
    limit = "withdrawals"  # each change is a mail to its owner

    @extend_schema(
        operation_id="withdrawal_addresses",
        summary="Own address book",
        tags=["wallet"],
        parameters=[NETWORK],
        responses=answers.WithdrawalAddresses,
    )
    def get(self, request: Request) -> Response:
        found = address_book.listing(self.user_id, network=request.query_params.get("network"), now=self.now)
        return Response({"data": [shapes.listed(entry) for entry in found]})

    @extend_schema(
        operation_id="add_withdrawal_address",
        summary="Put an address on the list",
        description="Usable after a cool-down (`usable_at`). Its owner is told by e-mail.",
        tags=["wallet"],
        parameters=[],
        request=forms.NewWithdrawalAddress,
        responses={201: answers.WithdrawalAddress},
    )
    def post(self, request: Request) -> Response:
        fields = checked(forms.NewWithdrawalAddress, request.data)
        return Response(shapes.listed(address_book.add(user_id=self.user_id, now=self.now, **fields)), status=201)


class WithdrawalAddressView(CustomerView):
    """PATCH and DELETE withdrawal-addresses/{id}."""

    @extend_schema(
        operation_id="relabel_withdrawal_address",
        summary="Rename an entry",
        tags=["wallet"],
        request=forms.Relabel,
        responses=answers.WithdrawalAddress,
    )
    def patch(self, request: Request, entry_id: int) -> Response:
        fields = checked(forms.Relabel, request.data)
        entry = address_book.relabel(user_id=self.user_id, entry_id=entry_id, now=self.now, **fields)
        return Response(shapes.listed(entry))

    @extend_schema(
        operation_id="remove_withdrawal_address",
        summary="Take an address off the list",
        tags=["wallet"],
        responses={204: None},
    )
    def delete(self, request: Request, entry_id: int) -> Response:
        address_book.remove(user_id=self.user_id, entry_id=entry_id, now=self.now)
        return Response(status=204)


class WithdrawalModeView(CustomerView):
    """GET and PUT withdrawal-mode."""

    @extend_schema(
        operation_id="withdrawal_mode",
        summary="Where coins may go",
        tags=["wallet"],
        responses=answers.WithdrawalMode,
    )
    def get(self, request: Request) -> Response:
        return Response(shapes.mode(address_book.mode(self.user_id, now=self.now)))

    @extend_schema(
        operation_id="set_withdrawal_mode",
        summary="Choose where coins may go",
        description="Tightening holds at once, loosening after the cool-down.",
        tags=["wallet"],
        request=forms.WithdrawalMode,
        responses=answers.WithdrawalMode,
    )
    def put(self, request: Request) -> Response:
        fields = checked(forms.WithdrawalMode, request.data)
        return Response(shapes.mode(address_book.set_mode(user_id=self.user_id, now=self.now, **fields)))
