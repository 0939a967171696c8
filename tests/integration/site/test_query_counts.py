"""Every page and endpoint asks the database as often for twelve rows of everything as for one.

The addresses come from the URLconf, so a new one is measured by itself. What must never happen here: one left out because it
asks more.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone

from exchange.accounts.keys import services as keys
from exchange.accounts.models import Device, Export
from exchange.core.ids import uuid7
from exchange.invoices.services import invoices
from exchange.notifications.models import Announcement, AnnouncementText, Notification, PushDevice
from trading.api import views as trading
from wallets.models import Address, Deposit
from wallets.services import address_book as book
from wallets.services import addresses, withdrawals

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESSES = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry",
]  # fmt: skip
HOT = {"orders": trading.OrdersView}  # plain views in front of these; the lists are these
# Addresses whose GET is of nobody's rows, leads away, or is another tool's own.
OUTSIDE = re.compile(
    r"^(admin/|_allauth/|accounts/|hooks/|metrics$|favicon|api/v1/(docs|openapi\.json|orders/(oco|batch|cancel-after))$)"
)
FILLED = {"<str:symbol>": "BTC-USDT", "<str:asset>": "BTC"}


def routes(patterns: list[Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for each in patterns:
        if isinstance(each, URLResolver):
            found += routes(each.url_patterns, prefix + str(each.pattern))
        elif isinstance(each, URLPattern):
            found.append(prefix + str(each.pattern))
    return found


def measured() -> list[str]:
    paths = []
    for route in routes(get_resolver().url_patterns):
        path = route
        for part, value in FILLED.items():
            path = path.replace(part, value)
        if not re.search(r"[<^]", path) and not OUTSIDE.match(path):
            paths.append(path)
    return sorted(set(paths))


class Person:
    """Somebody who has more and more of everything."""

    def __init__(self, person: Any, owner: Any) -> None:
        self.person, self.owner, self.count = person, owner, 0
        self.address = Address.objects.get(
            address=addresses.deposit_address(
                user_id=person.user_id, asset="BTC", network="bitcoin", now=timezone.now()
            ).address
        )

    def grow(self, to: int) -> None:
        while self.count < to:
            self.count += 1
            self._one(self.count)

    def _one(self, number: int) -> None:
        user_id, now = self.person.user_id, timezone.now()
        for each, state in enumerate((1, 2)):  # open and filled
            with self.owner.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO trading_order (id, user_id, market_id, side, kind, time_in_force, price, lots, quote_units, "
                    "filled_lots, filled_quote, fee, state, reason, base_account, quote_account, created_at, updated_at, rank, "
                    "phase, held) VALUES (%s, %s, 1, 1, 1, 1, 5, 5, 0, 0, 0, 0, %s, '', 1, 2, now(), now(), 1, %s, 0)",
                    ((2 * number + each) * 1024, user_id, state, int(state == 1)),
                )
        with self.owner.cursor() as cursor:
            cursor.execute(
                "INSERT INTO trading_trade (id, market_id, price, lots, taker_side, maker_order_id, taker_order_id, maker_id, "
                "taker_id, buyer_fee, seller_fee, at) VALUES (%s, 1, 5, 5, 1, %s, 0, %s, 0, 0, 0, now())",
                (number * 1024, 2 * number * 1024, user_id),
            )
        Deposit.objects.create(
            network_id=1, asset_id=1, address=self.address, owner_id=user_id, position=str(number), amount=50_000,
            txid=f"{number:064x}", state="seen", confirmations_required=2, seen_at=now, replaceable=True,
        )  # fmt: skip
        wanted = {"asset": "BTC", "network": "bitcoin", "address": ADDRESSES[0], "amount": "0.001"}
        withdrawals.request(user_id=user_id, idempotency_key=str(uuid7()), now=now, **wanted)
        book.add(user_id=user_id, network="bitcoin", address=self._fresh(number), label=f"Wallet {number}", now=now)
        invoices.create(
            merchant_id=user_id, asset="BTC", network="bitcoin", amount="0.1", order_reference=f"o-{number}", now=now
        )
        Device.objects.create(
            user_id=user_id,
            secret_hash=f"{number:064x}",
            browser="x",
            address="192.0.2.1",
            first_seen_at=now,
            last_seen_at=now,
        )
        session = SessionStore()
        session.create()
        UserSession.objects.create(user_id=user_id, ip="192.0.2.1", session_key=session.session_key, user_agent="x")
        Notification.objects.create(user_id=user_id, event_id=10**9 + number, kind="x", title="x", created_at=now)
        PushDevice.objects.create(
            user_id=user_id,
            platform="fcm",
            token_hash=f"{number:064x}",
            token="x",
            label="x",
            session_hash="x",
            created_at=now,
        )
        made = Announcement.objects.create(slug=f"a-{number}", published_at=now, created_by=user_id, created_at=now)
        AnnouncementText.objects.create(announcement=made, language="en", title="x", summary="x", body="x")
        Export.objects.create(
            user_id=user_id,
            state=Export.State.READY,
            requested_at=now,
            ready_at=now,
            expires_at=now + timedelta(days=1),
        )

    @staticmethod
    def _fresh(number: int) -> str:
        """A good address that is nobody's here."""
        from embit import script
        from embit.networks import NETWORKS

        return str(script.Script(b"\x00\x14" + bytes([number]) * 20).address(NETWORKS["regtest"]))

    def asked(self, path: str) -> int:
        """How many queries a GET of it takes, once what is remembered between requests is remembered."""
        show = self._answer(path)
        show()
        with CaptureQueriesContext(connection) as asked:
            answer = show()
        assert answer.status_code in (200, 302, 405, 503), (path, answer.status_code)
        return len(asked)

    def _answer(self, path: str) -> Callable[[], Any]:
        if not path.startswith("api/v1/"):
            return lambda: self.person.get(f"/{path}")
        view: Any = inspect.unwrap(resolve(f"/{path}").func)
        if (hot := HOT.get(path.removeprefix("api/v1/"))) is not None:
            view = hot.as_view()
        cookie = {settings.SESSION_COOKIE_NAME: self.person.browser.cookies[settings.SESSION_COOKIE_NAME].value}

        def show() -> Any:
            request = RequestFactory().get(f"/{path}")
            request.COOKIES.update(cookie)
            return view(request, **resolve(f"/{path}").kwargs)

        return show


def test_queries_do_not_grow_with_rows(
    person: Any, public_keys: None, prices: None, owner_connection: Any, settings: Any
) -> None:
    settings.CREDENTIAL_PAUSE_H = 0
    from tests.integration.site.conftest import fund

    found = person("anna")
    fund(found.user_id, 1, 10**9)
    rows = Person(found, owner_connection)
    paths = measured()
    assert len(paths) > 40
    rows.grow(1)
    keys.create(user_id=found.user_id, label="x", kind="hmac", now=timezone.now())
    few = {path: rows.asked(path) for path in paths}
    rows.grow(12)
    for _ in range(11):
        keys.create(user_id=found.user_id, label="x", kind="hmac", now=timezone.now())
    many = {path: rows.asked(path) for path in paths}
    assert {path: (few[path], many[path]) for path in paths if many[path] > few[path]} == {}
    assert sum(few.values()) > 100
