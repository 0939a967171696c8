"""What staff see before they decide about a withdrawal: the queue, and one case with its story.

Read-only, for the back office alone. What must never happen here: a write, or any of this on a customer's page (the policy's
explanation names the house's limits).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Min, Q

from custody import selectors as custody
from custody.selectors import DecisionView
from exchange.accounts import selectors as accounts
from exchange.accounts.selectors import Person
from exchange.assets import selectors as assets
from exchange.core import amounts
from exchange.ledger import selectors as ledger
from wallets import lifecycle, routes
from wallets.lifecycle import State
from wallets.models import Address, Deposit, ListedAddress, PayoutVersion, Preference, Withdrawal, WithdrawalApproval

STORY_LENGTH = 20
FAILED_SHOWN = timedelta(days=30)
# Longer in the network's queue than this many blocks usually take, and somebody should look.
STUCK_BLOCKS = 6


@dataclass(frozen=True, slots=True)
class Counts:
    """How many wait, and for what; `failed` of the last thirty days."""

    review: int
    signer: int
    stuck: int
    failed: int
    unconfirmed: int
    moving: int


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; amounts as decimal text."""

    at: datetime
    what: str
    amount: str
    state: str
    detail: str
    id: str


@dataclass(frozen=True, slots=True)
class Approval:
    """One member of staff who agreed."""

    actor: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Destination:
    """What we know of where it goes. `times_used` and `first_used` are this customer's, `others` counts other customers."""

    address: str
    klass: str
    label: str
    listed_at: datetime | None
    times_used: int
    first_used: datetime | None
    others: int
    ours: str


@dataclass(frozen=True, slots=True)
class Case:
    """One withdrawal as staff decide about it. `verbs` are what can be done in its state."""

    id: UUID
    state: str
    reason: str
    waiting: str
    amount: str
    fee: str
    network: str
    person: Person | None
    frozen: bool
    allow_list_only: bool
    confirmed_by: str
    confirmed_at: datetime | None
    decisions: tuple[DecisionView, ...]
    approvals: tuple[Approval, ...]
    approvals_needed: int
    destination: Destination
    story: tuple[Line, ...]
    companions: int
    versions: tuple[PayoutVersion, ...]
    verbs: tuple[str, ...]


def counts(*, now: datetime) -> Counts:
    """The queue in numbers. Four queries; what is closed is not walked over, but for what failed lately."""
    states = dict.fromkeys(State, 0)
    found = Withdrawal.objects.filter(closed_at=None).values("state").annotate(count=Count("id"))
    for row in found.order_by("state"):
        states[State(row["state"])] = row["count"]
    return Counts(
        review=states[State.REVIEW],
        signer=states[State.SIGNING],
        stuck=Withdrawal.objects.filter(stuck(now=now)).count(),
        failed=Withdrawal.objects.filter(state=State.FAILED, closed_at__gt=now - FAILED_SHOWN).count(),
        unconfirmed=states[State.REQUESTED],
        moving=sum(states[state] for state in (State.APPROVED, State.RESERVED, State.SIGNED, State.BROADCAST)),
    )


def stuck(*, now: datetime) -> Q:
    """Withdrawals that wait for a block longer than six of them usually take."""
    blocks = getattr(settings, "WALLETS_BUMP_BLOCKS", STUCK_BLOCKS)
    late = Q(pk__in=[])
    for network in assets.networks():
        before = now - timedelta(seconds=blocks * network.block_seconds)
        first = Q(network_id=network.id, payout__versions__number=1)
        late |= first & Q(state=State.BROADCAST, payout__versions__first_broadcast_at__lt=before)
        # Signed, and no node takes it.
        late |= first & Q(state=State.SIGNED, payout__versions__signed_at__lt=before)
    return late


def case(*, withdrawal_id: UUID, now: datetime) -> Case:
    """Everything that staff look at before they decide. Raises Withdrawal.DoesNotExist."""
    row = Withdrawal.objects.select_related("payout").get(pk=withdrawal_id)
    asset = assets.asset_by_id(row.asset_id)
    preference = Preference.objects.filter(pk=row.owner_id).first()
    held = bool(preference and preference.allow_list_only and not _past(preference.loosened_at, now))
    agreed = list(WithdrawalApproval.objects.filter(withdrawal=row).order_by("at"))
    people = accounts.people({row.owner_id, *(each.actor_id for each in agreed)})
    return Case(
        id=row.id,
        state=row.state,
        reason=row.reason,
        waiting=row.waiting,
        amount=f"{amounts.format(row.amount, decimals=asset.decimals)} {asset.code}",
        fee=f"{amounts.format(row.fee, decimals=asset.decimals)} {asset.code}",
        network=routes.codes()[row.network_id],
        person=people.get(row.owner_id),
        frozen=ledger.is_frozen(owner_id=row.owner_id),
        allow_list_only=held,
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        decisions=tuple(reversed(custody.decisions(f"withdrawal:{row.id}"))),
        approvals=tuple(Approval(_name(people.get(each.actor_id)), each.at, each.note) for each in agreed),
        approvals_needed=row.approvals_needed,
        destination=_destination(row),
        story=_story(row.owner_id),
        companions=row.payout.withdrawals.exclude(pk=row.pk).count() if row.payout else 0,
        versions=tuple(row.payout.versions.order_by("number")) if row.payout else (),
        verbs=_verbs(State(row.state)),
    )


def _verbs(state: State) -> tuple[str, ...]:
    if state == State.REVIEW:
        return ("approve", "reject")
    if state in lifecycle.HOLDABLE:
        return ("hold",)
    return ("bump", "cancel_on_chain") if state in lifecycle.ON_CHAIN else ()


def _destination(row: Withdrawal) -> Destination:
    to_it = Withdrawal.objects.filter(network_id=row.network_id, address=row.address).exclude(pk=row.pk)
    mine = to_it.filter(owner_id=row.owner_id, state=State.FINAL)
    listed = ListedAddress.objects.filter(
        owner_id=row.owner_id, network_id=row.network_id, address=row.address, removed_at=None
    ).first()
    ours = Address.objects.filter(network_id=row.network_id, address=row.address).first()
    return Destination(
        address=row.address,
        klass=row.destination_class,
        label=listed.label if listed else "",
        listed_at=listed.created_at if listed else None,
        times_used=mine.count(),
        first_used=mine.aggregate(first=Min("requested_at"))["first"],
        others=to_it.exclude(owner_id=row.owner_id).values("owner_id").distinct().count(),
        ours=f"deposit address of customer {ours.owner_id}" if ours and ours.owner_id else "",
    )


def _story(owner_id: int) -> tuple[Line, ...]:
    """The customer's last deposits and withdrawals, newest first."""
    codes = routes.codes()
    found = {asset.id: asset for asset in assets.assets(enabled_only=False)}

    def amount(row: Deposit | Withdrawal) -> str:
        asset = found[row.asset_id]
        return f"{amounts.format(row.amount, decimals=asset.decimals)} {asset.code}"

    came = Deposit.objects.filter(owner_id=owner_id).order_by("-id")[:STORY_LENGTH]
    went = Withdrawal.objects.filter(owner_id=owner_id).order_by("-id")[:STORY_LENGTH]
    lines = [
        Line(row.seen_at, "deposit", amount(row), row.state, f"{codes[row.network_id]} {row.txid}", str(row.id))
        for row in came
    ]
    lines += [
        Line(
            row.requested_at,
            "withdrawal",
            amount(row),
            row.state,
            f"{codes[row.network_id]} {row.address}",
            str(row.id),
        )
        for row in went
    ]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:STORY_LENGTH])


def _name(person: Person | None) -> str:
    return person.email if person else "somebody who is gone"


def _past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now
