"""Plain HTTP questions to one service whose URL or header may hold the operator's key.

No proxy of the environment is used and no redirect followed. What must never happen here: the URL, a header or any part of them
in a message or a log, an answer without end, a request sent twice that may have been carried out, or an error that is not a
ChainError.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from decimal import Decimal
from typing import Any

import requests

from wallets.chains.protocol import MalformedData, NodeRefused, NodeUnavailable, RateLimited

NOT_FOUND = 404
TEXT_MAX = 20_000
JSON_MAX = 20_000_000
TIMES_ASKED = 3
WAIT_S = 0.5
_CHUNK = 65_536
# Its debug lines name the path, and a key may stand in the path.
logging.getLogger("urllib3").setLevel(logging.INFO)


class Rest:
    """One service. Safe to share between threads: each has a session of its own."""

    def __init__(self, url: str, *, header: str = "", timeout_s: float = 30) -> None:
        """`header` is "Name: value", for services that take their key so. Raises NodeUnavailable for what is none."""
        name, separator, value = header.partition(":")
        if header and not (separator and name.strip().isascii() and value.strip()):
            raise NodeUnavailable("the header for the service is not of the form Name: value")
        self._base = url.rstrip("/")
        self._headers = {name.strip(): value.strip()} if header else {}
        self._timeout_s = timeout_s
        self._local = threading.local()

    def text(self, path: str, *, maximum: int = TEXT_MAX) -> str:
        """A short plain answer. Raises NodeUnavailable, NodeRefused (with the HTTP status) or MalformedData."""
        try:
            return self.raw(path, maximum=maximum).decode("ascii").strip()
        except UnicodeDecodeError:
            raise MalformedData("the service's answer is not plain text") from None

    def json(self, path: str) -> dict[str, Any]:
        """An object; numbers with a fraction come as Decimal."""
        found = self._decoded(path)
        if not isinstance(found, dict):
            raise MalformedData("the service's answer is not an object")
        return found

    def json_or_none(self, path: str) -> dict[str, Any] | None:
        """An object, None where the service knows of none."""
        try:
            return self.json(path)
        except NodeRefused as error:
            if error.node_code in (NOT_FOUND, 400):
                return None
            raise

    def list(self, path: str) -> list[dict[str, Any]]:
        """A list of objects."""
        found = self._decoded(path)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise MalformedData("the service's answer is not a list of objects")
        return found

    def raw(self, path: str, *, maximum: int) -> bytes:
        """The bytes of an answer. A service that wants fewer questions is asked again a little later."""
        for attempt in range(TIMES_ASKED):
            try:
                return self._exchange("GET", path, None, maximum)
            except RateLimited:
                if attempt == TIMES_ASKED - 1:
                    raise
                time.sleep(WAIT_S * 2**attempt)
        raise AssertionError("unreachable")

    def post(self, path: str, body: str) -> str:
        """Sends something, once. Raises NodeRefused with what the service said."""
        return self._exchange("POST", path, body, TEXT_MAX).decode("ascii", "replace").strip()

    def _decoded(self, path: str) -> Any:
        try:
            return json.loads(self.raw(path, maximum=JSON_MAX), parse_float=Decimal)
        except (ValueError, RecursionError):
            raise MalformedData("the service's answer is not JSON") from None

    def _exchange(self, method: str, path: str, body: str | None, maximum: int) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        try:
            response = self._session().request(
                method, f"{self._base}/{path}", data=body, timeout=self._timeout_s, allow_redirects=False, stream=True
            )
            with response:
                content = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > maximum or time.monotonic() > deadline:
                        raise NodeUnavailable("the service's answer is too large or takes too long")
                return self._judged(response.status_code, bytes(content))
        except (requests.RequestException, ValueError) as error:
            # Only the kind of error: its text holds the URL.
            raise NodeUnavailable(f"the service does not answer ({type(error).__name__})") from None

    def _judged(self, status: int, content: bytes) -> bytes:
        if status == 200:
            return content
        if status == 429:
            raise RateLimited("the service wants fewer questions (HTTP 429)")
        if status in (400, 404):
            raise NodeRefused(self._scrubbed(content[:300].decode("utf-8", "replace")), node_code=status)
        raise NodeUnavailable(f"the service does not serve us (HTTP {status})")

    def _scrubbed(self, message: str) -> str:
        """What a server echoes of our own request is not passed on."""
        for secret in (self._base, *self._base.split("/"), *self._headers.values()):
            if len(secret) >= 8:
                message = message.replace(secret, "***")
        return message

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.headers.update(self._headers)
        return session
