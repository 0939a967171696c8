"""FCM, a browser maker's push service and Twilio, as their documentation says that they answer; on this machine, with TLS.

FCM: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send, errors as printed in
https://firebase.google.com/docs/cloud-messaging/error-codes; the token as in
https://developers.google.com/identity/protocols/oauth2/service-account#httprest. Web push: RFC 8030, 8188, 8291, 8292.
Twilio: https://www.twilio.com/docs/messaging/api/message-resource.
What must never happen here: an answer that no check came before.
"""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import http_ece
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.providers import certificate

PROJECT, TOKEN, ACCOUNT, ACCOUNT_TOKEN = (
    "bourse-test",
    "ya29.of-this-hour",
    "AC0000000000000000000000000000test",
    "t0ken",
)
UNREGISTERED = {
    "error": {
        "code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND",
        "details": [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}],
    }
}  # fmt: skip
NO_TOKEN = {
    "error": {
        "code": 400, "message": "The registration token is not a valid FCM registration token",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"}],
    }
}  # fmt: skip
BAD_VALUE = {
    "error": {
        "code": 400, "message": "Invalid value at 'message.data[0].value' (TYPE_STRING), 12", "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [
                    {"field": "message.data[0].value",
                     "description": "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"}
                ],
            }
        ],
    }
}  # fmt: skip
SENT_SMS = {"account_sid": ACCOUNT, "body": "Hi there", "error_code": None, "sid": "SM" + "a" * 32, "status": "queued"}
NO_NUMBER = {
    "code": 21211, "message": "The 'To' number +4915 is not a valid phone number.",
    "more_info": "https://www.twilio.com/docs/errors/21211", "status": 400,
}  # fmt: skip


@dataclass
class Said:
    """What comes next in place of the good answer."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Browser:
    """A browser's side of a push subscription: the only one that can read."""

    def __init__(self) -> None:
        self._key, self._auth = ec.generate_private_key(ec.SECP256R1()), b"sixteen bytes ok"
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.p256dh, self.auth = _b64(point), _b64(self._auth)

    def reads(self, body: bytes) -> dict[str, Any]:
        clear = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        return dict(json.loads(clear))


class Messengers(ThreadingHTTPServer):
    """All of them at one address. `said` holds answers that come instead, `hang` lets whoever asks wait."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.certificate = certificate.make(folder)
        self.socket = certificate.server_context(self.certificate).wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}"
        self.account_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.said: list[Said] = []
        self.hang = threading.Event()
        self.hang.set()
        self.tokens = 0
        self.messages: list[dict[str, Any]] = []
        self.pushes: list[tuple[str, dict[str, str], bytes]] = []
        self.texts: list[dict[str, str]] = []
        self.refused: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def credentials(self) -> str:
        """A service account's file, as Google's console gives it out."""
        pem = self.account_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account", "project_id": PROJECT, "private_key_id": "k1", "private_key": pem.decode(),
                "client_email": f"push@{PROJECT}.iam.gserviceaccount.com", "token_uri": f"{self.url}/token",
            }
        )  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """What config/telling.py would say."""
        return {
            "TELLING_CA_FILE": str(self.certificate), "FCM_CREDENTIALS": self.credentials(), "FCM_URL": self.url,
            "WEB_PUSH_SERVICES": [self.url.removeprefix("https://")], "WEB_PUSH_PRIVATE": True,
            "WEB_PUSH_VAPID_PRIVATE_KEY": _vapid(), "WEB_PUSH_CONTACT": "mailto:ops@example.org",
            "SMS_PROVIDER": "twilio", "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": ACCOUNT_TOKEN,
            "TWILIO_FROM": "+15005550006", "TWILIO_URL": self.url,
        }  # fmt: skip

    def end(self) -> None:
        self.hang.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Messengers
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            answer = self._answer(body)
        except (AssertionError, KeyError, ValueError, jwt.PyJWTError) as error:
            self.server.refused.append(f"{self.path}: {type(error).__name__} {error}")
            answer = Said(401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "no"}})
        self.server.hang.wait(60)
        if answer.status == 0:  # taken, and nobody says so
            self.close_connection = True
            return
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, body: bytes) -> Said:
        if self.path == "/token":
            return self._token(parse_qs(body.decode()))
        good = (
            self._fcm if "/messages:send" in self.path else self._sms if "/Messages.json" in self.path else self._push
        )
        answer = good(body)
        return self.server.said.pop(0) if self.server.said else answer

    def _token(self, form: dict[str, list[str]]) -> Said:
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        claims = jwt.decode(
            form["assertion"][0],
            self.server.account_key.public_key(),
            ["RS256"],
            audience="https://oauth2.googleapis.com/token",
        )
        assert claims["iss"] == f"push@{PROJECT}.iam.gserviceaccount.com"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        self.server.tokens += 1
        return Said(200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})

    def _fcm(self, body: bytes) -> Said:
        assert self.path == f"/v1/projects/{PROJECT}/messages:send"
        assert self.headers["Authorization"] == f"Bearer {TOKEN}"
        message = json.loads(body)["message"]
        assert set(message) <= {"name", "data", "notification", "android", "webpush", "apns", "fcm_options", "token"}
        assert all(isinstance(value, str) for value in message["data"].values()), "data is a map of strings"
        assert message["android"]["priority"] in ("NORMAL", "HIGH") and message["android"]["ttl"].endswith("s")
        self.server.messages.append(message)
        return Said(200, {"name": f"projects/{PROJECT}/messages/0:1500415314455276%31bd1c9631bd1c96"})

    def _push(self, body: bytes) -> Said:
        scheme, _, rest = self.headers["Authorization"].partition(" ")
        assert scheme == "vapid"
        given = dict(part.strip().split("=", 1) for part in rest.split(","))
        point = base64.urlsafe_b64decode(given["k"] + "=" * (-len(given["k"]) % 4))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        claims = jwt.decode(given["t"], key, ["ES256"], audience=self.server.url)
        assert claims["sub"] == "mailto:ops@example.org"
        assert self.headers["Content-Encoding"] == "aes128gcm" and int(self.headers["TTL"]) > 0
        topic = self.headers["Topic"]
        assert len(topic) <= 32 and topic.replace("-", "").replace("_", "").isalnum()
        self.server.pushes.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        return Said(201, headers={"Location": f"{self.server.url}/message/1"})

    def _sms(self, body: bytes) -> Said:
        assert self.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        wanted = base64.b64encode(f"{ACCOUNT}:{ACCOUNT_TOKEN}".encode()).decode()
        assert self.headers["Authorization"] == f"Basic {wanted}"
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        assert set(form) == {"To", "From", "Body"} and len(form["Body"]) <= 1600
        self.server.texts.append(form)
        return Said(201, {**SENT_SMS, "body": form["Body"]})

    def log_message(self, *arguments: Any) -> None:
        pass


def _vapid() -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _b64(number.to_bytes(32, "big"))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
