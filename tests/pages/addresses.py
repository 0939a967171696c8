"""Which addresses are pages, who looks at them, and with what in the parts that vary: found from the URLconf.

An address whose parts do not vary is asked by itself, whoever adds it. One that varies needs a word in `FILLED`. One that
answers nobody with a document takes no GET, or stands in `NO_PAGES` with the reason: `test_every_page.py` fails where it does
not, or no longer should. What must never happen here: a page left out because something is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections
from django.urls import URLPattern, URLResolver, get_resolver

from exchange.site.selectors.articles import SHELVES
from tests.pages import specimens
from tests.pages.world import World

VIEWERS = ("customer", "empty", "stranger")
# Not for browsers, or another tool's own.
PROGRAMS = re.compile(
    r"^(api/v1/(?!docs$)|_allauth/|hooks/|livez$|readyz$|metrics$|favicon\.ico$|.*\^\.\*\$$|admin/\(\?P<url>)"
)
# What varies → the name of it in the world, or what stands there.
FILLED = {
    "<str:symbol>": "BTC-USDT",
    "<str:asset>": "BTC",
    "wallet/withdrawals/<uuid:withdrawal_id>/": "wallet/withdrawals/{withdrawal}/",
    "confirm/<str:token>/": "confirm/{withdrawal_token}/",
    "account/not-me/<str:token>/": "account/not-me/{not_me}/",
    "account/api-keys/<str:key_id>/": "account/api-keys/{key}/",
    "account/verification/<uuid:application_id>/": "account/verification/{application}/",
    "<slug:kind>": "selfie",
    "announcements/<slug:slug>/": "announcements/{announcement}/",
    "help/<slug:topic>/": "help/orders/",
    "legal/<slug:topic>/": "legal/terms/",
    "account/export/<int:export_id>/": "account/export/{export}/",
    "webauthn/keys/<int:pk>/": "webauthn/keys/{passkey}/",
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$": "accounts/confirm-email/{confirm_email}/",
    r"accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "accounts/password/reset/key/{reset}/",
    "admin/kyc/application/<uuid:application_id>/": "admin/kyc/application/{staff_application}/",
    "picture/<uuid:document_id>/": "picture/{staff_document}/",
    "admin/kyc/screeningcase/<int:case_id>/": "admin/kyc/screeningcase/{case}/",
    "admin/custody/policyedit/<int:edit_id>/": "admin/custody/policyedit/{policy_edit}/",
    "admin/wallets/withdrawal/<uuid:withdrawal_id>/": "admin/wallets/withdrawal/{withdrawal}/",
    "admin/backoffice/book/account/<int:account_id>/": "admin/backoffice/book/account/{account}/",
    "admin/backoffice/book/transfer/<int:transfer_id>/": "admin/backoffice/book/transfer/{transfer}/",
    "admin/accounts/user/<id>/": "admin/accounts/user/{customer}/",
}
# Address → why no browser shows a document at it. Some take a POST alone, some lead away, some are parts of a page.
PART, AWAY, FILE = "a part of a page", "leads elsewhere", "a file"
NO_PAGES: dict[str, str] = {
    "trade/": AWAY, "accounts/sessions/": AWAY, "accounts/2fa/recovery-codes/download/": FILE,
    "account/notifications/latest/": PART, "push/worker.js": FILE, "announcements/feed/": FILE,
    "wallet/live/": PART, "wallet/worth/": PART, "wallet/statements/live/": PART, "wallet/statements/<int:statement_id>/": FILE,
    "wallet/deposit/<str:asset>/live/": PART, "wallet/withdrawals/<uuid:withdrawal_id>/live/": PART,
    "status/live/": PART, "account/export/<int:export_id>/": FILE,
    "accounts/password/set/": "for people without a password alone", "accounts/login/code/confirm/": "switched off",
    "accounts/2fa/authenticate/": "in the middle of a log-in; a journey shows it",
    "accounts/2fa/webauthn/login/": "answers a script",
    "accounts/3rdparty/login/error/": "after a log-in elsewhere that failed",
    "accounts/3rdparty/signup/": "after a log-in elsewhere",
    "accounts/social/login/cancelled/": AWAY, "accounts/social/login/error/": AWAY, "accounts/social/signup/": AWAY,
    "accounts/social/connections/": AWAY,
    **{f"accounts/{name}/login/{step}": "of a provider"
       for name in ("google", "facebook", "x", "apple")
       for step in ("", "callback/")},
    "accounts/apple/login/callback/finish/": "of a provider",
    "admin/search/": PART, "admin/login/": AWAY, "admin/logout/": AWAY, "admin/password_change/": AWAY,
    "admin/autocomplete/": "answers a script", "admin/jsi18n/": "a script",
    "admin/r/<path:content_type_id>/<path:object_id>/": AWAY, "admin/accounts/user/<id>/password/": "nobody may",
    "admin/kyc/application/<uuid:application_id>/picture/<uuid:document_id>/": FILE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """An address as one viewer sees it."""

    route: str
    path: str
    viewer: str

    @property
    def name(self) -> str:
        """For files and lists: the address in words, without ids, and who looks."""
        words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>", r"\1\2", self.route.lower()))
        return f"{words.strip('-') or 'home'}--{self.viewer}"


def routes(patterns: list[Any] | None = None, before: str = "") -> Iterator[str]:
    """Every address of the URLconf for browsers, in words, the first that answers to it."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, before + str(each.pattern))
        elif isinstance(each, URLPattern) and not PROGRAMS.match(before + str(each.pattern)):
            yield before + str(each.pattern)


def told_apart(route: str) -> list[str]:
    """One address for each article: each is a page with words of its own."""
    shelf = route.partition("/")[0]
    return [route.replace("<slug:topic>", topic) for topic in SHELVES[shelf]] if "<slug:topic>" in route else [route]


def filled(route: str, world: World) -> str | None:
    """A path for the address; None where nobody has said what stands in a part of it."""
    path = re.sub(r"\^\(\?P<app_label>[^)]*\)/\$", "wallets/", route)
    found = re.match(r"admin/(\w+)/(\w+)/<path:object_id>/", path)
    if found:
        if not (key := specimens.first_of(found[1], found[2], otherwise=str(world.customer))):
            return None
        path = path.replace("<path:object_id>", key)
    for part, value in FILLED.items():
        path = path.replace(part, value)
    if "{" in path:
        ledger = {name: specimens.first_of("ledger", name) for name in ("account", "transfer")}
        path = path.format(**{**world.names, **ledger, "customer": world.customer})
    return None if re.search(r"[<^]", path) else f"/{path}"


def anything(route: str) -> str:
    """Something in each part that varies, to ask whether the address takes a GET at all."""
    path = re.sub(
        r"<int:\w+>", "1", re.sub(r"<uuid:\w+>", str(UUID(int=0)), re.sub(r"<(?:str|slug|path):\w+>", "x", route))
    )
    return f"/{path}"


def status_of(client: Any, path: str) -> int:
    """200 where a browser that goes there is shown a whole page at that address, 302 where it is led elsewhere, 0 where what
    it gets is no document, and else what it was refused with."""
    answer = client.get(path, follow=True)
    ended = answer.redirect_chain[-1][0] if answer.redirect_chain else path
    if ended != path and not ("reset/key" in path and "reset/key" in ended):
        return 302
    html = answer.get("Content-Type", "").startswith("text/html") and not answer.streaming
    return int(answer.status_code) if answer.status_code != 200 or (html and b"</html>" in answer.content) else 0


def find(world: World, *, others: Container[str] | None = None) -> tuple[list[Page], list[str]]:
    """The pages, and the addresses that nobody put in a state. `others` are the routes at which every viewer's page is wanted and
    not one alone; None: all. In a thread of its own: Playwright keeps a loop in this one."""

    def look() -> tuple[list[Page], list[str]]:
        try:
            return _find(world, others)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(look).result()


def _find(world: World, others: Container[str] | None) -> tuple[list[Page], list[str]]:
    windows = {viewer: world.browser(viewer) for viewer in (*VIEWERS, "staff")}
    pages: list[Page] = []
    lost: list[str] = []
    for route in dict.fromkeys(each for address in routes() for each in told_apart(address)):
        path = filled(route, world)
        viewers = ("staff",) if route.startswith("admin/") else VIEWERS
        seen: dict[str, int] = {}
        for viewer in viewers:
            if 200 not in seen.values() or others is None or route in others:
                seen[viewer] = status_of(windows[viewer], path or anything(route))
        pages += [Page(route, path, viewer) for viewer, status in seen.items() if status == 200 and path]
        for viewer in viewers:
            # A link that confirms an address logs out whoever is not its owner.
            if viewer != "stranger" and "_auth_user_id" not in windows[viewer].session:
                windows[viewer] = world.browser(viewer)
        if (200 in seen.values()) == is_none(route, set(seen.values())):
            lost.append(f"{route}: {path} answers {sorted(set(seen.values()))}")
    return pages, lost


def is_none(route: str, seen: set[int]) -> bool:
    """Whether it is right that nobody is shown a page there: said in `NO_PAGES`, or by the back office itself."""
    if max(seen, default=0) >= 500:
        return False
    if re.match(r"admin/\w+/\w+/(add|<path:object_id>/delete)/$", route) and seen == {403}:
        return True  # nobody may, by the model's own page
    if re.match(
        r"admin/backoffice/(book/<path:object_id>/change|(story|book)/<path:object_id>/(history|delete))/$", route
    ):
        return 200 not in seen  # pages about what stands elsewhere: no rows of their own, and so no history
    if 405 in seen and 200 not in seen:
        return True  # it takes a form, and nothing else
    return route in NO_PAGES or bool(re.match(r"admin/\w+/\w+/<path:object_id>/$", route))
