"""Nobody reads or touches what is another's: every address, page and channel, walked by a second account.

Alice has one of everything. Mallory knows all her ids, has an account, an API key and a browser of her own, and asks for
everything that the URLconf knows. Before and after, every row of Alice's in every table is the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from exchange.accounts.models import Device, Export, User
from exchange.assets.models import Rate
from exchange.fiat.services import deposits as bank_deposits
from exchange.notifications.models import Notification, PushDevice
from exchange.site.services import statements
from kyc.services import levels
from tests.factors import BACKEND
from tests.integration.api import walls
from tests.integration.api.bots import bot, remembering
from tests.integration.api.conftest import ANSWER_S, Customer, Exchange
from tests.integration.api.test_api_door import browser
from tests.integration.api.test_api_schemathesis import give_addresses
from tests.integration.api.test_api_websocket import opened
from tests.verification import picture
from trading.marketdata import channels
from wallets.models import Deposit
from wallets.services import withdrawals

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
HER_OWN = {"test_no_channel_tells_what_is_anothers", "test_her_own_is_there"}  # in these Alice acts herself
OWNERS = ("user_id", "owner_id", "merchant_id", "customer_id")


def routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    """Every address of the URLconf, in words."""
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, prefix + str(each.pattern))
        elif isinstance(each, URLPattern):
            yield prefix + str(each.pattern)


ROUTES = sorted(set(routes(get_resolver().url_patterns)))
OURS = [route for route in ROUTES if not route.startswith("admin/") and not route.endswith("^.*$")]
VARYING = [route for route in OURS if re.search(r"[<^]", route)]


def test_every_address_with_an_id_in_it_is_classified() -> None:
    known = {*walls.OBJECTS, *walls.PUBLIC, *walls.TOKENS}
    assert set(VARYING) - known == set(), "say in walls.py whose id it is"
    assert known - set(VARYING) == set()


class Alice:
    """The one who has everything, and Mallory, who knows it."""

    def __init__(self, trading: Exchange) -> None:
        remembering(trading)
        self.exchange = trading
        self.customer, self.mallory = trading.customer("alice"), trading.customer("mallory")
        self.browser = browser(trading, self.mallory.email)
        self.own_browser = browser(trading, self.customer.email)
        self.program = bot(self.mallory, trade=True, withdraw=True, networks=("127.0.0.0/16",))
        give_addresses()
        now = timezone.now()
        values = {"price": Decimal(100), "as_of": now, "fetched_at": now, "source": "test"}
        Rate.objects.update_or_create(asset_id=1, defaults=values)
        trading.fund(self.customer, 1, 10 * 10**8)
        trading.fund(self.mallory, 1, 10**8)
        self.ids = self._objects()

    def _objects(self) -> dict[str, str]:
        alice, now = self.customer, timezone.now()

        def made(path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
            answer = alice.post(path, body, headers=headers)
            assert answer.status_code in (200, 201), (path, answer.text)
            return dict(answer.json())

        order = {"market": "BTC-USDT", "side": "sell", "type": "limit", "price": "61000", "quantity": "0.5"}
        address = made("deposit-addresses", {"asset": "BTC", "network": "bitcoin"})["address"]
        withdrawal = {"asset": "BTC", "network": "bitcoin", "address": ADDRESS, "amount": "0.1"}
        listed = {"network": "bitcoin", "address": ADDRESS, "label": "alices-own-wallet"}
        invoice = {"asset": "BTC", "network": "bitcoin", "amount": "0.5", "order_reference": "alices-order"}
        levels.assign(user_id=alice.user_id, level=1, reason="test", actor_id=None, now=now)
        application = made("kyc/applications", {"level": 2})["id"]
        sent = alice.call(
            "POST", f"kyc/applications/{application}/pictures?kind=selfie", data=picture(),
            headers={"Content-Type": "image/jpeg"},
        )  # fmt: skip
        assert sent.status_code == 201, sent.text
        deposit = Deposit.objects.create(
            network_id=1, asset_id=1, address_id=self._address_row(address), owner_id=alice.user_id, position="0",
            amount=50_000_000, txid="4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", state="seen",
            confirmations_required=2, seen_at=now, replaceable=True,
        )  # fmt: skip
        levels.assign(user_id=alice.user_id, level=4, reason="test", actor_id=None, now=now)
        session = UserSession.objects.filter(user_id=alice.user_id).first() or UserSession.objects.create(
            user_id=alice.user_id, ip="192.0.2.1", session_key="alices-session", user_agent="Alices"
        )
        device = Device.objects.filter(user_id=alice.user_id).first() or Device.objects.create(
            user_id=alice.user_id,
            secret_hash="0" * 64,
            browser="Alices",
            address="192.0.2.1",
            first_seen_at=now,
            last_seen_at=now,
        )
        export = Export.objects.create(
            user_id=alice.user_id,
            state=Export.State.READY,
            requested_at=now,
            ready_at=now,
            expires_at=now + timedelta(days=1),
        )
        found = {
            "order": str(made("orders", {**order, "client_order_id": "alices-1"})["id"]),
            "client_order": made("orders", {**order, "client_order_id": "alices-2"})["client_order_id"],
            "withdrawal": str(withdrawals.request(user_id=alice.user_id, idempotency_key="alices", now=now, **withdrawal).id),
            "entry": str(made("withdrawal-addresses", listed)["id"]),
            "invoice": made("invoices", invoice)["id"],
            "key": bot(alice, label="alices-bot").key_id,
            "deposit": str(deposit.id), "application": str(application), "document": sent.json()["pictures"][0]["id"],
            "session": str(session.pk), "device": str(device.pk), "export": str(export.pk),
            "address": address,
        }  # fmt: skip
        # Without signals: a new factor would end her other log-ins.
        passkey = Authenticator(
            user_id=alice.user_id, type="webauthn", data={"name": "alices-passkey", "credential": {}}
        )
        Authenticator.objects.bulk_create([passkey])
        push = PushDevice.objects.create(
            user_id=alice.user_id, platform="fcm", token_hash="0" * 64, token="alices-phone", label="alices-phone",
            session_hash="0" * 64, created_at=now,
        )  # fmt: skip
        line = Notification.objects.create(
            user_id=alice.user_id, event_id=10**9, kind="test", title="alices-news", created_at=now
        )
        bank = bank_deposits.announce(user_id=alice.user_id, amount="900", now=now)
        statement = statements.request(
            user_id=alice.user_id, format="csv", asset="", since=now.date(), until=now.date(), language="en", now=now
        )
        return {
            **found, "passkey": str(passkey.pk), "push_device": str(push.pk), "notification": str(line.pk),
            "bank": str(bank.id), "statement": str(statement),
        }  # fmt: skip

    @staticmethod
    def _address_row(address: str) -> int:
        from wallets.models import Address

        return int(Address.objects.get(address=address).pk)

    @property
    def marks(self) -> list[str]:
        """What must stand in no answer to Mallory."""
        told = [self.customer.email, "alices-", *(value for value in self.ids.values() if len(value) > 12)]
        return [*told, f'"id":{self.ids["order"]}']

    def rows(self) -> dict[str, str]:
        """A digest of everything of Alice's, table by table."""
        found: dict[str, str] = {}
        with self.exchange.owner.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, column_name FROM information_schema.columns JOIN pg_class ON relname = table_name AND "
                "relkind IN ('r', 'p') AND NOT relispartition WHERE table_schema = 'public' AND column_name = ANY(%s)",
                (list(OWNERS),),
            )
            for table, column in cursor.fetchall():
                cursor.execute(
                    f"SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') FROM {table} t WHERE {column} = %s",
                    (self.customer.user_id,),
                )
                found[f"{table}.{column}"] = hashlib.sha256(cursor.fetchone()[0].encode()).hexdigest()
        return found


@pytest.fixture(scope="module")
def alice(trading: Exchange) -> Alice:
    return Alice(trading)


@pytest.fixture(autouse=True)
def untouched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test here does, Alice's rows are what they were."""
    if "alice" not in request.fixturenames or request.node.originalname in HER_OWN:
        yield
        return
    alice: Alice = request.getfixturevalue("alice")
    before = alice.rows()
    assert len(before) > 15
    yield
    after = alice.rows()
    assert {table for table in before if before[table] != after.get(table)} == set()


def send(
    session: requests.Session | Customer, url: str, method: str, path: str, body: Any, *, form: bool
) -> requests.Response:
    options: dict[str, Any] = {"timeout": ANSWER_S, "allow_redirects": False}
    if isinstance(body, bytes):
        options |= {"data": picture(), "headers": {"Content-Type": "image/jpeg"}}
    elif form and method == "POST":
        options |= {"data": body}
    elif body is not None:
        options |= {"json": body}
    if isinstance(session, Customer):
        options.pop("timeout")
        return session.call(method, path.removeprefix("api/v1/"), **options)
    headers = {"X-CSRFToken": session.cookies.get("csrftoken", ""), **options.pop("headers", {})}
    return session.request(method, f"{url}/{path}", headers=headers, **options)


@pytest.mark.parametrize("route", sorted(walls.OBJECTS))
def test_an_object_of_anothers_is_not_there(alice: Alice, route: str) -> None:
    path, asked = walls.OBJECTS[route]
    path = path.format(**alice.ids)
    api = route.startswith("api/")
    for method, body in asked:
        for session in (alice.mallory, alice.browser) if api else (alice.browser,):
            answer = send(session, alice.exchange.url, method, path, body, form=not api)
            if api:
                assert answer.status_code == 404, (method, path, answer.text[:300])
            else:
                assert answer.status_code in (302, 403, 404), (method, path, answer.status_code)
            shown = answer.text.replace(path, "")
            assert [mark for mark in alice.marks if mark in shown and mark not in path] == [], (method, path)


@pytest.mark.parametrize("route", [route for route in sorted(walls.OBJECTS) if route.startswith("api/")])
def test_nor_for_a_program_of_anothers(alice: Alice, route: str) -> None:
    path, asked = walls.OBJECTS[route]
    path = path.format(**alice.ids).removeprefix("api/v1/")
    for method, body in asked:
        if not isinstance(body, bytes):
            answer = alice.program.call(method, path, body)
            assert answer.status_code in (403, 404), (method, path, answer.text[:300])
            if answer.status_code == 403:
                assert answer.json()["error"]["code"] in ("key_not_allowed", "scope_missing")


@pytest.mark.parametrize("route", [route for route in OURS if route not in VARYING and route not in walls.NOT_ASKED])
def test_no_list_page_or_answer_shows_what_is_anothers(alice: Alice, route: str) -> None:
    answer = send(alice.browser, alice.exchange.url, "GET", route, None, form=True)
    assert answer.status_code < 500, (route, answer.status_code)
    assert [mark for mark in alice.marks if mark in answer.text] == [], route
    if route.startswith("api/v1/"):
        answer = alice.mallory.get(route.removeprefix("api/v1/"))
        assert [mark for mark in alice.marks if mark in answer.text] == [], route
    if route.startswith("_allauth/"):
        answer = requests.get(
            f"{alice.exchange.url}/{route}", headers={"X-Session-Token": alice.mallory.token}, timeout=ANSWER_S
        )
        assert [mark for mark in alice.marks if mark in answer.text] == [], route


@pytest.mark.parametrize("stranger", [True, False])
def test_what_a_batch_or_a_message_names_is_anothers_as_well(alice: Alice, stranger: bool) -> None:
    order, own = int(alice.ids["order"]), alice.ids["client_order"]
    commands = [{"op": "cancel", "order_id": order}, {"op": "amend", "order_id": order, "quantity": "0.1"},
                {"op": "cancel", "client_order_id": own}]  # fmt: skip
    if stranger:
        for answer in (
            alice.mallory.post("orders/batch", {"orders": commands}),
            alice.program.post("orders/batch", {"orders": commands}),
        ):
            assert {item["error"]["code"] for item in answer.json()["data"]} == {"order_not_found"}
        return
    with opened(alice.exchange, token=alice.mallory.token) as reader:
        reader.read()
        for number, command in enumerate(commands):
            reader.send(**command, id=number)
            assert reader.until(lambda m, n=number: m.get("id") == n)["error"]["code"] == "order_not_found"
        reader.send(op="cancel_all", id="all")
        assert reader.until(lambda m: m.get("id") == "all")["cancelled"] == 0


def test_the_filter_of_a_list_reaches_nobody_elses(alice: Alice) -> None:
    for path in (f"fills?order_id={alice.ids['order']}", f"orders/history?cursor={int(alice.ids['order']) + 1}",
                 f"deposits?cursor={alice.ids['deposit']}", f"withdrawals?cursor={alice.ids['withdrawal']}",
                 f"invoices?cursor={alice.ids['invoice']}", f"kyc/applications?cursor={alice.ids['application']}"):  # fmt: skip
        answer = alice.mallory.get(path)
        assert answer.json().get("data", []) == [], path


def test_no_channel_tells_what_is_anothers(alice: Alice) -> None:
    """Each private channel there is, by its name and by names that Mallory makes up; then Alice trades."""
    with opened(alice.exchange, token=alice.mallory.token) as reader:
        reader.read()
        for kind in sorted(channels.PRIVATE):
            for name in (
                f"{kind}:{alice.customer.user_id}",
                f"{kind}:{alice.customer.email}",
                f"user:{alice.customer.user_id}",
            ):
                reader.send(op="subscribe", channels=[name], id=name)
                assert reader.until(lambda m, n=name: m.get("id") == n)["error"]["code"] == "channel_invalid"
        reader.subscribe(*sorted(channels.PRIVATE))
        seen = [json.dumps(reader.until(lambda m: m["type"] == "snapshot")) for _ in channels.PRIVATE]
        with opened(alice.exchange, token=alice.customer.token) as own:
            own.read()
            own.subscribe("orders")
            own.of("orders", "snapshot")
            placed = {"market": "BTC-USDT", "side": "sell", "type": "limit", "price": "62000", "quantity": "0.1"}
            own.send(op="place", id=1, **placed, client_order_id="alices-3")
            order = own.until(lambda m: m.get("id") == 1)["order"]["id"]
            own.send(op="cancel", id=2, order_id=order)
            own.until(lambda m: m.get("id") == 2)
        reader.send(op="ping", id="end")
        while (message := reader.read()).get("id") != "end":
            seen.append(json.dumps(message))
        assert [mark for mark in alice.marks for text in seen if mark in text] == []


@pytest.mark.parametrize("route", [route for route in sorted(walls.OBJECTS, reverse=True) if route.startswith("api/")])
def test_her_own_is_there(alice: Alice, route: str) -> None:
    """The same requests as before, by whom they are for: so it was not their form that was refused. Runs last."""
    path, asked = walls.OBJECTS[route]
    for method, body in asked:
        answer = send(alice.customer, alice.exchange.url, method, path.format(**alice.ids), body, form=False)
        assert answer.status_code not in (401, 404, 405, 415), (method, path, answer.text[:300])
        if method == "DELETE":
            return


@pytest.mark.django_db
def test_the_back_office_is_closed_to_customers() -> None:
    from exchange.accounts.services import customers

    user_id = customers.open(email="c@example.com", password="x" * 20, email_verified=True, now=timezone.now())
    client = Client()
    client.force_login(User.objects.get(pk=user_id), backend=BACKEND)
    asked = 0
    for route in ROUTES:
        if not route.startswith("admin/"):
            continue
        path = "/" + re.sub(r"<(?:\w+:)?\w+>", "1", route).replace("(?P<url>.*)$", "x").replace("^", "").replace(
            "$", ""
        )
        path = re.sub(r"\(\?P<\w+>[^)]*\)", "1", path)
        for method in (client.get, client.post):
            answer = method(path)
            assert answer.status_code in (302, 403, 404, 405), (path, answer.status_code)
            if answer.status_code == 302:
                where = answer["Location"]
                assert (
                    "/accounts/" in where or "/admin/login" in where or where == "/" or where.startswith("/admin/")
                ), where
            asked += 1
    assert asked > 200
