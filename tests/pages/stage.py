"""The exchange, the world and a browser for tools that look at pages outside the suite, on a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import ground

if TYPE_CHECKING:
    from tests.pages.world import World

DATABASE = "pages"


@dataclass
class Stage:
    exchange: Any
    world: World
    browser: Any


def prepare(database: str) -> None:
    """A database of its own, and networks that are offered: each has a node by name, which nobody calls here."""
    for network in ("BITCOIN", "LITECOIN", "ETHEREUM"):
        os.environ.setdefault(f"{network}_RPC_URL", "http://127.0.0.1:9")
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")  # refusals are what some addresses answer with
    ground.prepare(database)


@contextmanager
def stage(settings: str = "config.settings.dev") -> Iterator[Stage]:
    """What a journey stands on, without pytest. `settings` are the web process's; static files are those that were built last."""
    os.environ["BOURSE_DEMO"] = "0"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's synchronous door keeps a loop in this thread
    for network in (
        "BITCOIN",
        "LITECOIN",
        "ETHEREUM",
    ):  # a network is offered where it has a node; nobody calls it here
        os.environ.setdefault(f"{network}_RPC_URL", "http://127.0.0.1:9")
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")  # refusals are what some addresses answer with
    ground.prepare(DATABASE)
    from django.utils import timezone
    from playwright.sync_api import sync_playwright

    from deploy.setup import programs
    from tests.journeys.conftest import BROWSER_FLAGS, Exchange
    from tests.pages import specimens, trading
    from tests.pages.world import seed

    command = programs.command("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        running = Exchange(Path(folder))
        running.valkey.flushdb()
        browser = playwright.chromium.launch(executable_path=command[0], args=[*command[1:], *BROWSER_FLAGS])
        try:
            if settings != "config.settings.dev":
                _collect_static(settings)
            running.start_web(settings)
            running.start_engine()
            world = seed(now=timezone.now())
            trading.fill(world, timezone.now())
            specimens.fill(now=timezone.now())
            yield Stage(running, world, browser)
        finally:
            browser.close()
            running.close()


def _collect_static(settings: str) -> None:
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(command, cwd=ground.ROOT, env={**os.environ, "DJANGO_SETTINGS_MODULE": settings}, check=True)
