"""Every page of the site, found from the URLconf, in a real browser: nobody is shut out, nothing complains, no script is heavy.

One exchange, one world, one browser for all of it. `make a11y` looks at every page in four variants; here each page is looked at
once on a desk in the light and once on a phone in the dark, and staff's pages by a share of them. Then every job by keyboard
alone, and without scripts what sensibly can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.pages import addresses, eye, specimens, trading
from tests.pages.addresses import Page
from tests.pages.hands import Hands
from tests.pages.world import PASSWORD, THEIRS, World, seed

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
STAFF_SHARE = 12  # every so many of staff's pages, beside the lists of `STAFF`
STAFF = (
    "admin/",
    "admin/accounts/user/",
    "admin/kyc/application/",
    "admin/wallets/withdrawal/",
    "admin/ledger/stop/add/",
)
# Where a customer with nothing is told what to do next, and a stranger sees what customers see.
OTHERS = {"wallet/", "orders/", "wallet/history/", "trade/<str:symbol>/", "wallet/deposit/<str:asset>/"}


@pytest.fixture(scope="module")
def world(exchange: Any, django_db_blocker: Any) -> World:
    with django_db_blocker.unblock():
        made = seed(now=timezone.now())
        trading.fill(made, timezone.now())
        refused = specimens.fill(now=timezone.now())
    assert refused == {}, "no specimen of these could be made: see tests/pages/specimens.py"
    return made


@pytest.fixture(scope="module")
def found(world: World, django_db_blocker: Any) -> tuple[list[Page], list[str]]:
    with django_db_blocker.unblock():
        return addresses.find(world, others=OTHERS)


@pytest.fixture(scope="module")
def windows(browser: Any, exchange: Any, world: World, django_db_blocker: Any) -> Iterator[dict[str, eye.Window]]:
    with django_db_blocker.unblock(), eye.windows(browser, exchange.url, world) as opened:
        yield opened


def chosen(pages: list[Page]) -> list[Page]:
    """One state of each customer page (of some: every viewer's), and a share of staff's."""
    shown: dict[str, list[Page]] = {}
    for page in pages:
        shown.setdefault(page.route, []).append(page)
    public = [
        states if route in OTHERS else states[:1] for route, states in shown.items() if not route.startswith("admin/")
    ]
    staff = [states[0] for route, states in shown.items() if route.startswith("admin/")]
    share = [page for number, page in enumerate(staff) if page.route in STAFF or number % STAFF_SHARE == 0]
    return [page for states in public for page in states] + share


def test_every_address_is_a_page_in_a_state_or_none_for_a_reason(found: tuple[list[Page], list[str]]) -> None:
    pages, lost = found
    assert lost == [], "put these in a state, or say in tests/pages/addresses.py why they are no pages"
    assert len({page.route for page in pages}) > 150
    assert len({page.name for page in pages}) == len(pages)


def test_nobody_is_shut_out_and_nothing_complains(
    found: tuple[list[Page], list[str]], windows: dict[str, eye.Window]
) -> None:
    wrong: list[str] = []
    for page in chosen(found[0]):
        wrong += eye.findings(windows[page.viewer], page, ["light-desk", "dark-phone"])
    assert wrong == []


def test_the_back_office_has_its_colours_and_its_scripts(windows: dict[str, eye.Window]) -> None:
    """Both would be missing where the content policy refused them, as it does what the theme writes into its pages."""
    window = windows["staff"]
    assert window.show("/admin/", **eye.VARIANTS["light-desk"]) == 200
    primary = "getComputedStyle(document.documentElement).getPropertyValue('--color-primary-600')"
    assert window.tab.evaluate(primary).strip()
    assert window.tab.evaluate("Boolean(window.Alpine)")


def test_axe_does_find_what_is_wrong(windows: dict[str, eye.Window]) -> None:
    window = windows["stranger"]
    window.show("/markets/", **eye.VARIANTS["light-desk"])
    window.tab.evaluate(
        "() => { document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x><input>');"
        "document.querySelector('main').style.width = '3000px' }"
    )
    assert {"image-alt", "label"} <= {each.partition(":")[0] for each in window.axe()}
    assert window.wider_than_the_window()
    window.complaints.clear()


def test_every_job_is_done_by_keyboard_alone(browser: Any, exchange: Any, world: World, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        window = eye.window(browser, exchange.url, world, "stranger", viewport=eye.DESK)
    tab, hands = window.tab, Hands(window.tab)
    window.show("/accounts/login/")
    hands.type(tab.get_by_label("Email"), "rich@example.com")
    hands.type(tab.get_by_label("Password", exact=True), PASSWORD)
    tab.keyboard.press("Enter")
    hands.type(tab.get_by_label("Code"), world.apps["rich"].code())
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/wallet/")

    tab.keyboard.press("Tab")  # the first stop of every page leads past the navigation
    expect(tab.locator(":focus")).to_have_attribute("href", "#main")
    hands.press(tab.get_by_role("link", name="Deposit BTC"))
    expect(tab.locator("#deposit-address")).to_contain_text("bcrt1")
    hands.to(tab.get_by_role("button", name="Copy").first)

    window.show("/trade/BTC-USDT/")
    orders = tab.locator("[data-open] tr")
    orders.first.wait_for()
    before = orders.count()
    hands.type(tab.get_by_label("Price", exact=True), "50000")
    hands.type(tab.get_by_label("Amount", exact=True), "0.01")
    hands.press(tab.get_by_role("button", name="Buy BTC"))
    expect(orders).to_have_count(before + 1)
    hands.press(orders.first.get_by_role("button", name="Cancel"))
    expect(orders).to_have_count(before)

    window.show("/wallet/withdraw/BTC/")  # the second factor is asked for again before coins leave
    hands.type(tab.get_by_label("Code"), world.apps["rich"].code())
    tab.keyboard.press("Enter")
    hands.type(tab.get_by_label("Send to"), THEIRS)
    hands.type(tab.get_by_label("Amount that should arrive"), "0.004")
    hands.press(tab.get_by_role("button", name="Look it over"))
    hands.press(tab.get_by_role("button", name="Withdraw 0.004 BTC"))
    expect(tab.get_by_text("Look into your e-mail")).to_be_visible()

    window.show("/markets/")
    hands.type(tab.get_by_label("Find a market"), "lite")
    expect(tab.locator("tbody tr:visible")).to_have_count(1)
    hands.press(tab.get_by_role("button", name=re.compile("light and dark")))
    assert tab.evaluate("document.documentElement.dataset.theme") in ("light", "dark")
    window.context.close()
    assert window.complaints == []


def test_log_in_balances_address_and_withdrawal_need_no_script(
    browser: Any, exchange: Any, world: World, django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock():
        window = eye.window(browser, exchange.url, world, "stranger", java_script_enabled=False, viewport=eye.PHONE)
    tab, url = window.tab, exchange.url
    tab.goto(url + "/accounts/login/")
    tab.get_by_label("Email").fill("empty@example.com")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_role("button", name="Log in", exact=True).click()
    expect(tab.get_by_role("heading", name="Wallet")).to_be_visible()

    with django_db_blocker.unblock():
        eye.log_in(window, world, "customer")
    tab.goto(url + "/wallet/")
    expect(tab.locator("main")).to_contain_text("BTC")
    tab.goto(url + "/wallet/deposit/BTC/")
    expect(tab.locator("#deposit-address")).to_have_text(re.compile("^bcrt1q[0-9a-z]{38}$"))
    expect(tab.locator(".qr-tile svg")).to_be_visible()
    tab.goto(url + "/wallet/withdraw/BTC/")
    tab.get_by_label("Send to").fill(THEIRS)
    tab.get_by_label("Amount that should arrive").fill("0.003")
    tab.get_by_role("button", name="Look it over").click()
    tab.get_by_role("button", name="Withdraw 0.003 BTC").click()
    expect(tab.get_by_text("Look into your e-mail")).to_be_visible()
    tab.goto(url + "/orders/")
    open_orders = tab.get_by_role("button", name=re.compile("^Cancel order"))
    count = open_orders.count()
    open_orders.first.click()
    expect(open_orders).to_have_count(count - 1)
    window.context.close()
    assert window.complaints == []


def test_news_stars_history_statements_help_and_language(
    windows: dict[str, eye.Window], django_db_blocker: Any, world: World
) -> None:
    """The jobs beside trading: what is read, chosen and asked for."""
    window = windows["customer"]
    with django_db_blocker.unblock():
        eye.log_in(window, world, "customer")
    tab = window.tab
    window.show("/markets/", **eye.VARIANTS["light-desk"])
    tab.get_by_role("button", name=re.compile("BTC-USDT")).first.click()
    expect(tab.locator('tr[data-market="BTC-USDT"][data-starred]')).to_have_count(1)

    tab.locator("[data-bell] summary").click()
    expect(tab.locator("[data-bell-latest]")).to_contain_text("Bank transfer")
    tab.get_by_role("link", name="Show all").click()
    tab.get_by_role("button", name="Mark all as read").click()
    expect(tab.locator("[data-bell-count]")).to_be_hidden()

    window.show("/wallet/history/")
    tab.get_by_label("Asset").select_option("LTC")
    tab.get_by_role("button", name="Show", exact=True).click()
    expect(tab).to_have_url(re.compile("asset=LTC"))
    expect(tab.locator("tbody tr").filter(has_not_text="LTC")).to_have_count(0)
    expect(tab.locator("tbody tr").first).to_contain_text("LTC")
    window.show("/wallet/statements/")
    tab.get_by_role("radio", name=re.compile("^CSV")).check()
    tab.get_by_role("button", name="Make the statement").click()
    expect(tab.locator("main")).to_contain_text("CSV")
    expect(tab.get_by_text("No statement yet")).to_have_count(0)

    window.show("/help/")
    tab.get_by_label("Search the help").fill("confirmations")
    tab.get_by_role("button", name="Search").click()
    expect(tab.get_by_role("link", name="Deposits")).to_be_visible()
    tab.locator("footer").get_by_role("button", name="Deutsch").click()
    expect(tab.locator("html")).to_have_attribute("lang", "de")
    tab.locator("footer").get_by_role("button", name="English").click()
    expect(tab.locator("html")).to_have_attribute("lang", "en")
    assert window.complaints == []
