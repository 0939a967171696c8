"""A JSON-RPC call to a node of our own, for set-up and tests only. Wallet code uses wallets.chains, never this.

Numbers with a fraction come back as Decimal: no float touches an amount, in tests neither.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

# A node that is starting: somebody else may sit on its port and never answer, and it is asked again in any case.
PROBE_S = 3.0
TIMEOUT_S = 120.0


class RpcError(RuntimeError):
    """The node understood and refused. `code` is its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


def call(url: str, method: str, params: list[Any], *, timeout_s: float = TIMEOUT_S) -> Any:
    """The result of one call. Raises RpcError, or OSError when nobody answers."""
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port}"
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(f"http://{host}{parts.path or '/'}", body, {"Content-Type": "application/json"})
    if parts.username:
        credentials = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    try:
        # A proxy of the environment must not see calls to this machine.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout_s) as response:
            text = response.read()
    except urllib.error.HTTPError as exc:  # bitcoind puts its refusals under 4xx and 5xx
        text = exc.read()
        if exc.code in (401, 403) or not text.startswith(b"{"):
            raise OSError(f"{host} answers HTTP {exc.code}") from exc
    answer = json.loads(text, parse_float=Decimal)
    if answer.get("error"):
        raise RpcError(answer["error"]["code"], answer["error"]["message"])
    return answer["result"]
