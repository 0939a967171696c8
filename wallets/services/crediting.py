"""Credits deposits that are deep enough, and takes credits back whose block is gone.

Every posting and the deposit's change of state are one transaction under the cursor's lock. What must never happen here: a
credit for an unconfirmed deposit or one whose payers were not asked for, a second credit without a reversal between, a credit
beyond the customer's limit (it is held, see holding.py), or a reversal that leaves a customer below zero (the ledger takes what
is there and books the rest as owed).
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from exchange.assets.selectors import AssetNetworkView
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Kind, Transfer
from exchange.ledger.services import reversals, transfers
from wallets import books, faults, metrics, news
from wallets.models import Address, Cursor, Deposit
from wallets.routes import Routes
from wallets.services import depth, holding, screening

BATCH = 100
SUSPENSE_LABEL = "deposits"


def credit_due(*, routes: Routes, now: datetime) -> int:
    """Credits up to BATCH deposits that have their confirmations; returns how many. None while deposits are stopped."""
    if ledger.stops.is_stopped("deposits"):
        return 0
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(network_id=routes.network.id)
        due = list(
            Deposit.objects.select_for_update(of=("self",))
            .select_related("address")
            .filter(network_id=routes.network.id, state=Deposit.State.CONFIRMING, reversal_due=False, unshown=[])
            .filter(depth.deep_enough(routes, cursor))
            .order_by("id")[:BATCH]
        )
        if not due:
            return 0
        owners = {d.owner_id for d in due if d.owner_id}
        limited = holding.lock_limited(owners)
        debtors = {owner for owner in owners if ledger.receivables(owner_id=owner)}
        for deposit in due:
            _decide(deposit, routes.by_asset(deposit.asset_id), counted=deposit.owner_id in limited, now=now)
        booked = [_book(deposit, routes.by_asset(deposit.asset_id), now=now) for deposit in due]
        transfers.post(transfers=booked, now=now)
        for deposit in due:
            link = routes.by_asset(deposit.asset_id)
            news.deposit(deposit.state, deposit, link, scanned_height=cursor.height, now=now)
            if deposit.owner_id in debtors and deposit.state == Deposit.State.CREDITED:
                repayment = books.repayment_id(deposit.id, times=deposit.credits)
                reversals.repay(id=repayment, owner_id=deposit.owner_id, asset_id=deposit.asset_id, now=now)
        faults.passing("deposit.credit.before_commit")
    faults.passing("deposit.credit.after_commit")
    metrics.CREDITED.labels(routes.network.code).inc(len(due))
    return len(due)


def _decide(deposit: Deposit, link: AssetNetworkView, *, counted: bool, now: datetime) -> None:
    """What becomes of it, written down at once: the next one of the same customer counts it."""
    deposit.credits += 1
    deposit.transfer_id = books.credit_id(deposit.id, times=deposit.credits)
    deposit.release_id, deposit.worth, deposit.credited_at = None, None, None
    if _below_minimum(deposit, link):
        deposit.state = Deposit.State.BELOW_MINIMUM
    elif not _houses(deposit) and (reason := _held_for(deposit, link, counted=counted, now=now)):
        deposit.state, deposit.held_for, deposit.held_at = Deposit.State.HELD, reason, now
    else:
        deposit.state, deposit.credited_at = Deposit.State.CREDITED, now
    deposit.save()


def _held_for(deposit: Deposit, link: AssetNetworkView, *, counted: bool, now: datetime) -> str:
    """Why it may not be credited now; "" where it may."""
    if screening.holds(deposit, network=link.network, now=now):
        return screening.HELD_FOR
    return holding.why(deposit, now=now) if counted else ""


def _book(deposit: Deposit, link: AssetNetworkView, *, now: datetime) -> Transfer:
    return books.arrival(
        id=books.credit_id(deposit.id, times=deposit.credits),
        wallet_id=books.chain_wallet(link, now=now),
        account_id=_belongs_to(deposit, link, now=now),
        amount=deposit.amount,
        kind="deposit_held" if deposit.held_for else "deposit" if deposit.owner_id else "funding",
        reference=f"{link.network}:{deposit.txid}:{deposit.position}",
    )


def _belongs_to(deposit: Deposit, link: AssetNetworkView, *, now: datetime) -> int:
    """Whose account an arrival goes to: the house's when it came to a wallet of its own, nobody's yet below the minimum or while
    it is held."""
    if _houses(deposit):
        return books.house(Kind.HOUSE_CAPITAL, asset_id=deposit.asset_id, now=now)
    if _below_minimum(deposit, link):
        return books.house(Kind.SUSPENSE, asset_id=deposit.asset_id, label=SUSPENSE_LABEL, now=now)
    if deposit.held_for:
        return books.house(Kind.SUSPENSE, asset_id=deposit.asset_id, label=books.HELD_DEPOSITS, now=now)
    assert deposit.owner_id is not None
    return books.customer(owner_id=deposit.owner_id, asset_id=deposit.asset_id, now=now)


def _below_minimum(deposit: Deposit, link: AssetNetworkView) -> bool:
    return not _houses(deposit) and deposit.amount < link.min_deposit


def _houses(deposit: Deposit) -> bool:
    return bool(deposit.address.purpose != Address.Purpose.DEPOSIT)


def reverse_due(*, routes: Routes, now: datetime) -> int:
    """Takes back every credit whose block was reorganised away, one transaction each; returns how many."""
    due = Deposit.objects.filter(network_id=routes.network.id, reversal_due=True).order_by("id")
    ids = list(due.values_list("id", flat=True))
    for deposit_id in ids:
        with transaction.atomic():
            Cursor.objects.select_for_update().get(network_id=routes.network.id)
            deposit = Deposit.objects.select_for_update(of=("self",)).select_related("address").get(pk=deposit_id)
            if deposit.reversal_due:
                _reverse(deposit, routes.by_asset(deposit.asset_id), now=now)
                metrics.REVERSED.labels(routes.network.code).inc()
            faults.passing("deposit.reverse.before_commit")
        faults.passing("deposit.reverse.after_commit")
    return len(ids)


def _reverse(deposit: Deposit, link: AssetNetworkView, *, now: datetime) -> None:
    wallet_id = books.chain_wallet(link, now=now)
    reversal_id = books.reversal_id(deposit.id, times=deposit.credits)
    reference = f"{link.network}:{deposit.txid}:{deposit.position}"
    taken, receivable = deposit.amount, 0
    credited = ledger.transfer(id=deposit.transfer_id)
    account_id = next(entry.account_id for entry in credited.entries if entry.account_id != wallet_id)
    if deposit.release_id is not None:
        # Held first and let go since: by now it is on its owner's account.
        account_id = books.customer(owner_id=deposit.owner_id, asset_id=link.asset_id, now=now)
    if deposit.owner_id is not None and account_id == ledger.account_ids(owner_id=deposit.owner_id).get(link.asset_id):
        reversal = reversals.take_back(
            id=reversal_id,
            owner_id=deposit.owner_id,
            asset_id=link.asset_id,
            amount=deposit.amount,
            against_account_id=wallet_id,
            kind="reversal",
            reference=reference,
            now=now,
        )
        taken, receivable = reversal.taken, reversal.receivable
    else:
        back = books.arrival(
            id=reversal_id,
            wallet_id=wallet_id,
            account_id=account_id,
            amount=-deposit.amount,
            kind="reversal",
            reference=reference,
        )
        transfers.post(transfers=[back], now=now)
    deposit.reversal_due = False
    deposit.release_id = None
    deposit.reversed_at = now
    deposit.reversal_id = reversal_id
    deposit.save()
    news.deposit(
        "orphaned",
        deposit,
        link,
        scanned_height=0,
        now=now,
        reversed=True,
        taken=str(taken),
        receivable=str(receivable),
    )
