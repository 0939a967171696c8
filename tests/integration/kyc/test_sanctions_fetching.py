"""Fetching the list from a publisher: only what changed, whole, and from nowhere but where the operator said."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import screening_names as made
from exchange.outbox.models import Event
from kyc.models import ListVersion
from kyc.screening import selectors, tasks
from kyc.screening.services import fetching, lists

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class Publisher(ThreadingHTTPServer):
    """Serves files with their marks; `answers` overrides a path with (status, headers, body)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.answers, self.asked = {}, {}, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.strip("/")
        if path in self.server.files or path == "elsewhere":  # a port that is free again may be asked by others
            self.server.asked.append((path, dict(self.headers)))
        if path in self.server.answers:
            return self._send(*self.server.answers[path])
        body = self.server.files.get(path, b"")
        mark = f'"{hash(body)}"'
        if self.headers.get("If-None-Match") == mark:
            return self._send(304, {}, b"")
        return self._send(200, {"ETag": mark, "Content-Length": str(len(body))}, body)

    def _send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def publisher(settings):
    server = Publisher()
    server.files = made.files(made.listed(200, 3))
    settings.SANCTIONS_URL = ", ".join(f"{server.url}/{name}" for name in server.files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(60)


def test_the_files_are_fetched_and_taken_once(publisher):
    version = fetching.fetch(now=NOW)
    assert ListVersion.objects.get().entries == 200 and selectors.epoch() == version
    assert fetching.fetch(now=NOW) is None  # every file says that nothing changed
    assert len(publisher.asked) == 6 and "If-None-Match" in publisher.asked[-1][1]
    assert ListVersion.objects.count() == 1


def test_when_one_file_changed_all_are_fetched_anew(publisher):
    fetching.fetch(now=NOW)
    publisher.files = made.files(
        [*made.listed(200, 3), *[made.Row(900 + n, "-0-", [], company=f"NEW{n}") for n in range(2)]]
    )
    version = fetching.fetch(now=NOW)
    assert ListVersion.objects.get(id=version).entries == 202


def test_nothing_set_fetches_nothing(settings):
    settings.SANCTIONS_URL = ""
    assert fetching.fetch(now=NOW) is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((302, {"Location": "/elsewhere"}, b""), "we do not follow"),
        ((500, {}, b"sorry"), "HTTP 500"),
        ((404, {}, b""), "HTTP 404"),
        ((304, {}, b""), "we do not follow"),  # nothing was asked that it could answer so
        ((200, {"Content-Length": "999999"}, b"1,"), "did not answer|promised"),
        ((200, {}, b"x" * 3_000_000), "more than"),
    ],
)
def test_what_is_no_whole_file_is_left_and_told(publisher, settings, answer, why):
    settings.SANCTIONS_BYTES_MAX = 2_000_000
    publisher.answers["sdn.csv"] = answer
    with pytest.raises(fetching.FetchFailed, match=why):
        fetching.fetch(now=NOW)
    assert not ListVersion.objects.exists()
    assert Event.objects.filter(topic="kyc.sanctions_refused").count() == 1
    assert "elsewhere" not in [path for path, _ in publisher.asked]


def test_a_refused_list_is_fetched_in_full_the_next_time(publisher):
    whole = publisher.files["sdn.csv"]
    fetching.fetch(now=NOW)
    publisher.files["sdn.csv"] = whole[: len(whole) // 2]
    with pytest.raises(lists.ListRefused):
        fetching.fetch(now=NOW)
    with pytest.raises(lists.ListRefused):
        fetching.fetch(now=NOW)  # it is not taken for known
    publisher.files["sdn.csv"] = whole
    fetching.fetch(now=NOW)
    assert ListVersion.objects.filter(state="in_force").count() == 1


def test_in_production_only_https_is_asked(publisher, settings):
    settings.PRODUCTION = True
    with pytest.raises(fetching.FetchFailed, match="has to be https"):
        fetching.fetch(now=NOW)
    assert publisher.asked == []


def test_the_task_ends_well_where_the_list_does_not(publisher):
    publisher.answers["sdn.csv"] = (503, {}, b"")
    tasks.fetch_sanctions()
    del publisher.answers["sdn.csv"]
    tasks.fetch_sanctions()
    tasks.rescreen()
    assert ListVersion.objects.filter(state="in_force").count() == 1
