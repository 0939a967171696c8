"""Apple's push service on this machine: HTTP/2 over TLS, and nothing else, by the `h2` package.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns and
…/establishing-a-token-based-connection-to-apns. What must never happen here: a yes to a request that Apple would refuse.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.providers import certificate

KEY_ID, TEAM_ID, TOPIC = "ABC123DEFG", "DEF123GHIJ", "org.example.bourse"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Apple:
    """`said` holds (status, reason) that come in place of the good answer; `pushes` what was taken."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = certificate.make(folder)
        self._context = certificate.server_context(self.certificate, "h2")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listening.getsockname()[1]}"
        self.said: list[tuple[int, str]] = []
        self.pushes: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.provider_tokens: set[str] = set()
        self.connections = 0
        self.goes_away = False
        threading.Thread(target=self._serve, daemon=True).start()

    def settings(self) -> dict[str, Any]:
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        return {
            "TELLING_CA_FILE": str(self.certificate), "APNS_KEY": pem, "APNS_KEY_ID": KEY_ID, "APNS_TEAM_ID": TEAM_ID,
            "APNS_TOPIC": TOPIC, "APNS_URL": self.url,
        }  # fmt: skip

    def end(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as line:
                if line.selected_alpn_protocol() != "h2":
                    return
                self.connections += 1
                _Line(self, line).run()
        except (OSError, ssl.SSLError):
            return

    def judge(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """What Apple says: the status, and the reason where it is no."""
        token = headers.get("authorization", "").removeprefix("bearer ")
        try:
            claims = jwt.decode(token, self._key.public_key(), ["ES256"])
            assert jwt.get_unverified_header(token)["kid"] == KEY_ID and claims["iss"] == TEAM_ID
        except (jwt.PyJWTError, AssertionError, KeyError):
            return 403, "InvalidProviderToken"
        if not -60 <= time.time() - claims["iat"] <= 3600:
            return 403, "ExpiredProviderToken"
        if headers.get("apns-topic") != TOPIC:
            return 400, "BadTopic"
        if not _UUID.fullmatch(headers.get("apns-id", "")):
            return 400, "BadMessageId"
        if len(headers.get("apns-collapse-id", "").encode()) > 64:
            return 400, "BadCollapseId"
        if headers.get("apns-push-type") != "alert" or headers.get("apns-priority") not in ("1", "5", "10"):
            return 400, "BadPriority"
        if not re.fullmatch(r"/3/device/[0-9a-f]{64}", headers[":path"]):
            return 400, "BadDeviceToken"
        if len(body) > 4096:
            return 413, "PayloadTooLarge"
        self.provider_tokens.add(token)
        self.pushes.append((headers[":path"].rpartition("/")[2], headers, json.loads(body)))
        return self.said.pop(0) if self.said else (200, "")


class _Line:
    """One connection and its streams."""

    def __init__(self, apple: Apple, line: ssl.SSLSocket) -> None:
        self._apple, self._line = apple, line
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._asked: dict[int, tuple[dict[str, str], bytearray]] = {}

    def run(self) -> None:
        self._h2.initiate_connection()
        self._line.sendall(self._h2.data_to_send())
        while data := self._line.recv(65_536):
            for event in self._h2.receive_data(data):
                self._take(event)
            self._line.sendall(self._h2.data_to_send())
            if self._apple.goes_away:
                self._apple.goes_away = False
                self._h2.close_connection()
                self._line.sendall(self._h2.data_to_send())
                return

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            self._asked[event.stream_id] = (headers, bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self._asked[event.stream_id][1].extend(event.data)
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            headers, body = self._asked.pop(event.stream_id)
            status, reason = self._apple.judge(headers, bytes(body))
            answer = [(":status", str(status)), ("apns-id", headers.get("apns-id", ""))]
            self._h2.send_headers(event.stream_id, answer, end_stream=not reason)
            if reason:
                self._h2.send_data(event.stream_id, json.dumps({"reason": reason}).encode(), end_stream=True)
