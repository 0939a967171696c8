"""The outbox: with its cause or not at all, in order a key, again after a crash, and never silently lost."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from threading import Thread

import pytest
from django.db import connection, transaction

from exchange.outbox import registry, selectors, services
from exchange.outbox.models import Delivery, Event

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def read():
    """Registers readers of topic "test" for one test."""
    names = []

    def add(fn, name="test.reader", topic="test"):
        registry.reader(topic, name=name)(fn)
        names.append(name)

    yield add
    for name in names:
        registry.forget(name)


def append(number, key="a", topic="test"):
    with transaction.atomic():
        return services.append(topic=topic, key=key, payload={"n": number}, now=NOW)


def test_it_delivers_what_was_committed_once_to_every_reader(read):
    first, second = [], []
    read(lambda event: first.append(event.payload["n"]), name="test.first")
    read(lambda event: second.append((event.topic, event.key, event.attempt)), name="test.second")
    append(1)
    assert services.deliver(now=NOW) == 2
    assert (first, second) == ([1], [("test", "a", 1)])
    assert services.deliver(now=NOW + timedelta(days=1)) == 0


def test_an_event_goes_with_its_transaction(read):
    seen = []
    read(seen.append)
    with pytest.raises(RuntimeError), transaction.atomic():
        services.append(topic="test", key="a", payload={}, now=NOW)
        raise RuntimeError
    services.deliver(now=NOW)
    assert seen == [] and Event.objects.count() == 0


def test_it_refuses_an_event_outside_a_transaction():
    with pytest.raises(services.NoTransaction):
        services.append(topic="test", key="a", payload={}, now=NOW)


def test_one_transaction_wakes_the_delivery_once():
    with transaction.atomic():
        for number in range(5):
            services.append(topic="test", key="a", payload={"n": number}, now=NOW)
        assert [fn for _, fn, _ in connection.run_on_commit].count(services._wake) == 1


def test_a_commit_sends_the_task_to_the_workers(valkey):
    append(1)
    assert b"outbox.deliver" in valkey.lindex("default", 0)


def test_a_failing_event_holds_back_its_own_key_and_no_other(read):
    seen = []

    def fails_on_one(event):
        if event.payload["n"] == 1:
            raise ValueError("not yet")
        seen.append(event.payload["n"])

    read(fails_on_one)
    append(1), append(2), append(3, key="b")
    services.deliver(now=NOW)
    assert seen == [3]
    assert Delivery.objects.get(event__payload__n=1).error == "ValueError: not yet"


def test_what_a_failing_reader_wrote_is_undone_but_its_attempt_is_counted(read):
    def writes_and_fails(event):
        Event.objects.create(topic="effect", key="x", payload={}, created_at=NOW)
        raise ValueError("late")

    read(writes_and_fails)
    append(1)
    services.deliver(now=NOW)
    assert not Event.objects.filter(topic="effect").exists()
    assert Delivery.objects.get().attempts == 1


def test_waits_double_and_the_last_attempt_ends_in_a_visible_dead_letter(read):
    def fails(event):
        raise ValueError("never")

    read(fails)
    append(1)
    waits, now = [], NOW
    while (backlog := selectors.backlog()).dead == 0:
        services.deliver(now=now)
        due = Delivery.objects.get().due_at
        waits.append(int((due - now).total_seconds()))
        now = due
        assert len(waits) <= services.ATTEMPTS_MAX
    assert waits[:6] == [2, 4, 8, 16, 32, 64] and max(waits) == services.WAIT_MAX_S
    assert len(waits) == services.ATTEMPTS_MAX
    assert (backlog.pending, backlog.dead) == (0, 1)


def test_after_a_dead_letter_the_key_goes_on_and_the_letter_can_be_tried_again(read):
    seen, broken = [], [True]

    def fails_while_broken(event):
        if event.payload["n"] == 1 and broken:
            raise ValueError
        seen.append(event.payload["n"])

    read(fails_while_broken)
    append(1)
    services.deliver(now=NOW)
    Delivery.objects.update(attempts=services.ATTEMPTS_MAX - 1)
    append(2)
    services.deliver(now=NOW + timedelta(minutes=1))
    assert seen == [2]
    broken.clear()
    dead = Delivery.objects.get(state="dead")
    assert services.requeue(delivery_ids=[dead.id], now=NOW) == 1
    services.deliver(now=NOW + timedelta(minutes=2))
    assert seen == [2, 1]
    assert services.requeue(delivery_ids=[dead.id], now=NOW) == 0


def test_two_workers_keep_the_order_of_a_key(read):
    """While one worker is inside event 1, the other may take another key's, never event 2."""
    inside, go_on, seen = Flag(), Flag(), []

    def slow_on_one(event):
        if event.payload["n"] == 1:
            inside.set()
            assert go_on.wait(120)
        seen.append(event.payload["n"])

    read(slow_on_one)
    append(1), append(2), append(3, key="b")

    def work():
        try:
            services.deliver(now=NOW)
        finally:
            connection.close()

    worker = Thread(target=work)
    worker.start()
    assert inside.wait(120)
    services.deliver(now=NOW)
    assert seen == [3]
    go_on.set()
    worker.join()
    services.deliver(now=NOW)
    assert seen == [3, 1, 2]


def test_many_workers_deliver_each_event_once_and_in_order(read):
    seen = []
    read(lambda event: seen.append((event.key, event.payload["n"])))
    for number in range(40):
        append(number, key=f"k{number % 4}")

    def work(_):
        try:
            while services.deliver(now=NOW, limit=5):
                pass
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))  # raises what a worker raised
    services.deliver(now=NOW)
    assert len(seen) == 40
    for key in ("k0", "k1", "k2", "k3"):
        numbers = [n for k, n in seen if k == key]
        assert numbers == sorted(numbers)


CRASHING = textwrap.dedent(
    """
    import os, signal, sys
    import django
    django.setup()
    from django.utils import timezone
    from exchange.outbox import registry, services

    def effect_then_die(event):
        with open(sys.argv[1], "a") as book:
            book.write(f"{event.payload['n']}\\n")
            book.flush()
            os.fsync(book.fileno())
        if sys.argv[2] == "die" and event.payload["n"] == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    registry.reader("test", name="test.reader")(effect_then_die)
    services.deliver(now=timezone.now())
    """
)


def test_a_worker_killed_between_effect_and_mark_delivers_again_in_order(read, tmp_path):
    """A real process, a real SIGKILL: the effect happened, the mark did not, so the event comes again before the next."""
    read(lambda event: None)
    [append(number) for number in (1, 2, 3)]
    script, book = tmp_path / "deliver.py", tmp_path / "book"
    script.write_text(CRASHING)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "PYTHONPATH": "."}

    def run(how):
        return subprocess.run([sys.executable, script, book, how], env=environment, timeout=240).returncode

    assert run("die") == -9
    assert book.read_text().split() == ["1", "2"]
    assert run("live") == 0
    assert book.read_text().split() == ["1", "2", "2", "3"]
    assert selectors.backlog() == selectors.Backlog(pending=0, dead=0, oldest_waiting_since=None)


def test_it_forgets_only_what_everybody_has_had_long_ago(read):
    read(lambda event: None)
    append(1)
    services.deliver(now=NOW)
    append(2)
    assert services.prune(now=NOW + timedelta(days=29)) == 0
    services.prune(now=NOW + timedelta(days=31))
    assert [event.payload["n"] for event in Event.objects.all()] == [2]


def test_the_backlog_says_since_when_the_oldest_waits(read):
    read(lambda event: None)
    append(1)
    assert selectors.backlog().oldest_waiting_since == NOW
    services.deliver(now=NOW)
    assert selectors.backlog().oldest_waiting_since is None
