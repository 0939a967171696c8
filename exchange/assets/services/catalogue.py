"""Changes to the rows of assets, networks and how one moves over the other, each as a whole: checked, written, on record.

Two of staff agree on each (proposing.py); set-up and commands call the same. What must never happen here: decimals, codes or
contracts that change once they stand, or a larger deposit that waits for fewer blocks than a smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from exchange.assets.models import Asset, AssetNetwork, ConfirmationTier, Network
from exchange.audit import services as audit
from exchange.core.errors import InvalidRequest, NotFound

TABLES: dict[str, type[models.Model]] = {"asset": Asset, "network": Network, "assetnetwork": AssetNetwork}
# What a row is known by. It is given once.
FIXED = {
    "asset": ("id", "code", "kind", "decimals"),
    "network": ("id", "code", "family"),
    "assetnetwork": ("asset", "network", "decimals", "contract"),
}
TIERS = "tiers"


class RowNotFound(NotFound):
    code = "catalogue_row_not_found"


class RowInvalid(InvalidRequest):
    """It cannot be so; the message says why."""

    code = "catalogue_row_invalid"


def stands(*, table: str, pk: int) -> dict[str, Any]:
    """A row as plain values by name: amounts and ids as numbers, tiers as pairs. Raises RowNotFound."""
    row = TABLES[table].objects.filter(pk=pk).first()
    if row is None:
        raise RowNotFound("There is no such row.")
    found = {each.name: each.value_from_object(row) for each in row._meta.concrete_fields}
    if table == "assetnetwork":
        found[TIERS] = _tiers(pk)
    return found


def add(*, table: str, values: Mapping[str, Any], actor_id: int | None, origin: str = "", now: datetime) -> int:
    """A new row; its id. Raises RowInvalid."""
    with transaction.atomic():
        pk = _write(TABLES[table](), table, values)
        audit.record(
            actor_id=actor_id,
            action=f"{table}.add",
            subject=f"{table}:{pk}",
            after=dict(values),
            origin=origin,
            now=now,
        )
    return pk


def change(
    *, table: str, pk: int, values: Mapping[str, Any], actor_id: int | None, origin: str = "", now: datetime
) -> None:
    """Puts what is given in the place of what stands. Raises RowNotFound, RowInvalid."""
    fixed = sorted(set(values) & set(FIXED[table]))
    if fixed:
        raise RowInvalid(f"These never change: {', '.join(fixed)}.")
    with transaction.atomic():
        row = TABLES[table].objects.select_for_update().filter(pk=pk).first()
        if row is None:
            raise RowNotFound("There is no such row.")
        before = {name: value for name, value in stands(table=table, pk=pk).items() if name in values}
        _write(row, table, values)
        audit.record(
            actor_id=actor_id, action=f"{table}.change", subject=f"{table}:{pk}", before=before, after=dict(values),
            origin=origin, now=now,
        )  # fmt: skip


def _write(row: models.Model, table: str, values: Mapping[str, Any]) -> int:
    tiers = values.get(TIERS)
    for name, value in values.items():
        if name != TIERS:
            each = row._meta.get_field(name)
            setattr(row, each.attname, value)
    try:
        row.full_clean()
    except ValidationError as error:
        raise RowInvalid("; ".join(_told(error))) from error
    row.save()
    if tiers is not None:
        _set_tiers(row, tiers)
    return int(row.pk)


def _told(error: ValidationError) -> list[str]:
    return [f"{name}: {' '.join(said)}" for name, said in error.message_dict.items()]


def _tiers(pk: int) -> list[list[Any]]:
    rows = ConfirmationTier.objects.filter(asset_network_id=pk).order_by("from_amount")
    return [[str(row.from_amount), row.confirmations] for row in rows]


def _set_tiers(link: Any, tiers: list[list[Any]]) -> None:
    """Larger deposits wait longer, or not less: a tier that falls would let a large sum in early."""
    least, wished = link.confirmations, sorted(((int(amount), blocks) for amount, blocks in tiers))
    if len({amount for amount, _ in wished}) < len(wished) or any(amount <= 0 for amount, _ in wished):
        raise RowInvalid("Each tier begins at an amount of its own, above nothing.")
    for _, blocks in wished:
        if blocks < least:
            raise RowInvalid("A larger deposit must not wait for fewer confirmations than a smaller one.")
        least = blocks
    ConfirmationTier.objects.filter(asset_network=link).delete()
    ConfirmationTier.objects.bulk_create(
        ConfirmationTier(asset_network=link, from_amount=amount, confirmations=blocks) for amount, blocks in wished
    )
