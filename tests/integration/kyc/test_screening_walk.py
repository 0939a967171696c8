"""Whom the walk of screening reaches: everybody, whatever does not open and whoever signs up beside him."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.celery import app
from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.secrets import subjects
from kyc import application_selectors, registry
from kyc.models import Application, Screening, ScreeningCase
from kyc.screening import current, joining, metrics, selectors, tasks
from kyc.screening.services import cases, lists, people, viewing
from kyc.services import applications, levels, reviewing
from tests.verification import NOW, PERSON, approved, filled, submitted

LATER = NOW + timedelta(hours=1)
FILLING = "".join(
    f'{100 + n},"SAMPLE{chr(97 + n)}, Quentin","individual","CYBER2",{"-0- ," * 7}""\r\n' for n in range(20)
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk", "fresh_index")]


@pytest.fixture
def fresh_index():
    current.forget()
    yield
    current.forget()


def load(*names, now=NOW):
    rows = "".join(f'{n},"{name}","individual","CYBER2",{"-0- ," * 7}""\r\n' for n, name in enumerate(names, 1))
    return lists.load(files={"sdn.csv": (rows + FILLING + "\x1a\r\n").encode()}, source="test", now=now)


def customer(email, name=""):
    return User.objects.create_user(email, "long enough for a test", display_name=name).id


def walk(now=NOW):
    """The number of runs is bounded, as a worker's time is: a row that comes back for ever would take it all."""
    while people.enrol(now=now):
        pass
    for _ in range(20):
        if not people.rescreen(now=now):
            return
    raise AssertionError("There was always somebody due.")


def key_files(folder):
    return [file for file in Path(folder).rglob("*") if file.is_file()]


def lose(path):
    path.unlink()


def damage(path):
    path.write_bytes(path.read_bytes()[:-1] + b"\x00\x00")


def block(path):
    """Reading it fails as a disk does: not with "no such file"."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [lose, damage, block])
def test_whose_words_do_not_open_is_not_screened_and_holds_up_nobody(spoil, settings, monkeypatch):
    monkeypatch.setattr(people, "BATCH", 1)
    closed, other = customer("one@example.com", "Sunny"), customer("two@example.com", "Boris Kolesnikov")
    submitted(closed)
    load("KOLESNIKOV, Boris", "LOVELACE, Ada")
    (path,) = key_files(settings.SUBJECT_KEYS_DIR)
    key = path.read_bytes()
    spoil(path)
    counted = metrics.UNSCREENED._value.get()
    walk()
    assert selectors.blocked(other)
    assert Screening.objects.get(user_id=closed).epoch == 0
    assert metrics.UNSCREENED._value.get() == counted + 1
    with pytest.raises(joining.NotScreened):
        joining.ensure_screened(registry.Person(closed, "Ada Lovelace", "", "", ""), now=NOW)
    if path.is_dir():
        path.rmdir()
    path.write_bytes(key)
    walk(LATER)
    assert selectors.blocked(closed) and Screening.objects.get(user_id=closed).epoch == selectors.epoch()


def test_a_case_of_somebody_whose_words_do_not_open_can_be_looked_at(settings):
    user_id = customer("one@example.com", "Sunny")
    submitted(user_id)
    load("LOVELACE, Ada")
    walk()
    (path,) = key_files(settings.SUBJECT_KEYS_DIR)
    path.unlink()
    seen = viewing.open_case(case_id=ScreeningCase.objects.get().id, actor_id=901, now=NOW)
    assert seen.names == ("Sunny",) and seen.changed


def test_whose_key_was_destroyed_on_purpose_is_screened_by_what_is_left():
    user_id = customer("one@example.com", "Boris Kolesnikov")
    submitted(user_id)
    subjects.destroy(subject=f"customer:{user_id}", now=NOW)
    load("KOLESNIKOV, Boris", "LOVELACE, Ada")
    walk()
    assert [case.entry_uid for case in ScreeningCase.objects.all()] == ["1"]
    assert Screening.objects.get(user_id=user_id).epoch == selectors.epoch()


def test_a_new_customer_is_due_in_the_transaction_of_his_sign_up():
    """He has a number lower than the walk's last: it will not come by again."""
    load("KOLESNIKOV, Boris")
    Screening.objects.create(user_id=1_000_000_000, enrolled=True)
    user_id = customers.open(
        email="one@example.com", password="long enough for a test", display_name="Boris Kolesnikov", now=NOW
    )
    walk()
    assert selectors.blocked(user_id)


def test_whoever_the_walk_went_past_is_found_once_a_day(monkeypatch):
    monkeypatch.setattr(people, "ENROLLED_AT_ONCE", 2)
    load("KOLESNIKOV, Boris")
    Screening.objects.create(user_id=1_000_000_000, enrolled=True)
    ids = [customer(f"c{n}@example.com", "Boris Kolesnikov") for n in range(5)]
    walk()
    assert not any(selectors.blocked(user_id) for user_id in ids)
    assert people.enrol_missed(now=NOW) >= 5 and people.enrol_missed(now=NOW) == 0
    walk()
    assert all(selectors.blocked(user_id) for user_id in ids)
    assert app.conf.beat_schedule["kyc.enrol_missed"]["task"] == tasks.enrol_missed.name


def test_a_wake_that_nobody_took_is_dropped(monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda self, name, **how: sent.append((name, how)))
    with django_capture_on_commit_callbacks(execute=True):
        load("KOLESNIKOV, Boris")
        joining.handed_in(registry.Person(7, "", "", "", ""), now=NOW)
    woken = [how for name, how in sent if name == "kyc.rescreen"]
    assert len(woken) == 2 and all(0 < how["expires"] <= 60 for how in woken)


def renewed(user_id, *, now, **changed):
    """A renewal with these words, handed in."""
    application = filled(user_id, now=now)
    applications.describe(user_id=user_id, application_id=application.id, told={**PERSON, **changed}, now=now)
    applications.submit(user_id=user_id, application_id=application.id, now=now)
    return Application.objects.get(id=application.id)


def turn_down(application, now):
    reviewing.reject(
        application_id=application.id, actor_id=91, seen=application.version, reasons=["data_mismatch"], now=now
    )


@pytest.mark.parametrize("decided", [False, True])
def test_another_name_in_a_renewal_hides_nobody_who_was_approved(decided):
    user_id = customer("one@example.com")
    first = approved(user_id)
    later = first.expires_at - timedelta(days=30)
    renewal = renewed(user_id, now=later, family_names="Byron", birth_date="1960-05-05", nationality="US")
    if decided:
        turn_down(renewal, later)
    load("LOVELACE, Ada Augusta", "KOLESNIKOV, Boris", now=later)
    walk(later)
    case = ScreeningCase.objects.get()
    assert case.entry_uid == "1"
    seen = viewing.open_case(case_id=case.id, actor_id=901, now=later)
    assert (seen.names, str(seen.birth_date), seen.changed) == (("Ada Augusta Lovelace",), "1990-12-10", False)


def test_a_renewal_that_waits_is_searched_beside_and_one_turned_down_no_more():
    user_id = customer("one@example.com")
    first = approved(user_id)
    later = first.expires_at - timedelta(days=30)
    renewal = renewed(user_id, now=later, given_names="Boris", family_names="Kolesnikov")
    load("LOVELACE, Ada Augusta", "KOLESNIKOV, Boris", now=later)
    walk(later)
    assert set(ScreeningCase.objects.values_list("entry_uid", flat=True)) == {"1", "2"}
    turn_down(renewal, later)
    assert [each.names for each in application_selectors.people_of(user_id)] == ["Ada Augusta Lovelace"]


def test_whose_only_application_was_turned_down_is_searched_by_it():
    user_id = customer("one@example.com")
    turn_down(submitted(user_id), NOW)
    load("LOVELACE, Ada Augusta")
    walk()
    assert selectors.blocked(user_id)


def test_a_level_that_has_lapsed_leaves_its_words_to_be_searched():
    user_id = customer("one@example.com")
    first = approved(user_id)
    Application.objects.filter(id=first.id).update(state="expired", ended_at=first.expires_at)
    levels.assign(user_id=user_id, level=1, reason="lapsed", actor_id=None, now=first.expires_at)
    after = first.expires_at + timedelta(days=1)
    turn_down(renewed(user_id, now=after, family_names="Byron"), after)
    load("LOVELACE, Ada Augusta", now=after)
    walk(after)
    assert selectors.blocked(user_id)


def test_what_was_cleared_of_both_names_stays_cleared():
    user_id = customer("one@example.com")
    first = approved(user_id)
    later = first.expires_at - timedelta(days=30)
    renewed(user_id, now=later, birth_date="1990-12-11")
    load("LOVELACE, Ada Augusta", now=later)
    for _ in range(2):  # the one as approved, then the one as in the renewal
        walk(later)
        case = ScreeningCase.objects.get(state="open")
        for actor_id in (901, 902):
            cases.decide(case_id=case.id, actor_id=actor_id, verdict="clear", reason="another person", now=later)
        people.soon(user_id=user_id)
    walk(later)
    assert ScreeningCase.objects.count() == 2 and not selectors.blocked(user_id)


def test_further_given_names_hide_nobody():
    user_id = customer("one@example.com")
    application = filled(user_id)
    told = {**PERSON, "given_names": "Boris Ivan Pavel Oleg Semyon", "family_names": "Kolesnikov"}
    applications.describe(user_id=user_id, application_id=application.id, told=told, now=NOW)
    applications.submit(user_id=user_id, application_id=application.id, now=NOW)
    load("KOLESNIKOV, Boris")
    walk()
    assert selectors.blocked(user_id)
