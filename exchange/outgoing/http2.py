"""The same door for services that speak HTTP/2 alone (APNs): httpx, told not to do what it does unasked.

As in `calls`: no redirect, no proxy or password of the environment, certificates checked, only places of the allow-list, a time
for connecting, for each piece and for the whole answer, and a size. One connection is kept and carries many requests.
What must never happen here: a way around one of these by an argument; a body or a header in an error.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from django.conf import settings

from exchange.outgoing import places

CONNECT_S = 5.0


class Failed(Exception):
    """Whatever went wrong on the way, or is refused here. `silent`: whether nobody answered."""


class NotAllowed(Failed, places.NotAllowed):
    """A call to where nothing is configured."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Calls to one service: at most `bytes_max` of an answer, a piece every `seconds`, all of it within `whole_s`."""

    def __init__(self, *, seconds: float, bytes_max: int, whole_s: float | None = None, ca_file: str = "") -> None:
        self._seconds, self._bytes_max, self._whole_s = seconds, bytes_max, whole_s or 4 * seconds
        self._ca_file = ca_file
        self._client: httpx.Client | None = None

    def post(self, url: str, *, headers: Mapping[str, str], content: bytes) -> Answer:
        """Raises Failed. After a failure the next call connects anew."""
        until = time.monotonic() + self._whole_s
        try:
            places.check(url)
        except places.NotAllowed as error:
            raise NotAllowed(str(error)) from None
        if self._client is None:
            self._client = self._made()
        asked = {"User-Agent": "bourse", "Accept-Encoding": "identity", **headers}
        try:
            with self._client.stream("POST", url, headers=asked, content=content) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise Failed("The answer is packed, which nobody asked for.")
                return Answer(response.status_code, dict(response.headers), self._read(response, until))
        except Failed:
            self.close()
            raise
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            self.close()
            raise Failed(f"No answer ({type(error).__name__}).") from None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _made(self) -> httpx.Client:
        return httpx.Client(
            http1=False,
            http2=True,
            trust_env=False,
            follow_redirects=False,
            verify=ssl.create_default_context(cafile=self._ca_file or None),
            timeout=httpx.Timeout(self._seconds, connect=min(CONNECT_S, self._seconds)),
            proxy=getattr(settings, "EGRESS_PROXY", "") or None,
        )

    def _read(self, response: httpx.Response, until: float) -> bytes:
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > self._bytes_max:
                raise Failed("The answer is too long.")
            if time.monotonic() > until:
                raise Failed("The answer takes too long.")
        return bytes(body)
