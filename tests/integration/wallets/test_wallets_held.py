"""Deposits that wait: nobody keeps the head of the line, and the lists are asked again before one is credited."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exchange.audit.models import Record
from kyc.models import ScreeningCase
from kyc.screening import current
from kyc.screening import keys as screening_keys
from kyc.screening.services import cases, lists
from kyc.services import levels
from tests.integration.wallets.limited import ALICE, COIN, balance, whole
from wallets import metrics
from wallets.models import Deposit
from wallets.services import holding

LISTED = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("limited")]


@pytest.fixture(autouse=True)
def fresh_index():
    current.forget()
    yield
    current.forget()


def test_what_can_never_go_holds_up_nothing_behind_it(pay, clock, monkeypatch):
    """More than a run looks at, each larger than what its owner may ever have."""
    too_large = pay(2 * COIN, 3 * COIN)
    pay(COIN)
    clock.wait(minutes=1)
    (small,) = pay(COIN // 4)
    assert small.state == "held"
    monkeypatch.setattr(holding, "AT_ONCE", 1)
    clock.wait(hours=25)
    assert sum(holding.release_due(now=clock.now + timedelta(seconds=30 * n)) for n in range(3)) == 1
    small.refresh_from_db()
    assert small.state == "credited"
    assert {Deposit.objects.get(id=each.id).state for each in too_large} == {"held"}
    whole()


def test_one_that_fails_ends_no_run_and_is_noted(pay, clock, monkeypatch):
    broken, good = reversed(pay(2 * COIN, 3 * COIN))
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=clock.now)
    real = holding._credit

    def credit(deposit, *, now):
        if deposit.id == broken.id:
            raise LookupError("a defect")
        real(deposit, now=now)

    monkeypatch.setattr(holding, "_credit", credit)
    before = metrics.FAULTS.labels("bitcoin", "release")._value.get()
    assert holding.release_due(now=clock.now) == 1
    assert metrics.FAULTS.labels("bitcoin", "release")._value.get() == before + 1
    assert [Deposit.objects.get(id=each.id).state for each in (broken, good)] == ["held", "credited"]
    assert Deposit.objects.get(id=broken.id).tried_at == clock.now
    monkeypatch.setattr(holding, "_credit", real)
    assert holding.release_due(now=clock.now) == 1
    whole()


# --- Held, and the lists change meanwhile ------------------------------------------------------------------------------------


@pytest.fixture
def listed_meanwhile(pay, clock):
    """One that only a limit held when it came, and whose payer was put on the list since; the level is high enough by now."""
    (held,) = pay(2 * COIN)
    assert held.held_for == "limit"
    Deposit.objects.filter(id=held.id).update(payers=[screening_keys.of(LISTED)])
    line = f'7,"EXAMPLEY, Rowland","individual","CYBER2",{"-0- ," * 7}"Digital Currency Address - XBT {LISTED}"'
    lists.load(files={"sdn.csv": f"{line}\r\n\x1a\r\n".encode()}, source="test", now=clock.now)
    levels.assign(user_id=ALICE, level=2, reason="Passport seen", actor_id=1, now=clock.now)
    return held


def clear(clock):
    for actor in (901, 902):
        case = ScreeningCase.objects.get()
        cases.decide(case_id=case.id, actor_id=actor, verdict="clear", reason="Not his.", now=clock.now)


def test_what_was_held_is_looked_at_again_before_it_is_credited(listed_meanwhile, clock):
    held = listed_meanwhile
    assert holding.release_due(now=clock.now) == 0
    held.refresh_from_db()
    assert (held.state, held.held_for, balance()) == ("held", "review", 0)
    case = ScreeningCase.objects.get()
    assert (case.kind, case.subject) == ("deposit", f"deposit:{held.id}")
    assert holding.release_due(now=clock.now) == 0
    clear(clock)
    assert holding.release_due(now=clock.now) == 1
    assert balance() == 2 * COIN
    whole()


def test_nor_do_staff_let_it_go_past_the_lists(listed_meanwhile, clock):
    held = listed_meanwhile
    for _ in range(2):
        with pytest.raises(holding.DepositNotHeld):
            holding.release(deposit_id=held.id, actor_id=9, note="Papers seen", now=clock.now)
    held.refresh_from_db()
    assert (held.state, held.held_for, balance()) == ("held", "review", 0)
    assert ScreeningCase.objects.get().state == "open"
    assert not Record.objects.filter(action="deposit.release").exists()
    whole()
