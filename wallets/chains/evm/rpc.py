"""JSON-RPC to one EVM node over HTTP.

No proxy of the environment is used: the URL may carry the operator's key, and the node stands beside us. What must never happen
here: a request sent twice that the node may have carried out, the URL in a message, or an error that is not a ChainError.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import requests

from wallets.chains.protocol import NodeRefused, NodeUnavailable

METHOD_NOT_FOUND = -32601
ANSWER_SIZE_MAX = 200_000_000  # bytes; a whole block with its receipts stays far below


class Rpc:
    """One node. Safe to share between threads: each has a session of its own."""

    def __init__(self, url: str, *, timeout_s: float = 30) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._local = threading.local()

    def call(self, method: str, *params: Any) -> Any:
        """The result, as the JSON has it (quantities as "0x…"). Raises NodeUnavailable or NodeRefused."""
        answer = self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        refusal = answer.get("error")
        if refusal is not None:
            detail = refusal if isinstance(refusal, dict) else {"message": str(refusal)}
            code = detail.get("code")
            raise NodeRefused(str(detail.get("message", "")), node_code=code if isinstance(code, int) else 0)
        if "result" not in answer:
            raise NodeUnavailable("the node's answer has no result")
        return answer["result"]

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._session().post(self._url, json=body, timeout=self._timeout_s, allow_redirects=False)
        except (requests.RequestException, ValueError) as error:
            raise NodeUnavailable(f"the node does not answer ({type(error).__name__})") from None
        content = response.content
        if len(content) > ANSWER_SIZE_MAX:
            raise NodeUnavailable("the node's answer is too large")
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            raise NodeUnavailable(f"the node's answer is not JSON-RPC (HTTP {response.status_code})") from None
        if not isinstance(answer, dict) or (response.status_code != 200 and "error" not in answer):
            raise NodeUnavailable(f"the node's answer is not JSON-RPC (HTTP {response.status_code})")
        return answer

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        return session
