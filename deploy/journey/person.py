"""One customer at the keyboard: forms with their tokens, mail in the inbox, the REST API with ids that make a retry harmless.

Every call may meet a part that was killed a moment ago. A person would try again; so does this one, always with the same ids.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from deploy.demo import codes, mailbox

T = TypeVar("T")
PATIENCE_S = 400  # on a slow machine kills go on for some minutes, and each of them may hit the same wait
PAUSE_S = 0.2


class JourneyError(AssertionError):
    """Something a user would complain of; the text says what was expected and what was seen."""


class Unshown(JourneyError):
    """A page does not show what it must; no waiting mends that."""


class Refused(JourneyError):
    """The exchange said no, in its one error shape."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{status} {error.get('code')}: {error.get('message')} (param {error.get('param')})")
        self.status = status
        self.code = str(error.get("code"))
        self.param = error.get("param")


def patiently(what: str, ask: Callable[[], T | None], *, seconds: float = PATIENCE_S) -> T:
    """Ask until there is an answer other than None, False or empty; JourneyError naming `what` when time runs out."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := ask():
            return answer
        if time.monotonic() > deadline:
            raise JourneyError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(PAUSE_S)


class _Form(HTMLParser):
    """The fields of the page's form whose action or fields fit what is to be sent."""

    def __init__(self, wanted: set[str]) -> None:
        super().__init__()
        self.wanted = wanted
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.in_main = False  # the site's own forms, such as the choice of language, stand around it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "main":
            self.in_main = True
        elif not self.in_main:
            return
        elif tag == "form":
            self.forms.append((values.get("action", ""), {}))
        elif tag in {"input", "textarea", "select", "button"} and self.forms and (name := values.get("name")):
            self.forms[-1][1][name] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "main":
            self.in_main = False

    def found(self) -> tuple[str, dict[str, str]]:
        for action, fields in self.forms:
            if self.wanted <= set(fields) and "csrfmiddlewaretoken" in fields:
                return action, fields
        raise JourneyError(f"no form with the fields {sorted(self.wanted)} on the page")


class Person:
    """A customer with a browser's cookies, a password and an inbox."""

    def __init__(self, *, site: str, inbox: Path, address: str, password: str) -> None:
        self.site = site
        self.inbox = inbox
        self.address = address
        self.password = password
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "bourse-journey"
        self.secret = ""  # of the authenticator app, once there is one
        self._last_code = 0

    # --- pages ------------------------------------------------------------------------------------------------------
    def page(self, path: str) -> str:
        return self._send("GET", path).text

    def submit(self, path: str, fields: dict[str, str]) -> requests.Response:
        """Open a page, fill its form in and send it."""
        page = self._send("GET", path)
        form = _Form(set(fields))
        form.feed(page.text)
        action, hidden = form.found()
        target = urljoin(page.url, action or page.url)
        return self._send("POST", target, data={**hidden, **fields}, headers={"Referer": page.url})

    def sign_up(self) -> None:
        """The sign-up form, then the link in the confirmation mail."""

        def link_after_sending() -> str | None:
            if link := self._link_in_mail(r"/accounts/confirm-email/"):
                return link
            self.submit("/accounts/signup/", {"email": self.address, "password1": self.password})
            return self._link_in_mail(r"/accounts/confirm-email/")

        link = patiently("the confirmation mail", link_after_sending)
        self.submit(urlsplit(link).path, {})

    def confirm_withdrawal(self, withdrawal: dict[str, Any]) -> None:
        """The link in the mail about this withdrawal: look whether it says what was asked for, then press its button."""

        def confirmed() -> bool:
            if self.get(f"/withdrawals/{withdrawal['id']}")["state"] != "requested":
                return True
            path = urlsplit(self._link_in_mail(r"/wallet/withdrawals/confirm/", about=withdrawal["address"]) or "").path
            if path:
                shown = self.page(path)
                for wanted in (withdrawal["address"], f"{withdrawal['amount']} {withdrawal['asset']}"):
                    if wanted not in shown.replace(",", ""):
                        raise Unshown(f"the link in the mail does not show {wanted}")
                self.submit(path, {"step": "confirm"})
            return False

        patiently("the withdrawal to be confirmed by its mail", lambda: _in_time(confirmed))

    def log_in(self) -> None:
        def logged_in() -> bool:
            if self.session.get(f"{self.site}/api/v1/me", timeout=30).status_code == 200:
                return True
            self.submit("/accounts/login/", {"login": self.address, "password": self.password})
            if self.secret:
                self.submit("/accounts/2fa/authenticate/", {"code": self._code()})
            return False

        patiently(f"{self.address} to be logged in", lambda: _quietly(logged_in))

    def set_up_app(self) -> None:
        """The key on the page typed into an authenticator app, and the app's first code into the page."""

        def on() -> bool:
            if "Remove the app" in self.page("/accounts/2fa/"):
                return True
            self.submit("/accounts/reauthenticate/", {"password": self.password})
            page = self._send("GET", "/accounts/2fa/totp/activate/")
            key = re.search(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', page.text)
            if key:
                self.secret = key[1]
                form = _Form({"code"})
                form.feed(page.text)
                _, hidden = form.found()
                self._send("POST", page.url, data={**hidden, "code": self._code()}, headers={"Referer": page.url})
            return False

        patiently("the authenticator app to be set up", lambda: _quietly(on))

    def confirm(self) -> None:
        """Shows the app again, as is asked before coins leave."""
        self.submit("/accounts/2fa/reauthenticate/", {"code": self._code()})

    def _code(self) -> str:
        """A code that was not used yet: the present one, or the next, which is taken half a minute early."""
        patiently("a code that was not used", lambda: codes.counter_now() >= self._last_code)
        self._last_code = max(self._last_code + 1, codes.counter_now())
        return codes.code(self.secret, self._last_code)

    def mails(self) -> Iterator[str]:
        """Texts of the mails to this person, oldest first."""
        for message in mailbox.messages(self.inbox):
            if self.address in str(message["To"]):
                yield mailbox.text(message)

    def _link_in_mail(self, pattern: str, *, about: str = "") -> str | None:
        """The newest such link in a mail that has this text in it."""
        links = [re.search(rf"https?://\S*{pattern}\S+", text) for text in self.mails() if about in text]
        return next((link[0] for link in reversed(links) if link), None)

    # --- REST -------------------------------------------------------------------------------------------------------
    def get(self, path: str, **query: str) -> Any:
        return self._api("GET", path, params=query)

    def post(self, path: str, body: dict[str, Any], *, idempotency_key: str = "") -> Any:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._api("POST", path, json=body, headers=headers)

    def place(self, **order: str) -> dict[str, Any]:
        """Place an order under its client_order_id; an unknown outcome is asked for again by that id."""
        return dict(self.post("/orders", order))

    def balance(self, asset: str) -> dict[str, str]:
        for row in self.get("/balances")["data"]:
            if row["asset"] == asset:
                return dict(row)
        raise JourneyError(f"no balance of {asset} is listed")

    def _api(self, method: str, path: str, **options: Any) -> Any:
        """An API call, again and again while a part is down (503, 504, no connection); Refused for any other no."""

        said = ["nothing"]

        def once() -> dict[str, Any] | None:
            headers = {**options.get("headers", {}), "X-CSRFToken": self.session.cookies.get("csrftoken", "")}
            try:
                response = self.session.request(
                    method, f"{self.site}/api/v1{path}", timeout=20, **{**options, "headers": headers}
                )
            except requests.RequestException:
                return None
            if response.status_code < 400:
                return {"answer": response.json()}
            said[0] = response.text[:300]
            if response.status_code == 429:
                time.sleep(float(response.headers.get("Retry-After", PAUSE_S)))
                return None
            if response.status_code >= 500:
                time.sleep(PAUSE_S)
                return None
            error = response.json()["error"]
            if error["code"] in {"idempotency_in_progress"}:
                return None
            if response.status_code in {401, 403} and error["code"] in {"not_authenticated", "csrf_failed"}:
                self.log_in()
                return None
            if error["code"] == "step_up_required":
                self.confirm()
                return None
            raise Refused(response.status_code, error)

        try:
            return patiently(f"{method} {path} to be answered", once)["answer"]
        except Refused:
            raise
        except JourneyError as error:
            raise JourneyError(f"{error}; last it said {said[0]}") from None

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        def once() -> tuple[requests.Response] | None:
            try:
                response = self.session.request(method, urljoin(self.site, path), timeout=20, **options)
            except requests.RequestException:
                return None
            # In a tuple: a response that says no counts as false, and would be asked for until time runs out.
            return None if response.status_code >= 500 else (response,)

        (response,) = patiently(f"{method} {path}", once)
        if response.status_code >= 400:
            raise JourneyError(f"{method} {path} answered {response.status_code}")
        return response


def _quietly(ask: Callable[[], bool]) -> bool:
    """False in place of a lost connection: the caller asks again."""
    try:
        return ask()
    except requests.RequestException:
        return False


def _in_time(ask: Callable[[], bool]) -> bool:
    """False in place of a page that said no: a part was killed, and the mail or the answer comes again."""
    try:
        return ask()
    except Unshown:
        raise
    except JourneyError:
        return False
