"""Downloads: checked, resumed, and never under their final name before they are whole. Against a real local server."""

import hashlib
import http.server
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.setup import download
from deploy.setup.failures import SetupError

BODY = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Breaks the first answers off after `cut` bytes; keeps the ranges that it was asked for."""

    cut: int | None = None
    body = BODY
    ranges: list[str] = []

    def do_GET(self):
        asked = self.headers.get("Range", "")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        rest = self.body[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if type(self).cut is not None:
            rest, type(self).cut = rest[: type(self).cut], None
        self.wfile.write(rest)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Server.cut, Server.body, Server.ranges = None, BODY, []
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/file"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def opener():
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)


def test_a_whole_download_is_checked_and_put_in_place(server, opener, tmp_path):
    target = download.get(server, tmp_path / "file", sha256=SHA256, opener=opener)
    assert target.read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_broken_download_goes_on_where_it_broke(server, opener, tmp_path):
    Server.cut = 300_000
    assert download.get(server, tmp_path / "file", sha256=SHA256, opener=opener).read_bytes() == BODY
    assert Server.ranges[0] == ""
    assert Server.ranges[1].startswith("bytes=")
    assert int(Server.ranges[1].removeprefix("bytes=").rstrip("-")) > 0


def test_what_stands_already_is_not_fetched_again(server, opener, tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    download.get(server, tmp_path / "file", sha256=SHA256, opener=opener)
    assert Server.ranges == []


def test_two_who_want_the_same_file_fetch_it_once(server, opener, tmp_path):
    """Steps of set-up run side by side, and a library may serve the nodes and the browser."""
    start = threading.Barrier(4)

    def fetch(_):
        start.wait()
        return download.get(server, tmp_path / "file", sha256=SHA256, opener=opener).read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fetch, range(4))) == [BODY] * 4
    assert Server.ranges == [""]


def test_a_file_with_another_hash_never_gets_its_name(server, opener, tmp_path):
    Server.body = BODY[:-1] + b"!"
    with pytest.raises(SetupError, match="SHA256"):
        download.get(server, tmp_path / "file", sha256=SHA256, opener=opener)
    assert list(tmp_path.iterdir()) == []


def test_a_server_out_of_reach_is_a_sentence(opener, tmp_path):
    with pytest.raises(SetupError, match="Check the network"):
        download.get("http://127.0.0.1:9/file", tmp_path / "file", sha256=SHA256, opener=opener)
