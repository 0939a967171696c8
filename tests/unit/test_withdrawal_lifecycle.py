"""The states of a withdrawal: what may follow what, and what must never."""

from __future__ import annotations

import pytest

from wallets import lifecycle
from wallets.lifecycle import State

AFTER_BROADCAST = {State.BROADCAST, State.CONFIRMED}


def reachable(start: State) -> set[State]:
    seen, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo.extend(lifecycle.WAYS[state])
    return seen


def test_every_state_is_reached_from_a_request():
    assert reachable(State.REQUESTED) == set(State)


def test_every_open_state_can_still_end():
    for state in lifecycle.HELD:
        assert reachable(state) & lifecycle.CLOSED


def test_nothing_follows_a_closed_state():
    for state in (State.FINAL, State.CANCELLED, State.REJECTED, State.FAILED):
        assert lifecycle.WAYS[state] == frozenset()
        for other in State:
            with pytest.raises(lifecycle.WrongTurn):
                lifecycle.step(state=state, to=other)


def test_signed_bytes_never_lead_back_to_a_state_that_frees_the_money_unmined():
    for state in (State.SIGNED, *AFTER_BROADCAST):
        ends = reachable(state)
        assert not ends & {State.CANCELLED, State.REJECTED, State.APPROVED, State.REVIEW, State.RESERVED}
    # Failing needs a block: the transaction was mined and reverted.
    assert [state for state in State if State.FAILED in lifecycle.WAYS[state]] == [State.CONFIRMED]


def test_a_customer_cancels_until_the_signer_is_asked():
    assert {State.REQUESTED, State.REVIEW, State.APPROVED, State.RESERVED} == lifecycle.CANCELLABLE


def test_a_block_that_is_reorganised_away_puts_it_back_on_the_network_only():
    assert lifecycle.step(state="confirmed", to=State.BROADCAST) is State.BROADCAST
    with pytest.raises(lifecycle.WrongTurn):
        lifecycle.step(state="final", to=State.BROADCAST)


def test_an_unknown_state_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        lifecycle.step(state="nonsense", to=State.FINAL)
