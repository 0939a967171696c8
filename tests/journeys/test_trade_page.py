"""The trade page in a browser: every kind of order sent, changed and cancelled, news that covers no button, a line that heals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
CONDITIONAL = ("stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop", "oco")
# What is typed for each kind, selling at a last price of 60,000: its own fields, and the toast's words.
SALES: dict[str, tuple[dict[str, str], str]] = {
    "limit": ({"price": "62000", "quantity": "0.01"}, "on the book"),
    "market": ({"quantity": "0.01"}, "filled"),
    "stop": ({"stop_price": "55000", "quantity": "0.01"}, "for 55,000.00"),
    "stop_limit": ({"stop_price": "55000", "price": "54000", "quantity": "0.01"}, "for 55,000.00"),
    "take_profit": ({"stop_price": "65000", "quantity": "0.01"}, "for 65,000.00"),
    "take_profit_limit": ({"stop_price": "65000", "price": "64500", "quantity": "0.01"}, "for 65,000.00"),
    "trailing_stop": ({"trail": "5", "quantity": "0.01"}, "waits"),
    "oco": ({"price": "66000", "stop_price": "54000", "stop_limit_price": "53900", "quantity": "0.01"}, "a pair waits"),
}
# Whether any toast lies over something of the order form that can be pressed or typed into, as far as it is in sight.
COVERED = """
() => {
  const box = (each) => each.getBoundingClientRect();
  const seen = (query) => [...document.querySelectorAll(query)].filter((each) => each.getClientRects().length);
  const toasts = seen("#toasts > *");
  const parts = seen(".order-form :is(button, input, select, summary)");
  if (!toasts.length || !parts.length) return "nothing to look at";
  const header = box(document.querySelector(".header"));
  const covers = (toast, part) => {
    const [a, b] = [box(toast), box(part)];
    const [top, bottom] = [Math.max(a.top, b.top), Math.min(a.bottom, b.bottom)];
    if (a.left >= b.right || b.left >= a.right || top >= bottom) return false;
    // What has been scrolled beneath the site's header, which stays above the page, is not in sight anyway.
    return top < header.top || bottom > header.bottom;
  };
  const found = toasts.flatMap((toast) => parts.filter((part) => covers(toast, part)));
  return found.map((part) => part.name || part.textContent).join(", ");
}
"""


def live(window: Any) -> None:
    window.goto("/trade/BTC-USDT/")
    expect(window.page.locator("[data-live-state]")).to_have_text("Live")


def write(page: Any, kind: str, fields: dict[str, str]) -> None:
    if kind in CONDITIONAL:
        page.get_by_role("button", name="Conditional", exact=True).click()
        page.get_by_label("Condition", exact=True).select_option(kind)
    else:
        page.locator(f'[data-kind-button="{kind}"]').click()
    for name, text in fields.items():
        page.locator(f'.order-form [name="{name}"]').fill(text)


@pytest.fixture(scope="module")
def maker(exchange: Any) -> list[str]:
    """Who has quoted already."""
    return []


@pytest.fixture
def quoted(exchange: Any, visitor: Callable[..., Any], maker: list[str]) -> None:
    """Somebody buys and sells around 60,000, and something has traded there."""
    if maker:
        return
    maker.append("maker")
    exchange.customer("maker", btc=10 * 10**8, usdt=1_000_000 * 10**6)
    window = visitor()
    window.log_in("maker")
    live(window)
    page = window.page
    for side, price in (("Buy", "60000"), ("Sell", "60100")):
        page.get_by_role("button", name=side, exact=True).click()
        write(page, "limit", {"price": price, "quantity": "5"})
        page.get_by_role("button", name=f"{side} BTC").click()
        expect(page.locator("[data-open]")).to_contain_text(f"{int(price):,}.00")


def test_every_kind_of_order_is_sent_changed_and_cancelled_and_no_news_covers_a_button(
    exchange: Any, visitor: Callable[..., Any], quoted: None
) -> None:
    exchange.customer("paula", btc=10**8, usdt=50_000 * 10**6)
    window = visitor(viewport={"width": 1440, "height": 900})
    window.log_in("paula")
    live(window)
    page = window.page
    write(page, "market", {"total": "600.5"})
    expect(page.locator("[data-fee]")).to_have_text("0.0000198 BTC")  # 0.0099 for 594.99, less the taker's 0.2%
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.locator(".toast").last).to_contain_text("filled")

    page.get_by_role("button", name="Sell", exact=True).click()
    for kind, (fields, words) in SALES.items():
        write(page, kind, fields)
        page.get_by_role("button", name="Sell BTC").click()
        expect(page.locator(".toast").last).to_contain_text(words)
        assert page.evaluate(COVERED) == ""
    expect(page.locator("[data-open] tr")).to_have_count(8)  # the pair is two, the market order none
    expect(page.locator("[data-open]")).to_contain_text("Trails by 5%")

    line = page.locator("[data-open] tr", has_text="62,000.00")
    line.get_by_role("button", name="Change").click()
    page.locator("#amend-price").fill("61500")
    page.locator("#amend-quantity").fill("0.02")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("changed")
    line = page.locator("[data-open] tr", has_text="61,500.00")
    expect(line).to_contain_text("0.0200")
    line.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-open] tr")).to_have_count(7)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator("[data-open] tr")).to_have_count(0)
    page.get_by_role("tab", name="Done").click()
    expect(page.locator("[data-past] tr")).to_have_count(10)

    expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "1")
    page.locator("[data-indicators] summary").click()
    page.get_by_label("Relative strength RSI").check()
    expect(page.locator('[data-legend="rsi"]')).to_contain_text("RSI 14")
    page.get_by_role("button", name="Depth", exact=True).click()
    expect(page.locator("[data-depth] svg")).to_have_attribute(
        "aria-label", "Depth of the book: 4.99 BTC wanted down to 59,987.50, 4.99 BTC offered up to 60,112.50."
    )


def test_on_a_phone_news_stands_over_the_header_and_keys_alone_are_enough(
    exchange: Any, visitor: Callable[..., Any], quoted: None
) -> None:
    exchange.customer("pim", usdt=50_000 * 10**6)
    window = visitor(**PHONE)
    window.log_in("pim")
    live(window)
    page = window.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("[data-jump]").get_by_role("button", name="Buy").click()
    write(page, "limit", {"price": "50000", "quantity": "0.01"})
    page.keyboard.press("ArrowUp")
    expect(page.locator("#order-quantity")).to_have_value("0.0101")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("on the book")
    for place in ("start", "center", "end"):
        page.locator(".order-form [data-submit]").evaluate("(button, block) => button.scrollIntoView({block})", place)
        assert page.evaluate(COVERED) == ""
    page.get_by_role("button", name="Book", exact=True).click()
    page.locator("[data-bids]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#order-price")).to_have_value("60000")


def test_a_line_that_is_cut_is_told_heals_and_brings_what_happened_meanwhile(
    exchange: Any, visitor: Callable[..., Any], quoted: None
) -> None:
    exchange.customer("quinn", usdt=50_000 * 10**6)
    window = visitor()
    lines: list[Any] = []
    held: list[bool] = [False]

    def carry(line: Any) -> None:
        if held[0]:
            line.close()
            return
        lines.append(line)
        line.connect_to_server()

    window.log_in("quinn")
    window.page.route_web_socket("**/ws/", carry)
    live(window)
    page = window.page
    write(page, "limit", {"price": "59000", "quantity": "0.01"})
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.locator(".toast").last).to_contain_text("at 59,000.00")
    expect(page.locator("[data-open] tr")).to_have_count(1)
    held[0] = True
    lines[-1].close()
    expect(page.locator("[data-live-state]")).to_have_text("Reconnecting…")
    expect(page.locator("[data-lost]")).to_be_visible()
    expect(page.locator("[data-lost]")).to_contain_text("Connection lost.")
    write(page, "limit", {"price": "58000", "quantity": "0.01"})  # over REST meanwhile
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.locator(".toast").last).to_contain_text("at 58,000.00")
    expect(page.locator("[data-open] tr")).to_have_count(2)
    held[0] = False
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    expect(page.locator("[data-lost]")).to_be_hidden()
    expect(page.get_by_text("Connected again")).to_be_visible()
    expect(page.locator("[data-open] tr")).to_have_count(2)
