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
    # Money is held. It waits for the link in the e-mail, where one is asked for; the policy is asked again when that is
    # followed, and may say no by then.
    State.REQUESTED: frozenset({State.REVIEW, State.APPROVED, State.REJECTED, State.CANCELLED}),
    State.REVIEW: frozenset({State.APPROVED, State.REJECTED, State.CANCELLED}),
    # Staff may hold one that is approved, and look again.
    State.APPROVED: frozenset({State.RESERVED, State.REVIEW, State.REJECTED, State.CANCELLED}),
    # Nothing is signed yet: inputs or nonce go back, and it may be held, cancelled, or gathered anew when its batch falls apart.
    State.RESERVED: frozenset({State.SIGNING, State.APPROVED, State.REVIEW, State.CANCELLED}),
    # Only a refusal of the signer, who has promised never to sign that job, leads back: to staff, or into the queue where the
    # refusal was of another one of the same batch.
    State.SIGNING: frozenset({State.SIGNED, State.APPROVED, State.REVIEW}),
    # It fails out there only where no version of it can be mined any more, for good: others took what every one of them spends.
    State.SIGNED: frozenset({State.BROADCAST, State.CONFIRMED, State.FAILED}),
    State.BROADCAST: frozenset({State.CONFIRMED, State.FAILED}),
    # A reorganisation takes the block away; the same bytes go out again. It fails where what was mined paid nobody: an EVM
    # transaction that reverted, or the version by which staff cancelled it on the chain.
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
# Not signed yet, so that staff can still take it out of the line.
HOLDABLE = frozenset({State.APPROVED, State.RESERVED})
# Signed, so in the network's hands, whether or not a node takes it yet: it can be helped along, or its inputs or nonce be spent
# by another version.
ON_CHAIN = frozenset({State.SIGNED, State.BROADCAST})


class WrongTurn(Exception):
    """A step that the state machine does not know; a defect of ours, never a customer's mistake."""


def step(*, state: str, to: State) -> State:
    """The new state, or WrongTurn."""
    if to not in WAYS[State(state)]:
        raise WrongTurn(f"a withdrawal cannot go from {state} to {to}")
    return to
