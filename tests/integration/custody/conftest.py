"""A signer of its own for each test: keystore, log and limits in a private folder, and the database seen as the signer's role."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, connections

from config.environment import database_from_url
from custody import keystore, limits, private_files
from custody.limits import Limit
from custody.services import answering, signing
from custody.signers.software import SoftwareSigner
from custody.velocity import VelocityLog
from exchange.core.ids import uuid7
from wallets.chains import registry
from wallets.chains.evm import payout as evm_payout
from wallets.chains.utxo import payout as utxo_payout
from wallets.models import Withdrawal

ROOT = Path(__file__).resolve().parents[3]
CHEAP = keystore.Cost(memory_kib=19_456, iterations=2, lanes=1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BITCOIN = registry.rules("bitcoin", network="regtest")
ETHEREUM = registry.rules("ethereum", chain_id=31337)
RULES = {"bitcoin": BITCOIN, "litecoin": registry.rules("litecoin", network="regtest"), "ethereum": ETHEREUM}
IDS = {"bitcoin": 1, "litecoin": 2, "ethereum": 3}
TOKEN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
OUTSIDE = BITCOIN.address(b"\x00\x14" + b"\x07" * 20)
RECEIVER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
HOT = "m/44'/60'/1'/0/0"
FEES = evm_payout.Fees(10**9, 3 * 10**9, 10**9)
GENEROUS = {
    "bitcoin": Limit(1, "BTC", 8, 1_000_000, 2_000_000, 3_000_000, 50_000),
    "litecoin": Limit(2, "LTC", 8, 1_000_000, 2_000_000, 3_000_000, 50_000),
    "ethereum": Limit(3, "ETH", 18, 10**18, 2 * 10**18, 3 * 10**18, 10**16),
    limits.asset_key("ethereum", TOKEN): Limit(4, "USDT", 6, 1_000_000, 2_000_000, 3_000_000, 10**16),
}


@contextmanager
def database_role(url: str) -> Iterator[None]:
    """The default connection as another role of the same database."""
    before = dict(connection.settings_dict)
    connection.close()
    connections["default"].settings_dict.update(database_from_url(url))
    try:
        yield
    finally:
        connection.close()
        connections["default"].settings_dict.update(before)


@dataclass
class Signing:
    """One signer and the jobs it is given."""

    folder: Path
    signer_url: str
    owner: Any
    seed: bytes
    signer: SoftwareSigner
    passing: Callable[[str], None] = lambda point: None
    coins: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @contextmanager
    def room(self) -> Iterator[answering.Room]:
        log = VelocityLog.open(self.folder / "velocity.log", key=self.signer.log_key())
        try:
            files = answering.Files(*(self.folder / f"{name}.json" for name in ("limits", "accounts", "cold")))
            yield answering.Room(self.signer, RULES, IDS, log, files, self.passing)
        finally:
            log.close()

    def answer(self, job_id: UUID, *, now: datetime = NOW) -> str:
        """As the signer's process does it: its role, its log opened anew."""
        with self.room() as room, database_role(self.signer_url):
            return answering.answer(room=room, job_id=str(job_id), now=now).outcome

    def limits(self, **changes: Limit) -> None:
        limits.write(self.folder / "limits.json", GENEROUS | changes)

    def withdrawal(self, *, asset_id=1, network_id=1, address=OUTSIDE, amount=50_000, state="signing") -> str:
        """A row as the wallets write it; the signer must not care who did."""
        id = uuid7()
        Withdrawal.objects.create(
            id=id,
            owner_id=1,
            asset_id=asset_id,
            network_id=network_id,
            address=address,
            amount=amount,
            fee=0,
            state=state,
            idempotency_key=str(id),
            account_id=1,
            requested_at=NOW,
        )
        return str(id)

    def coin(self, amount: int = 100_000, *, txid: str = "") -> utxo_payout.Coin:
        self.coins += 1
        path = f"m/84'/1'/0'/0/{self.coins}"
        return utxo_payout.Coin(txid or f"{self.coins:064x}", 0, amount, self.signer.script(path), path)

    def change(self) -> utxo_payout.Change:
        path = "m/84'/1'/1'/1/0"
        return utxo_payout.Change(BITCOIN.address(self.signer.script(path)), path)

    def utxo(self, payments, *, coins=None, fee_rate=1_000) -> dict[str, Any]:
        made = BITCOIN.payout(
            coins=coins or [self.coin()],
            payments=[utxo_payout.Payment(*payment) for payment in payments],
            change=self.change(),
            fee_rate=fee_rate,
        )
        return made.to_json()

    def evm(self, payment: evm_payout.Payment, *, nonce=0, fees=FEES) -> dict[str, Any]:
        made = ETHEREUM.payout(
            from_address=self.signer.evm_address(HOT),
            from_path=HOT,
            nonce=nonce,
            payment=payment,
            fees=fees,
            gas_limit=60_000,
        )
        return made.to_json()

    def job(self, unsigned: dict[str, Any], *, network="", kind="payout", reference="payout-1") -> UUID:
        return signing.request(
            id=uuid7(),
            network=network or unsigned["network"],
            kind=kind,
            unsigned=unsigned,
            reference=reference,
            now=NOW,
        )

    def pay(self, amount: int = 50_000, **changes: Any) -> UUID:
        """A good bitcoin payout, ready to be signed."""
        return self.job(self.utxo([(OUTSIDE, amount, self.withdrawal(amount=amount))], **changes))

    # --- the real process -----------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.signer",
            "KEYSTORE_PATH": str(self.folder / "keystore.json"),
            "KEYSTORE_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "VELOCITY_LOG_PATH": str(self.folder / "velocity.log"),
            "SIGNER_DATABASE_URL": self.signer_url,
            "REDIS_URL": settings.CELERY_BROKER_URL,
            "BITCOIN_NETWORK": "regtest",
            "LITECOIN_NETWORK": "regtest",
            "ETHEREUM_CHAIN_ID": "31337",
        }

    def start(
        self, *, app: str = "custody.signer_app", pool: str = "solo", **variables: str
    ) -> subprocess.Popen[bytes]:
        """`celery -A custody.signer_app worker`, as the Procfile starts it."""
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            app,
            "worker",
            "-Q",
            "signing",
            "-P",
            pool,
            "-n",
            "signer@%h",
        ]
        with (self.folder / "process.log").open("ab") as output:
            process = subprocess.Popen(
                [*command, "--without-gossip", "--without-mingle", "--without-heartbeat"],
                cwd=ROOT,
                env=self.environment | {"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"} | variables,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)
        return process

    def sessions(self) -> int:
        """How many sessions the signer's role has in this database."""
        with self.owner.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'bourse_signer' AND datname = current_database()"
            )
            return int(cursor.fetchone()[0])

    def said(self) -> str:
        log = self.folder / "process.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def wait_until(self, condition: Callable[[], Any], *, seconds: float = 180) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"nothing happened; the signer said:\n{self.said()}"
            time.sleep(0.1)
        return found


@pytest.fixture
def signer(tmp_path, transactional_db, database_url, owner_connection, valkey) -> Iterator[Signing]:
    folder = tmp_path / "signer"
    folder.mkdir(mode=0o700)
    seed = os.urandom(32)
    software = SoftwareSigner(seed)
    private_files.write_new(folder / "passphrase", b"a passphrase for this test alone\n")
    keystore.create(
        folder / "keystore.json",
        key=keystore.PassphraseFile(folder / "passphrase"),
        seed=seed,
        fingerprint=software.fingerprint,
        cost=CHEAP,
    )
    VelocityLog.create(folder / "velocity.log", key=software.log_key())
    made = Signing(folder, database_url("signer"), owner_connection, seed, software)
    made.limits()
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait()
    # The next test's database replaces this one, and the owner may not end sessions of another role: let them end.
    made.wait_until(lambda: not made.sessions())
