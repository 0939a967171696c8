"""A real browser that looks at pages: what axe-core finds, what they complain about, how much script they fetch, a picture.

The content policy stays on. What must never happen here: a page looked at while it still says that it is loading.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, BrowserContext
from playwright.sync_api import Page as Tab

from tests.pages.addresses import Page
from tests.pages.world import World

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCRIPT_MAX = 150_000
PATIENCE_MS = 60_000
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
VARIANTS: dict[str, dict[str, Any]] = {
    f"{scheme}-{name}": {"color_scheme": scheme, "viewport": size}
    for name, size in (("desk", DESK), ("phone", PHONE))
    for scheme in ("light", "dark")
}
# Nothing moves: half a colour on its way from one look to the other is no finding.
STILL = """
const sheet = new CSSStyleSheet();
sheet.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
"""
# The back office's theme sets widths by style attributes, which the policy refuses; static/public/back-office.css sets them.
FORGIVEN = ("Applying inline style", "WebSocket connection")


@dataclass
class Window:
    """One viewer's window."""

    context: BrowserContext
    tab: Tab
    url: str
    again: Callable[[], None] = lambda: None  # logs in anew
    complaints: list[str] = field(default_factory=list)

    def show(self, path: str, **variant: Any) -> int:
        """Goes there and waits until the page stands; its status, 302 where it leads elsewhere."""
        if variant:
            self.wear(**variant)
        self.tab.bring_to_front()
        answer = self.tab.goto(self.url + path)
        self.settle()
        elsewhere = self.tab.url.partition("?")[0] != self.url + path and "reset/key" not in path
        return 302 if elsewhere else answer.status if answer else 0

    def wear(self, *, color_scheme: str, viewport: dict[str, int]) -> None:
        self.tab.emulate_media(color_scheme=color_scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        self.tab.set_viewport_size(viewport)  # type: ignore[arg-type]

    def settle(self) -> None:
        """A page with a line of its own is never idle: it says that it is live. Others fall silent."""
        if self.tab.locator("[data-live-state]").count():
            self.tab.locator('[data-live-state][data-state="live"], [data-live-state]:has-text("Live")').first.wait_for(
                state="attached"
            )
        elif self._rings():
            self.tab.locator('[data-bell][data-state="live"]').wait_for(state="attached")
        else:
            self.tab.wait_for_load_state("networkidle")
        if self.tab.locator(
            "[data-bids]"
        ).count():  # the world's market has a book: it is drawn after the line is there
            self.tab.locator("[data-bids] .level").first.wait_for(state="attached")
        # No frame is waited for: a window behind another is drawn none.
        self.tab.evaluate(
            "() => Promise.race([document.fonts.ready, new Promise(done => setTimeout(done, 5000))]).then(() => 0)"
        )

    def _rings(self) -> bool:
        """The bell of whoever is logged in has a line of its own, where scripts run."""
        self.tab.wait_for_load_state("load")
        return bool(self.tab.evaluate("Boolean(window.htmx && document.querySelector('[data-bell]'))"))

    def axe(self, rules: list[str] | None = None) -> list[str]:
        """What axe-core finds in the document as it stands."""
        if not self.tab.evaluate("Boolean(window.axe)"):
            self.tab.evaluate(AXE.read_text())
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
        result = self.tab.evaluate("only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only)
        return [f"{each['id']}: {node['html'][:140]}" for each in result["violations"] for node in each["nodes"]]

    def wider_than_the_window(self) -> bool:
        return bool(self.tab.evaluate("document.documentElement.scrollWidth > innerWidth + 1"))

    def scripts(self) -> list[str]:
        """The addresses of every script that the page has fetched."""
        return list(
            self.tab.evaluate(
                "() => performance.getEntriesByType('resource').filter(e => /[.]m?js(?:[?]|$)/.test(e.name)).map(e => e.name)"
            )
        )


@contextmanager
def windows(browser: Browser, url: str, world: World) -> Iterator[dict[str, Window]]:
    """A window for each viewer, logged in where they have an account."""
    opened = {viewer: window(browser, url, world, viewer) for viewer in ("customer", "empty", "stranger", "staff")}
    try:
        yield opened
    finally:
        for each in opened.values():
            each.context.close()


def window(browser: Browser, url: str, world: World, viewer: str, **options: Any) -> Window:
    context = browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(STILL)
    made = Window(context, context.new_page(), url)
    made.again = partial(log_in, made, world, viewer)
    made.again()
    made.tab.on("pageerror", lambda error: made.complaints.append(f"{made.tab.url} {error}"))
    made.tab.on("console", lambda said: _hear(made, said))
    made.tab.on("dialog", lambda dialog: dialog.accept())
    return made


def log_in(made: Window, world: World, viewer: str) -> None:
    """Anew, with the second factor just shown: it is asked for again after some minutes."""
    made.context.clear_cookies()
    if viewer != "stranger":
        made.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": world.cookie(viewer), "url": made.url, "httpOnly": True}]
        )


def _hear(made: Window, said: Any) -> None:
    if said.type == "error" and not any(each in said.text for each in FORGIVEN):
        made.complaints.append(f"{made.tab.url} {said.text}")


def findings(made: Window, page: Page, variants: list[str]) -> list[str]:
    """What is wrong with the page as each of the variants shows it, loaded once."""
    wrong: list[str] = []
    status = made.show(page.path, **VARIANTS[variants[0]])
    if status == 302:  # some links log out whoever is not their owner, and a second factor is good for some minutes
        made.again()
        status = made.show(page.path)
    if status != 200:
        return [f"{page.name}: {status}"]
    for variant in variants:
        if page.viewer == "staff":
            made.show(page.path, **VARIANTS[variant])  # the back office's theme looks at the scheme when it is loaded
        made.wear(**VARIANTS[variant])
        wrong += [f"{page.name}, {variant}: {each}" for each in made.axe()]
        if made.wider_than_the_window():
            wrong.append(f"{page.name}, {variant}: wider than the window")
    if page.viewer != "staff" and (size := script_bytes(made.scripts())) > SCRIPT_MAX:
        wrong.append(f"{page.name}: {size} bytes of compressed script")
    wrong += [f"{page.name}: {each}" for each in made.complaints]
    made.complaints.clear()
    return wrong


def script_bytes(addresses: list[str]) -> int:
    """Of all of them together, compressed as a server sends them."""
    return sum(_compressed(match[1]) for each in set(addresses) if (match := re.search(r"/static/([^?]+)", each)))


@cache
def _compressed(name: str) -> int:
    from django.contrib.staticfiles import finders

    found = finders.find(name)
    return len(gzip.compress(Path(found).read_bytes(), 6)) if found else 0


def picture(made: Window, page: Page, folder: Path, variant: str) -> Path:
    """The whole page, as that variant shows it."""
    made.show(page.path, **VARIANTS[variant])
    target = folder / f"{page.name}--{variant}.jpg"
    made.tab.screenshot(path=str(target), full_page=True, type="jpeg", quality=70)
    return target
