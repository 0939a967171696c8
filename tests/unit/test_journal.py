"""The journal's rules: which transfers there can be, what stands for them in a hash, which side an account is on."""

from hashlib import sha256
from uuid import UUID

import pytest

from exchange.ledger import journal
from exchange.ledger.journal import Entry, HoldState, JournalError, Kind, Side, Transfer

ID = UUID("0190a000-0000-7000-8000-000000000001")
ASSETS = {1: 10, 2: 10, 3: 20, 4: 20}


def transfer(*lines, kind="trade", reference=""):
    return Transfer(ID, kind, tuple(Entry(*line) for line in lines), reference)


def code_of(bad, assets=ASSETS):
    with pytest.raises(JournalError) as refused:
        journal.check(bad, assets=assets)
    return refused.value.code


def test_a_transfer_that_sums_to_zero_in_each_asset_is_good():
    journal.check(transfer((1, -5), (2, 5), (3, 7), (4, -7)), assets=ASSETS)


def test_zero_in_total_is_not_zero_in_each_asset():
    assert code_of(transfer((1, -5), (3, 5))) == "not_zero"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (transfer((1, -5), (2, 4)), "not_zero"),
        (transfer((1, -5), (9, 5)), "account_unknown"),
        (transfer((1, -5)), "entries"),
        (transfer(), "entries"),
        (transfer(*[(1, -1), (2, 1)] * 17), "entries"),
        (transfer((1, 0), (2, 0)), "amount"),
        (transfer((1, -1.0), (2, 1.0)), "amount"),
        (transfer((1, True), (2, -1)), "amount"),
        (transfer((1, 10**77), (2, -(10**77))), "amount"),
        (transfer((1, -5), (2, 5), kind=""), "kind"),
        (transfer((1, -5), (2, 5), kind="Trade"), "kind"),
        (transfer((1, -5), (2, 5), kind="a|b"), "kind"),
        (transfer((1, -5), (2, 5), kind="a" * 33), "kind"),
        (transfer((1, -5), (2, 5), reference="x" * 201), "reference"),
        (transfer((1, -5), (2, 5), reference="a\nb"), "reference"),
        (transfer((1, -5), (2, 5), reference="a\x00b"), "reference"),
    ],
)
def test_what_no_book_could_take_is_refused(bad, code):
    assert code_of(bad) == code


def test_the_body_of_a_transfer_is_these_bytes():
    body = journal.body(transfer((1, -5), (2, 5), kind="deposit", reference="tx:ä|b"))
    assert body == "0190a000000070008000000000000001|deposit|6:tx:ä|b|1:-5,2:5".encode()
    assert journal.digest(transfer((1, -5), (2, 5), kind="deposit", reference="tx:ä|b")) == sha256(body).digest()


def test_transfers_that_differ_in_anything_have_different_bodies():
    one = transfer((1, -5), (2, 5), reference="x")
    others = [
        one._replace(id=UUID(int=7)),
        one._replace(kind="gift"),
        one._replace(reference="y"),
        one._replace(entries=one.entries[::-1]),
        transfer((1, -6), (2, 6), reference="x"),
        transfer((1, -5), (3, 5), reference="x"),
        one._replace(reference="x|1:-5,2:5"),
        one._replace(reference=""),
    ]
    assert len({journal.body(t) for t in [one, *others]}) == 9


def test_a_reference_cannot_pass_for_entries():
    """Without the length before it, these two would be the same bytes."""
    long = Transfer(ID, "t", (Entry(1, -5), Entry(2, 5)), "a|3:-1,4:1")
    short = Transfer(ID, "t", (Entry(3, -1), Entry(4, 1)), "a")
    assert journal.body(long).split(b"|")[:2] == journal.body(short).split(b"|")[:2]
    assert journal.body(long) != journal.body(short)


def test_the_chain_is_this_hash():
    digests = [bytes([n]) * 32 for n in range(3)]
    expected = sha256(
        bytes(32) + (17).to_bytes(8, "big") + (1).to_bytes(8, "big") + (123456789).to_bytes(8, "big")
        + (3).to_bytes(4, "big") + b"".join(digests)
    ).digest()  # fmt: skip
    arguments = {"previous": journal.GENESIS, "writer_id": 17, "seq": 1, "posted_at_us": 123456789, "digests": digests}
    assert journal.chain(**arguments) == expected
    for name, other in (
        ("previous", b"x" * 32), ("writer_id", 18), ("seq", 2), ("posted_at_us", 123456788), ("digests", digests[::-1]),
        ("digests", digests[:2]),
    ):  # fmt: skip
        assert journal.chain(**{**arguments, name: other}) != expected


@pytest.mark.parametrize("kind", list(Kind))
def test_an_account_stands_on_its_kinds_side(kind):
    sign = 1 if kind.normal_side is Side.CREDIT else -1
    assert kind.allows(balance=0, held=0)
    assert kind.allows(balance=sign * 5, held=0)
    assert not kind.allows(balance=-sign, held=0)
    assert kind.allows(balance=sign * 5, held=5) is kind.may_hold
    assert not kind.allows(balance=sign * 5, held=6)
    assert not kind.allows(balance=sign * 5, held=-1)


def test_debit_kinds_are_what_we_have_and_spend():
    debit = {kind for kind in Kind if kind.normal_side is Side.DEBIT}
    assert debit == {Kind.RECEIVABLE, Kind.HOUSE_NETWORK_FEES, Kind.HOUSE_REBATES, Kind.CHAIN_WALLET, Kind.BANK}


def test_a_hold_is_resolved_once():
    pending, *resolved = HoldState
    assert all(pending.may_become(state) for state in resolved)
    assert not pending.may_become(pending)
    assert not any(state.may_become(other) for state in resolved for other in HoldState)


def test_netting_adds_up_what_all_transfers_change():
    assert journal.net([transfer((1, -5), (2, 5)), transfer((2, -5), (4, 5)), transfer((1, -1), (4, 1))]) == {
        1: -6, 2: 0, 4: 6,
    }  # fmt: skip
    assert journal.net([]) == {}
