"""Sumsub as its documentation describes it, on this machine: it checks each request's signature and keeps what it is sent.

The signature is worked out here on its own, from docs.sumsub.com/reference/authentication, so that client and server are not
written from one misunderstanding. Answers have the fields and forms that the reference prints: create applicant (id, 409 for a
known externalUserId), get applicant data, change provided information (fixedInfo), add ID documents (multipart "metadata" and
"content", X-Image-Id, errorCode 1000 for a duplicate), request applicant check ({"ok": 1}), applicant review status.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

TOKEN = "sbx:uY0CgwELmgUAEyl4hNWxLngb.0WSeQeiYny4WEqmAALEAiK2qTC96fBad"  # the documentation's own example
SECRET = "Hej2ch71kG2kTd1iIUDZFNsO5C1lh5Gq"  # the documentation's own example
CLOCK_OFF_S = 300


class Sumsub:
    """What the service knows, and how it misbehaves: `script` holds (status, headers, body) answers for the next requests."""

    def __init__(self) -> None:
        self.applicants: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.script: list[tuple[int, dict[str, str], bytes]] = []
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"service": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> Sumsub:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def by_external_id(self, external_id: str) -> dict[str, Any] | None:
        return next((each for each in self.applicants.values() if each["externalUserId"] == external_id), None)

    def review(self, applicant_id: str, **result: Any) -> None:
        """What the reviewers there decided."""
        self.applicants[applicant_id]["review"] |= {"reviewStatus": "completed", "reviewResult": result}

    def signed_as_documented(self, method: str, path: str, headers: Any, body: bytes) -> bool:
        stamp = headers.get("X-App-Access-Ts", "")
        if headers.get("X-App-Token") != TOKEN or not stamp.isdigit() or abs(time.time() - int(stamp)) > CLOCK_OFF_S:
            return False
        mac = hmac.new(SECRET.encode("utf-8"), digestmod=hashlib.sha256)
        for part in (stamp.encode(), method.encode(), path.encode(), body):
            mac.update(part)
        given = headers.get("X-App-Access-Sig", "")
        return given == given.lower() and hmac.compare_digest(mac.hexdigest(), given)


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Sumsub]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        """Nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.service.lock:
            self.service.requests.append((self.command, self.path))
            if not self.service.signed_as_documented(self.command, self.path, self.headers, body):
                self.service.refused.append(self.path)
                self._send(401, {"code": 401, "description": "Invalid signature", "correlationId": "x"})
                return
            if self.service.script:
                status, headers, content = self.service.script.pop(0)
                self._raw(status, content, headers)
                return
            self._route(body)

    def _route(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        path, query = parts.path, parse_qs(parts.query)
        if self.command == "POST" and path == "/resources/applicants":
            return self._create(json.loads(body), query["levelName"][0])
        if found := re.fullmatch(r"/resources/applicants/-;externalUserId=([^/]+)/one", path):
            applicant = self.service.by_external_id(found[1])
            return self._send(200, applicant) if applicant else self._missing()
        found = re.fullmatch(
            r"/resources/applicants/([0-9a-f]{24})/(info/idDoc|fixedInfo|one|status/pending|status)", path
        )
        applicant = self.service.applicants.get(found[1]) if found else None
        if found is None or applicant is None:
            return self._missing()
        if found[2] == "one":
            return self._send(200, {name: applicant[name] for name in ("id", "externalUserId", "fixedInfo", "review")})
        if found[2] == "info/idDoc":
            return self._document(applicant, body)
        if found[2] == "fixedInfo" and self.command == "PATCH":
            applicant["fixedInfo"] |= json.loads(body)
            return self._send(200, applicant["fixedInfo"])
        if found[2] == "status/pending":
            if applicant["review"]["reviewStatus"] in ("pending", "queued", "prechecked"):
                return self._send(409, {"code": 409, "description": "being checked", "correlationId": "x"})
            applicant["review"] |= {"reviewStatus": "pending", "attemptCnt": applicant["review"]["attemptCnt"] + 1}
            applicant["review"].pop("reviewResult", None)
            return self._send(200, {"ok": 1})
        return self._send(200, applicant["review"])

    def _create(self, told: dict[str, Any], level: str) -> None:
        if self.service.by_external_id(told["externalUserId"]):
            return self._send(409, {"code": 409, "description": "already exists", "correlationId": "x"})
        applicant_id = hashlib.sha256(told["externalUserId"].encode()).hexdigest()[:24]
        self.service.applicants[applicant_id] = {
            "id": applicant_id,
            "externalUserId": told["externalUserId"],
            "fixedInfo": told.get("fixedInfo", {}),
            "documents": [],
            "review": {
                "reviewId": "IUeLG",
                "attemptId": "wLjuf",
                "attemptCnt": 0,
                "levelName": level,
                "reviewStatus": "init",
            },
        }
        return self._send(201, {"id": applicant_id, "externalUserId": told["externalUserId"]})

    def _document(self, applicant: dict[str, Any], body: bytes) -> None:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        }
        metadata, content = json.loads(parts["metadata"]), parts["content"]
        digest = hashlib.sha256(content).hexdigest()
        if any(each["digest"] == digest and each["metadata"] == metadata for each in applicant["documents"]):
            return self._send(409, {"code": 409, "errorCode": 1000, "errorName": "duplicate-document"})
        applicant["documents"].append({"metadata": metadata, "digest": digest, "jpeg": content[:3] == b"\xff\xd8\xff"})
        answer = json.dumps(metadata).encode()
        return self._raw(200, answer, {"X-Image-Id": str(1000 + len(applicant["documents"]))})

    def _missing(self) -> None:
        self._send(404, {"code": 404, "description": "Not found", "correlationId": "x"})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        self._raw(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _raw(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
