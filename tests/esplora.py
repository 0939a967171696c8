"""A small server of Esplora's REST paths over a real node, written from the project's API.md (github.com/Blockstream/esplora).

Only what a client of money needs: blocks, transactions, what spends an output, what waits for an address, fees. What must never
happen here: an answer that the node behind does not give.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from config.regtest.rpc import RpcError


class NotThere(Exception):
    """Answered by 404."""


class EsploraServer:
    """`key`, when given, must come as the header X-Api-Key; `paths` keeps what was asked."""

    def __init__(self, node: Any, *, key: str = "") -> None:
        self.node = node
        self.key = key
        self.paths: list[str] = []
        # Blocks never change: by hash, as the node decodes them.
        self._blocks: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def get(self, path: str) -> bytes | dict[str, Any] | list[Any]:
        """The answer to a GET: bytes as they are, the rest as JSON. Raises NotThere."""
        parts = path.strip("/").split("/")
        try:
            match parts:
                case ["blocks", "tip", "height"]:
                    return str(self.node.rpc("getblockcount")).encode()
                case ["blocks", "tip", "hash"]:
                    return str(self.node.rpc("getbestblockhash")).encode()
                case ["block-height", height]:
                    return str(self.node.rpc("getblockhash", int(height))).encode()
                case ["block", block_hash, *rest]:
                    return self._block(block_hash, rest)
                case ["tx", txid, *rest]:
                    return self._transaction(txid, rest)
                case ["scripthash", name, *rest]:
                    return self._script(name, rest)
                case ["fee-estimates"]:
                    return self._fees()
        except (RpcError, ValueError):
            raise NotThere from None
        raise NotThere

    def post(self, path: str, body: bytes) -> bytes:
        """POST /tx. Raises RpcError with the node's words."""
        if path.strip("/") != "tx":
            raise NotThere
        return str(self.node.rpc("sendrawtransaction", body.decode())).encode()

    def _block(self, block_hash: str, rest: list[str]) -> bytes | dict[str, Any]:
        if rest == ["header"]:
            return str(self.node.rpc("getblockheader", block_hash, False)).encode()
        if rest == ["raw"]:
            return bytes.fromhex(self.node.rpc("getblock", block_hash, 0))
        head = self.node.rpc("getblockheader", block_hash)
        if head["confirmations"] < 0:
            raise NotThere  # a block of a branch that was left
        return {
            "id": head["hash"], "height": head["height"], "version": head["version"], "timestamp": head["time"],
            "tx_count": head["nTx"], "merkle_root": head["merkleroot"], "previousblockhash": head.get("previousblockhash"),
            "mediantime": head["mediantime"], "nonce": head["nonce"], "bits": int(head["bits"], 16),
        }  # fmt: skip

    def _transaction(self, txid: str, rest: list[str]) -> bytes | dict[str, Any]:
        found = self.node.rpc("getrawtransaction", txid, True)
        match rest:
            case ["hex"]:
                return str(found["hex"]).encode()
            case ["status"]:
                return self._status(found)
            case ["outspend", vout]:
                return self._outspend(txid, int(vout))
            case []:
                return self._shown(found)
        raise NotThere

    def _status(self, found: dict[str, Any]) -> dict[str, Any]:
        if found.get("confirmations", 0) < 1:
            return {"confirmed": False}
        head = self.node.rpc("getblockheader", found["blockhash"])
        return {
            "confirmed": True, "block_height": head["height"], "block_hash": head["hash"], "block_time": head["time"],
        }  # fmt: skip

    def _shown(self, found: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "txid": found["txid"], "version": found["version"], "locktime": found["locktime"], "size": found["size"],
            "weight": found["weight"], "status": self._status(found),
            "vin": [
                {
                    "txid": each.get("txid", "0" * 64), "vout": each.get("vout", 0xFFFFFFFF),
                    "is_coinbase": "coinbase" in each, "sequence": each["sequence"],
                }
                for each in found["vin"]
                if not each.get("ismweb")
            ],
            "vout": [
                {"scriptpubkey": each["scriptPubKey"]["hex"], "value": _units(each["value"])}
                for each in found["vout"]
                if not each.get("ismweb")
            ],
        }  # fmt: skip
        if not shown["status"]["confirmed"]:
            shown["fee"] = _units(self.node.rpc("getmempoolentry", found["txid"])["fees"]["base"])
        return shown

    def _outspend(self, txid: str, vout: int) -> dict[str, Any]:
        for each in [*self._waiting(), *self._mined()]:
            for place, spent in enumerate(each["vin"]):
                if (spent.get("txid"), spent.get("vout")) == (txid, vout):
                    return {"spent": True, "txid": each["txid"], "vin": place}
        return {"spent": False}

    def _script(self, name: str, rest: list[str]) -> list[Any]:
        if rest == ["txs", "mempool"]:
            return [self._shown(each) for each in self._waiting() if any(_pays(name, out) for out in each["vout"])]
        if rest == ["utxo"]:
            return [
                {"txid": each["txid"], "vout": out["n"], "value": _units(out["value"]), "status": {"confirmed": True}}
                for each in self._mined()
                for out in each["vout"]
                if _pays(name, out) and self.node.rpc("gettxout", each["txid"], out["n"], False) is not None
            ]
        raise NotThere

    def _fees(self) -> dict[str, Any]:
        found = {}
        for target in (2, 6, 144):
            rate = self.node.rpc("estimatesmartfee", target).get("feerate")
            if rate is not None:
                found[str(target)] = float(rate * 10**5)
        return found

    def _waiting(self) -> list[dict[str, Any]]:
        found = []
        for txid in self.node.rpc("getrawmempool"):
            try:
                found.append(self.node.rpc("getrawtransaction", txid, True))
            except RpcError:
                continue  # mined meanwhile
        return found

    def _mined(self) -> Iterator[dict[str, Any]]:
        with self._lock:
            block_hash = self.node.rpc("getbestblockhash")
            while block_hash:
                if block_hash not in self._blocks:
                    self._blocks[block_hash] = self.node.rpc("getblock", block_hash, 2)
                yield from self._blocks[block_hash]["tx"]
                block_hash = self._blocks[block_hash].get("previousblockhash")


def _units(coins: Any) -> int:
    return int(Decimal(str(coins)).scaleb(8))


def _pays(name: str, output: dict[str, Any]) -> bool:
    script = output.get("scriptPubKey", {}).get("hex")
    return script is not None and hashlib.sha256(bytes.fromhex(script)).hexdigest() == name


def _handler(service: EsploraServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(lambda body: service.get(self.path))

        def do_POST(self) -> None:
            self._answer(lambda body: service.post(self.path, body))

        def _answer(self, ask: Any) -> None:
            service.paths.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if service.key and self.headers.get("X-Api-Key") != service.key:
                self._say(401, b"no key")
                return
            try:
                found = ask(body)
                self._say(200, found if isinstance(found, bytes) else json.dumps(found).encode())
            except NotThere:
                self._say(404, b"Not found")
            except RpcError as refused:
                self._say(400, f"sendrawtransaction RPC error: {refused}".encode())

        def _say(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nothing: what is asked stands in `paths`."""

    return Handler


@contextmanager
def esplora(node: Any, *, key: str = "") -> Iterator[EsploraServer]:
    """Runs one until the block ends."""
    made = EsploraServer(node, key=key)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join(30)
