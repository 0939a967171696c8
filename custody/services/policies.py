"""What may leave, and who changes what may leave: decisions kept for ever, and edits of the rules by two people with a delay.

An edit is a whole set of rules. One is open at a time, so what was approved is what comes into force and nothing in between.
Time alone puts an edit into force: no task can fail to do it. What must never happen here: rules in force that one person made,
or that changed at once; a decision that is not stored with what it looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from custody import policy, rulebook, selectors
from custody.models import PolicyApproval, PolicyCancellation, PolicyDecision, PolicyEdit
from custody.policy import Destination, Initiator, Rule, Scope
from custody.selectors import DecisionView
from exchange.assets import selectors as assets
from exchange.audit import services as audit
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied

NOTE_LENGTH_MAX = 400
# What `decide` must be told was moved before: ("customer" | "house", seconds).
WINDOWS = tuple((scope.value, seconds) for scope, seconds in policy.WINDOWS)
_ASSET_LOCK = 7302
_EDIT_LOCK = 7301


class EditOpen(Conflict):
    """Another edit is proposed or waits for its time."""

    code = "policy_edit_open"


class EditNotFound(NotFound):
    code = "policy_edit_not_found"


class EditSettled(Conflict):
    """It was cancelled, or is in force."""

    code = "policy_edit_settled"


class SecondPersonNeeded(PermissionDenied):
    """Whoever proposed an edit cannot approve it."""

    code = "second_person_needed"


class NoteMissing(InvalidRequest):
    code = "note_missing"


class NothingChanged(InvalidRequest):
    code = "policy_unchanged"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force; `version` is the id of the edit that made them."""

    version: int
    rules: tuple[Rule, ...]


def serialize(*, asset_id: int) -> None:
    """Lets one decision on an asset happen at a time, until the caller's commit. Call it before `spent` is summed.

    Without it two requests at once would each see the window as it was before the other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ASSET_LOCK, asset_id])


def decide(
    *,
    subject: str,
    asset_id: int,
    network_id: int,
    amount: int,
    destination: str,
    initiator: str,
    owner_id: int | None,
    spent: Mapping[tuple[str, int], int],
    now: datetime,
) -> DecisionView:
    """What the rules in force say of moving `amount` base units; stored in the caller's transaction, with its reason.

    `spent`: for each of WINDOWS, what was moved within it before, this request not counted. Raises WindowNotMeasured where one is
    missing. A BLOCK is an answer, not an exception: let the transaction commit it.
    """
    asset = assets.asset_by_id(asset_id)
    network = next(each.code for each in assets.networks() if each.id == network_id)
    found = current(now=now)
    request = policy.Request(
        asset=asset.code,
        network=network,
        amount=amount,
        charge=amount,
        spent={
            (Scope(scope), seconds): spent[scope, seconds] for scope, seconds in WINDOWS if (scope, seconds) in spent
        },
        destination=Destination(destination),
        initiator=Initiator(initiator),
        symbol=asset.code,
        decimals=asset.decimals,
    )
    decision = policy.evaluate(found.rules, request)
    row = PolicyDecision.objects.create(
        subject=subject,
        edit_id=found.version,
        owner_id=owner_id,
        asset=asset.code,
        network=network,
        amount=amount,
        destination=destination,
        initiator=initiator,
        spent={f"{scope}:{seconds}": str(total) for (scope, seconds), total in spent.items()},
        effect=decision.effect,
        rule=decision.rule,
        code=decision.code,
        explanation=decision.explanation,
        approvers=decision.approvers,
        decided_at=now,
    )
    return selectors.decision_view(row)


def current(*, now: datetime) -> RuleSet:
    """The rules in force at this time. One query; the rules of an edit are read once a process."""
    edit_id, digest = (
        PolicyEdit.objects.filter(approval__in_force_at__lte=now, cancellation=None)
        .order_by("-approval__in_force_at", "-id")
        .values_list("id", "digest")[:1]
        .get()
    )
    return RuleSet(edit_id, _rules(edit_id, digest))


@lru_cache(maxsize=16)
def _rules(edit_id: int, digest: str) -> tuple[Rule, ...]:
    # An edit never changes, so what was read once stays true; the digest tells apart one database from another.
    return rulebook.stored(PolicyEdit.objects.values_list("rules", flat=True).get(pk=edit_id, digest=digest))


def known() -> rulebook.Known:
    """What rules may name now, switched off or not. Two queries."""
    return rulebook.Known(
        {asset.code: asset.decimals for asset in assets.assets(enabled_only=False)},
        frozenset(network.code for network in assets.networks()),
    )


def propose_edit(
    *, rules: Sequence[Mapping[str, Any]], note: str, actor_id: int, origin: str = "", now: datetime
) -> int:
    """A new set of rules for others to look at; the edit's id. Raises RulesInvalid, NoteMissing, NothingChanged, EditOpen."""
    made = rulebook.read([dict(item) for item in rules], known=known())
    note = _text(note, "Say why the rules change.", "note")
    with transaction.atomic():
        _one_at_a_time()
        base = current(now=now)
        if rulebook.digest(made) == rulebook.digest(base.rules):
            raise NothingChanged("These are the rules in force.", param="rules")
        if selectors.open_edit(now=now) is not None:
            raise EditOpen("Another edit is open. Approve or cancel it first.")
        edit = PolicyEdit.objects.create(
            base_id=base.version,
            rules=rulebook.write(made),
            digest=rulebook.digest(made),
            note=note,
            proposed_by=actor_id,
            proposed_at=now,
        )
        _record(
            "policy.propose", edit, actor_id, {"base": base.version, "digest": edit.digest, "note": note}, origin, now
        )
    return edit.id


def approve_edit(*, edit_id: int, actor_id: int, origin: str = "", now: datetime) -> datetime:
    """The second person's yes; from when on the edit is in force. Raises SecondPersonNeeded, EditNotFound, EditSettled."""
    with transaction.atomic():
        _one_at_a_time()
        edit = _open(edit_id, now=now)
        if edit.proposed_by == actor_id:
            raise SecondPersonNeeded("You proposed this edit; somebody else must approve it.")
        if PolicyApproval.objects.filter(edit=edit).exists():
            raise EditSettled("This edit is approved already and waits for its time.")
        in_force_at = now + timedelta(hours=settings.CUSTODY_POLICY_DELAY_H)
        PolicyApproval.objects.create(edit=edit, approved_by=actor_id, approved_at=now, in_force_at=in_force_at)
        after = {"digest": edit.digest, "in_force_at": in_force_at.isoformat()}
        _record("policy.approve", edit, actor_id, after, origin, now)
    return in_force_at


def cancel_edit(*, edit_id: int, actor_id: int, reason: str, origin: str = "", now: datetime) -> None:
    """Any member of staff may stop an edit until it is in force. Raises NoteMissing, EditNotFound, EditSettled."""
    reason = _text(reason, "Say why this edit is cancelled.", "reason")
    with transaction.atomic():
        _one_at_a_time()
        edit = _open(edit_id, now=now)
        try:
            with transaction.atomic():
                PolicyCancellation.objects.create(edit=edit, cancelled_by=actor_id, cancelled_at=now, reason=reason)
        except IntegrityError:
            raise EditSettled("This edit is in force.") from None
        _record("policy.cancel", edit, actor_id, {"digest": edit.digest, "reason": reason}, origin, now)


def _one_at_a_time() -> None:
    """The lock that the triggers take as well: what is read here stays true until the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_EDIT_LOCK])


def _open(edit_id: int, *, now: datetime) -> PolicyEdit:
    edit = PolicyEdit.objects.select_related("approval", "cancellation").filter(pk=edit_id).first()
    if edit is None:
        raise EditNotFound("There is no such edit.")
    state = selectors.edit_state(edit, now=now)
    if state not in ("proposed", "waiting"):
        raise EditSettled(f"This edit is {state}.")
    return edit


def _text(text: str, complaint: str, param: str) -> str:
    text = text.strip()
    if not 0 < len(text) <= NOTE_LENGTH_MAX:
        raise NoteMissing(f"{complaint} (At most {NOTE_LENGTH_MAX} characters.)", param=param)
    return text


def _record(action: str, edit: PolicyEdit, actor_id: int, after: dict[str, Any], origin: str, now: datetime) -> None:
    audit.record(
        actor_id=actor_id, action=action, subject=f"policy_edit:{edit.id}", after=after, origin=origin, now=now
    )
