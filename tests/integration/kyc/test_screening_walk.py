"""Whom the walk of screening reaches: everybody, whatever does not open and whoever signs up beside him."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.celery import app
from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.secrets import subjects
from kyc import registry
from kyc.models import Screening, ScreeningCase
from kyc.screening import current, joining, metrics, selectors, tasks
from kyc.screening.services import lists, people, viewing
from tests.verification import NOW, submitted

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
