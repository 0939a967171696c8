"""Ends withdrawals whose transaction is final: the hold becomes the receiver's coins and the fees, once.

What must never happen here: a hold settled while its transaction can still be reorganised away, or voided while it can
still be mined.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from exchange.ledger.services import holds, transfers
from wallets import books, faults
from wallets.lifecycle import State
from wallets.models import Cursor, Payout, PayoutVersion, Reservation, Withdrawal
from wallets.routes import Routes
from wallets.services import depth, failing, steps


def settle_due(*, routes: Routes, now: datetime) -> int:
    """Settles every final payout of the network; how many. A transaction each: one that cannot be settled holds up no other."""
    deep = _deep(routes, Cursor.objects.get(network_id=routes.network.id))
    due = list(deep.filter(state=Payout.State.CONFIRMED).order_by("id").values_list("id", flat=True))
    due += deep.filter(state=Payout.State.FINAL).exclude(booked_fee=F("network_fee")).values_list("id", flat=True)
    settled = 0
    for payout_id in due:
        try:
            settled += _settle_one(payout_id, routes, now=now)
        except Exception as error:
            failing.note(error, "settle", network=routes.network.code, payout=str(payout_id))
    return settled


def _deep(routes: Routes, cursor: Cursor) -> QuerySet[Payout]:
    return Payout.objects.filter(depth.deep_enough(routes, cursor), network_id=routes.network.id)


def _settle_one(payout_id: UUID, routes: Routes, *, now: datetime) -> bool:
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=routes.network.id)
        payout = _deep(routes, cursor).select_for_update().filter(pk=payout_id).first()
        if payout is None:
            return False
        if payout.state == Payout.State.CONFIRMED:
            _settle(payout, routes, now=now)
            faults.passing("payout.settle.before_commit")
            transaction.on_commit(lambda: faults.passing("payout.settle.after_commit"))
            return True
        if payout.state == Payout.State.FINAL and payout.booked_fee != payout.network_fee:
            _correct_fee(payout, routes, now=now)
            return True
    return False


def _settle(payout: Payout, routes: Routes, *, now: datetime) -> None:
    withdrawals = list(payout.withdrawals.select_for_update().order_by("id"))
    fee = payout.network_fee or 0
    payout.state, payout.booked_fee, payout.closed_at = Payout.State.FINAL, fee, now
    payout.save()
    # Coins that only another version would have spent are free again.
    unused = Reservation.objects.filter(payout=payout, released_at=None).exclude(coin__spent_txid=payout.txid)
    unused.update(released_at=now)
    if not payout.succeeded:
        _failed(payout, withdrawals, routes, now=now)
        return
    if not withdrawals:
        # Coins of ours changed their place; what the network took for it is all that the books see.
        _book_fee(payout, fee, "internal", routes, now=now)
        return
    settlements = {}
    for number, withdrawal in enumerate(withdrawals):
        booking = books.PayoutBooking(
            withdrawal_id=withdrawal.id,
            customer_account_id=withdrawal.account_id,
            amount=withdrawal.amount,
            fee=withdrawal.fee,
            # One transaction, one network fee: the first withdrawal carries it in the books.
            network_fee=fee if number == 0 else 0,
            reference=f"{routes.network.code}:{payout.txid}",
        )
        link = routes.by_asset(withdrawal.asset_id)
        settlements[withdrawal.id] = books.withdrawal(booking, link, routes.own_coin, now=now)
    # Together: the accounts of a whole batch are locked in one order, the one that the engine keeps, too.
    holds.settle_all(settlements=settlements, now=now)
    steps.enter_all(withdrawals, State.FINAL, txid=payout.txid, now=now)


def _failed(payout: Payout, withdrawals: list[Withdrawal], routes: Routes, *, now: datetime) -> None:
    """What was mined paid nobody: it reverted, or cancelled the payment. The customers' money is free, the network's fee is ours.

    The fee that a customer agreed to is due where it reverted: the network was paid to refuse what he asked for. Staff's cancel
    costs him nothing.
    """
    cancelled = payout.versions.filter(txid=payout.txid, kind=PayoutVersion.Kind.CANCEL).exists()
    why = "was cancelled before the network took it" if cancelled else "was refused by the network"
    # By account, so that a batch's accounts are locked in their one order.
    for withdrawal in sorted(withdrawals, key=lambda each: each.account_id):
        steps.enter(withdrawal, State.FAILED, txid=payout.txid, reason=f"the payment {why} ({payout.txid})", now=now)
        if cancelled or not withdrawal.fee:
            holds.void(id=withdrawal.id, now=now)
            continue
        fee = books.reverted(
            withdrawal_id=withdrawal.id,
            customer_account_id=withdrawal.account_id,
            fee=withdrawal.fee,
            link=routes.by_asset(withdrawal.asset_id),
            reference=f"{routes.network.code}:{payout.txid}",
            now=now,
        )
        holds.settle(id=withdrawal.id, transfer=fee, now=now)
    _book_fee(payout, payout.network_fee or 0, "reverted", routes, now=now)


def _correct_fee(payout: Payout, routes: Routes, *, now: datetime) -> None:
    """A final transaction was reorganised away and mined again at another gas price."""
    difference = (payout.network_fee or 0) - (payout.booked_fee or 0)
    payout.booked_fee = payout.network_fee
    payout.save(update_fields=["booked_fee"])
    _book_fee(payout, difference, f"again:{payout.block_hash}", routes, now=now)


def _book_fee(payout: Payout, amount: int, name: str, routes: Routes, *, now: datetime) -> None:
    if not amount:
        return
    transfer = books.network_fee(
        payout_id=payout.id,
        name=name,
        amount=amount,
        own_coin=routes.own_coin,
        reference=f"{routes.network.code}:{payout.txid}",
        now=now,
    )
    transfers.post(transfers=[transfer], now=now)
