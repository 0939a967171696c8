"""A requests session that does not do what requests does unasked.

No redirect is followed. Every call has a time to connect, a time for each piece and a time for the whole answer, and the answer a
size. No proxy, .netrc or certificate store is taken from the environment; EGRESS_PROXY names a proxy where there is one.
Certificates are checked. Only places of the allow-list are called, whatever URL comes in. It is checked where the request leaves
(`send`), so that a prepared request and a library that was handed a session are held to it, too.

What must never happen here: a way around one of these by an argument; a body or a header in an error.
"""

from __future__ import annotations

import time
from typing import Any

import requests
import urllib3
from django.conf import settings
from requests.structures import CaseInsensitiveDict

from exchange.outgoing import places, public

Failed = requests.RequestException  # whatever goes wrong on the way, or is refused here
Silent = requests.Timeout
Untrusted = requests.exceptions.SSLError
Response = requests.Response
Prepared = requests.PreparedRequest
CONNECT_S = 5.0
REDIRECTS = False
PLAIN = frozenset({"", "identity"})
_PIECE = 65_536


class NotAllowed(requests.RequestException, places.NotAllowed):
    """A call to where nothing is configured, or in the clear to somewhere else than this machine."""


class TooMuch(requests.RequestException):
    """An answer longer than anything that this service says."""


class Packed(requests.RequestException):
    """An answer in another coding than was asked for: sixty-four kilobytes of it may be sixty-four megabytes."""


class TooSlow(requests.Timeout):
    """An answer that came in drops."""


class Session(requests.Session):
    """Calls to one service: at most `bytes_max` of an answer, a piece every `seconds`, all of it within `whole_s`.

    `public_only` is for places that customers name: no address of a private network is connected to.
    """

    def __init__(
        self,
        *,
        seconds: float,
        bytes_max: int,
        whole_s: float | None = None,
        connect_s: float = CONNECT_S,
        ca_file: str = "",
        public_only: bool = False,
    ) -> None:
        super().__init__()
        if public_only:
            self.mount("https://", public.Adapter())
            self.mount("http://", public.Adapter())
        self._public_only = public_only
        self.trust_env = False
        self._ca_file = ca_file
        self._timeout = (min(connect_s, seconds), seconds)
        self._whole_s, self._bytes_max = whole_s or 4 * seconds, bytes_max
        # Bytes as they are: what is packed could unpack to more than anybody waits for, so it is not taken either.
        self.headers = CaseInsensitiveDict({"User-Agent": "bourse", "Accept-Encoding": "identity", "Accept": "*/*"})

    def send(self, request: Prepared, **given: Any) -> Response:
        """The answer with its whole body read. Raises Failed."""
        until = time.monotonic() + self._whole_s
        try:
            places.check(str(request.url))
            proxy = getattr(settings, "EGRESS_PROXY", "")
            if (
                self._public_only and not proxy
            ):  # a proxy looks names up by itself, and has to refuse our networks by itself
                host, _, port = places.place(str(request.url)).rpartition(":")
                places.public(host, int(port))
        except places.NotAllowed as error:
            raise NotAllowed(str(error)) from None
        response = super().send(
            request,
            allow_redirects=REDIRECTS,
            timeout=self._timeout,
            stream=True,
            verify=self._ca_file or True,
            proxies={"http": proxy, "https": proxy} if proxy else {},
        )
        with response:
            response._content = self._read(response, until)  # what `content`, `text` and `json()` show
            response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def _read(self, response: Response, until: float) -> bytes:
        """What has come, piece after piece: waiting for a full buffer would wait for each of its drops."""
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in PLAIN:
            raise Packed("The answer is packed, which nobody asked for.")
        body = bytearray()
        try:
            while piece := response.raw.read1(_PIECE, decode_content=False):
                body += piece
                if len(body) > self._bytes_max:
                    raise TooMuch("The answer is too long.")
                if time.monotonic() > until:
                    raise TooSlow("The answer takes too long.")
        except urllib3.exceptions.ReadTimeoutError:
            raise requests.ReadTimeout("The answer stopped.") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError(f"The answer broke off ({type(error).__name__}).") from None
        promised = response.headers.get("Content-Length", "")
        whole = response.status_code == 200 and response.request.method != "HEAD"
        if whole and promised.isascii() and promised.isdigit() and int(promised) != len(body):
            raise requests.ConnectionError("The answer broke off.")
        return bytes(body)


def never_left(error: Exception) -> bool:
    """Whether a call failed before anybody had the connection: what was to be sent was not, for certain."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    unmade = urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError
    return isinstance(error, (NotAllowed, requests.ConnectTimeout)) or isinstance(reason, unmade)


def prepared(method: str, url: str, **content: Any) -> Prepared:
    """A request whose bytes stand before it is sent, for services that want them signed."""
    return requests.Request(method, url, **content).prepare()
