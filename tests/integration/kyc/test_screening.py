"""Sanctions lists in versions, and cases that staff decide."""

import time
from datetime import date
from threading import Barrier, Thread
from threading import Event as Event_

import pytest
from django.db import DatabaseError, connection, connections, transaction

from exchange.audit.models import Record
from exchange.ledger import selectors as ledger
from exchange.ledger.services import accounts
from exchange.outbox.models import Event
from kyc.models import ListedEntry, ListVersion, ScreeningCase
from kyc.screening import selectors
from kyc.screening.services import cases, lists, screen_address
from tests.integration.kyc.screening_kit import (
    ALICE,
    ETH,
    FILLING,
    KOLES,
    LATER,
    NOW,
    OTHER_STAFF,
    PETROVICH,
    STAFF,
    clear,
    customer,
    load,
    rescreen,
    screen,
    sdn,
    topics,
    waits_for_a_lock,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_index")]


def test_a_list_is_taken_with_what_it_holds():
    version = ListVersion.objects.get(id=load(PETROVICH, KOLES))
    assert (version.state, version.entries, version.addresses, version.added) == ("in_force", 22, 1, 22)
    assert len(version.sha256) == 64 and selectors.epoch() == version.id
    assert topics() == ["kyc.sanctions_loaded"]
    assert Record.objects.filter(action="kyc.load_sanctions", subject=f"sanctions_list:{version.id}").exists()


def test_the_same_files_again_are_the_same_version():
    assert load(PETROVICH) == load(PETROVICH, now=LATER)
    assert ListVersion.objects.count() == 1


def test_a_new_version_keeps_the_old_one_whole():
    first = load(PETROVICH, KOLES)
    changed = (22, "PETROVICH, Nikolai", "DOB 13 Aug 1962")
    second = load(changed, (24, "NOVAK, Jan", ""), now=LATER)
    assert ListVersion.objects.get(id=first).state == "replaced"
    row = ListVersion.objects.get(id=second)
    assert (row.added, row.removed) == (2, 2)

    def held(version):
        rows = ListedEntry.objects.filter(first_version__lte=version)
        return {
            row.uid: row.body["births"] for row in rows if not row.last_version_id or row.last_version_id >= version
        }

    assert held(first)["22"] == ["12 Aug 1962"] and "23" in held(first) and "24" not in held(first)
    assert held(second)["22"] == ["13 Aug 1962"] and "23" not in held(second) and "24" in held(second)
    assert len(held(first)) == len(held(second)) == 22


@pytest.mark.parametrize(
    "files",
    [
        {"sdn.csv": sdn(PETROVICH, *FILLING)["sdn.csv"][:-200]},
        sdn(PETROVICH, *FILLING[:10]),
        {"sdn.csv": b"<html>down for maintenance</html>"},
        {"sdn.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><sdnList/>'},
    ],
    ids=["cut off", "shrunken", "a page", "a bomb"],
)
def test_a_bad_list_is_refused_told_and_changes_nothing(files):
    version = load(PETROVICH, KOLES)
    with pytest.raises(lists.ListRefused):
        lists.load(files=files, source="test", now=LATER)
    assert selectors.epoch() == version and screen_address(network="ethereum", address=ETH) is not None
    assert ListedEntry.objects.filter(last_version=None).count() == 22
    refused = ListVersion.objects.get(state="refused")
    assert refused.refusal and topics()[-1] == "kyc.sanctions_refused"
    assert Record.objects.filter(action="kyc.refuse_sanctions").exists()


def test_a_shrunken_list_is_taken_on_somebodys_word():
    load(PETROVICH, KOLES)
    version = lists.load(files=sdn(PETROVICH), source="test", actor_id=STAFF, accept_shrunken=True, now=LATER)
    assert ListVersion.objects.get(id=version).entries == 1
    record = Record.objects.filter(action="kyc.load_sanctions").first()
    assert record.actor_id == STAFF and record.after["shrunken_accepted"] is True


def test_a_list_older_than_the_one_in_force_is_refused():
    load(PETROVICH, published=date(2026, 11, 19))
    with pytest.raises(lists.ListRefused, match="before the one in force"):
        load(PETROVICH, KOLES, published=date(2026, 11, 18), now=LATER)


def test_nobody_changes_or_removes_what_was_listed():
    load(PETROVICH)
    for statement in (
        "UPDATE kyc_listedentry SET body = '{}'",
        "DELETE FROM kyc_listedentry",
        "DELETE FROM kyc_listversion",
        "DELETE FROM kyc_screeningcase",
        "UPDATE kyc_screeningopinion SET reason = 'x'",
        "UPDATE kyc_listedaddress SET key = 'x'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_lists_loaded_at_once_are_taken_one_after_the_other():
    load(PETROVICH)
    gate, failed = Barrier(4), []

    def take(number):
        gate.wait()
        try:
            load(PETROVICH, (500 + number, f"NUMBER{number}, Person", ""), now=LATER)
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=take, args=(number % 3,)) for number in range(4)]  # two of them bring the same
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert ListVersion.objects.filter(state="in_force").count() == 1
    standing = ListedEntry.objects.filter(last_version=None)
    in_force = ListVersion.objects.get(state="in_force")
    assert standing.count() == in_force.entries == 22
    assert standing.values("uid").distinct().count() == 22


@pytest.mark.django_db(transaction=True)
def test_another_list_that_comes_meanwhile_is_later_in_every_respect():
    customer("one@example.com", "Boris Kolesnikov")
    loaded, go_on, versions = Event_(), Event_(), {}

    def take(code, *rows):
        try:
            with transaction.atomic():
                versions[code] = load(*rows, list_code=code)
                if code == "SDN":
                    loaded.set()
                    assert go_on.wait(120)
        finally:
            connections.close_all()

    first, second = Thread(target=take, args=("SDN", KOLES)), Thread(target=take, args=("CONS", PETROVICH))
    first.start()
    assert loaded.wait(120)
    second.start()
    until = time.monotonic() + 120
    while not waits_for_a_lock():
        assert second.is_alive() and time.monotonic() < until
        time.sleep(0.02)
    assert selectors.epoch() == 0
    go_on.set()
    first.join(120)
    second.join(120)
    assert versions["CONS"] > versions["SDN"] and selectors.epoch() == versions["CONS"]
    rescreen()
    assert ScreeningCase.objects.get().entry_uid == "23"


def test_a_hit_is_a_case_that_holds_no_name():
    load(PETROVICH)
    (case_id,) = screen("Nikolay Petrovich", birth_date="1962-08-12", country="RU")
    case = ScreeningCase.objects.get(id=case_id)
    assert (case.user_id, case.entry_uid, case.state, case.birth, case.country) == (ALICE, "22", "open", "same", "same")
    told = (
        str(list(Record.objects.values()))
        + str(list(Event.objects.values()))
        + str(list(ScreeningCase.objects.values()))
    )
    assert "nikolay" not in told.lower() and "1962-08-12" not in told
    assert selectors.blocked(ALICE) and not selectors.blocked(ALICE + 1)


def test_found_again_it_is_the_same_case():
    load(PETROVICH)
    assert len(screen()) == 1 and screen(now=LATER) == []
    case = ScreeningCase.objects.get()
    assert (case.opened_at, case.seen_at) == (NOW, LATER)


def test_a_cleared_case_stays_cleared_until_the_entry_or_the_customer_changes():
    load(PETROVICH)
    (case_id,) = screen()
    clear(case_id, STAFF, OTHER_STAFF)
    assert not selectors.blocked(ALICE)
    assert screen(now=LATER) == []
    load(PETROVICH, KOLES, now=LATER)  # another entry came: this one is as it was
    assert screen(now=LATER) == []
    assert len(screen(birth_date="1962-08-12", now=LATER)) == 1  # more is known of the customer
    clear(ScreeningCase.objects.get(state="open").id, STAFF, OTHER_STAFF)
    load((22, "PETROVICH, Nikolai", "DOB 12 Aug 1962; nationality Russia; POB Minsk"), KOLES, now=LATER)
    assert len(screen(birth_date="1962-08-12", now=LATER)) == 1  # more is known of the entry
    assert ScreeningCase.objects.filter(state="cleared").count() == 2


def test_a_strong_hit_takes_two_people_to_clear():
    load(PETROVICH)
    (case_id,) = screen()
    assert cases.decide(case_id=case_id, actor_id=STAFF, verdict="clear", reason="no", now=LATER) == 1
    assert selectors.blocked(ALICE)
    with pytest.raises(cases.AlreadySaid):
        clear(case_id, STAFF)
    clear(case_id, OTHER_STAFF)
    assert ScreeningCase.objects.get().state == "cleared" and not selectors.blocked(ALICE)


def test_a_weak_hit_takes_one():
    load(PETROVICH)
    (case_id,) = screen("Nikolay Petrovic")
    assert not ScreeningCase.objects.get().strong
    clear(case_id, STAFF)
    assert not selectors.blocked(ALICE)


def test_confirming_takes_one_freezes_and_stays_blocked():
    accounts.open_customer(owner_id=ALICE, asset_ids=[1], now=NOW)
    load(PETROVICH, KOLES)
    (case_id,) = screen()
    assert cases.decide(case_id=case_id, actor_id=STAFF, verdict="confirm", reason="It is he.", now=LATER) == 0
    assert ledger.is_frozen(owner_id=ALICE) and selectors.blocked(ALICE)
    with pytest.raises(cases.CaseDecided):
        cases.decide(case_id=case_id, actor_id=OTHER_STAFF, verdict="confirm", reason="Yes.", now=LATER)
    assert screen(now=LATER) == []  # found again, it stays one case
    clear(case_id, STAFF)
    assert ledger.is_frozen(owner_id=ALICE)
    clear(case_id, OTHER_STAFF)
    assert not ledger.is_frozen(owner_id=ALICE) and not selectors.blocked(ALICE)


def test_a_freeze_stands_until_the_last_confirmed_case_is_cleared():
    accounts.open_customer(owner_id=ALICE, asset_ids=[1], now=NOW)
    load(PETROVICH, (25, "PETROVICH, Nikolai", "DOB 1970"))
    first, second = screen()
    for case_id in (first, second):
        cases.decide(case_id=case_id, actor_id=STAFF, verdict="confirm", reason="yes", now=LATER)
    clear(first, STAFF, OTHER_STAFF)
    assert ledger.is_frozen(owner_id=ALICE)
    clear(second, STAFF, OTHER_STAFF)
    assert not ledger.is_frozen(owner_id=ALICE)


def test_nobody_decides_about_himself_or_without_a_reason():
    load(PETROVICH)
    (case_id,) = screen()
    with pytest.raises(cases.OwnCase):
        clear(case_id, ALICE)
    with pytest.raises(cases.ReasonMissing):
        clear(case_id, STAFF, reason="   ")
    with pytest.raises(cases.CaseNotFound):
        clear(case_id + 1, STAFF)
    assert ScreeningCase.objects.get().opinions.count() == 0
