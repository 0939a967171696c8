"""Copies of long histories: they hold nothing open, survive a killed worker, and stand in nobody's way."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from exchange.accounts import registry, tasks
from exchange.accounts.models import Export, ExportPiece
from exchange.accounts.services import customers, exporting

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """What no room catches, as a signal."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No broker is told; whoever waits is counted."""
    woken = []
    monkeypatch.setattr(exporting, "_wake", lambda: woken.append(1))
    monkeypatch.setattr(exporting, "PIECE_BYTES", 200)
    return woken


def asked(name):
    now = timezone.now()
    user_id = customers.open(email=f"{name}@example.org", password="x" * 20, email_verified=True, now=now)
    return user_id, exporting.request(user_id=user_id, now=now)


def rows(count=200):
    return [{"number": number, "noise": f"{number * 2654435761 % 2**32:x}"} for number in range(count)]


def seen_by_others(owner_connection):
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_exportpiece")
        (count,) = cursor.fetchone()
    owner_connection.commit()
    return count


def test_no_transaction_lasts_as_long_as_a_history(monkeypatch, owner_connection):
    found = []

    def long(user_id):
        for number, row in enumerate(rows(10_000)):
            if number % 1_000 == 999:
                found.append((connection.in_atomic_block, seen_by_others(owner_connection)))
            yield row

    monkeypatch.setitem(registry._parts, "long", long)
    _, export_id = asked("alice")
    assert exporting.make(export_id=export_id, now=timezone.now())
    assert [atomic for atomic, _ in found] == [False] * 10
    assert found[-1][1] > found[0][1]  # what is done stands


def test_a_killed_attempt_leaves_nothing_in_the_next_one(monkeypatch):
    lives = [30, 10_000]  # the first ends in the middle, the second does not

    def long(user_id):
        life = lives.pop(0)
        for number, row in enumerate(rows(3_000)):
            if number == life * 60:
                raise Killed
            yield row

    monkeypatch.setitem(registry._parts, "aa_long", long)
    user_id, export_id = asked("alice")
    with pytest.raises(Killed):
        exporting.make(export_id=export_id, now=timezone.now())
    assert ExportPiece.objects.exists() and Export.objects.get(id=export_id).attempts == 1
    with pytest.raises(exporting.ExportNotFound):
        exporting.open_download(user_id=user_id, export_id=export_id, now=timezone.now())
    assert exporting.make(export_id=export_id, now=timezone.now())
    data = b"".join(exporting.open_download(user_id=user_id, export_id=export_id, now=timezone.now()))
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None and json.loads(archive.read("aa_long.json")) == rows(3_000)


def test_one_is_made_at_a_time(owner_connection):
    _, export_id = asked("alice")
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [exporting.ONE_AT_A_TIME])
        assert not exporting.make_waiting(now=timezone.now())
        assert Export.objects.get(id=export_id).attempts == 0
        cursor.execute("SELECT pg_advisory_unlock(%s)", [exporting.ONE_AT_A_TIME])
    owner_connection.commit()
    assert exporting.make_waiting(now=timezone.now())


def test_a_turn_makes_one_and_what_failed_before_comes_last(quiet):
    (_, tried), (_, first), (_, second) = asked("alice"), asked("bob"), asked("carol")
    Export.objects.filter(id=tried).update(attempts=1)
    quiet.clear()
    for export_id, more in ((first, 1), (second, 2), (tried, 2)):
        assert exporting.make_waiting(now=timezone.now())
        assert Export.objects.get(id=export_id).state == "ready" and len(quiet) == more
    assert not exporting.make_waiting(now=timezone.now())


def test_the_task_has_time_of_its_own_and_ends_before_the_broker_gives_it_to_another():
    soft, hard = tasks.make_exports.soft_time_limit, tasks.make_exports.time_limit
    given_again_s = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout", 3_600)
    assert settings.CELERY_TASK_TIME_LIMIT < soft < hard < given_again_s


def test_its_end_is_an_attempt_that_leaves_nothing(monkeypatch):
    from celery.exceptions import SoftTimeLimitExceeded

    def long(user_id):
        yield from rows()
        raise SoftTimeLimitExceeded

    monkeypatch.setitem(registry._parts, "zz_long", long)
    user_id, export_id = asked("alice")
    assert not exporting.make_waiting(now=timezone.now())
    row = Export.objects.get(id=export_id)
    assert (row.attempts, row.error, row.state) == (1, "SoftTimeLimitExceeded", "requested")
    assert not ExportPiece.objects.exists()
    with pytest.raises(exporting.ExportTooSoon):
        exporting.request(user_id=user_id, now=timezone.now() + timedelta(hours=1))
