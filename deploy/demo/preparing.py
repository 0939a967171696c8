"""Everything between "the servers answer" and "the processes may start": tables, keystore, token, people, coins.

Each part looks before it acts, so that a broken start goes on where it stopped and a later start is quick. Coins are never
written into the books here: they are sent on the chains, and the exchange finds and credits them by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.regtest import Anvil, keeper
from config.regtest.process import NodeProcess
from deploy.demo.record import CUSTOMER, STAFF, Record
from deploy.setup import places, stamp
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

STEP = "demo"
TOKEN = "TestToken"  # noqa: S105 - a contract's name
USDT_ASSET_ID = 4
# Deep enough to credit the largest of these payments.
CONFIRMING_BLOCKS = {"bitcoin": 7, "litecoin": 13, "ethereum": 66}


@dataclass(frozen=True)
class Signer:
    """Where the signer's own files lie. The variables go to the signer's process and to no other."""

    folder: Path

    @property
    def public(self) -> Path:
        return self.folder / "xpubs.json"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KEYSTORE_PATH": str(self.folder / "keystore"),
            "KEYSTORE_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "VELOCITY_LOG_PATH": str(self.folder / "velocity.log"),
            "SIGNER_LIMITS_FILE": str(self.folder / "limits.json"),
        }


def manage(*words: str, environment: Mapping[str, str], what: str) -> str:
    """Runs one management command; its output, or a SetupError with its last lines."""
    ran = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=places.ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        said = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-15:])
        raise SetupError(f"{said}\n{what} failed. `make clean` forgets the demo's state and lets it begin anew.")
    return ran.stdout


def _keystore(signer: Signer, environment: Mapping[str, str]) -> None:
    if signer.public.exists():
        return
    signer.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = {**environment, **signer.environment, "DJANGO_SETTINGS_MODULE": "config.settings.signer"}
    words = ("custody", "init", "--if-missing", "--public", str(signer.public))
    manage(*words, environment=own, what="Making the keystore")
    say(STEP, "keystore made; its seed never leaves the signer")


def _tables(environment: Mapping[str, str]) -> None:
    manage("migrate", "--database", "owner", "--verbosity", "0", environment=environment, what="Making the tables")
    say(STEP, "tables stand")


def _token(record: Record, node: NodeProcess) -> None:
    """Puts the test token onto the private chain, once."""
    assert isinstance(node, Anvil)
    if record.token and node.rpc("eth_getCode", record.token, "latest") != "0x":
        return
    record.token, record.seeded = node.deploy(TOKEN), ""
    record.save()
    say(STEP, f"test token deployed at {record.token}")


def _allow_token(record: Record, signer: Signer, environment: Mapping[str, str]) -> None:
    """Tells the signer's own limits about the token; it signs for no contract that it was not told of."""
    key = f"ethereum:{record.token}"
    limits = Path(signer.environment["SIGNER_LIMITS_FILE"])
    if limits.exists() and key.lower() in limits.read_text().lower():
        return
    own = {**environment, **signer.environment, "DJANGO_SETTINGS_MODULE": "config.settings.signer"}
    amounts = ("--each", "50000", "--hour", "200000", "--day", "500000", "--fee", "0.05")
    asset = ("--asset-id", str(USDT_ASSET_ID), "--symbol", "USDT", "--decimals", "6")
    manage("custody", "limit", key, *asset, *amounts, environment=own, what="Telling the signer its limits")


def _seed(record: Record, signer: Signer, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Demo people, their addresses and the wallets' xpubs; returns the payments that they wait for."""
    secret = {
        "DEMO_CUSTOMER_EMAIL": CUSTOMER,
        "DEMO_CUSTOMER_PASSWORD": record.customer_password,
        "DEMO_CUSTOMER_FACTOR": record.customer_factor,
        "DEMO_STAFF_EMAIL": STAFF,
        "DEMO_STAFF_PASSWORD": record.staff_password,
        "DEMO_STAFF_FACTOR": record.staff_factor,
    }
    words = ("demo_seed", "--token", record.token, "--xpubs", str(signer.public))
    printed = manage(*words, environment={**environment, **secret}, what="Seeding the demo")
    payments: list[dict[str, Any]] = json.loads(printed.strip().splitlines()[-1])["payments"]
    return payments


def _pay(record: Record, payments: list[dict[str, Any]], nodes: Mapping[str, NodeProcess]) -> None:
    """Sends what was not sent yet from the wallets outside, and mines it deep enough to be credited."""
    due = [payment for payment in payments if payment["id"] not in record.paid]
    for payment in due:
        node, amount = nodes[payment["network"]], int(payment["amount"])
        if payment["asset"] == "USDT":
            assert isinstance(node, Anvil)
            node.transact(TOKEN, record.token, "mint", [payment["address"], amount])
        elif isinstance(node, Anvil):
            node.send(payment["address"], amount, sender=_richest(node))
        else:
            node.send(payment["address"], amount)
        record.paid.append(payment["id"])
    for network in sorted({payment["network"] for payment in due}):
        nodes[network].mine(CONFIRMING_BLOCKS[network])
    if due:
        record.save()
        say(STEP, f"{len(due)} payments sent from outside and mined")


def _richest(node: Anvil) -> str:
    return max(node.accounts, key=node.balance)


def _inputs(environment: Mapping[str, str]) -> str:
    """Changes when tables or people would: with a migration, the cast, or another database."""
    files = [
        *places.ROOT.glob("*/migrations/*.py"),
        *places.ROOT.glob("exchange/*/migrations/*.py"),
        *places.ROOT.glob("exchange/site/demo/*.py"),
    ]
    return stamp.of(files, more=environment["DATABASE_URL"])


def prepare(
    *, record: Record, signer: Signer, environment: Mapping[str, str], nodes: Mapping[str, str], state: Path
) -> None:
    """All of it. `environment` has every URL, the nodes' too; what a child may know is cut out of it."""
    attached = keeper.attach(state)
    _token(record, attached["ethereum"])
    inputs = _inputs(environment)
    if record.seeded == inputs:
        say(STEP, "tables, keystore and people stand from before")
        return
    with ThreadPoolExecutor(max_workers=2) as pool:
        waits = [pool.submit(_keystore, signer, environment), pool.submit(_tables, environment)]
        for wait in waits:
            wait.result()
    with ThreadPoolExecutor(max_workers=1) as pool:
        allowed = pool.submit(_allow_token, record, signer, environment)
        payments = _seed(record, signer, {**environment, **nodes})
        allowed.result()
    _pay(record, payments, attached)
    record.seeded = inputs
    record.save()
