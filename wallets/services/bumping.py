"""Helps a transaction along that waits too long, or takes it back, by another version of it.

A replacement spends the same inputs, or the same nonce, so at most one version is ever mined; all of them are kept and watched.
Where a network's nodes do not replace (Litecoin), a child spends the change at a fee that pays for both. Every version stays
below the fee cap. What must never happen here: a version that could be mined beside another, one that pays a withdrawal another
amount, or a withdrawal given back although some version that pays it may still be mined.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from custody.services import signing
from exchange.audit import services as audit
from exchange.core.errors import Conflict, NotFound
from exchange.ledger.selectors import stops
from wallets import nodes, routes
from wallets.chains.evm import payout as evm
from wallets.chains.protocol import ChainError, InsufficientCoins, PayoutImpossible
from wallets.chains.utxo.selection import FeeAboveCap
from wallets.models import Address, Cursor, Nonce, Payout, PayoutVersion
from wallets.routes import Routes
from wallets.services import bumping_utxo, failing, hot, reserving_evm

log = structlog.get_logger(__name__)

BUMP_BLOCKS = 6
BATCH = 100
# A later version that came to nothing is not made again at once.
RETRY = timedelta(hours=1)
# Signed, and waiting for a node that takes it or for a block.
OUT = (Payout.State.SIGNED, Payout.State.BROADCAST)
Kind = PayoutVersion.Kind


class PayoutNotFound(NotFound):
    code = "payout_not_found"


class NotBumpable(Conflict):
    code = "payout_not_bumpable"


class FeesTooHigh(Conflict):
    code = "fees_too_high"


def bump(*, payout_id: UUID, fee_rate: int | None = None, actor_id: int | None = None, now: datetime) -> UUID:
    """Another version at a higher fee, or a child that pays for it; the new version's id.

    `fee_rate`: base units per 1,000 vbytes, or wei per gas; None asks the node. Never less than what makes nodes take it.
    Raises PayoutNotFound, NotBumpable, FeesTooHigh, ChainError.
    """
    payout, the_routes = _bumpable(payout_id)
    kind = payout.versions.exclude(raw=None).latest("number").kind
    return _again(
        payout, the_routes, Kind.CANCEL if kind == Kind.CANCEL else Kind.BUMP, fee_rate, actor_id=actor_id, now=now
    )


def cancel(*, payout_id: UUID, actor_id: int, now: datetime) -> UUID:
    """A version that pays nobody and takes inputs or nonce back; the version's id. Whichever version is mined, counts.

    Raises PayoutNotFound, NotBumpable (where nodes replace nothing), FeesTooHigh, ChainError.
    """
    payout, the_routes = _bumpable(payout_id)
    if payout.versions.filter(kind=Kind.CANCEL, refusal="").exists():
        raise NotBumpable("This transaction is being cancelled already; its cancellation can be bumped.")
    if the_routes.network.family == "utxo" and not _replaces(payout, the_routes):
        raise NotBumpable(
            f"{the_routes.network.name} replaces no waiting transaction, so this one cannot be taken back."
        )
    return _again(payout, the_routes, Kind.CANCEL, None, actor_id=actor_id, now=now)


def bump_due(*, now: datetime) -> int:
    """Bumps what WALLETS_BUMP_BLOCKS blocks have passed by; returns how many. One that cannot be bumped stops no other."""
    if stops.is_stopped("withdrawals"):
        return 0
    bumped = 0
    for payout_id in _overdue(now=now):
        try:
            bump(payout_id=payout_id, now=now)
            bumped += 1
        except (NotBumpable, FeesTooHigh, ChainError) as cannot:
            log.warning("not_bumped", payout=str(payout_id), reason=str(cannot))
        except Exception as error:
            failing.note(error, "bump", network="", payout=str(payout_id))
    return bumped


def _overdue(*, now: datetime) -> list[UUID]:
    """Waiting for a block since too many; of an account's nonces only the lowest, for which the others wait."""
    heights = dict(Cursor.objects.values_list("network_id", "height"))
    rows = Payout.objects.filter(state__in=OUT, closed_at=None).exclude(kind=Payout.Kind.RETURN)
    # A parent is helped by its child, and that one, if need be, by a child of its own.
    rows = rows.exclude(Q(children__kind=Payout.Kind.CHILD, children__closed_at=None))
    rows = rows.exclude(Q(children__kind=Payout.Kind.CHILD, children__created_at__gt=now - RETRY))
    due: list[UUID] = []
    for payout in rows.order_by("id").prefetch_related("versions", "nonces")[:BATCH]:
        newest = max(payout.versions.all(), key=lambda version: version.number)
        nonces = [nonce for nonce in payout.nonces.all() if nonce.released_at is None]
        if payout.state == Payout.State.SIGNED and not any(version.last_error for version in payout.versions.all()):
            continue  # no node said no to it yet
        if _waited(newest, heights.get(payout.network_id, 0), now=now) and not any(map(_waits_for_another, nonces)):
            due.append(payout.id)
    return due


def _waited(newest: PayoutVersion, height: int, *, now: datetime) -> bool:
    """Long enough since the newest version went out; or, where signer or node would not have that one, for another try."""
    if newest.sent_height is None:
        return newest.created_at < now - RETRY
    return height - newest.sent_height >= int(getattr(settings, "WALLETS_BUMP_BLOCKS", BUMP_BLOCKS))


def _waits_for_another(nonce: Nonce) -> bool:
    lower = Nonce.objects.filter(address_id=nonce.address_id, nonce__lt=nonce.nonce, released_at=None)
    return lower.filter(payout__block_height=None).exists()


def _bumpable(payout_id: UUID) -> tuple[Payout, Routes]:
    payout = Payout.objects.filter(pk=payout_id).first()
    if payout is None:
        raise PayoutNotFound("There is no such transaction.")
    _ensure(payout)
    return payout, routes.of(routes.codes()[payout.network_id])


def _ensure(payout: Payout) -> None:
    if payout.state not in OUT:
        raise NotBumpable(f"This transaction is {payout.state}: only one that waits for a block can be helped along.")
    if payout.kind == Payout.Kind.RETURN:
        raise NotBumpable("This transaction was signed by hand; another version needs those hands again.")
    if payout.versions.filter(raw=None, refusal="").exists():
        raise NotBumpable("A later version of this transaction is with the signer already.")


def _again(
    payout: Payout, the_routes: Routes, kind: str, fee_rate: int | None, *, actor_id: int | None, now: datetime
) -> UUID:
    """One more version. What the node has to say is asked before the transaction opens."""
    try:
        if the_routes.network.family != "utxo":
            return _evm(payout, the_routes, kind, fee_rate, actor_id=actor_id, now=now)
        asked = bumping_utxo.ask(payout, the_routes, fee_rate)
        with transaction.atomic():
            cursor = Cursor.objects.select_for_update().get(network_id=the_routes.network.id)
            locked = _locked(payout)
            if not _replaces(locked, the_routes):
                version = bumping_utxo.child(locked, the_routes, asked, actor_id=actor_id, now=now)
                _audit("payout.child", locked, version, actor_id, now=now)
                return version.id
            unsigned = bumping_utxo.replacement(locked, the_routes, asked, cursor, kind=kind, now=now)
            return _add(locked, the_routes, kind, unsigned.to_json(), unsigned.fee, actor_id=actor_id, now=now)
    except FeeAboveCap as above:
        raise FeesTooHigh(f"That is above the limit: {above}.") from None
    except InsufficientCoins as short:
        raise NotBumpable(f"There is nothing to raise the fee from: {short}.") from None
    except PayoutImpossible as impossible:
        raise NotBumpable(f"Another version cannot be made: {impossible}.") from None


def _replaces(payout: Payout, the_routes: Routes) -> bool:
    """Whether another version with the same inputs has a chance: always while no node took the first (a child has none then)."""
    return payout.state == Payout.State.SIGNED or nodes.rules(the_routes.network.code).parameters.replacement


def _locked(payout: Payout) -> Payout:
    locked = Payout.objects.select_for_update(of=("self",)).select_related("address").get(pk=payout.pk)
    _ensure(locked)
    return locked


def _evm(
    payout: Payout, the_routes: Routes, kind: str, fee_rate: int | None, *, actor_id: int | None, now: datetime
) -> UUID:
    fees = nodes.chain(the_routes.network.code).fees()
    if fee_rate is not None:
        fees = evm.Fees(fees.base_fee, fee_rate, min(fee_rate, fees.max_priority_fee_per_gas), fees.legacy)
    with transaction.atomic():
        locked = _locked(payout)
        before = evm.from_json(locked.versions.exclude(raw=None).latest("number").unsigned)
        made = evm.cancelled(before, fees) if kind == Kind.CANCEL else evm.bumped(before, fees)
        cap = hot.fee_cap(the_routes, locked.withdrawals.all())
        if cap is not None and made.fee_max > cap:
            raise FeeAboveCap(f"the fee would be up to {made.fee_max} base units, at most {cap} are allowed")
        _ensure_covered(locked, the_routes, made)
        return _add(locked, the_routes, kind, made.to_json(), made.fee_max, actor_id=actor_id, now=now)


def _ensure_covered(payout: Payout, the_routes: Routes, made: evm.UnsignedEvm) -> None:
    """A version that its sender cannot pay is refused by every node, and counts in the signer's windows all the same."""
    sender = Address.objects.select_for_update().get(pk=payout.address_id)
    own_coin = the_routes.own_coin
    needed = made.fee_max + own_coin.from_chain(made.transaction.value)
    held = reserving_evm.spendable(sender, asset_id=own_coin.asset_id, gas_asset_id=own_coin.asset_id, but=payout.id)
    if held < needed:
        raise NotBumpable(f"Its sender has {held} base units to spend; another version may cost {needed}.")


def _add(
    payout: Payout,
    the_routes: Routes,
    kind: str,
    unsigned: dict[str, Any],
    fee: int,
    *,
    actor_id: int | None,
    now: datetime,
) -> UUID:
    """The version, its job and the record of who asked, together. The withdrawals stay where they are: on their way."""
    number = payout.versions.latest("number").number + 1
    version = PayoutVersion.objects.create(
        payout=payout, number=number, kind=kind, unsigned=unsigned, fee=fee, requested_by=actor_id, created_at=now
    )
    signing.request(
        id=version.id,
        network=the_routes.network.code,
        kind="cancel" if kind == Kind.CANCEL else "replacement",
        unsigned=unsigned,
        reference=str(payout.id),
        now=now,
    )
    _audit(f"payout.{kind}", payout, version, actor_id, now=now)
    return version.id


def _audit(action: str, payout: Payout, version: PayoutVersion, actor_id: int | None, *, now: datetime) -> None:
    after = {"version": version.number, "fee": str(version.fee), "state": payout.state}
    audit.record(actor_id=actor_id, action=action, subject=f"payout:{payout.id}", after=after, now=now)
