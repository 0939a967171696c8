"""`manage.py engine replay --shard N` and `manage.py engine status`: looking at the matching engine from outside."""

from __future__ import annotations

import sys
import time
from typing import Any

import psycopg2
import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from trading.runner import replay, status

BAR = 30
BAR_AFTER_S = 0.5
BAR_EACH_S = 0.2


class Command(BaseCommand):
    help = (
        "replay: put every stored command of a shard through an empty engine, and compare its state with the book that a "
        "start would load from the tables, its trades with the stored ones. Reads one snapshot, writes nothing; the engine "
        "may run meanwhile. Ends with 1 where they differ. "
        "status: who leads each shard, and what waits for it. Ends with 1 where a shard has no leader."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        replaying = actions.add_parser("replay", help="prove that a shard's book is what its commands made of it")
        replaying.add_argument("--shard", type=int, required=True)
        actions.add_parser("status", help="who leads each shard, and what waits for it")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "replay":
            self._replay(options["shard"])
        else:
            self._status()

    def _replay(self, shard: int) -> None:
        bar = _Bar() if self.stderr.isatty() else None
        snapshot = psycopg2.connect(**connections["default"].get_connection_params())
        snapshot.set_session(isolation_level="REPEATABLE READ", readonly=True)
        try:
            report = replay.replay(snapshot, shard=shard, progress=bar or _silent)
        except replay.ShardUnknown as error:
            raise CommandError(str(error)) from error
        finally:
            snapshot.close()
            if bar is not None:
                bar.end()
        each = report.commands / report.seconds if report.seconds else 0
        self.stdout.write(
            f"shard {shard}: {report.commands} commands ({report.accepted} accepted), {report.trades} trades, "
            f"{report.open_orders} open orders; {report.seconds:.1f} s, {each:.0f} commands/s"
        )
        if report.replayed_hash:
            self.stdout.write(f"  replayed {report.replayed_hash}\n  loaded   {report.loaded_hash}")
        if report.same:
            self.stdout.write("  the same")
            return
        for text in report.differences:
            self.stdout.write(f"  {text}")
        raise CommandError(f"Shard {shard}: the stored commands do not give the stored book.", returncode=1)

    def _status(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
        found = status.shards(client)
        for each in found:
            beat = (
                f"heartbeat good for {each.beat_left_ms} ms"
                if each.led
                else f"nobody; last {each.leader_named or 'never'}"
            )
            waiting = "Valkey does not answer" if each.waiting is None else f"{each.waiting} commands wait"
            markets = ", ".join(each.markets) or "no markets"
            self.stdout.write(
                f"shard {each.shard}: led by {each.leader or '-'} ({beat}), epoch {each.epoch}, batch {each.seq}, "
                f"{each.untold} not noted as told, "
                f"{waiting}, {each.open_orders} open orders, {markets}"
            )
        if missing := [str(each.shard) for each in found if not each.led]:
            raise CommandError(f"No engine leads shard {', '.join(missing)}.", returncode=1)


def _silent(done: int, total: int) -> None:
    """For logs and pipes."""


class _Bar:
    """How far it is, on a terminal, where it takes long enough to ask."""

    def __init__(self) -> None:
        self._started = self._shown = time.monotonic()
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._started < BAR_AFTER_S or now - self._shown < BAR_EACH_S or not total:
            return
        part = min(1.0, done / total)
        left = (now - self._started) / part * (1 - part) if part else 0.0
        full = round(BAR * part)
        sys.stderr.write(
            f"\r\033[K[{'#' * full}{'.' * (BAR - full)}] {part:4.0%}  {done} of {total}, {left:.0f} s left"
        )
        sys.stderr.flush()
        self._shown, self._drawn = now, True

    def end(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
