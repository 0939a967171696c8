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
from typing import Any

import pytest
from django.utils import timezone
from embit import bip32

from kyc.services import levels
from tests.integration.api.bots import bot
from tests.integration.api.conftest import Customer, Exchange
from tests.verification import picture
from wallets.chains.utxo import bech32
from wallets.models import Address, Deposit
from wallets.services import withdrawals, xpubs

ORDER = {"market": "BTC-USDT", "side": "sell", "type": "limit", "price": "61000", "quantity": "0.5"}
ADDRESSES = [bech32.encode("bcrt", 0, bytes([place]) * 20) for place in (1, 2, 3)]
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
    have_one_of_each(ann)
    return ann


def have_one_of_each(ann: Customer) -> None:
    """What no generated body makes (an address that is one, a picture that is one), for the links of the lists to lead to."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = ann.post(path, body)
        assert answer.status_code in (200, 201), (path, answer.text)
        return dict(answer.json())

    address = made("deposit-addresses", {"asset": "BTC", "network": "bitcoin"})["address"]
    Deposit.objects.create(
        network_id=1, asset_id=1, address=Address.objects.get(address=address), owner_id=ann.user_id, position="0",
        amount=50_000_000, txid="4a" * 32, state="seen", confirmations_required=2, seen_at=timezone.now(), replaceable=True,
    )  # fmt: skip
    for place in (1, 2, 3):
        made("withdrawal-addresses", {"network": "bitcoin", "address": ADDRESSES[place - 1], "label": f"own {place}"})
        made("invoices", {"asset": "BTC", "network": "bitcoin", "amount": "0.5", "order_reference": f"order {place}"})
        made("orders", {**ORDER, "client_order_id": f"ann-{place}"})
        withdrawal = {"asset": "BTC", "network": "bitcoin", "address": ADDRESSES[0], "amount": "0.01"}
        withdrawals.request(
            user_id=ann.user_id, idempotency_key=f"one-of-each-{place}", now=timezone.now(), **withdrawal
        )
    levels.assign(user_id=ann.user_id, level=1, reason="test", actor_id=None, now=timezone.now())
    application = made("kyc/applications", {"level": 2})["id"]
    sent = ann.call(
        "POST", f"kyc/applications/{application}/pictures?kind=selfie", data=picture(),
        headers={"Content-Type": "image/jpeg"},
    )  # fmt: skip
    assert sent.status_code == 201, sent.text
    levels.assign(user_id=ann.user_id, level=4, reason="test", actor_id=None, now=timezone.now())
    bot(ann, label="bot")  # which pauses withdrawals for a day: the last of all


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
