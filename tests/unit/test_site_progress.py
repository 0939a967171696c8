"""A withdrawal's many states become four stages that a customer understands."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from exchange.site import progress
from wallets import lifecycle

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def withdrawal(
    state: str, *, waiting: str = "", reason: str = "", confirmations: int = 0, steps: tuple = ()
) -> SimpleNamespace:
    return SimpleNamespace(
        state=state, waiting=waiting, reason=reason, confirmations=confirmations, confirmations_required=3,
        requested_at=NOON, steps=steps,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "looks"),
    [
        ("requested", "now wait wait wait"),
        ("review", "now wait wait wait"),
        ("signing", "done now wait wait"),
        ("signed", "done done now wait"),
        ("confirmed", "done done now wait"),
        ("final", "done done done done"),
    ],
)
def test_each_state_stands_at_its_stage(state: str, looks: str) -> None:
    assert " ".join(stage.look for stage in progress.of_withdrawal(withdrawal(state))) == looks


@pytest.mark.parametrize("state", ["cancelled", "rejected", "failed"])
def test_one_that_ended_says_that_the_money_is_back(state: str) -> None:
    *_, last = progress.of_withdrawal(withdrawal(state, reason="The address is on a list."))
    assert last.look == "bad"
    assert "available again" in last.detail and "on a list" in last.detail


def test_only_the_stage_under_way_is_explained_and_the_reason_for_waiting_comes_first() -> None:
    stages = progress.of_withdrawal(withdrawal("approved", waiting="node_down"))
    assert [bool(stage.detail) for stage in stages] == [False, True, False, False]
    assert "network is down" in stages[1].detail


def test_confirmations_never_count_past_what_is_needed() -> None:
    stages = progress.of_withdrawal(withdrawal("confirmed", confirmations=40))
    assert stages[2].detail == "3 of 3 confirmations."


def test_every_state_and_every_reason_of_the_wallets_has_its_words() -> None:
    known = set(progress._UNDER_WAY) | set(progress._ENDED)
    assert known == set(lifecycle.STATES)
