"""What a customer does in the pages: sign up, get an address, place and cancel orders, watch the market, withdraw."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.factors import App
from tests.journeys.conftest import PASSWORD
from wallets import selectors as wallets
from wallets.services import confirming

pytestmark = [pytest.mark.browser]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
THEIRS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def order(window: Any, *, side: str, price: str, amount: str) -> None:
    page = window.page
    page.get_by_role("button", name=side, exact=True).click()
    page.get_by_label("Price", exact=True).fill(price)
    page.get_by_label("Amount", exact=True).fill(amount)
    page.get_by_role("button", name=f"{side} BTC").click()


def live(window: Any, symbol: str = "BTC-USDT") -> None:
    window.goto(f"/trade/{symbol}/")
    expect(window.page.locator("[data-live-state]")).to_have_text("Live")


def test_somebody_signs_up_confirms_the_mail_and_is_told_what_to_do_next(
    exchange: Any, visitor: Callable[..., Any]
) -> None:
    window = visitor()
    page = window.page
    window.goto("/")
    page.get_by_role("link", name="Create an account").first.click()
    email = f"new-{uuid4().hex[:12]}@example.com"
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill("a few unrelated words")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Look in your inbox")).to_be_visible()
    page.goto(exchange.link_in_mail(email))
    page.get_by_role("button", name="Yes, confirm").click()
    if "/accounts/login/" in page.url:
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password", exact=True).fill("a few unrelated words")
        page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", name="Wallet")).to_be_visible()
    expect(page.get_by_text("Three steps to your first trade")).to_be_visible()


def test_a_password_that_is_too_simple_is_refused_beside_its_field(visitor: Callable[..., Any]) -> None:
    window = visitor()
    window.goto("/accounts/signup/")
    window.page.get_by_label("Email").fill("simple@example.com")
    window.page.get_by_label("Password", exact=True).fill("1234567890")
    window.page.get_by_role("button", name="Create account").click()
    expect(window.page.locator(".errorlist")).to_contain_text("too common")
    window.complaints.clear()  # the browser reports the 4xx of the form itself, where it is one


def test_a_deposit_address_is_shown_with_its_code_on_a_phone(exchange: Any, visitor: Callable[..., Any]) -> None:
    exchange.import_public_keys()
    exchange.customer("dora")
    window = visitor(**PHONE)
    window.log_in("dora")
    page = window.page
    page.get_by_role("link", name="Deposit BTC").first.click()
    address = page.locator("#deposit-address")
    expect(address).to_have_text(re.compile(r"^bcrt1q[0-9a-z]{38}$"))
    expect(page.locator(".qr-tile svg")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_people_trade_and_each_sees_it_happen_without_reloading(exchange: Any, visitor: Callable[..., Any]) -> None:
    exchange.customer("alice", usdt=10_000 * 10**6)
    exchange.customer("bob", btc=10**8)
    alice, bob = visitor(), visitor()
    alice.log_in("alice")
    bob.log_in("bob")
    live(alice)
    live(bob)
    order(alice, side="Buy", price="60000", amount="0.1")
    expect(alice.page.locator(".toast")).to_contain_text("on the book")
    expect(alice.page.locator("[data-open] tr")).to_have_count(1)
    expect(alice.page.locator("[data-available]")).to_have_text("4,000 USDT")
    expect(bob.page.locator("[data-bids] .level").first).to_contain_text("60,000.00")
    expect(alice.page.locator("[data-bids] .level[data-mine]")).to_have_count(1)

    bob.page.get_by_role("button", name="Sell", exact=True).click()
    bob.page.locator("[data-bids] .level").first.click()
    bob.page.get_by_label("Amount", exact=True).fill("0.04")
    expect(bob.page.locator("[data-get]")).to_have_text("2,395.2 USDT")  # 2,400 less the taker's 0.2%
    bob.page.get_by_role("button", name="Sell BTC").click()
    expect(bob.page.locator(".toast").first).to_contain_text("filled")
    for window in (alice, bob):
        expect(window.page.locator("[data-tape] li").first).to_contain_text("60,000.00")
        expect(window.page.locator("[data-last-figure]")).to_have_text("60,000.00")
    expect(bob.page.locator("[data-available]")).to_have_text("0.96 BTC")
    expect(alice.page.locator("[data-open] tr").first).to_contain_text("0.04")

    alice.page.get_by_role("button", name=re.compile("^Cancel order")).click()
    expect(alice.page.locator("[data-open] tr")).to_have_count(0)
    expect(alice.page.locator("[data-available]")).to_have_text("7,600 USDT")
    alice.page.get_by_role("tab", name="Your trades").click()
    expect(alice.page.locator("[data-fills] tr")).to_contain_text(["0.00004 BTC"])  # the maker's 0.1% of 0.04


def test_a_wrong_order_is_explained_beside_the_field_and_holds_nothing(
    exchange: Any, visitor: Callable[..., Any]
) -> None:
    exchange.customer("carl", usdt=100 * 10**6)
    window = visitor()
    window.log_in("carl")
    live(window)
    order(window, side="Buy", price="50000", amount="1")
    expect(window.page.locator(".field-error:visible")).to_have_count(1)
    order(window, side="Buy", price="50000.001", amount="0.001")
    expect(window.page.locator('[data-error="price"]')).to_be_visible()
    expect(window.page.locator("[data-available]")).to_have_text("100 USDT")
    window.complaints[:] = [each for each in window.complaints if "400" not in each]


def test_a_stop_limit_waits_a_post_only_order_never_takes_and_one_click_cancels_both(
    exchange: Any, visitor: Callable[..., Any]
) -> None:
    exchange.customer("ada", usdt=10_000 * 10**6, btc=10**8)
    window = visitor()
    window.log_in("ada")
    live(window)
    page = window.page
    order(window, side="Sell", price="61000", amount="0.1")
    expect(page.locator("[data-open] tr")).to_have_count(1)
    page.locator("[data-more] summary").click()
    page.get_by_label("Post only: never take from the book").check()
    order(window, side="Buy", price="61000", amount="0.1")
    expect(page.locator('[data-error=""]')).to_have_text("This order would trade at once, and it is to be post-only.")
    order(window, side="Buy", price="50000", amount="0.01")
    expect(page.locator("[data-open] tr")).to_have_count(2)

    page.get_by_role("button", name="Conditional", exact=True).click()
    page.get_by_label("Condition").select_option("stop_limit")
    expect(page.get_by_label("Post only: never take from the book")).to_be_hidden()
    page.get_by_label("Limit price", exact=True).fill("70100")
    page.get_by_label("Amount", exact=True).fill("0.01")
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.locator('[data-error="stop_price"]')).to_have_text("Enter a stop price.")
    page.get_by_label("Stop price", exact=True).fill("70000")
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.locator(".toast").last).to_contain_text("for 70,000.00")
    expect(page.locator("[data-open] tr").first).to_contain_text("70,000.00 → 70,100.00")
    expect(page.locator("[data-available]")).to_have_text("8,799 USDT")

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator("[data-open] tr")).to_have_count(0)
    expect(page.locator("[data-available]")).to_have_text("10,000 USDT")
    window.complaints[:] = [each for each in window.complaints if "409" not in each]


def test_a_lost_connection_is_shown_and_heals_by_itself(exchange: Any, visitor: Callable[..., Any]) -> None:
    exchange.customer("erin", usdt=1_000 * 10**6)
    window = visitor()
    window.log_in("erin")
    live(window)
    exchange.stop("web")
    expect(window.page.locator("[data-live-state]")).to_have_text("Reconnecting…")
    exchange.start_web()
    expect(window.page.locator("[data-live-state]")).to_have_text("Live")
    order(window, side="Buy", price="1000", amount="0.01")
    expect(window.page.locator("[data-open] tr")).to_have_count(1)
    window.complaints[:] = [each for each in window.complaints if "ERR_CONNECTION" not in each]


def test_a_gap_in_the_book_is_noticed_and_mended(exchange: Any, visitor: Callable[..., Any]) -> None:
    exchange.customer("gina", usdt=1_000 * 10**6)
    window = visitor()
    lost: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []

    def lose_the_first_update(socket: Any) -> None:
        server = socket.connect_to_server()

        def to_the_page(message: str) -> None:
            news = json.loads(message)
            if news.get("channel") == "book:BTC-USDT" and news["type"] == "update" and not lost:
                lost.append(news)
                return
            socket.send(message)

        def to_the_server(message: str) -> None:
            asked.append(json.loads(message))
            server.send(message)

        server.on_message(to_the_page)
        socket.on_message(to_the_server)

    window.log_in("gina")
    window.page.route_web_socket("**/ws/", lose_the_first_update)
    live(window)
    order(window, side="Buy", price="2000", amount="0.01")
    expect(window.page.locator("[data-open] tr")).to_have_count(1)
    levels = window.page.locator("[data-bids]")
    assert "2,000.00" not in levels.inner_text()
    order(window, side="Buy", price="2001", amount="0.01")
    expect(levels).to_contain_text("2,001.00")
    expect(levels).to_contain_text("2,000.00")
    assert lost and {"op": "unsubscribe", "channels": ["book:BTC-USDT"]} in [
        {key: value for key, value in each.items() if key != "id"} for each in asked
    ]


def test_a_withdrawal_needs_no_script_but_the_link_in_the_mail(exchange: Any, visitor: Callable[..., Any]) -> None:
    user_id = exchange.customer("frida", btc=10**8)
    exchange.price("BTC", 1_000)
    window = visitor(java_script_enabled=False)
    window.log_in("frida")
    page = window.page
    page.get_by_role("link", name="Withdraw BTC").first.click()
    expect(page.get_by_text("No second factor yet.")).to_be_visible()
    page.get_by_role("link", name="Set up an app").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Code that the app shows").fill(App(page.locator("#totp-secret").inner_text()).code())
    page.get_by_role("button", name="Switch it on").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them, go on").click()
    page.get_by_label("Send to").fill(THEIRS)
    page.get_by_label("Amount that should arrive").fill("0.2")
    page.get_by_role("button", name="Look it over").click()
    expect(page.get_by_role("heading", name="Is this right?")).to_be_visible()
    expect(page.locator(".facts .total")).to_contain_text("0.2001 BTC")
    assert wallets.withdrawals(user_id) == []
    page.get_by_role("button", name="Withdraw 0.2 BTC").click()
    expect(page.locator("#withdrawal").get_by_text("Look into your e-mail")).to_be_visible()
    assert [(each.amount, each.state) for each in wallets.withdrawals(user_id)] == [(20_000_000, "requested")]

    phone = visitor(**PHONE, java_script_enabled=False)  # where the mail is read, nobody is logged in
    phone.goto(exchange.withdrawal_link())
    expect(phone.page.get_by_role("heading", name="Let these coins leave?")).to_be_visible()
    expect(phone.page.get_by_text(THEIRS)).to_be_visible()
    assert [each.state for each in wallets.withdrawals(user_id)] == ["requested"]
    phone.page.get_by_role("button", name="Confirm, send 0.2 BTC").click()
    expect(phone.page.get_by_role("heading", name="Confirmed")).to_be_visible()
    assert [each.state for each in wallets.withdrawals(user_id)] == ["approved"]


def test_a_withdrawals_page_follows_by_itself_and_by_keyboard(exchange: Any, visitor: Callable[..., Any]) -> None:
    user_id = exchange.customer("greta", btc=10**8)
    exchange.price("BTC", 1_000)
    view = exchange.ask_withdrawal(user_id, THEIRS, "0.1")
    window = visitor(**PHONE)
    window.log_in("greta")
    window.goto(f"/wallet/withdrawals/{view.id}/")
    page = window.page
    expect(page.locator("#withdrawal").get_by_text("Look into your e-mail")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    confirming.confirm(token=exchange.withdrawal_link().split("/")[-2], now=timezone.now())
    expect(page.locator(".step-now")).to_contain_text("Signed", timeout=30_000)
    expect(page.locator("#withdrawal").get_by_text("Look into your e-mail")).to_have_count(0)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel withdrawal").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".step-bad")).to_contain_text("Cancelled", timeout=30_000)


def test_the_address_list_is_kept_and_offered_where_coins_are_sent(exchange: Any, visitor: Callable[..., Any]) -> None:
    exchange.customer("hilda", btc=10**8, factor=True)
    window = visitor(**PHONE)
    window.log_in("hilda")
    page = window.page
    page.get_by_role("link", name="Address list").click()
    page.get_by_label("Address", exact=True).fill(THEIRS)
    page.get_by_label("Label", exact=True).fill("My own wallet")
    page.get_by_role("button", name="Add to the list").click()
    expect(page.locator(".entry")).to_contain_text("My own wallet")
    expect(page.locator(".entry .badge")).to_have_text("New")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("Coins leave to addresses of this list alone.")).to_be_visible()
    window.confirm("hilda", "/wallet/withdraw/BTC/")
    expect(page.locator("#address-book option")).to_have_attribute("value", THEIRS)
    page.get_by_label("Send to").fill(THEIRS)
    page.get_by_label("Amount that should arrive").fill("0.1")
    expect(page.locator("[data-total]")).to_have_text("0.1001 BTC")
    page.get_by_role("button", name="Look it over").click()
    expect(page.locator(".errorlist")).to_contain_text("This address is new on your list.")
    window.complaints[:] = [each for each in window.complaints if "400" not in each]


def test_the_theme_is_switched_and_remembered(visitor: Callable[..., Any]) -> None:
    window = visitor(color_scheme="light")
    window.goto("/markets/")
    window.page.get_by_role("button", name="Switch between light and dark").click()
    assert window.page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    window.goto("/")
    assert window.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_markets_are_sorted_and_searched(visitor: Callable[..., Any]) -> None:
    window = visitor()
    window.goto("/markets/")
    page = window.page
    page.get_by_role("button", name="Market", exact=True).click()
    rows = page.locator("tbody tr:visible")
    expect(rows.first).to_contain_text("BTC")
    page.get_by_role("button", name="Market", exact=True).click()
    expect(rows.first).to_contain_text("LTC")
    page.get_by_label("Find a market").fill("lite")
    expect(rows).to_have_count(1)
    page.get_by_label("Find a market").fill("nothing like it")
    expect(page.get_by_text("No market has that name.")).to_be_visible()
