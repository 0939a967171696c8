"""JSON-RPC to one EVM node over web3's HTTP provider, without its retries.

What must never happen here: a request sent twice that the node may have carried out, or an error that is not a ChainError.
"""

from __future__ import annotations

from typing import Any

import requests
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from wallets.chains.protocol import NodeRefused, NodeUnavailable

METHOD_NOT_FOUND = -32601
_TRANSPORT_ERRORS = (requests.RequestException, Web3Exception, OSError, ValueError, TypeError, KeyError, AttributeError)


class Rpc:
    """One node. Safe to share between threads: the provider keeps a session for each."""

    def __init__(self, url: str, *, timeout_s: float = 30) -> None:
        self._provider = HTTPProvider(url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None)

    def call(self, method: str, *params: Any) -> Any:
        """The result, as the JSON has it (quantities as "0x…"). Raises NodeUnavailable or NodeRefused."""
        try:
            answer: Any = self._provider.make_request(RPCEndpoint(method), list(params))
        except _TRANSPORT_ERRORS as error:
            raise NodeUnavailable(f"the node does not answer ({type(error).__name__})") from None
        if not isinstance(answer, dict):
            raise NodeUnavailable("the node's answer is not JSON-RPC")
        refusal = answer.get("error")
        if refusal is not None:
            detail = refusal if isinstance(refusal, dict) else {"message": str(refusal)}
            code = detail.get("code")
            raise NodeRefused(str(detail.get("message", "")), node_code=code if isinstance(code, int) else 0)
        if "result" not in answer:
            raise NodeUnavailable("the node's answer has no result")
        return answer["result"]
