"""Opening ledger accounts. An account is opened once and never closed; it begins at zero, whoever opens it.

What must never happen here: a customer's account that is opened unfrozen while its owner is frozen.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

from exchange.core.errors import InvalidRequest
from exchange.ledger.journal import Kind
from exchange.ledger.models import Account, Freeze
from exchange.ledger.services import owners


class InvalidAccount(InvalidRequest):
    """No such account can be: a customer's without an owner, or a house account with one."""

    code = "ledger_account_invalid"


_OPEN = (
    "INSERT INTO ledger_account (kind, asset_id, owner_id, label, frozen, created_at) "
    "SELECT %s, asset_id, %s, %s, %s, %s FROM unnest(%s::integer[]) AS asset_id ORDER BY asset_id ON CONFLICT DO NOTHING"
)


def open(*, kind: str, asset_id: int, owner_id: int | None = None, label: str = "", now: datetime) -> int:
    """The account's id; opened if it was not. Raises InvalidAccount."""
    return _open(kind=Kind(kind), asset_ids=[asset_id], owner_id=owner_id, label=label, now=now)[asset_id]


def open_customer(*, owner_id: int, asset_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """A customer's account in each of the assets: account id by asset id."""
    return _open(kind=Kind.CUSTOMER, asset_ids=builtins.list(asset_ids), owner_id=owner_id, label="", now=now)


def _open(*, kind: Kind, asset_ids: list[int], owner_id: int | None, label: str, now: datetime) -> dict[int, int]:
    if kind.has_owner != (owner_id is not None):
        raise InvalidAccount(f"A {kind} account {'needs an' if kind.has_owner else 'has no'} owner.", param="owner_id")
    if len(label) > 64:
        raise InvalidAccount("An account's label has at most 64 characters.", param="label")
    accounts = _find(kind=kind, asset_ids=asset_ids, owner_id=owner_id, label=label)
    missing = sorted(set(asset_ids) - accounts.keys())
    if not missing:
        return accounts
    with transaction.atomic(), connection.cursor() as cursor:
        frozen = False
        if owner_id is not None:
            owners.share(owner_id=owner_id)
            frozen = Freeze.objects.filter(owner_id=owner_id, lifted_at=None).exists()
        cursor.execute(_OPEN, (kind.value, owner_id, label, frozen, now, missing))
    return _find(kind=kind, asset_ids=asset_ids, owner_id=owner_id, label=label)


def _find(*, kind: Kind, asset_ids: list[int], owner_id: int | None, label: str) -> dict[int, int]:
    rows = Account.objects.filter(kind=kind.value, asset_id__in=asset_ids, owner_id=owner_id, label=label)
    return dict(rows.values_list("asset_id", "id"))
