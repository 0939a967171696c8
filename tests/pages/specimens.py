"""A row of each model that staff can look at and that no service makes without a node, a signer or hardware.

Filled by the kind of each field, as the tables' owner: the page is what is tried, not the row. A model whose constraints want
more than that is named in `TOLD`.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db import models, transaction
from embit import bip32

from exchange.core.ids import uuid7
from tests.cold_kit import FakeCoins
from tests.cold_wallets import descriptor, key
from wallets.chains import registry
from wallets.chains.utxo import descriptors
from wallets.models import ColdProposal, PayoutVersion

OWNER = "owner"
HASH = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
TABLELESS = ("backoffice.story", "backoffice.book")  # pages about what stands elsewhere


def _descriptor() -> str:
    """Of a device of nobody's."""
    return descriptor("wpkh", [key(bip32.HDKey.from_seed(b"\x07" * 32), "wpkh")])


# Model → what its constraints or its pages ask for.
TOLD: dict[str, dict[str, Any]] = {
    "custody.policydecision": {"destination": "one_time", "initiator": "customer", "effect": "allow", "spent": []},
    "custody.signingjob": {"kind": "utxo", "unsigned": {"to": "an address"}},
    "wallets.coldwallet": {"name": "Vault", "descriptor": _descriptor(), "threshold": 1},
    "trading.order": {
        "user_id": 1, "market_id": 1, "side": 1, "kind": 1, "time_in_force": 1, "price": 5, "lots": 5, "quote_units": 0,
        "filled_lots": 0, "filled_quote": 0, "fee": 0, "state": 1, "reason": "", "rank": 1, "phase": 1, "held": 0,
    },
    "trading.trade": {
        "market_id": 1, "price": 5, "lots": 5, "taker_side": 1, "maker_order_id": 1024, "taker_order_id": 0, "maker_id": 1,
        "taker_id": 0, "buyer_fee": 0, "seller_fee": 0,
    },
    "ledger.freeze": {"owner_id": 999_999},  # of nobody's: whoever is frozen does no job
    "wallets.hotshare": {"share_ppm": 100_000},
}  # fmt: skip


def registered() -> list[type[models.Model]]:
    found = (each for each in admin.site._registry if each._meta.label_lower not in TABLELESS)
    return sorted(found, key=lambda model: model._meta.label_lower)


def fill(*, now: datetime) -> dict[str, str]:
    """Gives each empty list of staff's one row; what could not be made, by model and with the reason."""
    refused: dict[str, str] = {}
    for model in registered():
        try:
            one(model, now=now)
        except Exception as error:  # told to whoever reads the list
            refused[model._meta.label_lower] = f"{type(error).__name__}: {error}"
    for proposal in ColdProposal.objects.using(OWNER).filter(payout__versions=None):
        _ask_cold(proposal, now=now)
    return refused


def _ask_cold(proposal: ColdProposal, *, now: datetime) -> None:
    """What the proposal's page shows: the payment, and the file that a device would sign."""
    parameters = registry.rules("bitcoin", network="regtest").parameters
    spending, file = FakeCoins(descriptors.parse(proposal.cold.descriptor, parameters)).proposal()
    made(PayoutVersion, now=now, payout=proposal.payout, unsigned=spending.unsigned.to_json())
    proposal.psbt = base64.b64encode(file).decode()
    proposal.save(using=OWNER, update_fields=["psbt"])


def one(model: type[models.Model], *, now: datetime) -> models.Model:
    """The model's first row, made where there is none."""
    return model._default_manager.using(OWNER).first() or made(model, now=now)


def made(model: type[models.Model], *, now: datetime, **more: Any) -> models.Model:
    """A new one. What may be told of by one row alone (a job by its signature or its refusal) is made anew with it."""
    told = TOLD.get(model._meta.label_lower, {}) | more
    row = model()
    for field in model._meta.concrete_fields:
        if field.name in told:
            setattr(row, field.name, told[field.name])
        elif not _has_value(field):
            setattr(row, field.attname, _value(field, now))
    with transaction.atomic(using=OWNER):
        row.save(using=OWNER, force_insert=True)
    return row


def _has_value(field: Any) -> bool:
    return (
        field.has_default()
        or field.null
        or (field.blank and field.empty_strings_allowed)
        or (field.primary_key and isinstance(field, models.AutoField | models.BigAutoField | models.SmallAutoField))
    )


def _value(field: Any, now: datetime) -> Any:
    if field.is_relation:
        return (made if field.unique else one)(field.related_model, now=now).pk
    if field.choices:
        return field.choices[0][0]
    for kind, value in (
        (models.DateTimeField, now), (models.DateField, now.date()), (models.UUIDField, uuid7()), (models.JSONField, {}),
        (models.BinaryField, b"\x00"), (models.BooleanField, False), (models.TextField, "Written for the page."),
    ):  # fmt: skip
        if isinstance(field, kind):
            return value
    if isinstance(field, models.CharField):
        return _words(field)
    return 1


def _words(field: Any) -> str:
    if "hash" in field.name or "digest" in field.name or "txid" in field.name:
        return HASH[: field.max_length]
    known = {"network": "bitcoin", "asset": "BTC", "code": "BTC", "symbol": "BTC-USDT"}
    return known.get(field.name, f"{field.name.replace('_', ' ')} of a page")[: field.max_length]


def first_of(app: str, name: str, *, otherwise: str = "") -> str:
    """The primary key of the first row of a model, as an admin address names it; "" where there is none, and `otherwise` where
    the model has no table: its pages are about somebody else's rows."""
    from django.apps import apps
    from django.contrib.admin.utils import quote

    try:
        model = apps.get_model(app, name)
        row = model._default_manager.first() if model._meta.label_lower not in TABLELESS else None
    except (LookupError, FieldDoesNotExist):
        return ""
    if row is None:
        return otherwise if model._meta.label_lower in TABLELESS else ""
    return str(quote(row.pk))
