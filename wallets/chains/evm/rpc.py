"""JSON-RPC to one EVM node over HTTP: a node of our own, or any hosted service with a key in the URL, a header or basic auth.

No proxy of the environment is used. What must never happen here: a request sent twice that the node may have carried out, the
URL or any part of a key in a message or a log, an answer without end, or an error that is not a ChainError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests

from wallets.chains import nested
from wallets.chains.protocol import ChainError, NodeRefused, NodeUnavailable, RateLimited

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
ANSWER_SIZE_MAX = 200_000_000  # bytes; a whole block with its receipts stays far below
BATCH_MAX = 50  # questions in one request; services refuse or bill larger ones
# A service that says "later" is obeyed this often, for no longer than the timeout in all.
PATIENCE = 4
WAIT_S = 0.5
SECRET_LENGTH_MIN = 8
# What services answer beside HTTP 429 when there were too many questions.
LIMIT_CODES = frozenset({-32005, -32029, 429})
_CHUNK = 65_536

Call = tuple[str, tuple[Any, ...]]


class Rpc:
    """One node. Safe to share between threads: each has a session of its own."""

    def __init__(self, url: str, *, header: str = "", timeout_s: float = 30) -> None:
        """`header` is "Name: value", for services that take their key so. Raises NodeUnavailable for what is no URL."""
        self._url = url
        self._timeout_s = timeout_s
        self._local = threading.local()
        name, separator, value = header.partition(":")
        if header and not (separator and name.strip().isascii() and value.strip()):
            raise NodeUnavailable("the header for the node is not of the form Name: value")
        self._headers = {name.strip(): value.strip()} if header else {}
        self._secrets = _secrets(url, value.strip())

    def call(self, method: str, *params: Any) -> Any:
        """The result, as the JSON has it (quantities as "0x…"). Raises NodeUnavailable or NodeRefused."""
        answer = self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        return self._result(answer)

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The results of many reads, in order; a node that takes no batches is asked one by one. Raises like `call`."""
        results: list[Any] = []
        for start in range(0, len(calls), BATCH_MAX):
            part = calls[start : start + BATCH_MAX]
            body = [
                {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
                for number, (method, params) in enumerate(part)
            ]
            answers = self._post(body) if len(part) > 1 else None
            if not isinstance(answers, list):
                results += [self.call(method, *params) for method, params in part]
                continue
            by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
            if set(by_id) != set(range(len(part))):
                raise NodeUnavailable("the node's answer leaves out some of the questions")
            results += [self._result(by_id[number]) for number in range(len(part))]
        return results

    def _result(self, answer: Any) -> Any:
        if not isinstance(answer, dict):
            raise NodeUnavailable("the node's answer is not JSON-RPC")
        refusal = answer.get("error")
        if refusal is not None:
            raise self._refusal(refusal)
        if "result" not in answer:
            raise NodeUnavailable("the node's answer has no result")
        return answer["result"]

    def _refusal(self, refusal: Any) -> ChainError:
        detail = refusal if isinstance(refusal, dict) else {"message": str(refusal)}
        code = detail.get("code")
        message = self._scrubbed(str(detail.get("message", "")))[:500]
        if code in LIMIT_CODES:
            return RateLimited(f"the service wants fewer questions: {message}")
        return NodeRefused(message, node_code=code if isinstance(code, int) else 0)

    def _scrubbed(self, message: str) -> str:
        for secret in self._secrets:
            message = message.replace(secret, "***")
        return message

    def _post(self, body: Any) -> Any:
        """The JSON of the answer. Told to come later, it does, as long as its patience lasts: nothing was carried out then."""
        deadline = time.monotonic() + self._timeout_s
        for attempt in range(PATIENCE):
            status, wait_s, content = self._exchange(body, deadline)
            if status != 429:
                return self._parsed(status, content)
            pause_s = WAIT_S * 2**attempt if wait_s is None else wait_s
            if time.monotonic() + pause_s > deadline:
                break
            time.sleep(pause_s)
        raise RateLimited("the service wants fewer questions (HTTP 429)")

    def _exchange(self, body: Any, deadline: float) -> tuple[int, float | None, bytes]:
        """Status, the seconds the service wants us to wait, and what it said, read up to a size and an hour."""
        try:
            response = self._session().post(
                self._url, json=body, timeout=self._timeout_s, allow_redirects=False, stream=True
            )
            with response:
                content = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > ANSWER_SIZE_MAX:
                        raise NodeUnavailable("the node's answer is too large")
                    if time.monotonic() > deadline:
                        raise NodeUnavailable("the node's answer takes too long")
                return response.status_code, _seconds(response.headers.get("Retry-After")), bytes(content)
        except (requests.RequestException, ValueError) as error:
            # Only the kind of error: its text holds the URL.
            raise NodeUnavailable(f"the node does not answer ({type(error).__name__})") from None

    def _parsed(self, status: int, content: bytes) -> Any:
        if status in (401, 403):
            raise NodeUnavailable(f"the service does not take our key (HTTP {status})")
        try:
            answer = nested.loads(content)
        except (ValueError, RecursionError):
            raise NodeUnavailable(f"the node's answer is not JSON-RPC (HTTP {status})") from None
        if status != 200 and not (isinstance(answer, dict) and "error" in answer):
            raise NodeUnavailable(f"the node's answer is not JSON-RPC (HTTP {status})")
        return answer

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.headers.update(self._headers)
        return session


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After in seconds; a date is not worth reading, and a service without one gets our own pause."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdecimal() else None


def _secrets(url: str, header: str) -> list[str]:
    """The parts of a URL and header that may be a key, longest first: whatever a server echoes, none of them is passed on."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise NodeUnavailable("what is configured for the node is not a URL") from None
    found = {url, header, *parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))}
    found |= {part for part in (parts.username, parts.password) if part}
    found |= {unquote(part) for part in found} | set(header.split())
    return sorted((part for part in found if len(part) >= SECRET_LENGTH_MIN), key=len, reverse=True)
