"""Requests to Sumsub: signed, bounded in time and size, repeated with a growing pause where that can help.

What must never happen here: a redirect followed (it would carry a passport to where a stranger points), a secret or a
customer's word in a log line or an error, or a call that waits without an end.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import structlog

from exchange.outgoing import calls
from kyc.providers.protocol import ProviderRefused, ProviderUnavailable
from kyc.providers.sumsub import signing

CONNECT_S, ANSWER_S = 5.0, 30.0
TRIES = 3
AGAIN_WITHIN_S = 10.0
PAUSE_FIRST_S, PAUSE_MAX_S = 0.5, 8.0
ANSWER_BYTES_MAX = 1024 * 1024
log = structlog.get_logger(__name__)


class Client:
    """One account there. `sleep` and `clock` are given in tests."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        secret: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url, self._token, self._secret = base_url.rstrip("/"), token, secret
        self._sleep, self._clock = sleep, clock

    def get(self, path: str) -> dict[str, Any]:
        return self._answered("GET", path)[0]

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._answered("POST", path, json=body if body is not None else {})[0]

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answered("PATCH", path, json=body)[0]

    def post_picture(self, path: str, *, metadata: dict[str, Any], picture: bytes) -> tuple[dict[str, Any], str]:
        """A multipart form of `metadata` and `content`; the answer, and the picture's name there (X-Image-Id)."""
        files = {"metadata": (None, json.dumps(metadata)), "content": ("picture.jpg", picture, "image/jpeg")}
        answer, response = self._answered("POST", path, files=files)
        return answer, response.headers.get("X-Image-Id", "")

    def _answered(self, method: str, path: str, **content: Any) -> tuple[dict[str, Any], calls.Response]:
        """Tries again after a quick 429, 5xx or broken connection; raises ProviderUnavailable in the end, ProviderRefused for a
        no. Who was silent for long is asked once: the application comes round again, and the worker has others."""
        began = time.monotonic()
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(method, path, content)
            except ProviderUnavailable as error:
                pause = max(error.wait_s, PAUSE_FIRST_S * 2 ** (attempt - 1) * (1 + random.random()))  # noqa: S311
                log.info("sumsub.unavailable", method=method, attempt=attempt, error=str(error))
                if attempt == TRIES or pause > PAUSE_MAX_S or time.monotonic() - began > AGAIN_WITHIN_S:
                    raise
                self._sleep(pause)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, content: dict[str, Any]) -> tuple[dict[str, Any], calls.Response]:
        prepared = calls.prepared(method, f"{self.base_url}{path}", **content)
        body = prepared.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        timestamp = int(self._clock())
        prepared.headers["X-App-Token"] = self._token
        prepared.headers["X-App-Access-Ts"] = str(timestamp)
        prepared.headers["X-App-Access-Sig"] = signing.of_request(
            self._secret, timestamp=timestamp, method=method, path=str(prepared.path_url), body=body
        )
        prepared.headers["Accept"] = "application/json"
        with calls.Session(connect_s=CONNECT_S, seconds=ANSWER_S, bytes_max=ANSWER_BYTES_MAX) as session:
            try:
                response = session.send(prepared)
            except calls.Failed as error:
                raise ProviderUnavailable(type(error).__name__) from None
        return self._judged(response, response.content), response

    def _judged(self, response: calls.Response, data: bytes) -> dict[str, Any]:
        status = response.status_code
        if status == 429 or status >= 500:
            raise ProviderUnavailable(f"status {status}", wait_s=_seconds(response.headers.get("Retry-After", "")))
        if 300 <= status < 400:
            raise ProviderRefused("a redirect, which is not followed", status=status)
        try:
            answer = json.loads(data) if data.strip() else {}
        except ValueError:
            raise ProviderUnavailable("an answer that is no JSON") from None
        if not isinstance(answer, dict):
            raise ProviderUnavailable("an answer that is no object")
        if status >= 400:
            code = answer.get("errorCode")
            known = code if isinstance(code, int) else None
            raise ProviderRefused(f"status {status}, error code {known}", status=status, code=known)
        return answer


def secure(base_url: str) -> bool:
    """https, or this very machine."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))


def _seconds(text: str) -> float:
    return float(text) if text.strip().isdigit() else 0.0
