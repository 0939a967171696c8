"""The way back from cold: proposed by one member of staff, approved by another, signed where no network reaches, then sent
by the machine like any other transaction.

The transaction is fixed when it is proposed: coins or nonce are reserved, the fee is agreed, and whatever comes back must be that
transaction to the byte. What must never happen here: a file given out that one person alone made, bytes kept that were not
verified against the proposal, or a proposal given up whose finished transaction is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import transaction

from custody import psbt
from exchange.assets.selectors import AssetNetworkView
from exchange.audit import services as audit
from exchange.core import amounts
from exchange.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from wallets import faults, news, routes
from wallets.chains.protocol import ChainError
from wallets.chains.utxo import payout as utxo
from wallets.models import ColdProposal, ColdWallet, Payout, PayoutVersion
from wallets.services import cold_wallets, releasing, returning_evm, returning_utxo
from wallets.services.cold_wallets import SamePerson
from wallets.services.hot import CannotReserve

FILE_SIZE_MAX = 8_000_000
WHY = {
    "coins_taken": "Some of these coins were promised or spent meanwhile; propose it again.",
    "hot_wallet_short": "The cold wallet does not hold that much that may be spent now, fee included.",
    "hot_wallet_gas_short": "The cold account holds too little of the network's own coin for the fee.",
    "hot_wallet_busy": "Another proposal of this account is not signed yet: one nonce at a time.",
    "fees_high": "The fee is above the house's cap just now.",
}


class ProposalNotFound(NotFound):
    code = "proposal_not_found"


class ProposalImpossible(InvalidRequest):
    code = "proposal_impossible"


class ProposalClosed(Conflict):
    """It is signed, or was cancelled."""

    code = "proposal_closed"


class ProposalNotApproved(Conflict):
    """A second member of staff has not approved it yet."""

    code = "proposal_not_approved"


class FileRefused(InvalidRequest):
    """The file that was brought back is not used; the message says why."""

    code = "file_refused"


class NodeAway(Unavailable):
    code = "node_unavailable"


@dataclass(frozen=True, slots=True)
class File:
    """What staff carry to the keys."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a proposal is: who signed, how many more must."""

    signed_by: tuple[str, ...]
    missing: int
    txid: str


def propose(
    *,
    asset: str,
    network: str,
    amount: str,
    wallet_id: int | None = None,
    fee_rate: int | None = None,
    actor_id: int,
    now: datetime,
) -> UUID:
    """Reserves cold coins for this amount ("all": everything) on its way to the hot wallet; the payout's id.

    `wallet_id`: an older wallet that is to be emptied; without it the one in use. `fee_rate`: base units per 1,000 vbytes;
    without it the node's estimate. Raises ProposalImpossible, ColdWalletNotFound, NodeAway, AmountInvalid and its like.
    """
    the_routes = routes.of(network)
    link = next((each for each in the_routes.links if each.asset_code == asset), None)
    if link is None:
        raise ProposalImpossible(f"{asset} does not move over {network}.", param="asset")
    wallet = _wallet(the_routes.network.id, wallet_id)
    units = None if amount.strip() == "all" else amounts.parse(amount, decimals=link.decimals, param="amount")
    if units == 0:
        raise ProposalImpossible("Nothing is not worth a transaction.", param="amount")
    by_family = returning_utxo if the_routes.network.family == "utxo" else returning_evm
    try:
        # The node is asked before anything is locked.
        plan = by_family.plan(the_routes, link, wallet, units, fee_rate=fee_rate, now=now)
        with transaction.atomic():
            payout_id, text = by_family.reserve(plan, actor_id=actor_id, now=now)
            ColdProposal.objects.create(
                payout_id=payout_id, cold=wallet, created_by=actor_id, created_at=now, psbt=text
            )
            payout = Payout.objects.get(pk=payout_id)
            _record("propose", payout, link, actor_id, now=now)
    except CannotReserve as cannot:
        raise ProposalImpossible(WHY.get(cannot.why, f"It cannot be reserved now: {cannot.why}.")) from None
    except psbt.PreviousMismatch as error:
        raise ProposalImpossible(f"A coin is not what our index says: {error}.") from None
    except ChainError as error:
        raise NodeAway(f"The node does not help just now: {error}.") from None
    return payout_id


def _wallet(network_id: int, wallet_id: int | None) -> ColdWallet:
    wallet = (
        cold_wallets.current(network_id)
        if wallet_id is None
        else ColdWallet.objects.filter(pk=wallet_id, network_id=network_id, approved_at__isnull=False).first()
    )
    if wallet is None:
        raise cold_wallets.ColdWalletNotFound("This network has no such cold wallet in use.")
    return wallet


def approve(*, payout_id: UUID, actor_id: int, now: datetime) -> None:
    """The second pair of eyes. Raises ProposalNotFound, ProposalClosed, SamePerson."""
    with transaction.atomic():
        payout, proposal = _open(payout_id)
        if proposal.created_by == actor_id:
            raise SamePerson("Whoever made a proposal does not approve it.")
        if proposal.approved_at is not None:
            raise ProposalClosed("This proposal is approved already.")
        proposal.approved_by, proposal.approved_at = actor_id, now
        proposal.save(update_fields=["approved_by", "approved_at"])
        _record("approve", payout, _link(payout), actor_id, now=now)


def export(*, payout_id: UUID, actor_id: int, now: datetime) -> File:
    """The file to carry: a PSBT with the signatures that are here, or an account's unsigned transaction as JSON.

    Raises ProposalNotFound, ProposalClosed, ProposalNotApproved.
    """
    with transaction.atomic():
        payout, proposal = _open(payout_id)
        _approved(proposal)
        if proposal.exported_at is None:
            proposal.exported_at = now
            proposal.save(update_fields=["exported_at"])
        link = _link(payout)
        _record("export", payout, link, actor_id, quiet=True, now=now)
        name = f"{link.network}-return-{str(payout.id)[-12:]}"
        if proposal.cold.kind == ColdWallet.Kind.ACCOUNT:
            says = f"{amounts.format(int(payout.amount or 0), decimals=link.decimals)} {link.asset_code}"
            return File(f"{name}.json", returning_evm.document(payout, proposal, says=says).encode())
        return File(f"{name}.psbt", psbt.file_bytes(proposal.psbt))


def import_signed(*, payout_id: UUID, content: bytes, actor_id: int, now: datetime) -> Progress:
    """Takes in what came back. Once enough have signed, the finished transaction is kept, and the machine sends it.

    Raises ProposalNotFound, ProposalClosed, ProposalNotApproved, FileRefused; then nothing has changed.
    """
    if len(content) > FILE_SIZE_MAX:
        raise FileRefused("This file is larger than a signed transaction can be.", param="file")
    with transaction.atomic():
        payout, proposal = _open(payout_id)
        _approved(proposal)
        version = PayoutVersion.objects.filter(payout=payout).latest("number")
        try:
            if proposal.cold.kind == ColdWallet.Kind.ACCOUNT:
                raw, progress = returning_evm.take(payout, proposal, version, content)
            else:
                raw, progress = _take_psbt(proposal, version, content)
        except ChainError as error:
            raise FileRefused(f"{str(error)[:1].upper()}{str(error)[1:]}.", param="file") from None
        if raw is not None:
            proposal.signed_at, proposal.signed_by = now, actor_id
        proposal.save(update_fields=["psbt", "signed_at", "signed_by"])
        more = {"signed_by": list(progress.signed_by), "missing": progress.missing, "txid": progress.txid}
        _record("sign" if raw is not None else "add_signature", payout, _link(payout), actor_id, now=now, **more)
        if raw is not None:
            _keep(payout, version, raw, progress.txid, now=now)
            faults.passing("payout.keep.before_commit")
    faults.passing("payout.keep.after_commit")
    return progress


def _keep(payout: Payout, version: PayoutVersion, raw: bytes, txid: str, *, now: datetime) -> None:
    """Bytes, txid and state in one commit; from here on the machine sends these bytes and no others."""
    version.raw, version.txid, version.signed_at = raw, txid, now
    version.save(update_fields=["raw", "txid", "signed_at"])
    payout.state, payout.txid = Payout.State.SIGNED, txid
    payout.save(update_fields=["state", "txid"])
    transaction.on_commit(
        lambda: current_app.send_task("wallets.advance_withdrawals", queue="chain", retry=False), robust=True
    )


def _take_psbt(proposal: ColdProposal, version: PayoutVersion, content: bytes) -> tuple[bytes | None, Progress]:
    spending = spending_of(proposal, version)
    found = psbt.add(proposal.psbt, content, spending)
    proposal.psbt = found.psbt
    return found.raw, Progress(found.signed_by, found.missing, spending.txid())


def spending_of(proposal: ColdProposal, version: PayoutVersion) -> psbt.Spending:
    """What a proposal of coins spends, from our own values."""
    return psbt.Spending(utxo.from_json(version.unsigned), cold_wallets.descriptor_of(proposal.cold))


def progress(payout_id: UUID) -> Progress:
    """Who has signed so far."""
    proposal = ColdProposal.objects.select_related("cold").get(payout_id=payout_id)
    version = PayoutVersion.objects.filter(payout_id=payout_id).latest("number")
    if proposal.cold.kind == ColdWallet.Kind.ACCOUNT:
        return Progress((), 0 if version.raw else 1, version.txid)
    found = psbt.progress(proposal.psbt, spending_of(proposal, version))
    return Progress(found.signed_by, found.missing, version.txid)


def cancel(*, payout_id: UUID, reason: str, actor_id: int, now: datetime) -> None:
    """Gives a proposal up: its coins or nonce are free again. Not once the finished transaction is here, unless no node takes
    it (its fee is too low by now).

    A file that was given out may still be signed and sent from elsewhere; it would pay our own hot wallet, and be recognised: by
    its txid, or on a chain where the gas may be chosen anew by its nonce and what it calls.
    Raises ProposalNotFound, ProposalClosed, ProposalImpossible without a reason.
    """
    reason = reason.strip()
    if not reason:
        raise ProposalImpossible("Say why, for the next one who wonders.", param="reason")
    with transaction.atomic():
        payout, proposal = _open(payout_id, or_refused=True)
        proposal.cancelled_at = now
        proposal.save(update_fields=["cancelled_at"])
        if payout.state == Payout.State.SIGNED:
            releasing.abandon(payout, now=now)
        else:
            releasing.release_payout(payout.id, now=now)
        _record("cancel", payout, _link(payout), actor_id, now=now, reason=reason)


def is_refused(payout: Payout) -> bool:
    """Whether its signed bytes went to a node in vain, and never otherwise."""
    tried = payout.versions.exclude(last_error="").exists()
    taken = payout.versions.filter(first_broadcast_at__isnull=False).exists()
    return payout.state == Payout.State.SIGNED and tried and not taken


def _open(payout_id: UUID, *, or_refused: bool = False) -> tuple[Payout, ColdProposal]:
    """Both rows, locked. Raises ProposalNotFound, ProposalClosed."""
    payout = Payout.objects.select_for_update().filter(pk=payout_id, kind=Payout.Kind.RETURN).first()
    proposal = (
        ColdProposal.objects.select_for_update(of=("self",)).select_related("cold").filter(payout_id=payout_id).first()
    )
    if payout is None or proposal is None:
        raise ProposalNotFound("There is no such proposal.")
    if proposal.cancelled_at is not None:
        raise ProposalClosed("This proposal was cancelled.")
    if or_refused and is_refused(payout):
        return payout, proposal
    if proposal.signed_at is not None or payout.state not in releasing.NEVER_SIGNED:
        raise ProposalClosed("This proposal is signed already.")
    return payout, proposal


def _approved(proposal: ColdProposal) -> None:
    if proposal.approved_at is None:
        raise ProposalNotApproved("A second member of staff has to approve this proposal first.")


def _link(payout: Payout) -> AssetNetworkView:
    return routes.of(routes.codes()[payout.network_id]).by_asset(payout.asset_id)


def _record(
    what: str,
    payout: Payout,
    link: AssetNetworkView,
    actor_id: int,
    *,
    quiet: bool = False,
    now: datetime,
    **more: Any,
) -> None:
    words = {"propose": "proposed", "approve": "approved", "sign": "signed", "cancel": "cancelled"}
    audit.record(
        actor_id=actor_id,
        action=f"wallets.return.{what}",
        subject=f"payout:{payout.id}",
        after={"asset": link.asset_code, "network": link.network, "amount": str(payout.amount), **more},
        now=now,
    )
    if what in words and not quiet:
        news.cold_return(
            words[what],
            payout_id=payout.id,
            link=link,
            amount=int(payout.amount or 0),
            reason=str(more.get("reason", "")),
            now=now,
        )
