"""Somebody who owns the application's database and its broker, knows this code, and wants the coins.

He writes any row of any table, deletes answers, and keeps every signature he ever saw. `loss` reckons, from true amounts that the
signer does not know, the most that he can have mined of it: a transaction counts once all its inputs were signed for with their
true amounts, in whichever jobs, and of transactions that spend one coin the dearest counts.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from custody.content import digest
from exchange.core.ids import uuid7
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm import transaction as evm_transaction
from wallets.chains.utxo import payout as utxo_payout
from wallets.chains.utxo.transaction import decode

from .conftest import BITCOIN, ETHEREUM, FEES, HOT, NOW, TOKEN, Signing

MINE = BITCOIN.address(b"\x00\x14" + b"\x66" * 20)
MINE_EVM = ETHEREUM.address(b"\x66" * 20)
HOT_UTXO = "m/84'/1'/1'/1/0"
TABLES = ("custody_signing_job", "custody_signature", "custody_refusal")


class Thief:
    """Everything he does goes through the owner's connection; nothing through the house's own code."""

    def __init__(self, signer: Signing, seed: int) -> None:
        self.signer = signer
        self.dice = random.Random(seed)
        self.now = NOW
        self.nonce = 0
        self.true: dict[str, int] = {}  # outpoint → what the chain says it holds
        self.seen: list[tuple[str, dict[str, Any], bytes]] = []
        self.codes: set[str] = set()
        self.used: list[utxo_payout.Coin] = []
        self._sql(*(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in TABLES))

    # --- what he can write --------------------------------------------------------------------------------------------

    def _sql(self, *statements: str, values: tuple[Any, ...] = ()) -> None:
        with self.signer.owner.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, values or None)

    def withdrawals(
        self, count: int, *, amount: int, address: str, asset_id: int = 1, network_id: int = 1
    ) -> list[str]:
        """Rows like an honest one in everything that he does not care about."""
        honest = self.signer.withdrawal()
        ids = [str(uuid7()) for _ in range(count)]
        lies = {"address": address, "amount": amount, "asset_id": asset_id, "network_id": network_id}
        self._sql(
            "INSERT INTO wallets_withdrawal SELECT (jsonb_populate_record("
            "w, %s::jsonb || jsonb_build_object('id', forged, 'idempotency_key', forged))).*"
            " FROM wallets_withdrawal w, unnest(%s) AS forged WHERE w.id = %s",
            values=(json.dumps(lies), ids, honest),
        )
        return ids

    def job(self, unsigned: Any, *, kind: str = "payout", id: UUID | None = None, network: str = "") -> UUID:
        id = id or uuid7()
        network = network or (unsigned.get("network") if isinstance(unsigned, dict) else "") or "bitcoin"
        self._sql(
            "INSERT INTO custody_signing_job (id, network, kind, unsigned, digest, reference, requested_at)"
            " VALUES (%s, %s, %s, %s, %s, 'none', now())"
            " ON CONFLICT (id) DO UPDATE SET unsigned = EXCLUDED.unsigned, kind = EXCLUDED.kind",
            values=(str(id), network, kind, json.dumps(unsigned), digest(network, unsigned)),
        )
        return id

    def forget(self) -> None:
        """Nobody can say what was signed: only the signer's own log knows."""
        self._sql("DELETE FROM custody_signature", "DELETE FROM custody_refusal")

    # --- what he builds -----------------------------------------------------------------------------------------------

    def coin(self, amount: int) -> utxo_payout.Coin:
        coin = self.signer.coin(amount)
        self.true[coin.outpoint] = amount
        self.used.append(coin)
        return coin

    def said_to_hold(self, coin: utxo_payout.Coin, amount: int) -> utxo_payout.Coin:
        return utxo_payout.Coin(coin.txid, coin.vout, amount, coin.script, coin.path)

    def utxo(self, coins: list[utxo_payout.Coin], outputs: list[utxo_payout.Output]) -> dict[str, Any]:
        return utxo_payout.UnsignedUtxo("bitcoin", tuple(coins), tuple(outputs)).to_json()

    def back(self, amount: int) -> utxo_payout.Output:
        return utxo_payout.Output(BITCOIN.address(self.signer.signer.script(HOT_UTXO)), amount, path=HOT_UTXO)

    def evm(self, payment: evm_payout.Payment, *, path: str = HOT, nonce: int | None = None, fees: Any = FEES) -> Any:
        if nonce is None:
            self.nonce += 1
            nonce = self.nonce
        return ETHEREUM.payout(
            from_address=self.signer.signer.evm_address(path),
            from_path=path,
            nonce=nonce,
            payment=payment,
            fees=fees,
            gas_limit=60_000,
        )

    # --- what he sees -------------------------------------------------------------------------------------------------

    def ask(self, *jobs: UUID) -> list[str]:
        """Has each answered, and keeps what was signed; "signed" or the refusal's code."""
        said = []
        for job in jobs:
            self.now += timedelta(milliseconds=300)
            self.signer.answer(job, now=self.now)
            said.append(self.look(job))
        return said

    def look(self, job: UUID) -> str:
        with self.signer.owner.cursor() as cursor:
            cursor.execute(
                "SELECT j.unsigned, j.network, s.raw, r.code FROM custody_signing_job j"
                " LEFT JOIN custody_signature s ON s.job_id = j.id LEFT JOIN custody_refusal r ON r.job_id = j.id"
                " WHERE j.id = %s",
                [str(job)],
            )
            unsigned, network, raw, code = cursor.fetchone()
        if raw is not None:
            self.seen.append((network, unsigned, bytes(raw)))
            return "signed"
        self.codes.add(code)
        return str(code)

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def set_clock(self, now: datetime) -> None:
        self.now = now

    # --- what he has --------------------------------------------------------------------------------------------------

    def loss(self) -> dict[str, int]:
        """By asset, the most that can be mined and leaves us: paid to anybody, and burnt as fees."""
        found = self._utxo_loss()
        for asset, amount in self._evm_loss().items():
            found[asset] = found.get(asset, 0) + amount
        return found

    def _utxo_loss(self) -> dict[str, int]:
        stated: dict[str, list[set[int]]] = {}
        skeletons: dict[str, Any] = {}
        for network, unsigned, raw in self.seen:
            if network != "bitcoin":
                continue
            found = decode(raw)
            skeletons[found.txid] = found
            amounts = stated.setdefault(found.txid, [set() for _ in found.inputs])
            for said, item in zip(amounts, unsigned["inputs"], strict=True):
                said.add(int(item["amount"]))
        ours = self.own_scripts()
        dearest: dict[str, int] = defaultdict(int)
        for txid, found in skeletons.items():
            spent = [f"{item.txid}:{item.vout}" for item in found.inputs]
            if any(self.true[coin] not in said for coin, said in zip(spent, stated[txid], strict=True)):
                continue  # some input's signature is over an amount that it does not hold: no node takes it
            kept = sum(output.amount for output in found.outputs if output.script in ours)
            dearest[min(spent)] = max(dearest[min(spent)], sum(self.true[coin] for coin in spent) - kept)
        return {"bitcoin": sum(dearest.values())} if dearest else {}

    def own_scripts(self) -> set[bytes]:
        """What the house watches: its hot keys, and every deposit key that this test used."""
        hot = {self.signer.signer.script(f"m/84'/1'/1'/{branch}/0") for branch in (0, 1)}
        return hot | {coin.script for coin in self.used}

    def _evm_loss(self) -> dict[str, int]:
        watched = {self.signer.signer.evm_address(path) for path in (HOT, *(f"m/44'/60'/0'/0/{n}" for n in range(20)))}
        dearest: dict[str, dict[str, int]] = {}
        for network, _, raw in self.seen:
            if network != "ethereum":
                continue
            found = evm_transaction.decode(raw)
            fields = found.transaction
            charge = {"ethereum": fields.fee_max}
            receiver, asset, amount = ETHEREUM.address(fields.to), "ethereum", fields.value
            if fields.data:
                receiver, asset = ETHEREUM.address(fields.data[16:36]), f"ethereum:{receiver.lower()}"
                amount = int.from_bytes(fields.data[36:], "big")
            if receiver not in watched:
                charge[asset] = charge.get(asset, 0) + amount
            key = f"{ETHEREUM.address(found.sender)}:{fields.nonce}"
            entry = dearest.setdefault(key, {})
            for name, value in charge.items():
                entry[name] = max(entry.get(name, 0), value)
        total: dict[str, int] = defaultdict(int)
        for entry in dearest.values():
            for name, value in entry.items():
                total[name] += value
        return dict(total)


def token_key() -> str:
    return f"ethereum:{TOKEN.lower()}"


def nobody() -> str:
    return str(uuid4())
