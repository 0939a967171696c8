"""Runs the OpenID provider of `openid.mjs` for a test. It ends when its standard input does, so that none is left behind."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from deploy.setup import site_build

ROOT = Path(__file__).resolve().parents[2]
CLIENT_ID, CLIENT_SECRET = "our-client", "our-secret-that-is-long-enough"


class OpenIdProvider:
    def __init__(self, log: Path) -> None:
        self.log = log
        environment = {**os.environ, "NODE_ENV": "test"}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [str(site_build.node()), str(ROOT / "tests" / "providers" / "openid.mjs")],
                cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        self.url = self._line()

    def environment(self) -> dict[str, str]:
        return {"GOOGLE_CLIENT_ID": CLIENT_ID, "GOOGLE_CLIENT_SECRET": CLIENT_SECRET, "GOOGLE_URL": self.url}

    def begin(self, *, redirect_uri: str, person: dict[str, Any]) -> None:
        """Who our site is to it, and whom it vouches for. May be said again."""
        known = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": redirect_uri, "person": person}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(known) + "\n")
        self.process.stdin.flush()
        assert self._line() == "begun"

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.log.read_text()
        return line
