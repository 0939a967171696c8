"""`manage.py run_engine --shard N`: the matching engine of one shard. Run it under config.settings.engine."""

from __future__ import annotations

import signal
import sys
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from trading.runner import metrics
from trading.runner.shard import ShardProcess


class Command(BaseCommand):
    help = "Lead a shard's matching, or stand by until its leader is gone. SIGTERM ends it after the batch under way."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--shard", type=int, required=True)
        parser.add_argument(
            "--takeover", action="store_true", help="do not wait for the present leader's heart to stop"
        )
        parser.add_argument(
            "--metrics-port", type=int, default=0, help="serve /metrics, /livez and /readyz on 127.0.0.1"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Three threads share the interpreter: reading ahead, the batch, the news. None may keep the others waiting 5 ms.
        sys.setswitchinterval(0.0005)
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=5)
        process = ShardProcess(shard=options["shard"], client=client)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: process.stop())
        if options["metrics_port"]:
            metrics.serve(options["metrics_port"], ready=lambda: process.leading)
        process.run(takeover=options["takeover"])
