"""The signer's figures and whether it can work: /metrics, /livez, /readyz on the loopback address, when a port is set.

What must never happen here: a path that changes anything, another address than the loopback, or an amount or address in a figure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

ANSWERS = Counter(
    "bourse_signer_answers_total", "Jobs answered, by network and outcome.", ["network", "outcome", "code"]
)
WAITING = Gauge("bourse_signer_jobs_waiting", "Jobs without an answer at the last look.")
LAST_LOOK = Gauge("bourse_signer_last_look_timestamp_seconds", "When the database last told the signer its jobs.")
READY_AGE_MAX_S = 40


class Readiness:
    """Whether the signer has read its jobs lately."""

    def __init__(self) -> None:
        self._looked_at: float | None = None

    def looked(self, *, waiting: int) -> None:
        """The database answered."""
        self._looked_at = time.monotonic()
        LAST_LOOK.set_to_current_time()
        WAITING.set(waiting)

    def __call__(self) -> bool:
        return self._looked_at is not None and time.monotonic() - self._looked_at < READY_AGE_MAX_S


def serve(port: int, *, ready: Callable[[], bool]) -> ThreadingHTTPServer:
    """Answers on 127.0.0.1 from a thread of its own. Raises OSError when the port is taken."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
            elif self.path == "/livez":
                self._answer(200, b"ok\n")
            elif self.path == "/readyz":
                self._answer(*((200, b"ok\n") if ready() else (503, b"no\n")))
            else:
                self._answer(404, b"no\n")

        def _answer(self, status: int, body: bytes, content_type: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A line a scrape would drown the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="monitoring", daemon=True).start()
    return server
