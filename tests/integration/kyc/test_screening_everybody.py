"""Everybody screened against the lists, and what an open case keeps back."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from exchange.accounts.models import User
from kyc import registry
from kyc.models import Screening, ScreeningCase
from kyc.screening import joining, selectors
from kyc.screening import registry as screening_registry
from kyc.screening.services import addresses, cases, lists, people, screen_address
from kyc.services import levels
from tests.integration.kyc.screening_kit import (
    ALICE,
    ETH,
    FILLING,
    FIRST,
    KOLES,
    LATER,
    NOW,
    OTHER_STAFF,
    PETROVICH,
    SECOND,
    STAFF,
    clear,
    customer,
    load,
    rescreen,
    screen,
    sdn,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_index")]


def test_an_open_case_keeps_the_level_down():
    load(PETROVICH)
    levels.assign(user_id=ALICE, level=2, reason="test", actor_id=STAFF, now=NOW)
    (case_id,) = screen()
    with pytest.raises(selectors.UnderReview):
        levels.assign(user_id=ALICE, level=3, reason="test", actor_id=STAFF, now=NOW)
    levels.assign(user_id=ALICE, level=1, reason="down is always possible", actor_id=STAFF, now=NOW)
    clear(case_id, STAFF, OTHER_STAFF)
    levels.assign(user_id=ALICE, level=2, reason="test", actor_id=STAFF, now=LATER)


def test_an_approval_waits_for_screening():
    person = registry.Person(ALICE, "Nikolai Petrovich", "1962-08-12", "RU", "RU")
    joining.ensure_screened(person, now=NOW)  # without any list there is nothing to wait for
    load(PETROVICH)
    joining.handed_in(person, now=NOW)
    with pytest.raises(joining.NotScreened):
        joining.ensure_screened(person, now=NOW)
    screen()
    with pytest.raises(selectors.UnderReview):
        joining.ensure_screened(person, now=NOW)
    clear(ScreeningCase.objects.get().id, STAFF, OTHER_STAFF)
    joining.ensure_screened(person, now=LATER)


def test_everybody_is_screened_when_a_list_changes_and_once_a_day():
    one, two = customer("one@example.com", "Boris Kolesnikov"), customer("two@example.com", "Anna Weber")
    load(PETROVICH)
    rescreen()
    assert not ScreeningCase.objects.exists()
    assert set(Screening.objects.values_list("user_id", flat=True)) >= {one.id, two.id}
    load(PETROVICH, KOLES, now=LATER)
    rescreen(LATER)
    assert list(ScreeningCase.objects.values_list("user_id", flat=True)) == [one.id]
    User.objects.filter(id=two.id).update(display_name="Nikolai Petrovich")
    rescreen(LATER)
    assert not selectors.blocked(two.id)
    rescreen(LATER + timedelta(days=2))
    assert selectors.blocked(two.id)


def test_a_customer_screened_before_the_walk_hides_nobody_from_it():
    first, last = customer("one@example.com", "Boris Kolesnikov"), customer("two@example.com", "Anna Weber")
    load(KOLES)
    screen("Anna Weber", user_id=last.id)
    rescreen()
    assert selectors.blocked(first.id)


def test_old_hits_stay_when_an_entry_goes():
    load(PETROVICH, KOLES)
    (case_id,) = screen()
    lists.load(files=sdn(KOLES, *FILLING), source="test", accept_shrunken=True, now=LATER)
    rescreen(LATER)
    assert ScreeningCase.objects.get(id=case_id).state == "open" and selectors.blocked(ALICE)


@pytest.mark.django_db(transaction=True)
def test_a_killed_run_is_taken_up_where_it_stood(tmp_path):
    customers = 900
    User.objects.bulk_create(
        User(email=f"c{n}@example.com", password="x", display_name="Boris Kolesnikov" if n % 3 == 0 else "Anna Weber")
        for n in range(customers)
    )
    load(KOLES)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev"}
    command = [sys.executable, "manage.py", "kyc", "rescreen"]
    with (tmp_path / "out").open("w") as out:
        run = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        until = time.monotonic() + 120
        while not Screening.objects.filter(epoch__gt=0).exists():
            assert run.poll() is None and time.monotonic() < until, (tmp_path / "out").read_text()
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        run.wait(60)
    done = Screening.objects.filter(epoch__gt=0).count()
    assert done % people.BATCH == 0 or done == customers, done  # whole batches and nothing else
    hits = ScreeningCase.objects.count()
    rescreen()
    assert Screening.objects.filter(epoch=selectors.epoch()).count() == customers
    assert ScreeningCase.objects.count() == customers // 3 >= hits
    assert ScreeningCase.objects.values("user_id").distinct().count() == customers // 3


def test_two_workers_share_the_work():
    assert people.rescreen(now=NOW) == 0  # without a list, nobody is due
    load(PETROVICH)
    customer("one@example.com", "Anna Weber")
    rescreen()
    assert people.rescreen(now=NOW) == 0


def test_a_listed_address_is_found_in_every_form_and_no_other():
    load(KOLES)
    checksummed = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
    for text in (ETH, checksummed, ETH.upper().replace("X", "x")):
        hit = screen_address(network="polygon", address=text)
        assert hit is not None and (hit.entry_uid, hit.currency) == ("23", "ETH")
    assert screen_address(network="ethereum", address=ETH[:-1] + "b") is None
    load(PETROVICH, now=LATER, accept_shrunken=True)
    assert screen_address(network="ethereum", address=ETH) is None  # no longer listed


def test_a_deposit_that_was_cleared_is_not_held_again_and_is_told():
    load(KOLES)
    told = []
    screening_registry.on_deposit_cleared("test")(lambda **what: told.append(what["deposit_id"]))
    ask = {"user_id": ALICE, "network": "ethereum", "deposit_id": FIRST, "now": NOW}
    assert not addresses.holds_deposit(payers=[f"evm:{'11' * 20}"], **ask)
    assert addresses.holds_deposit(payers=[f"evm:{'11' * 20}", f"evm:{ETH[2:]}"], **ask)
    assert selectors.deposit_held(FIRST)
    clear(ScreeningCase.objects.get().id, STAFF, OTHER_STAFF)
    assert told == [FIRST] and not selectors.deposit_held(FIRST)
    assert not addresses.holds_deposit(payers=[f"evm:{ETH[2:]}"], **ask)
    assert addresses.holds_deposit(payers=[f"evm:{ETH[2:]}"], **{**ask, "deposit_id": SECOND})


def test_coins_sent_to_a_customer_block_him_only_once_they_are_confirmed_to_be_his():
    """Anybody can send to anybody: who does not like a customer would stop his withdrawals for the price of a small deposit."""
    load(KOLES)
    ask = {"user_id": ALICE, "network": "ethereum", "payers": [f"evm:{ETH[2:]}"], "now": NOW}
    for deposit_id in (FIRST, SECOND):
        assert addresses.holds_deposit(deposit_id=deposit_id, **ask)
    assert not selectors.blocked(ALICE) and selectors.blocked_among([ALICE]) == set()
    selectors.check(ALICE)
    case = ScreeningCase.objects.order_by("id").first()
    cases.decide(case_id=case.id, actor_id=STAFF, verdict="confirm", reason="His own.", now=NOW)
    assert selectors.blocked(ALICE) and selectors.blocked_among([ALICE]) == {ALICE}
    with pytest.raises(selectors.UnderReview):
        selectors.check(ALICE)
    assert selectors.deposit_held(SECOND)
