"""A person in a real browser, before a running exchange: web and engine as processes of their own, on this worker's database."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from django.conf import settings
from django.core import mail
from django.db import connections
from django.test import override_settings
from django.utils import timezone
from embit import bip32
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from config import embedded
from deploy.setup import programs
from exchange.accounts.services import customers
from exchange.assets import selectors as assets
from exchange.assets.models import Rate
from exchange.core.ids import uuid7
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, transfers
from kyc.services import levels
from tests import hashing, mailing
from tests.factors import App, give_factor
from wallets.selectors import WithdrawalView
from wallets.services import withdrawals, xpubs

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
START_S = 180
PATIENCE_MS = 60_000  # a page on a busy machine; what is right at once is seen at once
BROWSER_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


# Short news goes after some seconds; a test on a busy machine may look later than that. What stays must not stand in the way.
LASTING_TOASTS = """
const sheet = new CSSStyleSheet();
sheet.replaceSync("#toasts, #toasts * { pointer-events: none !important; }");
document.adoptedStyleSheets = [sheet];
const passing = window.setTimeout;
window.setTimeout = (what, ms, ...more) => passing(what, ms === 6000 || ms === 12000 ? 600000 : ms, ...more);
"""


class Exchange:
    """The processes, and what set-up needs: people, money, their mail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mail = Path(embedded.state_folder()) / "mail"
        self.log = folder / "log"
        self.valkey = redis.Redis.from_url(settings.REDIS_URL)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.apps: dict[str, App] = {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, name: str, settings_module: str, *arguments: str) -> None:
        # A network without a node is shown to nobody; the web process never calls it.
        nodes = {f"{network}_RPC_URL": "http://127.0.0.1:9" for network in ("BITCOIN", "LITECOIN", "ETHEREUM")}
        patience = {"VALKEY_CONNECT_S": "30", "VALKEY_ANSWER_S": "30"}  # a busy machine is no finding
        variables = {**os.environ, **nodes, **patience, "BOURSE_DEMO": "0", "DJANGO_SETTINGS_MODULE": settings_module}
        with self.log.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT
            )

    def start_web(self, settings_module: str = "config.settings.dev") -> None:
        server = ("-m", "uvicorn", "config.asgi:application", "--ws", "config.lines:LineProtocol", "--no-proxy-headers")
        arguments = (*server, "--port", str(self.port), "--log-level", "warning")
        self.start("web", settings_module, *arguments)
        self.wait(self._answers)

    def start_engine(self) -> None:
        self.start("engine", "config.settings.engine", "manage.py", "run_engine", "--shard", "0")
        self.wait(lambda: self.valkey.exists("md:BTC-USDT:book"))

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def close(self) -> None:
        for name in list(self.processes):
            self.stop(name)
        self.valkey.close()

    def wait(self, until: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if found := until():
                return found
            assert all(process.poll() is None for process in self.processes.values()), self.log.read_text()[-4000:]
            time.sleep(0.1)
        raise AssertionError(f"waited in vain:\n{self.log.read_text()[-4000:]}")

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/livez", timeout=30).ok
        except requests.RequestException:
            return False

    def customer(self, name: str, *, btc: int = 0, usdt: int = 0, factor: bool = False) -> int:
        """Opens one, with money as a deposit books it, in base units, and with an authenticator app where `factor` says so."""
        with override_settings(PASSWORD_HASHERS=hashing.HASHERS):
            user_id = customers.open(
                email=f"{name}@example.com", password=PASSWORD, email_verified=True, now=timezone.now()
            )
        # Without limits, which are counted in prices that the pages of most journeys do not need.
        levels.assign(user_id=user_id, level=4, reason="test", actor_id=None, now=timezone.now())
        for asset_id, amount in ((1, btc), (4, usdt)):
            if amount:
                self._fund(user_id, asset_id, amount)
        if factor:
            self.apps[name] = App(give_factor(user_id))
        return user_id

    def _fund(self, user_id: int, asset_id: int, amount: int) -> None:
        now = timezone.now()
        outside = accounts.open(kind="chain_wallet", asset_id=asset_id, label="test", now=now)
        own = accounts.open_customer(owner_id=user_id, asset_ids=[asset_id], now=now)[asset_id]
        entries = (Entry(outside, -amount), Entry(own, amount))
        transfers.post(transfers=[Transfer(id=uuid7(), kind="deposit", entries=entries)], now=now)

    def price(self, code: str, dollars: int) -> None:
        """What one coin is worth, as the price task would have fetched it."""
        now = timezone.now()
        known = {"price": Decimal(dollars), "as_of": now, "fetched_at": now, "source": "test"}
        Rate.objects.update_or_create(asset_id=assets.asset(code).id, defaults=known)

    def link_in_mail(self, to: str) -> str:
        """The first link of ours in the newest e-mail to somebody; the folder is shared, so the address must be a new one."""

        def look() -> str | None:
            for path in sorted(self.mail.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True):
                text = path.read_text().replace("=\n", "")
                found = re.search(r"http://\S+/accounts/\S+", text)
                if to in text and found:
                    return found[0]
            return None

        return str(self.wait(look))

    def ask_withdrawal(self, user_id: int, address: str, amount: str) -> WithdrawalView:
        """As if asked for over the API: it waits for its mail."""
        with override_settings(WITHDRAWAL_EMAIL_CONFIRMATION=True):
            return withdrawals.request(
                user_id=user_id, asset="BTC", network="bitcoin", address=address, amount=amount,
                idempotency_key=str(uuid7()), now=timezone.now(),
            )  # fmt: skip

    def withdrawal_link(self) -> str:
        """The path in the newest mail about a withdrawal. No worker runs here: the test delivers the outbox itself."""
        mailing.deliver(now=timezone.now())
        texts = "\n".join(message.body for message in mail.outbox)
        return str(re.findall(r"http://\S+?(/wallet/withdrawals/confirm/\S+)", texts)[-1])

    def import_public_keys(self) -> None:
        root = bip32.HDKey.from_seed(bytes(range(64)))
        listed = []
        for role, path in (("deposit", "m/84'/1'/0'"), ("hot", "m/84'/1'/1'")):
            xpub = root.derive(path).to_public().to_base58(b"\x04\x35\x87\xcf")
            listed.append({"network": "bitcoin", "role": role, "path": path, "xpub": xpub})
        document = {"version": 1, "fingerprint": "00000000", "chains": {"bitcoin": "regtest"}, "accounts": listed}
        xpubs.import_file(document=document, now=timezone.now())


@pytest.fixture(scope="session")
def static_files() -> None:
    """The pages' scripts and styles, built from what is in the tree now."""
    built, source = ROOT / "static" / "dist", ROOT / "static" / "src"
    newest = max(path.stat().st_mtime for path in source.rglob("*") if path.is_file())
    if not (built / "app.js").exists() or (built / "app.js").stat().st_mtime < newest:
        subprocess.run(["npm", "run", "build"], cwd=ROOT, check=True, capture_output=True, timeout=280)


@pytest.fixture(scope="module")
def exchange(
    browser: Browser,
    django_db_setup: Any,
    django_db_blocker: Any,
    static_files: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Exchange]:
    """One running exchange for a module's journeys; its database is made anew before and after."""
    with django_db_blocker.unblock():
        django_db_setup.dirty = True
        django_db_setup.renew()
        django_db_setup.point_django(django_db_setup.name)
        django_db_setup.dirty = True
        running = Exchange(tmp_path_factory.mktemp("exchange"))
        running.valkey.flushdb()
        try:
            running.start_web()
            running.start_engine()
            yield running
        finally:
            running.close()
            connections.close_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's synchronous door keeps an event loop in this thread; Django would take our set-up for code inside it, and
    # the tests of other files, too: so it ends with the file.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    command = programs.command("chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=command[0], args=[*command[1:], *BROWSER_FLAGS])
        yield opened
        opened.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Visitor:
    """A browser window, and everything it complained about."""

    def __init__(self, context: BrowserContext, url: str, apps: dict[str, App]) -> None:
        self.context, self.url, self.apps = context, url, apps
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(LASTING_TOASTS)
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message: Any) -> None:
        if message.type == "error" and "WebSocket" not in message.text:
            self.complaints.append(message.text)

    def goto(self, path: str) -> None:
        self.page.goto(self.url + path)

    def log_in(self, name: str) -> None:
        self.goto("/accounts/login/")
        self.page.get_by_label("Email").fill(f"{name}@example.com")
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Log in", exact=True).click()
        if name in self.apps:
            self.page.get_by_label("Code").fill(self.apps[name].code())
            self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Wallet").wait_for()

    def confirm(self, name: str, path: str) -> None:
        """Goes to a page that asks for the second factor again, and shows it."""
        self.goto(path)
        self.page.get_by_role("heading", name="Confirm it is you").wait_for()
        self.page.get_by_label("Code").fill(self.apps[name].code())
        self.page.get_by_role("button", name="Confirm").click()
        self.page.wait_for_url(f"**{path}")


@pytest.fixture
def visitor(browser: Browser, exchange: Exchange, django_db_blocker: Any) -> Iterator[Callable[..., Visitor]]:
    """Opens windows; at the end none of them may have met an error or been refused something by the security policy."""
    opened: list[Visitor] = []

    def open_window(**options: Any) -> Visitor:
        window = Visitor(browser.new_context(**options), exchange.url, exchange.apps)
        opened.append(window)
        return window

    with django_db_blocker.unblock():
        yield open_window
    for window in opened:
        window.context.close()
        assert window.complaints == []
