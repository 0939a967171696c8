"""What the API shows of assets, deposits and withdrawals.

What must never happen here: an amount as a number, or base units where a person expects whole coins.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exchange.assets import prices
from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.core.times import iso
from exchange.ledger import selectors as ledger
from wallets import selectors
from wallets.services import address_book, quoting


def _moment(value: datetime | None) -> str | None:
    return iso(value) if value is not None else None


def asset(view: assets.AssetView, networks: list[assets.AssetNetworkView]) -> dict[str, Any]:
    return {
        "code": view.code,
        "name": view.name,
        "kind": view.kind,
        "decimals": view.decimals,
        "display_decimals": view.display_decimals,
        "networks": [network(each) for each in networks if each.asset_id == view.id],
    }


def network(view: assets.AssetNetworkView) -> dict[str, Any]:
    return {
        "network": view.network,
        "network_name": view.network_name,
        "standard": view.standard,
        "contract": view.contract,
        "decimals": view.decimals,
        "confirmations": view.confirmations,
        "min_deposit": amounts.format(view.min_deposit, decimals=view.decimals),
        "min_withdrawal": amounts.format(view.min_withdrawal, decimals=view.decimals),
        "withdrawal_fee": amounts.format(view.withdrawal_fee, decimals=view.decimals),
        "enabled": view.enabled,
    }


def price(view: prices.Price, *, now: datetime) -> dict[str, Any]:
    return {
        "asset": view.code,
        "currency": prices.REFERENCE,
        "price": format(view.usd.normalize(), "f"),
        "as_of": iso(view.as_of),
        "age_s": max(0, int((now - view.as_of).total_seconds())),
        "source": view.source,
    }


def balance(view: ledger.Balance, of: assets.AssetView, worth: prices.Valuation | None) -> dict[str, Any]:
    return {
        "asset": of.code,
        "balance": amounts.format(view.balance, decimals=of.decimals),
        "held": amounts.format(view.held, decimals=of.decimals),
        "available": amounts.format(view.available, decimals=of.decimals),
        "worth": worth
        and {
            "amount": amounts.format(worth.amount, decimals=worth.decimals),
            "currency": worth.code,
            "as_of": iso(worth.as_of),
            "age_s": worth.age_s,
        },
    }


def address(view: selectors.AddressView) -> dict[str, Any]:
    return {
        "asset": view.asset,
        "network": view.network,
        "address": view.address,
        "uri": view.uri,
        "created_at": iso(view.created_at),
    }


def deposit(view: selectors.DepositView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "asset": view.asset,
        "network": view.network,
        "amount": amounts.format(view.amount, decimals=view.decimals),
        "address": view.address,
        "txid": view.txid,
        "state": view.state,
        "held_for": view.held_for or None,
        "confirmations": view.confirmations,
        "confirmations_required": view.confirmations_required,
        "waits_for": view.waits_for,
        "block_height": view.block_height,
        "replaceable": view.replaceable,
        "replaced_by": view.replaced_by or None,
        "explorer": view.explorer or None,
        "seen_at": iso(view.seen_at),
        "credited_at": _moment(view.credited_at),
        "reversed_at": _moment(view.reversed_at),
    }


def withdrawal(view: selectors.WithdrawalView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "asset": view.asset,
        "network": view.network,
        "amount": amounts.format(view.amount, decimals=view.decimals),
        "fee": amounts.format(view.fee, decimals=view.decimals),
        "total": amounts.format(view.total, decimals=view.decimals),
        "address": view.address,
        "state": view.state,
        "reason": view.reason,
        "waiting": view.waiting,
        "confirmation": {
            "state": "waiting" if view.confirm_until else "confirmed" if view.confirmed_at else "not_needed",
            "expires_at": _moment(view.confirm_until),
            "confirmed_at": _moment(view.confirmed_at),
        },
        "destination_class": view.destination_class,
        "txid": view.txid,
        "explorer": view.explorer or None,
        "confirmations": view.confirmations,
        "confirmations_required": view.confirmations_required,
        "cancellable": view.cancellable,
        "requested_at": iso(view.requested_at),
        "steps": [{"state": step.state, "at": iso(step.at), "txid": step.txid or None} for step in view.steps],
        "transactions": [
            {"txid": each.txid, "kind": each.kind, "at": iso(each.at), "explorer": each.explorer or None}
            for each in view.transactions
        ],
    }


def quote(view: quoting.Quote) -> dict[str, Any]:
    return {
        "asset": view.asset,
        "network": view.network,
        "address": view.address or None,
        "destination_class": view.destination_class or None,
        "amount": amounts.format(view.amount, decimals=view.decimals),
        "fee": amounts.format(view.fee, decimals=view.decimals),
        "total": amounts.format(view.total, decimals=view.decimals),
        "left": amounts.format(view.left, decimals=view.decimals),
        "confirmations": view.confirmations,
        "usual_s": view.usual_s,
        "email_confirmation": view.email_confirmation,
    }


def listed(view: address_book.Entry) -> dict[str, Any]:
    return {
        "id": view.id,
        "network": view.network,
        "address": view.address,
        "label": view.label,
        "created_at": iso(view.created_at),
        "usable_at": iso(view.usable_at),
        "usable": view.usable,
    }


def mode(view: address_book.Mode) -> dict[str, Any]:
    return {"allow_list_only": view.allow_list_only, "loosens_at": _moment(view.loosens_at)}
