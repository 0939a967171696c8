"""Calls to others: what a session refuses to do, what the settings allow, and that nobody calls in another way.

The adapters of the chains keep sessions of their own (they are a leaf that knows no room), so the same is asked of them here.
"""

from __future__ import annotations

import ast
import contextlib
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured

from config import egress
from exchange.outgoing import calls, places
from wallets.chains.evm import rpc as evm
from wallets.chains.protocol import ChainError
from wallets.chains.utxo import rest, rpc

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("exchange", "kyc", "wallets", "custody", "trading", "config")
# Whoever else speaks HTTP: the adapters (held to the same below), and what runs on a developer's machine alone.
OWN_SESSIONS = {"wallets/chains/utxo/rest.py", "wallets/chains/utxo/rpc.py", "wallets/chains/evm/rpc.py"}
DOOR = {f"exchange/outgoing/{name}.py" for name in ("calls", "places", "public", "http2")}
CLIENTS = {
    "requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request", "ftplib", "telnetlib", "xmlrpc", "smtplib",
    "websockets.client", "websockets.sync", "websockets.asyncio", "bitcoinrpc", "web3", "ccxt", "pycurl", "paramiko", "twilio",
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """Answers as it is told to, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status, self.headers, self.body, self.drip_s, self.endless = 200, {}, b"{}", 0.0, False
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        for name, value in {"Content-Type": "application/json", **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            while self.server.endless:
                self.wfile.write(b" " * 100_000)
            for byte in self.server.body:
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.drip_s)
        except OSError:
            pass  # the client has had enough

    do_POST = do_GET  # noqa: N815  the name that http.server looks for

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def session(**given: Any) -> calls.Session:
    return calls.Session(**{"seconds": 30, "bytes_max": 10_000, **given})


# Each asks one URL once and raises something of its room where it does not like the answer.
WAYS: dict[str, Callable[[str], Any]] = {
    "the door": lambda url: session().get(url).raise_for_status(),
    "the door, prepared": lambda url: session().send(calls.prepared("POST", url, json={})).raise_for_status(),
    "esplora": lambda url: rest.Rest(url, header="X-Key: secret-of-ours").raw("tip", maximum=10_000),
    "evm": lambda url: evm.Rpc(url).call("eth_chainId"),
    "utxo": lambda url: rpc.Rpc(url.replace("http://", "http://user:word@")).call("getblockcount"),
}
REFUSED = (requests.RequestException, ChainError)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(server: Server, way: str, status: int) -> None:
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere", "Content-Length": "0"}
    server.body = b""
    with contextlib.suppress(REFUSED):
        WAYS[way](server.url)
    assert [path for path, _ in server.asked if "elsewhere" in path] == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_without_an_end_is_left(server: Server, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (evm, rpc):
        monkeypatch.setattr(module, "ANSWER_SIZE_MAX", 1_000_000)
    server.endless = True
    with pytest.raises(REFUSED):
        WAYS[way](server.url)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_the_environment_leads_elsewhere(
    server: Server, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy that nobody listens at, and a password for this host in .netrc: neither is looked at."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password taken\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.body, server.headers = b'{"jsonrpc":"2.0","id":1,"result":"0x1","error":null}', {"Content-Length": "52"}
    WAYS[way](server.url)
    ((_, headers),) = server.asked
    assert "dGhpZWY6dGFrZW4=" not in headers.get("Authorization", "")


@pytest.mark.parametrize("coding", ["gzip", "GZip", "deflate", "identity, gzip", "br"])
def test_what_is_packed_is_not_asked_for_and_not_unpacked(server: Server, coding: str) -> None:
    import gzip

    server.body = gzip.compress(b" " * 40_000_000)
    server.headers = {"Content-Encoding": coding, "Content-Length": str(len(server.body))}
    tracemalloc.start()
    try:
        with pytest.raises(calls.Packed):
            session(bytes_max=1_000_000).get(server.url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_coding_that_is_none_is_read(server: Server) -> None:
    server.body, server.headers = b"{}", {"Content-Encoding": "identity", "Content-Length": "2"}
    assert session().get(server.url).content == b"{}"


def test_an_answer_in_drops_ends_at_its_time(server: Server) -> None:
    server.body, server.drip_s = b"x" * 5_000, 0.05
    with pytest.raises(calls.TooSlow):
        session(whole_s=0.5).get(server.url)


def test_an_answer_that_breaks_off_is_none(server: Server) -> None:
    server.body, server.headers = b"half", {"Content-Length": "4000", "Connection": "close"}
    with pytest.raises(calls.Failed):
        session().get(server.url)


def test_no_argument_loosens_it(server: Server) -> None:
    server.status, server.headers, server.body = (
        302,
        {"Location": f"{server.url}/elsewhere", "Content-Length": "0"},
        b"",
    )
    answer = session().get(server.url, allow_redirects=True, timeout=None, verify=False, stream=False)
    assert answer.status_code == 302 and len(server.asked) == 1


def test_a_certificate_is_checked_whatever_the_caller_says(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "thief")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = tmp_path / "thief.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    found = Server()
    found.socket = context.wrap_socket(found.socket, server_side=True)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    url = f"https://localhost:{found.server_port}"
    try:
        for attempt in (
            lambda: session().get(url, verify=False),
            lambda: rest.Rest(url).raw("tip", maximum=1_000),
            lambda: evm.Rpc(url).call("eth_chainId"),
            lambda: rpc.Rpc(url.replace("https://", "https://user:word@")).call("getblockcount"),
        ):
            with pytest.raises(REFUSED):
                attempt()
        assert found.asked == []
        found.body = b"{}"
        session(ca_file=str(pem)).get(url)  # the operator's own authority
    finally:
        found.shutdown()
        found.server_close()


# --- the list ---------------------------------------------------------------------------------------------------------


def test_only_places_of_the_list_are_called(server: Server, settings: Any) -> None:
    settings.EGRESS_ALLOWED_HOSTS = [f"127.0.0.1:{server.server_port}", "api.example:443", "api.example:80"]
    session().get(server.url)
    for url in (
        "http://127.0.0.1:9/",
        "https://elsewhere.example/",
        "https://api.example:8443/",
        "http://api.example/",
    ):
        with pytest.raises(calls.NotAllowed):
            session().get(url)
    with pytest.raises(calls.NotAllowed):
        session().send(calls.prepared("POST", "https://elsewhere.example/", json={}))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "https://", "https://a.example:port/", "x"]
)
def test_what_is_no_web_address_is_no_place(url: str) -> None:
    with pytest.raises(places.NotAllowed) as refused:
        places.place(url)
    assert "passwd" not in str(refused.value)


def test_a_node_outside_the_list_is_not_called(settings: Any) -> None:
    from wallets import nodes

    settings.EGRESS_ALLOWED_HOSTS = ["bitcoind.example:8332"]
    rows = {
        "bitcoin": {"id": 1, "family": "utxo", "network": "mainnet", "url": "http://u:secret-word@thief.example:8332"}
    }
    settings.CHAINS = rows
    with pytest.raises(ChainError) as refused:
        nodes.first("bitcoin")
    assert "secret-word" not in str(refused.value)
    settings.CHAINS = {"bitcoin": {**rows["bitcoin"], "url": "http://u:secret-word@bitcoind.example:8332"}}
    nodes.first("bitcoin")  # in the clear, inside the network that it stands in


def test_the_list_is_what_is_configured_and_no_more() -> None:
    configured = {
        "CMC_API_KEY": "", "CMC_BASE_URL": "https://pro-api.coinmarketcap.com",
        "KYC_PROVIDER": "sumsub", "SUMSUB_BASE_URL": "https://api.sumsub.com",
        "BREACHED_PASSWORDS_URL": "https://api.pwnedpasswords.com/range/",
        "SANCTIONS_URL": "https://lists.example/sdn.csv, https://lists.example:8443/alt.csv",
        "SOCIALACCOUNT_PROVIDERS": {"google": {}},
        "PROVIDER_ENDPOINTS": {
            "google": {"authorize": "https://accounts.example/a", "token": "https://oauth.example/t", "issuer": "https://i.example"},
            "apple": {"token": "https://apple.example/t"},
        },
        "CHAINS": {"bitcoin": {"url": "http://u:p@10.0.0.2:8332", "second_url": "https://second.example/key"}, "litecoin": {}},
    }  # fmt: skip
    assert egress.allowed(configured) == [
        "10.0.0.2:8332", "api.pwnedpasswords.com:443", "api.sumsub.com:443", "lists.example:443", "lists.example:8443",
        "oauth.example:443", "second.example:443",
    ]  # fmt: skip
    assert egress.allowed({}) == []
    with pytest.raises(ImproperlyConfigured, match=r"^SANCTIONS_URL: "):
        egress.allowed({"SANCTIONS_URL": "file:///etc/passwd"})


# --- nobody else ------------------------------------------------------------------------------------------------------


def files() -> list[Path]:
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [path for path in found if "regtest" not in path.parts and path.name != "embedded.py"]


def clients(source: str) -> set[str]:
    """Which HTTP clients a module imports or opens sockets with, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "socket.socket", "socket.create_connection", "asyncio.open_connection", "__import__", "urlopen",
        ):  # fmt: skip
            found.add(ast.unparse(node.func))
        found |= {name for name in names for client in CLIENTS if name == client or name.startswith(f"{client}.")}
    return found


def test_nobody_else_speaks_http() -> None:
    loose = {}
    for path in files():
        name = str(path.relative_to(ROOT))
        if name not in OWN_SESSIONS | DOOR and (used := clients(path.read_text())):
            loose[name] = used
    assert loose == {}
    assert all((ROOT / name).exists() for name in OWN_SESSIONS | DOOR)


@pytest.mark.parametrize(
    "source",
    [
        "import requests", "from requests import get", "import urllib.request as u", "def f():\n    from http import client",
        "import http.client", "import socket\nsocket.create_connection(('a', 1))", "from urllib import request",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert clients(source)


def test_allauth_calls_by_the_session_that_it_is_handed() -> None:
    """Of the parts that are switched on, none opens a session of its own."""
    import allauth

    base = Path(allauth.__file__).parent / "socialaccount"
    parts = [
        "internal",
        *(f"providers/{name}" for name in ("oauth2", "google", "apple", "facebook", "twitter_oauth2", "base")),
    ]
    own = {}
    for part in parts:
        for path in (base / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                called = ast.unparse(node.func)
                if (called.startswith("requests.") and called.rpartition(".")[2] in (
                    "get", "post", "put", "request", "Session", "session", "head",
                )) or called.endswith(("urlopen", "PyJWKClient")):  # fmt: skip
                    own[str(path.relative_to(base))] = called
    assert own == {}
