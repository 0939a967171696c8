"""Limits over REST: what the customer may move, and how much of it is left.

What must never happen here: a figure other than the one that refuses.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.accounts.api.views import CustomerView
from exchange.core import amounts
from kyc import selectors
from kyc.kinds import KINDS


class OwnLevel(serializers.Serializer):
    """How well the customer is known."""

    number = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()


class Limit(serializers.Serializer):
    """One limit. Amounts are decimal strings in `currency`."""

    kind = serializers.ChoiceField(choices=list(KINDS))
    seconds = serializers.IntegerField(help_text="Of any stretch of time so long: 86400, or 2592000 for 30 days.")
    limit = serializers.CharField(allow_null=True, help_text="null: no limit.")
    used = serializers.CharField(
        allow_null=True, help_text="null: it cannot be counted just now, because a price is missing."
    )
    left = serializers.CharField(allow_null=True, help_text="null: no limit.")


class Limits(serializers.Serializer):
    """The customer's level, and every limit of it."""

    level = OwnLevel()
    currency = serializers.CharField(help_text="What limits are counted in.")
    limits = Limit(many=True)


class LimitsView(CustomerView):
    """GET limits: what is left."""

    @extend_schema(
        operation_id="limits",
        summary="Limits and how much of them is left",
        description="Every limit of your level: deposits, withdrawals, bank money in and out, and trading, over the last "
        "24 hours and the last 30 days. What would pass one is refused with `limit_exceeded`; a deposit that does is held "
        "until there is room. Trading counts the most that open orders may come to, and what filled of those that ended.",
        tags=["account"],
        responses=Limits,
        examples=[
            OpenApiExample(
                "At the first level",
                response_only=True,
                value={
                    "level": {"number": 1, "code": "email", "name": "E-mail"},
                    "currency": "USD",
                    "limits": [
                        {"kind": "deposit", "seconds": 86400, "limit": "100000", "used": "1250.5", "left": "98749.5"}
                    ],
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        level = selectors.level(self.user_id)
        return Response(
            {
                "level": {"number": level.number, "code": level.code, "name": level.name},
                "currency": level.currency,
                "limits": [_shape(each) for each in selectors.allowances(self.user_id, now=self.now)],
            }
        )


def _shape(allowance: selectors.Allowance) -> dict[str, Any]:
    def text(amount: int | None) -> str | None:
        return None if amount is None else amounts.format(amount, decimals=allowance.decimals)

    return {
        "kind": allowance.kind,
        "seconds": allowance.seconds,
        "limit": text(allowance.limit),
        "used": text(allowance.used),
        "left": text(allowance.left),
    }
