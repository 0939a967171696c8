"""The states of a withdrawal: every way there is, what may follow what, and what must never."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from wallets import lifecycle
from wallets.lifecycle import State

AFTER_BROADCAST = {State.BROADCAST, State.CONFIRMED}
# Written out a second time: a way that is added or lost by mistake is seen here.
WAYS = {
    "requested": "review approved rejected cancelled",
    "review": "approved rejected cancelled",
    "approved": "reserved review rejected cancelled",
    "reserved": "signing approved review cancelled",
    "signing": "signed approved review",
    "signed": "broadcast confirmed failed",
    "broadcast": "confirmed failed",
    "confirmed": "broadcast final failed",
    "final": "",
    "cancelled": "",
    "rejected": "",
    "failed": "",
}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def reachable(start: State) -> set[State]:
    seen, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo.extend(lifecycle.WAYS[state])
    return seen


@pytest.mark.parametrize(("state", "to"), list(itertools.product(State, State)))
def test_every_pair_of_states_is_a_way_or_is_refused(state, to):
    if to in WAYS[state].split():
        assert lifecycle.step(state=state, to=to) is to
    else:
        with pytest.raises(lifecycle.WrongTurn):
            lifecycle.step(state=state, to=to)


def test_the_documentation_shows_the_same_ways():
    table = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", DOCS.read_text(), re.MULTILINE))
    assert {state: set(re.findall(r"`(\w+)`", table[state])) for state in WAYS} == {
        state: set(ways.split()) for state, ways in WAYS.items()
    }


def test_every_state_is_reached_from_a_request():
    assert reachable(State.REQUESTED) == set(State)


def test_every_open_state_can_still_end():
    for state in lifecycle.HELD:
        assert reachable(state) & lifecycle.CLOSED


def test_nothing_follows_a_closed_state():
    assert {State.FINAL, State.CANCELLED, State.REJECTED, State.FAILED} == lifecycle.CLOSED
    assert frozenset(State) - lifecycle.CLOSED == lifecycle.HELD


def test_signed_bytes_never_lead_back_to_a_state_that_frees_the_money_unmined():
    for state in (State.SIGNED, *AFTER_BROADCAST):
        ends = reachable(state)
        assert not ends & {State.CANCELLED, State.REJECTED, State.APPROVED, State.REVIEW, State.RESERVED}
    # Failing needs a final block, in which somebody else is paid: by what was mined of ours, or by what made ours impossible.
    failing = [state for state in State if State.FAILED in lifecycle.WAYS[state]]
    assert failing == [State.SIGNED, State.BROADCAST, State.CONFIRMED]
    services = sorted((DOCS.parents[1] / "wallets").rglob("*.py"))
    deeds = [file.name for file in services if re.search(r"enter(_all)?\([^)]*State\.FAILED", file.read_text())]
    assert deeds == ["losing.py", "settling.py"]


def test_nobody_leaves_the_signer_by_asking():
    assert State.SIGNING not in lifecycle.CANCELLABLE | lifecycle.HOLDABLE


def test_a_customer_cancels_until_the_signer_is_asked():
    assert {State.REQUESTED, State.REVIEW, State.APPROVED, State.RESERVED} == lifecycle.CANCELLABLE


def test_staff_hold_what_is_let_through_and_not_yet_with_the_signer():
    assert {State.APPROVED, State.RESERVED} == lifecycle.HOLDABLE
    assert all(State.REVIEW in lifecycle.WAYS[state] for state in lifecycle.HOLDABLE)


def test_an_unknown_state_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        lifecycle.step(state="nonsense", to=State.FINAL)
