"""How docs/api.md says a program signs: its Python and its shell are run against a live server as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.integration.api.bots import Bot, bot, remembering
from tests.integration.api.conftest import Customer, Exchange

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
SECTION = DOCS[DOCS.index("### API keys") : DOCS.index("### A request that must not be done twice")]
PYTHON = re.findall(r"^```python\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
SHELL = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def ann(trading: Exchange) -> Customer:
    remembering(trading)
    ann = trading.customer("ann")
    trading.fund(ann, 1, 10**8)
    return ann


def run(command: list[str], program: Bot, folder: Path) -> str:
    secret = program.secret.hex() if isinstance(program.secret, bytes) else ""
    told = {"BOURSE_URL": program.url, "BOURSE_KEY": program.key_id, "BOURSE_SECRET": secret}
    if not isinstance(program.secret, bytes):
        pem = program.secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "bot.pem").write_bytes(pem)
    done = subprocess.run(command, cwd=folder, env={**os.environ, **told}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_with_hmac(ann: Customer, tmp_path: Path) -> None:
    told = run([sys.executable, "-c", PYTHON[0]], bot(ann, trade=True), tmp_path).splitlines()
    assert told[0].startswith("{'data': [")
    assert told[1] == "open"


def test_python_with_ed25519(ann: Customer, tmp_path: Path) -> None:
    """The one line that differs stands in place of the other, and what it needs before."""
    *before, line = PYTHON[1].strip().splitlines()
    hmac_line = next(each for each in PYTHON[0].splitlines() if each.strip().startswith("signature = "))
    text = (
        "\n".join(before)
        + "\n"
        + PYTHON[0].replace(hmac_line, "    " + line).replace('bytes.fromhex(os.environ["BOURSE_SECRET"])', '""')
    )
    assert run([sys.executable, "-c", text], bot(ann, "ed25519", trade=True), tmp_path).splitlines()[1] == "open"


@pytest.mark.parametrize(("number", "kind", "wanted"), [(0, "hmac", '"state":"open"'), (1, "ed25519", '"asset":"BTC"')])
def test_a_shell_with_openssl_and_curl(ann: Customer, tmp_path: Path, number: int, kind: str, wanted: str) -> None:
    assert wanted in run(["sh", "-c", SHELL[number]], bot(ann, kind, trade=True), tmp_path)


def test_all_of_them_were_run() -> None:
    assert (len(PYTHON), len(SHELL)) == (2, 2)
