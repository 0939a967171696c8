"""Brings what was deposited on EVM networks from the deposit addresses to the hot wallet, when it is worth the fee.

A token's address gets gas first (`gas`), and is swept once that gas is final; the own coin pays for itself, to the last wei. Only
what blocks gave for good is moved. Each step is one transaction under the sweep's row. What must never happen here: a second
open sweep of one address and asset, a deposit moved before it is credited, or a step taken twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, Sum

from exchange.assets.selectors import AssetNetworkView
from exchange.ledger.selectors import stops as ledger_stops
from wallets import faults, nodes, routes
from wallets.chains.evm.payout import PLAIN_GAS, Fees, Payment
from wallets.chains.protocol import ChainError, NodeRefused
from wallets.models import Address, Cursor, Movement, Payout, Sweep
from wallets.routes import Routes
from wallets.services import gas, hot, reserving, reserving_evm

log = structlog.get_logger(__name__)

OPEN_MAX = 200  # sweeps under way on one network; the rest has time
# The own coin is worth moving while its fee is at most this part of it.
FEE_SHARE_MAX = 10
# After a refusal or a revert the address is left alone this long: nothing is tried in a circle.
PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one run did. `busy`: some only wait for their turn at the signer."""

    planned: int = 0
    moved: int = 0
    closed: int = 0
    busy: bool = False


def sweep_due(*, now: datetime) -> SweepReport:
    """Plans, advances and closes the sweeps of every EVM network with a node. A node that is away stops its own network alone."""
    if ledger_stops.is_stopped("withdrawals"):
        return SweepReport()
    reports = [_network(routes.of(name), now=now) for name in routes.configured()]
    return SweepReport(
        planned=sum(report.planned for report in reports),
        moved=sum(report.moved for report in reports),
        closed=sum(report.closed for report in reports),
        busy=any(report.busy for report in reports),
    )


def _network(the_routes: Routes, *, now: datetime) -> SweepReport:
    if the_routes.network.family != "evm" or not _scanned(the_routes):
        return SweepReport()
    closed = _close(the_routes, now=now)
    # Tokens first: an address pays for them with the coin that would be swept after them.
    links = sorted(filter(_sweepable, the_routes.links), key=lambda link: link.is_own_coin)
    planned = sum(_plan(the_routes, link, now=now) for link in links)
    moved, busy = 0, False
    waiting = Sweep.objects.filter(network_id=the_routes.network.id, closed_at=None, payout=None)
    for sweep in waiting.select_related("address__xpub", "gas").order_by("id")[:OPEN_MAX]:
        try:
            moved += _advance(sweep, the_routes, now=now)
        except hot.CannotReserve as cannot:
            busy = busy or cannot.why == "hot_wallet_busy"
            _wait(sweep, cannot.why)
        except NodeRefused as refused:
            log.warning("sweep_refused_by_node", sweep=str(sweep.id), error=str(refused))
            _wait(sweep, "node_refused")
        except ChainError as error:
            log.warning("node_unavailable", network=the_routes.network.code, error=str(error))
            break
    return SweepReport(planned, moved, closed, busy)


def _scanned(the_routes: Routes) -> bool:
    return Cursor.objects.filter(network_id=the_routes.network.id, halted="").exists()


def _sweepable(link: AssetNetworkView) -> bool:
    """A token that keeps a part of each transfer is left where it is: moving it would cost a part of customers' coins."""
    return routes.usable(link) and bool(link.sweep_minimum) and not link.fee_on_transfer


def _plan(the_routes: Routes, link: AssetNetworkView, *, now: datetime) -> int:
    """Opens a sweep for every address that holds enough of the asset and has none; the fullest first. How many."""
    assert link.sweep_minimum is not None
    open_now = Sweep.objects.filter(network_id=link.network_id, closed_at=None)
    # The own coin of an address pays for its tokens first, and nothing is planned on coin that is just leaving.
    in_the_way = (
        open_now if link.is_own_coin else open_now.filter(asset_id__in=(link.asset_id, the_routes.own_coin.asset_id))
    )
    paused = Sweep.objects.filter(
        asset_id=link.asset_id, closed_at__gt=now - PAUSE, outcome__in=(Sweep.Outcome.REFUSED, Sweep.Outcome.FAILED)
    )
    full = (
        Movement.objects.filter(network_id=link.network_id, asset_id=link.asset_id)
        .filter(
            Q(address__purpose=Address.Purpose.DEPOSIT)
            | Q(address__purpose=Address.Purpose.HOT, address__xpub__retired_at__isnull=False)
        )
        .exclude(address__in=in_the_way.values("address"))
        .exclude(address__in=paused.values("address"))
        .values("address_id")
        .annotate(held=Sum("delta"))
        .filter(held__gte=link.sweep_minimum)
        .order_by("-held")
    )
    planned = 0
    for row in full[: max(0, OPEN_MAX - open_now.count())]:
        address = Address.objects.select_related("xpub").get(pk=row["address_id"])
        if _movable(address, link, the_routes) >= link.sweep_minimum:
            planned += _open(address, link, now=now)
    return planned


def _movable(address: Address, link: AssetNetworkView, the_routes: Routes) -> int:
    """What is there for good and promised to nothing else."""
    return reserving_evm.spendable(address, asset_id=link.asset_id, gas_asset_id=the_routes.own_coin.asset_id)


def _open(address: Address, link: AssetNetworkView, *, now: datetime) -> int:
    """One row; 0 when another worker was first."""
    with transaction.atomic():
        made = Sweep.objects.bulk_create(
            [Sweep(network_id=link.network_id, asset_id=link.asset_id, address=address, created_at=now)],
            ignore_conflicts=True,
        )
        faults.passing("sweep.plan.before_commit")
    faults.passing("sweep.plan.after_commit")
    return len(made)


def _advance(sweep: Sweep, the_routes: Routes, *, now: datetime) -> int:
    """One step: gas, or the sweep itself. 0 while it waits. Raises CannotReserve, ChainError."""
    if sweep.gas is not None and sweep.gas.state != Payout.State.FINAL:
        return 0
    if Sweep.objects.filter(address=sweep.address_id, closed_at=None, id__lt=sweep.id).exists():
        return 0  # one after the other: the gas of one is not spent by another
    link = the_routes.by_asset(sweep.asset_id)
    chain = nodes.chain(the_routes.network.code)
    sender = hot.address(the_routes.network.id)
    if sender is None or sender.pk == sweep.address_id:
        raise hot.CannotReserve("hot_wallet_short")
    if reserving_evm.busy(sweep.address):
        return 0  # the address is just sending something else
    amount = _movable(sweep.address, link, the_routes)
    if amount < (link.sweep_minimum or 0):
        return _needless(sweep, now=now)
    if link.is_own_coin:
        return _sweep_coin(sweep, link, the_routes, sender, amount, chain.fees().flat(), now=now)
    return _sweep_token(sweep, link, the_routes, sender, amount, now=now)


def _sweep_coin(
    sweep: Sweep, link: AssetNetworkView, the_routes: Routes, to: Address, held: int, fees: Fees, *, now: datetime
) -> int:
    """All of the own coin: the fee is known to the wei, and what is left after it goes."""
    fee = gas.needed(gas_limit=PLAIN_GAS, fees=fees)
    if fee * FEE_SHARE_MAX > held:
        raise hot.CannotReserve("fees_high")
    return _reserve(sweep, link, the_routes, to, held - fee, fees, now=now)


def _sweep_token(
    sweep: Sweep, link: AssetNetworkView, the_routes: Routes, to: Address, amount: int, *, now: datetime
) -> int:
    """All of a token, once the address can pay for it."""
    chain = nodes.chain(the_routes.network.code)
    payment = Payment(to.address, link.to_chain(amount), contract=link.contract, path=hot.path(to))
    gas_limit, fees = gas.of_token(chain=chain, sweep=sweep, payment=payment), chain.fees()
    available = _movable(sweep.address, the_routes.own_coin, the_routes)
    affordable = gas.affordable(gas_limit=gas_limit, fees=fees, available=available)
    if affordable is not None:
        return _reserve(sweep, link, the_routes, to, amount, affordable, now=now)
    if sweep.gas_id is not None:
        raise hot.CannotReserve("fees_high")  # its gas came when gas was cheaper; it waits, and is not sent more
    with transaction.atomic():
        locked = _locked(sweep)
        if locked is None or locked.gas_id is not None:
            return 0
        missing = gas.to_send(gas_limit=gas_limit, fees=fees, available=available)
        gas.send(sweep=locked, routes=the_routes, amount=missing, now=now)
    faults.passing("gas.plan.after_commit")
    return 1


def _reserve(
    sweep: Sweep, link: AssetNetworkView, the_routes: Routes, to: Address, amount: int, fees: Fees, *, now: datetime
) -> int:
    with transaction.atomic():
        locked = _locked(sweep)
        if locked is None:
            return 0
        locked.payout_id = reserving.reserve_internal(
            kind=Payout.Kind.SWEEP,
            network=the_routes.network.code,
            asset_id=link.asset_id,
            sender=locked.address,
            destination=to.address,
            destination_path=hot.path(to),
            amount=amount,
            parent=locked.gas_id,
            fees=fees,
            now=now,
        )
        locked.waiting = ""
        locked.save(update_fields=["payout", "waiting"])
    return 1


def _locked(sweep: Sweep) -> Sweep | None:
    """The row under its lock, None when another worker took the step meanwhile."""
    rows = Sweep.objects.select_for_update(of=("self",)).select_related("address__xpub")
    return rows.filter(pk=sweep.pk, closed_at=None, payout=None).first()


def _wait(sweep: Sweep, why: str) -> None:
    Sweep.objects.filter(pk=sweep.pk, closed_at=None).exclude(waiting=why).update(waiting=why)


def _needless(sweep: Sweep, *, now: datetime) -> int:
    """What was there is gone again: reorganised away, or swept with something else. Gas on its way stays for the next one."""
    Sweep.objects.filter(pk=sweep.pk, closed_at=None, payout=None).update(
        outcome=Sweep.Outcome.NEEDLESS, closed_at=now, waiting=""
    )
    return 0


def _close(the_routes: Routes, *, now: datetime) -> int:
    """Ends the sweeps whose payout, or whose gas, came to an end. How many."""
    ended = 0
    ours = Sweep.objects.filter(network_id=the_routes.network.id, closed_at=None).select_related("gas", "payout")
    for sweep in ours.order_by("id"):
        outcome = _outcome(sweep)
        if outcome is not None:
            ended += Sweep.objects.filter(pk=sweep.pk, closed_at=None).update(
                outcome=outcome, closed_at=now, waiting=""
            )
    return ended


def _outcome(sweep: Sweep) -> str | None:
    """How it ended, None while it has not."""
    for payout in (sweep.gas, sweep.payout):
        if payout is None:
            continue
        if payout.state in Payout.GIVEN_UP:
            return str(Sweep.Outcome.REFUSED)
        if payout.state == Payout.State.FINAL and not payout.succeeded:
            return str(Sweep.Outcome.FAILED)
    done = sweep.payout is not None and sweep.payout.state == Payout.State.FINAL
    return str(Sweep.Outcome.DONE) if done else None
