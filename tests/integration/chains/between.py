"""A server between an adapter and its node: it passes on what is asked, and what it answers is up to the test."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_HEADERS = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer. `hang` keeps the asker waiting, `drop` closes the connection instead of answering."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hang: bool = False
    drop: bool = False


Behaviour = Callable[[Asked, Callable[[], Answer]], Answer]


class Between:
    """`behave` is given the request and a function that asks the real node; what it returns is answered."""

    def __init__(self, node_url: str) -> None:
        self.node = urlsplit(node_url)
        self.behave: Behaviour = lambda asked, forward: forward()
        self.seen: list[Asked] = []
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.server.handle_error = lambda request, client: None  # type: ignore[method-assign]  # an asker that hung up

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def url(self) -> str:
        """The node's own URL with this server in its place: same user, same password, same path."""
        who = self.node.netloc.rpartition("@")[0]
        return f"http://{who}{'@' if who else ''}{self.host}{self.node.path}"

    def forward(self, asked: Asked) -> Answer:
        connection = http.client.HTTPConnection(self.node.hostname or "", self.node.port, timeout=30)
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in HOP_HEADERS}
        connection.request(asked.method, asked.path, asked.body or None, headers)
        reply = connection.getresponse()
        kept = {name: value for name, value in reply.getheaders() if name.lower() not in HOP_HEADERS}
        answer = Answer(reply.read(), reply.status, kept)
        connection.close()
        return answer


def _handler(between: Between) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet: two would wait for each other's acknowledgement

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, dict(self.headers), body)
            between.seen.append(asked)
            answer = between.behave(asked, lambda: between.forward(asked))
            if answer.hang:
                between.closing.wait(60)
            if answer.hang or answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()

        do_POST = do_GET  # noqa: N815 - the library looks for this name

        def log_message(self, *arguments: object) -> None:
            """Nothing: what is asked stands in `seen`."""

    return Handler


@contextmanager
def between(node_url: str) -> Iterator[Between]:
    """Runs one until the block ends."""
    made = Between(node_url)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        made.server.shutdown()
        made.server.server_close()
        thread.join(30)
