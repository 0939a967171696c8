"""A withdrawal's many states become a few stages that a customer understands, each with its time and transaction."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from exchange.site import progress
from wallets import lifecycle, records
from wallets.selectors import Step, Transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STRAIGHT = ("requested", "approved", "reserved", "signing", "signed", "broadcast", "confirmed", "final")


def steps(*states: str) -> tuple[Step, ...]:
    """One a minute."""
    on_chain = {"broadcast": "aa", "confirmed": "bb", "final": "bb"}
    return tuple(
        Step(state, NOON + timedelta(minutes=number), on_chain.get(state, "")) for number, state in enumerate(states)
    )


def withdrawal(state: str, *, taken: tuple[Step, ...] | None = None, **changes: object) -> SimpleNamespace:
    straight = STRAIGHT[: STRAIGHT.index(state) + 1] if state in STRAIGHT else ("requested", state)
    fields = {
        "waiting": "", "reason": "", "confirmations": 0, "confirmations_required": 3, "confirmed_at": None,
        "confirm_until": None, "requested_at": NOON, "txid": "bb", "transactions": (Transaction("bb", "bump", NOON, "https://x/bb"),),
    }  # fmt: skip
    return SimpleNamespace(state=state, steps=steps(*straight) if taken is None else taken, **{**fields, **changes})


def looks(view: SimpleNamespace) -> str:
    return " ".join(stage.look for stage in progress.of_withdrawal(view))


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("approved", "done now wait wait wait"),
        ("reserved", "done now wait wait wait"),
        ("signing", "done now wait wait wait"),
        ("signed", "done done now wait wait"),
        ("broadcast", "done done now wait wait"),
        ("confirmed", "done done done now wait"),
        ("final", "done done done done done"),
    ],
)
def test_each_state_stands_at_its_stage(state: str, shown: str) -> None:
    assert looks(withdrawal(state)) == shown


def test_the_stages_of_a_confirmation_and_of_a_look_are_there_only_where_they_happen() -> None:
    waiting = withdrawal("requested", confirm_until=NOON)
    assert [stage.title for stage in progress.of_withdrawal(waiting)][:2] == ["Requested", "Confirmed by e-mail"]
    assert looks(waiting).startswith("done now wait")
    looked = withdrawal("review", confirmed_at=NOON)
    assert [stage.title for stage in progress.of_withdrawal(looked)][:3] == [
        "Requested", "Confirmed by e-mail", "Looked at by a person",
    ]  # fmt: skip
    assert looks(looked).startswith("done done now wait")


def test_the_time_of_a_look_is_that_of_the_yes_and_not_of_a_batch_that_was_gathered_anew() -> None:
    taken = steps("requested", "review", "approved", "reserved", "approved", "reserved", "signing", "signed")
    stages = {stage.title: stage for stage in progress.of_withdrawal(withdrawal("signed", taken=taken))}
    assert stages["Looked at by a person"].at == taken[2].at


def test_each_stage_that_is_done_has_its_time_and_those_on_the_chain_their_transaction() -> None:
    stages = progress.of_withdrawal(withdrawal("final"))
    assert [stage.at for stage in stages] == [NOON + timedelta(minutes=minute) for minute in (0, 4, 5, 6, 7)]
    assert [stage.txid for stage in stages] == ["", "", "aa", "bb", ""]
    assert [stage.explorer for stage in stages] == ["", "", "", "https://x/bb", ""]


def test_an_explorers_page_is_of_the_transaction_and_there_is_none_of_nothing() -> None:
    network = SimpleNamespace(explorer="https://explorer.example/tx/{txid}")
    assert records.explorer_of(network, "aa") == "https://explorer.example/tx/aa"
    assert records.explorer_of(network, None) == records.explorer_of(SimpleNamespace(explorer=""), "aa") == ""


def test_a_block_that_was_taken_back_puts_it_back_before_the_block() -> None:
    back = withdrawal("broadcast", taken=steps(*STRAIGHT[:-1], "broadcast"))
    assert looks(back) == "done done now wait wait"


@pytest.mark.parametrize("state", ["cancelled", "rejected", "failed"])
def test_one_that_ended_says_that_the_money_is_back_after_the_stages_it_took(state: str) -> None:
    taken = (*STRAIGHT[:6], "failed") if state == "failed" else ("requested", state)
    view = withdrawal(state, taken=steps(*taken), reason="The address is on a list.")
    *before, last = progress.of_withdrawal(view)
    assert last.look == "bad" and last.at == view.steps[-1].at
    assert "available again" in last.detail and "on a list" in last.detail
    assert {stage.look for stage in before} == {"done"}
    assert len(before) == (3 if state == "failed" else 1)


def test_only_the_stage_under_way_is_explained_and_the_reason_for_waiting_comes_first() -> None:
    stages = progress.of_withdrawal(withdrawal("approved", waiting="node_down"))
    assert [bool(stage.detail) for stage in stages] == [False, True, False, False, False]
    assert "network is down" in stages[1].detail


def test_one_that_is_called_back_says_so_before_and_after_the_network_decided() -> None:
    versions = (Transaction("aa", "first", NOON, ""), Transaction("bb", "cancel", NOON, ""))
    waiting = progress.of_withdrawal(withdrawal("broadcast", transactions=versions))
    assert "calling it back" in waiting[2].detail
    mined = progress.of_withdrawal(withdrawal("confirmed", transactions=versions, confirmations=1))
    assert mined[3].title == "Called back" and "1 of 3" in mined[3].detail and "available again" in mined[3].detail
    too_late = progress.of_withdrawal(withdrawal("confirmed", transactions=versions, txid="aa"))
    assert too_late[3].title == "In a block" and "available" not in too_late[3].detail


def test_confirmations_never_count_past_what_is_needed() -> None:
    stages = progress.of_withdrawal(withdrawal("confirmed", confirmations=40))
    assert stages[3].detail == "3 of 3 confirmations."


def test_every_state_of_the_wallets_has_its_words() -> None:
    known = set(progress._UNDER_WAY) | set(progress._ENDED)
    assert known == set(lifecycle.STATES)
