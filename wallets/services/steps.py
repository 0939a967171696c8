"""The one place where a withdrawal changes state: checked against the lifecycle, written down, told.

What must never happen here: a step without the row's lock (every caller has it), or one the lifecycle does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exchange.assets import selectors as assets
from exchange.assets.selectors import AssetNetworkView
from wallets import lifecycle, news, routes
from wallets.lifecycle import State
from wallets.models import Payout, Withdrawal, WithdrawalApproval, WithdrawalStep


def enter(
    withdrawal: Withdrawal,
    state: State,
    *,
    now: datetime,
    note: str = "",
    txid: str = "",
    quiet: bool = False,
    **fields: Any,
) -> None:
    """Moves a locked withdrawal to `state`, with these fields beside it. `quiet` writes the step but tells nobody."""
    withdrawal.state = lifecycle.step(state=withdrawal.state, to=state)
    withdrawal.waiting = ""
    for name, value in fields.items():
        setattr(withdrawal, name, value)
    if state in lifecycle.CLOSED:
        withdrawal.closed_at = now
    if state == State.REVIEW:
        # What comes back to staff is looked at anew: who agreed before did so to something else.
        WithdrawalApproval.objects.filter(withdrawal=withdrawal).delete()
        withdrawal.approvals_needed = max(1, withdrawal.approvals_needed)
        withdrawal.approved_at = withdrawal.approved_by = None
    withdrawal.save()
    tell(withdrawal, now=now, note=note, txid=txid, quiet=quiet)


def enter_all(rows: Sequence[Withdrawal], state: State, *, now: datetime, txid: str = "", **fields: Any) -> None:
    """The same step for every locked withdrawal of one transaction, with the same fields beside it: three queries and their news.

    Not for what comes back to staff: each of those is looked at by itself.
    """
    assert state != State.REVIEW
    changes = {"waiting": "", **fields, **({"closed_at": now} if state in lifecycle.CLOSED else {})}
    for row in rows:
        row.state = lifecycle.step(state=row.state, to=state)
        for name, value in changes.items():
            setattr(row, name, value)
    Withdrawal.objects.filter(pk__in=[row.pk for row in rows]).update(state=state, **changes)
    WithdrawalStep.objects.bulk_create(
        WithdrawalStep(withdrawal=row, state=state, at=now, txid=txid, note="") for row in rows
    )
    if state in news.QUIET:
        return
    links: dict[int, AssetNetworkView] = {}
    for row in rows:
        if row.asset_id not in links:
            asset = assets.asset_by_id(row.asset_id)
            links[row.asset_id] = assets.asset_network(asset=asset.code, network=routes.codes()[row.network_id])
        news.withdrawal(row, links[row.asset_id], txid=txid, now=now)


def tell(withdrawal: Withdrawal, *, now: datetime, note: str = "", txid: str = "", quiet: bool = False) -> None:
    """Writes the step down and appends its event. Once it is on a chain, every step names its transaction."""
    if not txid and withdrawal.payout_id is not None:
        txid = Payout.objects.values_list("txid", flat=True).get(pk=withdrawal.payout_id)
    WithdrawalStep.objects.create(withdrawal=withdrawal, state=withdrawal.state, at=now, txid=txid, note=note)
    if quiet:
        return
    network = routes.codes()[withdrawal.network_id]
    asset = assets.asset_by_id(withdrawal.asset_id)
    news.withdrawal(withdrawal, assets.asset_network(asset=asset.code, network=network), txid=txid, now=now)


def wait(withdrawal_id: Any, why: str) -> None:
    """Says why a withdrawal does not go on by itself; "" when it does again. No state changes, so no lock is needed."""
    Withdrawal.objects.filter(pk=withdrawal_id, closed_at=None).exclude(waiting=why).update(waiting=why)
