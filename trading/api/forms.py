"""What a client may send to the trading room: each body's fields, checked before anybody is asked anything.

One table a body serves REST, the websocket and the documentation. Amounts are judged in the domain, which knows the market.
What must never happen here: a number taken where a decimal string belongs (JSON numbers are floats on their way), or a field
that is not known silently dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from rest_framework import serializers

from exchange.accounts.api.serializers import BodyInvalid, DecimalText, FieldInvalid, FieldUnknown, Strict, Text

TEXT_MAX, AMOUNT_MAX = 64, 100
BATCH_MAX = 50
WHOLE_MAX = 2**53 - 1
SIDES = ("buy", "sell")
TYPES = ("limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTD")
SELF_TRADE = ("cancel_newest", "cancel_oldest", "cancel_both", "decrement")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body."""

    kind: Literal["text", "amount", "choice", "flag", "whole"]
    help: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    most: int = TEXT_MAX  # characters of a text; the largest of whole numbers

    def check(self, name: str, value: Any) -> Any:
        """The value as the domain takes it. Raises FieldInvalid."""
        if value is None:
            raise FieldInvalid("This field may not be null.", param=name, code="field_required")
        if self.kind == "choice":
            if not isinstance(value, str) or value not in self.choices:
                words = ", ".join(self.choices)
                raise FieldInvalid(f"This is one of: {words}.", param=name, code="choice_invalid")
        elif self.kind == "flag":
            if value is not True and value is not False:
                raise FieldInvalid("This is true or false.", param=name)
        elif self.kind == "whole":
            if type(value) is not int or not 0 <= value <= self.most:
                raise FieldInvalid(f"This is a whole number from 0 to {self.most}.", param=name)
        else:
            self._check_text(name, value)
        return value

    def _check_text(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            if self.kind == "amount":
                raise FieldInvalid(
                    'An amount is a decimal number in a string, such as "0.05".', param=name, code="amount_invalid"
                )
            raise FieldInvalid("This is a text.", param=name)
        if not value:
            raise FieldInvalid("This field may not be empty.", param=name, code="field_required")
        most = AMOUNT_MAX if self.kind == "amount" else self.most
        if len(value) > most:
            raise FieldInvalid(f"This has at most {most} characters.", param=name, code="field_too_long")


Form = Mapping[str, Field]


def checked(form: Form, body: Any) -> dict[str, Any]:
    """The body's fields. Raises BodyInvalid, FieldUnknown, FieldInvalid: of the first fault alone."""
    if type(body) is not dict:
        raise BodyInvalid("The body is a JSON object.")
    for name, value in body.items():
        field = form.get(name)
        if field is None:
            known = ", ".join(sorted(form))
            raise FieldUnknown(f"There is no field {name[:50]!r} here. Known: {known}.", param=name[:50])
        field.check(name, value)
    for name, field in form.items():
        if field.required and name not in body:
            raise FieldInvalid("This field is required.", param=name, code="field_required")
    return body


def _market(*, required: bool = True) -> Field:
    return Field("text", 'The market\'s symbol, such as "BTC-USDT".', required=required, most=20)


_CLIENT_ORDER_ID = Field("text", "Your own id, used once: a retry with it gives the first result back.", most=36)
_SELF_TRADE = Field(
    "choice", "What happens where it would meet an order of your own; cancel_newest unless you say.", choices=SELF_TRADE
)
_SLIPPAGE = Field(
    "amount", "How far from the best price (or the stop) it may trade, in percent; the market's own unless you say."
)
_EXPIRES_AT = Field("text", "GTD only: an ISO 8601 time.")
_IN_FORCE = Field("choice", "GTC, IOC, FOK or GTD.", choices=TIMES_IN_FORCE)

PLACE: Form = {
    "market": _market(),
    "side": Field("choice", required=True, choices=SIDES),
    "type": Field("choice", required=True, choices=TYPES),
    "quantity": Field("amount", "In base."),
    "quote_amount": Field(
        "amount",
        "In place of quantity: quote to spend or receive. Market orders; stop and take_profit orders that buy.",
    ),
    "price": Field("amount", "Of one unit of base, in quote. Types limit, stop_limit, take_profit_limit."),
    "stop_price": Field("amount", "The price of a trade that sets a stop or take-profit order off."),
    "trail": Field("amount", "trailing_stop: the distance to the best price since, in quote."),
    "trail_percent": Field("amount", "trailing_stop: the same in percent; one of the two."),
    "display_quantity": Field("amount", "limit only: what the book shows at a time (iceberg)."),
    "time_in_force": _IN_FORCE,
    "expires_at": _EXPIRES_AT,
    "post_only": Field("flag", "limit only: refused rather than matched at once."),
    "self_trade": _SELF_TRADE,
    "slippage": _SLIPPAGE,
    "client_order_id": _CLIENT_ORDER_ID,
}
OCO: Form = {
    "market": _market(),
    "side": Field("choice", required=True, choices=SIDES),
    "quantity": Field("amount", "In base; of both.", required=True),
    "price": Field("amount", "Of the limit order.", required=True),
    "stop_price": Field("amount", "Of the stop order.", required=True),
    "stop_limit_price": Field("amount", "With it the stop order becomes a limit order at this price."),
    "time_in_force": Field("choice", "GTC or GTD.", choices=("GTC", "GTD")),
    "expires_at": _EXPIRES_AT,
    "self_trade": _SELF_TRADE,
    "slippage": _SLIPPAGE,
    "client_order_id": _CLIENT_ORDER_ID,
}
AMEND: Form = {
    "quantity": Field("amount", "The new whole quantity, what is filled included."),
    "price": Field("amount", "The new price."),
    "stop_price": Field("amount", "The new stop price, of an order that waits for it."),
}
REFERENCE: Form = {
    "order_id": Field("whole", "Our id of the order.", most=WHOLE_MAX),
    "client_order_id": Field("text", "Or your own.", most=36),
}
CANCEL_ALL: Form = {"market": _market(required=False), "side": Field("choice", choices=SIDES)}
COUNTDOWN: Form = {"seconds": Field("whole", "0 takes it back.", required=True, most=86_400)}
GUARD: Form = {"enabled": Field("flag", required=True)}
_BATCH: dict[str, Form] = {"place": PLACE, "amend": {**REFERENCE, **AMEND}, "cancel": REFERENCE}


def checked_batch(body: Any, *, own_id: str | None = None) -> list[dict[str, Any] | Exception]:
    """The batch's items, each as the domain takes it or with the error that it met; the list itself must be right. `own_id`
    begins the client order id of an order that has none. Raises BodyInvalid, FieldUnknown, FieldInvalid."""
    if type(body) is not dict:
        raise BodyInvalid("The body is a JSON object.")
    for name in body:
        if name != "orders":
            raise FieldUnknown(f"There is no field {name[:50]!r} here. Known: orders.", param=name[:50])
    items = body.get("orders")
    if type(items) is not list or not 1 <= len(items) <= BATCH_MAX:
        raise FieldInvalid(f"orders is a list of 1 to {BATCH_MAX} commands.", param="orders", code="batch_size")
    return [_checked_item(item, own_id=f"{own_id}-{at}" if own_id else None) for at, item in enumerate(items)]


def _checked_item(item: Any, *, own_id: str | None) -> dict[str, Any] | Exception:
    if type(item) is not dict:
        return BodyInvalid("A command is a JSON object.")
    op = item.get("op")
    form = _BATCH.get(op) if isinstance(op, str) else None
    if form is None:
        return FieldInvalid("op is one of place, amend, cancel.", param="op", code="choice_invalid")
    try:
        fields = checked(form, {name: value for name, value in item.items() if name != "op"})
    except (BodyInvalid, FieldUnknown, FieldInvalid) as error:
        return error
    if op == "place" and own_id is not None:
        fields.setdefault("client_order_id", own_id)
    return {"op": op, **fields}


def optional(field: Field) -> Field:
    return replace(field, required=False)


# --- Documentation ----------------------------------------------------------------------------------------------------


def described(name: str, form: Form, words: str) -> type[Strict]:
    """The same form as REST framework's, for the OpenAPI document."""
    fields: dict[str, Any] = {field_name: _described(field) for field_name, field in form.items()}
    return type(name, (Strict,), {**fields, "__doc__": words})


def _described(field: Field) -> serializers.Field:
    given: dict[str, Any] = {"required": field.required, "help_text": field.help}
    if field.kind == "choice":
        return serializers.ChoiceField(choices=list(field.choices), **given)
    if field.kind == "flag":
        return serializers.BooleanField(**given)
    if field.kind == "whole":
        return serializers.IntegerField(min_value=0, max_value=field.most, **given)
    return DecimalText(**given) if field.kind == "amount" else Text(max_length=field.most, **given)
