"""Workers of the outbox killed with SIGKILL at seeded moments, three at a time, until all is delivered.

Whatever the moment: what a reader writes to the database happens exactly once, what it does outside happens at least once,
and no event of a key is ever overtaken. A seed that fails is run again with OUTBOX_SEED=n.
"""

import os
import subprocess
import sys
import textwrap
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import transaction

from exchange.notifications.models import Notification
from exchange.outbox import registry, selectors, services

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
EVENTS, KEYS, WORKERS, ROUNDS_MAX = 60, 5, 3, 40
SEEDS = [int(os.environ["OUTBOX_SEED"])] if "OUTBOX_SEED" in os.environ else [1]
POINTS = ("before", "after database", "after outside")

WORKER = textwrap.dedent(
    """
    import os, random, signal, sys
    import django
    django.setup()
    from django.utils import timezone
    from exchange.notifications.models import Notification
    from exchange.outbox import registry, services

    book, chance, due = open(sys.argv[1], "a"), random.Random(int(sys.argv[2])), sys.argv[3]
    passed = []

    def maybe_die(point):
        passed.append(point)
        if chance.random() < 0.06 or passed.count(due) == 2:
            with open(sys.argv[1] + ".hits", "a") as hits:
                hits.write(point + "\\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def read(event):
        maybe_die("before")
        Notification.objects.create(user_id=event.payload["n"], event_id=event.id, kind="x", title="x",
                                    created_at=event.created_at)
        maybe_die("after database")
        book.write(f"{event.key} {event.payload['n']}\\n")
        book.flush()
        os.fsync(book.fileno())
        maybe_die("after outside")

    registry.reader("simulated", name="simulated.reader")(read)
    services.deliver(now=timezone.now())
    """
)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_workers_lose_repeat_and_reorder_nothing(seed, tmp_path):
    script, book = tmp_path / "worker.py", tmp_path / "book"
    script.write_text(WORKER)
    book.touch()
    registry.reader("simulated", name="simulated.reader")(lambda event: None)
    try:
        for number in range(EVENTS):
            with transaction.atomic():
                services.append(topic="simulated", key=f"key-{number % KEYS}", payload={"n": number}, now=NOW)
        rounds = 0
        while (backlog := selectors.backlog()).pending or backlog.oldest_waiting_since:
            rounds += 1
            assert rounds <= ROUNDS_MAX, f"seed {seed}: {backlog} after {rounds} rounds"
            _round(script, book, seed * 1000 + rounds * 10, _never_hit(tmp_path))
    finally:
        registry.forget("simulated.reader")
    hits = Counter((tmp_path / "book.hits").read_text().splitlines())
    print(f"seed {seed}: {rounds} rounds, killed {dict(hits)}")
    assert set(hits) == set(POINTS), "a point that is never hit proves nothing"
    told = Notification.objects.values_list("user_id", flat=True)
    assert sorted(told) == list(range(EVENTS))
    by_key = defaultdict(list)
    for line in book.read_text().splitlines():
        key, number = line.split()
        by_key[key].append(int(number))
    for numbers in by_key.values():
        assert numbers == sorted(numbers), f"seed {seed}: overtaken in {numbers}"
    assert {n for numbers in by_key.values() for n in numbers} == set(range(EVENTS))
    assert backlog.dead == 0


def _never_hit(folder):
    """The points at which nobody has died yet. Whoever comes to one of his twice does, so that none is left to chance."""
    hits = folder / "book.hits"
    return sorted(set(POINTS) - set(hits.read_text().splitlines() if hits.exists() else ())) or [""]


def _round(script, book, seed, due):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen([sys.executable, script, book, str(seed + n), due[n % len(due)]], env=environment, cwd=ROOT)
        for n in range(WORKERS)
    ]
    for worker in workers:
        assert worker.wait(timeout=240) in (0, -9)
