"""Sanctions lists in versions, everybody screened against them, and cases that staff decide."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from threading import Event as Event_

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client

from benchmarks import screening_names as made
from exchange.accounts.models import User
from exchange.audit.models import Record
from exchange.core.errors import DomainError
from exchange.ledger import selectors as ledger
from exchange.ledger.services import accounts
from exchange.outbox.models import Event
from kyc import registry
from kyc.models import ListedEntry, ListVersion, Screening, ScreeningCase
from kyc.screening import current, entries, joining, selectors
from kyc.screening import registry as screening_registry
from kyc.screening.services import addresses, cases, lists, people, screen_address, screen_person, viewing
from kyc.services import levels
from tests.factors import log_in_staff

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ALICE, STAFF, OTHER_STAFF = 7, 901, 902
FIRST, SECOND = "0192f0c8-0000-7000-8000-000000000001", "0192f0c8-0000-7000-8000-000000000002"
ETH = "0x00000000219ab540356cbb839cbe05303d7705fa"

pytestmark = pytest.mark.django_db


def sdn(*rows):
    """sdn.csv of (uid, name, remarks)."""
    none = "-0- ," * 7
    lines = [f'{uid},"{name}","individual","CYBER2",{none}"{remarks}"' for uid, name, remarks in rows]
    return {"sdn.csv": ("\r\n".join(lines) + "\r\n\x1a\r\n").encode()}


PETROVICH = (22, "PETROVICH, Nikolai", "DOB 12 Aug 1962; nationality Russia")
KOLES = (23, "KOLESNIKOV, Boris", f"Digital Currency Address - ETH {ETH}")
FILLING = [(100 + n, f"SAMPLE{chr(97 + n)}, Quentin", "DOB 1950") for n in range(20)]


def load(*rows, now=NOW, **more):
    return lists.load(files=sdn(*rows, *FILLING), source="test", now=now, **more)


def screen(name="Nikolai Petrovich", user_id=ALICE, birth_date=None, country="", now=NOW):
    return screen_person(user_id=user_id, names=[name], birth_date=birth_date, country=country, now=now)


def customer(email, name="", **more):
    return User.objects.create_user(email, "long enough for a test", display_name=name, **more)


def topics():
    return list(Event.objects.filter(topic__startswith="kyc.").order_by("id").values_list("topic", flat=True))


@pytest.fixture(autouse=True)
def fresh_index():
    current.forget()
    yield
    current.forget()


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


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0] > 0


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


def clear(case_id, *actors, reason="Another person: born elsewhere."):
    for actor in actors:
        cases.decide(case_id=case_id, actor_id=actor, verdict="clear", reason=reason, now=LATER)


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


def rescreen(now=NOW):
    while people.enrol(now=now):
        pass
    while people.rescreen(now=now):
        pass


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


# --- The back office -----------------------------------------------------------------------------------------------------------


def reviewer(email, *, may=True):
    person = customer(email, is_staff=True)
    names = ["view_screeningcase", "change_screeningcase"] if may else ["view_screeningcase"]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    log_in_staff(client, person)
    return client, person


@pytest.fixture
def shown():
    someone = customer("someone@example.com", "Nikolai Petrovich")
    load(PETROVICH)
    rescreen()
    return ScreeningCase.objects.get(user_id=someone.id)


def test_the_case_shows_the_entry_beside_the_customer_and_notes_who_looked(shown):
    client, person = reviewer("staff@example.com")
    page = client.get(f"/admin/kyc/screeningcase/{shown.id}/change/")
    text = page.content.decode()
    assert (
        page.status_code == 200
        and "Nikolai Petrovich" in text
        and "PETROVICH, Nikolai" in text
        and "12 Aug 1962" in text
    )
    assert "no-store" in page["Cache-Control"]
    record = Record.objects.get(action="kyc.view_screening_case")
    assert (record.actor_id, record.subject) == (person.id, f"case:{shown.id}") and record.origin


def test_who_may_not_decide_sees_no_name_and_decides_nothing(shown):
    client, _ = reviewer("staff@example.com", may=False)
    page = client.get(f"/admin/kyc/screeningcase/{shown.id}/change/")
    assert "Nikolai Petrovich" not in page.content.decode()
    assert not Record.objects.filter(action="kyc.view_screening_case").exists()
    said = client.post(f"/admin/kyc/screeningcase/{shown.id}/decide/", {"verdict": "clear", "reason": "x"})
    assert said.status_code == 403 and ScreeningCase.objects.get(id=shown.id).state == "open"


def test_two_people_clear_it_on_its_page(shown):
    for email, state in (("a@example.com", "open"), ("b@example.com", "cleared")):
        client, person = reviewer(email)
        url = f"/admin/kyc/screeningcase/{shown.id}/decide/"
        assert client.get(url).status_code == 405
        assert client.post(url, {"verdict": "clear", "reason": "Born elsewhere."}).status_code == 302
        assert ScreeningCase.objects.get(id=shown.id).state == state
        assert Record.objects.filter(action="kyc.clear_screening_case", actor_id=person.id).exists()


def test_the_queue_costs_the_same_for_many(shown, django_assert_max_num_queries):
    client, _ = reviewer("staff@example.com")
    for n in range(30):
        screen(user_id=10_000 + n)
    with django_assert_max_num_queries(25):
        assert client.get("/admin/kyc/screeningcase/").content.decode().count("PETROVICH, Nikolai") >= 30


def test_nobody_sees_a_case_of_his_own(shown):
    client, person = reviewer("staff@example.com")
    ScreeningCase.objects.filter(id=shown.id).update(user_id=person.id)
    assert client.get(f"/admin/kyc/screeningcase/{shown.id}/change/").status_code == 404
    assert "PETROVICH" not in client.get("/admin/kyc/screeningcase/").content.decode()
    with pytest.raises(cases.OwnCase):
        viewing.open_case(case_id=shown.id, actor_id=person.id, now=NOW)


def test_a_case_that_is_not_there_is_not_there(shown):
    client, _ = reviewer("staff@example.com")
    assert client.get("/admin/kyc/screeningcase/999999/change/").status_code == 404


def test_a_view_opens_what_is_known_now(shown):
    view = viewing.open_case(case_id=shown.id, actor_id=STAFF, now=NOW)
    assert view.names == ("Nikolai Petrovich",) and not view.changed and view.clear_takes == 2
    assert {(pair.asked, pair.listed) for pair in view.pairs} == {("nikolai", "nikolai"), ("petrovich", "petrovich")}
    User.objects.filter(id=shown.user_id).update(display_name="Somebody Else")
    view = viewing.open_case(case_id=shown.id, actor_id=STAFF, now=NOW)
    assert view.changed and view.pairs == ()
    assert isinstance(view.entry, entries.Entry)


# --- By hand -------------------------------------------------------------------------------------------------------------------


def test_the_commands_load_list_and_screen(tmp_path, capsys):
    for name, raw in made.files(made.listed(60, 5)).items():
        (tmp_path / name).write_bytes(raw)
    customer("one@example.com", "Anna Weber")
    call_command("kyc", "load_sanctions", *(str(tmp_path / name) for name in ("sdn.csv", "alt.csv", "add.csv")))
    call_command("kyc", "sanctions")
    call_command("kyc", "rescreen")
    out = capsys.readouterr().out
    assert "60 entries" in out and "customers screened" in out
    (tmp_path / "sdn.csv").write_bytes(b"nonsense")
    with pytest.raises(CommandError, match="what was in force still is"):
        call_command("kyc", "load_sanctions", str(tmp_path / "sdn.csv"))
    with pytest.raises(CommandError):
        call_command("kyc", "load_sanctions", str(tmp_path / "missing.csv"))


def test_refusals_are_domain_errors():
    for error in (lists.ListRefused, cases.OwnCase, selectors.UnderReview, joining.NotScreened):
        assert issubclass(error, DomainError)
