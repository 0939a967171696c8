"""The engine's figures, and the small page that shows them: /metrics, /livez, /readyz on the loopback address.

What must never happen here: a figure by customer.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

COMMANDS = Counter("bourse_engine_commands_total", "Commands done, by verdict.", ["shard", "verdict"])
TRADES = Counter("bourse_engine_trades_total", "Fills.", ["shard"])
BATCHES = Counter("bourse_engine_batches_total", "Batches committed.", ["shard"])
BATCH_SECONDS = Histogram(
    "bourse_engine_batch_seconds", "From taking a batch to its commit.", ["shard"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)  # fmt: skip
REBUILDS = Counter("bourse_engine_rebuilds_total", "Books loaded anew, by cause.", ["shard", "cause"])
RETRIES = Counter("bourse_engine_batch_retries_total", "Batches undone and tried again, by cause.", ["shard", "cause"])
MALFORMED = Counter("bourse_engine_malformed_total", "Stream entries that are no commands.", ["shard"])
SEQ = Gauge("bourse_engine_seq", "Last batch committed.", ["shard"])
OPEN_ORDERS = Gauge("bourse_engine_open_orders", "Orders in the books.", ["shard"])
LEADING = Gauge("bourse_engine_leading", "1 while this process leads its shard.", ["shard"])


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line a scrape would drown the log."""


def serve(port: int, *, ready: Callable[[], bool]) -> None:
    """Answer on 127.0.0.1:port from a thread of its own."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [generate_latest()]
        good = path == "/livez" or (path == "/readyz" and ready())
        status = "200 OK" if good else "503 Service Unavailable" if path == "/readyz" else "404 Not Found"
        start_response(status, [("Content-Type", "text/plain")])
        return [b"ok\n" if good else b"no\n"]

    server = make_server("127.0.0.1", port, answer, handler_class=_Quiet)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
