"""The pages as a browser without scripts sees them: what they show, whom they let in, how they fail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from exchange.core.errors import Conflict
from exchange.site import errors
from exchange.site.selectors import markets
from wallets.models import Health

pytestmark = pytest.mark.django_db

PUBLIC = [
    "/",
    "/markets/",
    "/trade/BTC-USDT/",
    "/status/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
]
PRIVATE = [
    "/wallet/",
    "/wallet/live/",
    "/wallet/deposit/BTC/",
    "/wallet/deposit/BTC/live/",
    "/wallet/withdraw/BTC/",
    "/wallet/addresses/",
    "/wallet/worth/",
    "/wallet/bank/",
    "/wallet/statements/",
    "/wallet/statements/live/",
    "/wallet/history/",
    "/wallet/history/?kind=deposits",
    "/wallet/history/?kind=withdrawals",
    "/wallet/history/?kind=bank",
    "/account/fees/",
    "/wallet/history/?kind=trades",
    "/orders/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/account/security/",
    "/account/log-ins/",
    "/account/mail-code/",
    "/account/export/",
    "/account/close/",
    "/account/verification/",
]
REFERENCE = re.compile(r"Reference <code>([0-9A-F]{10})</code>")


@pytest.mark.parametrize("path", PUBLIC)
def test_anybody_may_look_at(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert text.count("<h1") == 1
    assert '<a class="skip" href="#main">' in text and 'aria-live="polite"' in text


@pytest.mark.parametrize("path", PRIVATE)
def test_a_customers_pages_ask_strangers_to_log_in(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/")


@pytest.mark.parametrize("path", PRIVATE)
def test_a_customer_may_look_at(alice: Any, path: str) -> None:
    assert alice.get(path).status_code == 200


@pytest.mark.parametrize("path", [*PUBLIC, "/wallet/", "/no/such/page/"])
def test_the_policy_allows_no_inline_script_or_style(alice: Any, path: str) -> None:
    policy = alice.get(path)["Content-Security-Policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";") if " " in part.strip())
    assert rules["script-src"] == "'self'" and rules["style-src"] == "'self'" and rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy


def test_the_first_market_opens_and_a_lower_case_address_finds_its_market(client: Client) -> None:
    assert client.get("/trade/")["Location"] == "/trade/BTC-USDT/"
    assert client.get("/trade/btc-usdt/")["Location"] == "/trade/BTC-USDT/"


def test_an_unknown_market_is_a_page_that_names_the_error(client: Client) -> None:
    answer = client.get("/trade/DOGE-USDT/")
    assert answer.status_code == 404
    text = answer.content.decode()
    assert "market_not_found" in text and REFERENCE.search(text)


def test_a_page_that_is_not_there_shows_a_reference_that_the_answer_carries_too(client: Client) -> None:
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    found = REFERENCE.search(answer.content.decode())
    assert found and answer["X-Reference"] == found[1]


def test_a_defect_shows_a_page_without_its_insides(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(**_: Any) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(markets, "board", break_down)
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    text = answer.content.decode()
    assert "secret of the house" not in text and "Traceback" not in text and REFERENCE.search(text)


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (Conflict("The book was closed a moment ago."), 409, "The book was closed a moment ago."),
        (OperationalError("connection refused at 10.0.0.7"), 503, "Your money is not affected"),
    ],
)
def test_what_the_rooms_beneath_refuse_becomes_a_page(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, shown: str
) -> None:
    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(markets, "board", refuse)
    answer = client.get("/markets/")
    assert answer.status_code == status
    text = answer.content.decode()
    assert shown in text and "10.0.0.7" not in text


def test_too_many_wrong_passwords_end_in_a_page_that_says_to_wait(client: Client, valkey: Any) -> None:
    answers = [
        client.post("/accounts/login/", {"login": f"nobody{turn}@example.com", "password": "wrong wrong wrong"})
        for turn in range(45)
    ]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    text = answers[-1].content.decode()
    assert "That was a bit too often" in text and REFERENCE.search(text)
    locked = errors.locked_out(answers[0].wsgi_request, None, {})
    assert locked.status_code == 429 and "log_in_locked" in locked.content.decode()


def test_a_form_without_its_token_gets_a_page_that_says_what_to_do(newcomer: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = newcomer.browser.cookies
    answer = strict.post("/orders/1/cancel/")
    assert answer.status_code == 403
    assert "csrf_failed" in answer.content.decode()


def test_an_empty_account_says_what_to_do_next(newcomer: Any) -> None:
    text = newcomer.get("/wallet/").content.decode()
    assert "Three steps to your first trade" in text
    assert "/wallet/deposit/BTC/" in text
    assert "No open orders" in newcomer.get("/orders/").content.decode()
    assert "Nothing has moved yet" in newcomer.get("/wallet/history/").content.decode()
    assert "No deposits yet" in newcomer.get("/wallet/history/?kind=deposits").content.decode()
    assert "No bank transfer yet" in newcomer.get("/wallet/bank/").content.decode()
    assert "No statement yet" in newcomer.get("/wallet/statements/").content.decode()


def test_balances_are_printed_to_the_last_digit_and_the_guide_is_gone(alice: Any) -> None:
    text = alice.get("/wallet/").content.decode()
    assert "Three steps" not in text
    assert re.search(r"<strong>BTC</strong>.*?<td class=\"right num\">2</td>", text, re.DOTALL)
    assert re.search(r"<strong>USDT</strong>.*?<td class=\"right num\">1,000</td>", text, re.DOTALL)
    assert "$2,000.00" in text
    assert "Without USDT: no price is known." in text


def test_a_network_that_does_not_answer_is_said_on_the_wallet_and_the_status_page(alice: Any) -> None:
    assert "wait and go on by themselves" in alice.get("/wallet/").content.decode()
    status = alice.get("/status/").content.decode()
    assert "Some parts are not well" in status and "Matching is down" in status


@pytest.mark.parametrize(
    ("checked_s", "error", "word"),
    [(5, "", ""), (5, "connection refused", "The node is not answering"), (900, "", "Nobody looked at it for a while")],
)
def test_the_status_page_tells_a_node_that_is_down_from_a_watcher_that_is(
    alice: Any, checked_s: int, error: str, word: str
) -> None:
    checked = timezone.now() - timedelta(seconds=checked_s)
    for network_id in (1, 2, 3):
        Health.objects.create(
            network_id=network_id,
            tip_height=100,
            checked_at=checked,
            last_ok_at=None if error else checked,
            last_error=error,
            failing_since=checked if error else None,
        )
    status, wallet = (alice.get(path).content.decode() for path in ("/status/", "/wallet/"))
    assert (word in status) if word else ("The node is not answering" not in status and "Nobody looked" not in status)
    assert ("wait and go on by themselves" in wallet) is bool(word)


def test_the_theme_that_was_chosen_is_printed_and_a_strange_one_is_not(client: Client) -> None:
    client.cookies["theme"] = "dark"
    assert '<html lang="en" dir="ltr" data-theme="dark">' in client.get("/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert '<html lang="en" dir="ltr">' in client.get("/").content.decode()


def test_a_deposit_address_is_the_customers_own_and_stays(alice: Any, person: Any) -> None:
    shown = [_address(each.get("/wallet/deposit/BTC/")) for each in (alice, alice, person("bob"))]
    assert shown[0] == shown[1] != shown[2]
    assert shown[0].startswith("bcrt1q")
    text = alice.get("/wallet/deposit/BTC/").content.decode()
    assert 'class="qr"' in text and "2 confirmations" in text


def test_a_token_is_explained_as_one_and_an_asset_that_is_not_there_is_a_404(alice: Any) -> None:
    assert alice.get("/wallet/deposit/DOGE/").status_code == 404
    assert alice.get("/wallet/deposit/BTC/?network=litecoin").status_code == 404
    assert "Ethereum network" in alice.get("/wallet/deposit/ETH/").content.decode()


def _address(answer: Any) -> str:
    return re.search(r'id="deposit-address"[^>]*>([^<]+)<', answer.content.decode())[1]
