"""Every page of the site, found from the URLconf, in a real browser: nobody is shut out, nothing complains, no script is heavy.

One exchange, one world, one browser for all of it. `make a11y` looks at every page in four variants; here each page is looked
at once on a desk in the light and once on a phone in the dark, and staff's pages by a share of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from tests.pages import addresses, eye, specimens, trading
from tests.pages.addresses import Page
from tests.pages.world import World, seed

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
        return addresses.find(world)


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
