"""schemathesis against the running exchange: the whole OpenAPI document, each operation with data that fits and data that does
not, and then sequences of them that hand on each other's ids. It must find nothing.

The customer is logged in by session token and has some money, so that orders stand and links lead somewhere. What must never
happen here: a check left out because it finds something.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone
from embit import bip32

from tests.integration.api.conftest import Customer, Exchange
from wallets.services import xpubs

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(scope="module")
def ann(exchange: Exchange) -> Customer:
    exchange.end(exchange.processes[-1])
    exchange.environment = {"DJANGO_SETTINGS_MODULE": "tests.integration.api.wide_settings", "LOG_LEVEL": "ERROR"}
    exchange.start_web()
    exchange.start_engine()
    ann = exchange.customer("ann")
    exchange.fund(ann, 1, 10**12)
    exchange.fund(ann, 4, 10**14)
    give_addresses()
    return ann


def give_addresses() -> None:
    """Account xpubs of a test seed, so that there are addresses to give out."""
    root = bip32.HDKey.from_seed(bytes(range(64)))
    accounts = [
        {"network": network, "role": role, "path": path, "xpub": root.derive(path).to_public().to_base58(version)}
        for network, version, paths in (
            ("bitcoin", b"\x04\x35\x87\xcf", ("m/84'/1'/0'", "m/84'/1'/1'")),
            ("litecoin", b"\x04\x35\x87\xcf", ("m/84'/1'/0'", "m/84'/1'/1'")),
            ("ethereum", b"\x04\x88\xb2\x1e", ("m/44'/60'/0'", "m/44'/60'/1'")),
        )
        for role, path in zip(("deposit", "hot"), paths, strict=True)
    ]
    chains = {"bitcoin": "regtest", "litecoin": "regtest", "ethereum": 31337}
    document = {"version": 1, "fingerprint": root.my_fingerprint.hex(), "chains": chains, "accounts": accounts}
    xpubs.import_file(document=document, now=timezone.now())


@pytest.mark.timeout(900)
def test_it_finds_nothing(exchange: Exchange, ann: Customer, tmp_path: Path) -> None:
    run = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run",
            f"{exchange.url}/api/v1/openapi.json", "--header", f"X-Session-Token: {ann.token}", "--checks", "all",
            "--max-examples", str(EXAMPLES), "--workers", "2", "--continue-on-failure",
        ],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if told := os.environ.get("SCHEMATHESIS_LOG"):
        Path(told).write_text(run.stdout)
    assert run.returncode == 0, run.stdout[-20_000:]
    assert "Stateful" in run.stdout
