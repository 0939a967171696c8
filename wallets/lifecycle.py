"""The states of a withdrawal and the only ways between them. Pure: no clock, no database.

What must never happen here: a way back from `broadcast` or later to a state that frees the customer's money while a
signed transaction may still be mined. The one way out of `signing` without a signature is a refusal by the signer, who
then has promised never to sign that job.
"""

from enum import StrEnum


class State(StrEnum):
    REQUESTED = "requested"
    REVIEW = "review"
    APPROVED = "approved"
    RESERVED = "reserved"
    SIGNING = "signing"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    CONFIRMED = "confirmed"
    FINAL = "final"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    FAILED = "failed"


STATES = [state.value for state in State]

# From a state to those it may enter next.
WAYS: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.REVIEW, State.APPROVED, State.CANCELLED}),
    State.REVIEW: frozenset({State.APPROVED, State.REJECTED, State.CANCELLED}),
    State.APPROVED: frozenset({State.RESERVED, State.REVIEW, State.REJECTED, State.CANCELLED}),
    State.RESERVED: frozenset({State.SIGNING, State.CANCELLED}),
    # A refusal of the signer sends it back to staff.
    State.SIGNING: frozenset({State.SIGNED, State.REVIEW}),
    State.SIGNED: frozenset({State.BROADCAST, State.CONFIRMED}),
    State.BROADCAST: frozenset({State.CONFIRMED}),
    # A reorganisation takes the block away; the same bytes go out again.
    State.CONFIRMED: frozenset({State.BROADCAST, State.FINAL, State.FAILED}),
    State.FINAL: frozenset(),
    State.CANCELLED: frozenset(),
    State.REJECTED: frozenset(),
    State.FAILED: frozenset(),
}

CLOSED = frozenset(state for state, ways in WAYS.items() if not ways)
CANCELLABLE = frozenset(state for state, ways in WAYS.items() if State.CANCELLED in ways)
# While in one of these, the customer's money is held.
HELD = frozenset(State) - CLOSED


class WrongTurn(Exception):
    """A step that the state machine does not know; a defect of ours, never a customer's mistake."""


def step(*, state: str, to: State) -> State:
    """The new state, or WrongTurn."""
    if to not in WAYS[State(state)]:
        raise WrongTurn(f"a withdrawal cannot go from {state} to {to}")
    return to
