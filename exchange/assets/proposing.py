"""Changes of assets and networks take two of staff: how they are shown, and which service makes them.

What must never happen here: a change past services.catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from exchange.assets.services import catalogue
from exchange.proposals import registry
from exchange.proposals.registry import Kind, Line, Wish

TITLES = {
    "asset": (_("Add an asset"), _("Change an asset")),
    "network": (_("Add a network"), _("Change a network")),
    "assetnetwork": (_("Add how an asset moves"), _("Change how an asset moves")),
}


def register() -> None:
    """In AppConfig.ready()."""
    for table, (adding, changing) in TITLES.items():
        lines = partial(_lines, table)
        registry.register(
            Kind(f"{table}.add", adding, f"assets.add_{table}", _nothing, partial(_add, table), lines=lines)
        )
        registry.register(
            Kind(
                f"{table}.change", changing, f"assets.change_{table}", partial(_stands, table), partial(_change, table),
                lines=lines,
            )
        )  # fmt: skip


def _nothing(subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _stands(table: str, subject: str, after: Mapping[str, Any]) -> dict[str, Any]:
    found = catalogue.stands(table=table, pk=int(subject.partition(":")[2]))
    return {name: value for name, value in found.items() if name in after}


def _add(table: str, wish: Wish) -> None:
    catalogue.add(table=table, values=wish.after, actor_id=wish.actor_id, origin=wish.origin, now=wish.now)


def _change(table: str, wish: Wish) -> None:
    pk = int(wish.subject.partition(":")[2])
    catalogue.change(table=table, pk=pk, values=wish.after, actor_id=wish.actor_id, origin=wish.origin, now=wish.now)


def _lines(table: str, before: Mapping[str, Any], after: Mapping[str, Any], subject: str) -> list[Line]:
    return [Line(_label(table, name), _text(before.get(name)), _text(value)) for name, value in after.items()]


def _label(table: str, name: str) -> str:
    if name == catalogue.TIERS:
        return str(_("Confirmations from an amount on"))
    label = str(catalogue.TABLES[table]._meta.get_field(name).verbose_name)
    return label[:1].upper() + label[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes")) if value else str(_("no"))
    if isinstance(value, list):
        return ", ".join(f"{amount}: {blocks}" for amount, blocks in value) or "–"
    return "" if value is None else str(value)
