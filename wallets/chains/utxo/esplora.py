"""One hosted (or own) Esplora server, seen through `protocol.Chain`: blocks, fees and transactions of BTC or LTC over plain REST.

The paths are those that Esplora's API.md documents. Blocks come as raw bytes whose header must hash to the id we asked for and
whose transactions to the header's root, so a service cannot invent what a block holds. It has no word for "my whole mempool":
what waits is asked address by address, for the few that matter just now. What must never happen here: the URL or a key of the
service in a message or a log, an answer without end, a broadcast called done or failed on its word alone, or an error that is
not a ChainError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

from wallets.chains.protocol import (
    BlockNotFound,
    BlockRef,
    BroadcastRefused,
    Confirmation,
    Credit,
    DataPruned,
    FeeUnknown,
    Holdings,
    MalformedData,
    NodeRefused,
    NodeUnavailable,
    PendingTransaction,
    WrongChain,
    hexadecimal,
    integer,
    text,
)
from wallets.chains.utxo import block, prevouts, transaction
from wallets.chains.utxo.block import UtxoBlock
from wallets.chains.utxo.mempool import MempoolEntry
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.rest import NOT_FOUND, Rest
from wallets.chains.utxo.rules import UtxoRules

BLOCK_SIZE_MAX = 8_000_000
ASKED_MAX = 200  # addresses of one look at what waits


class EsploraChain:
    """One service for one UTXO network. Safe to share between threads; connects at the first question."""

    def __init__(self, *, url: str, parameters: Parameters, header: str = "", timeout_s: float = 30) -> None:
        self.name = parameters.name
        self.parameters = parameters
        self.rules = UtxoRules(parameters)
        self._rest = Rest(url, header=header, timeout_s=timeout_s)
        self._checked = False

    def check(self) -> None:
        """Asks the service for its first block. Raises WrongChain."""
        self._checked = False
        if self._rest.text("block-height/0") != self.parameters.genesis:
            raise WrongChain(f"the service's first block is not that of {self.name} {self.parameters.network}")
        self._checked = True

    def tip(self) -> BlockRef:
        """The service's best block."""
        self._ready()
        return self._block_of(_hash(self._rest.text("blocks/tip/hash")))

    def finalized(self) -> int | None:
        """None: proof of work has no final block, only depth."""
        return None

    def block_ref(self, height: int) -> BlockRef:
        """The active chain's block at this height. Raises BlockNotFound."""
        self._ready()
        block_hash = self._hash_at(height)
        try:
            raw = hexadecimal(self._rest.text(f"block/{block_hash}/header"), "header", maximum=80)
        except NodeRefused:
            raise BlockNotFound(f"block {block_hash} is gone") from None
        return block.header(raw, height=height, block_hash=block_hash)

    def block(self, height: int) -> UtxoBlock:
        """The active chain's block at this height, parsed from its bytes. Raises BlockNotFound."""
        self._ready()
        block_hash = self._hash_at(height)
        try:
            raw = self._rest.raw(f"block/{block_hash}/raw", maximum=BLOCK_SIZE_MAX)
        except NodeRefused:
            # It named the block a moment ago: the contents are what is missing, unless it has left the branch since.
            if self._hash_at(height) == block_hash:
                raise DataPruned(f"the service does not give out what was in block {block_hash}") from None
            raise BlockNotFound(f"block {block_hash} is gone") from None
        parsed = block.parse(
            raw,
            height=height,
            block_hash=block_hash,
            coinbase_maturity=self.parameters.coinbase_maturity,
            peg_maturity=self.parameters.peg_maturity,
        )
        parsed.prove()
        return parsed

    def mempool(self) -> EsploraMempool:
        """What waits for a block. Asks when it is asked, address by address."""
        self._ready()
        integer(self._rest.text("blocks/tip/height"), "tip height")  # a service that is gone is noticed here
        return EsploraMempool(self._rest, self.parameters)

    def broadcast(self, raw: bytes) -> str:
        """Sends signed bytes; the txid. That the network has them already is success. Raises as UtxoChain's does."""
        self._ready()
        txid = transaction.decode(raw).txid
        try:
            taken = self._rest.post("tx", raw.hex())
        except NodeRefused as error:
            if self.confirmation(txid).state == "unknown":
                raise BroadcastRefused(error.node_message, node_code=error.node_code) from None
            return txid
        if taken != txid and self.confirmation(txid).state == "unknown":
            raise NodeUnavailable("the service took the bytes and does not know the transaction")
        return txid

    def confirmation(self, txid: str, *, block_hash: str = "") -> Confirmation:
        """Where a transaction stands. The service keeps an index, so `block_hash` is no help to it."""
        self._ready()
        status = self._rest.json_or_none(f"tx/{txid}/status")
        # Some servers say "not confirmed" of what they do not know at all.
        if status is None or (not status.get("confirmed") and self._rest.json_or_none(f"tx/{txid}") is None):
            return Confirmation("unknown")
        if not status.get("confirmed"):
            return Confirmation("mempool")
        height = integer(status.get("block_height"), "block_height")
        mined_in = text(status.get("block_hash"), "block_hash")
        top = integer(self._rest.text("blocks/tip/height"), "tip height")
        return Confirmation("mined", max(1, top - height + 1), height, mined_in)

    def raw_transaction(self, txid: str, *, block_hash: str = "") -> bytes:
        """A transaction's bytes. Raises NodeRefused where the service does not know it."""
        self._ready()
        return hexadecimal(self._rest.text(f"tx/{txid}/hex", maximum=8_000_000), "transaction", maximum=4_000_000)

    def spent_scripts(self, txid: str, outpoints: Sequence[str], *, block_hash: str) -> dict[str, bytes]:
        """The scripts of outputs that a transaction spent, from the bytes of those that made them."""
        self._ready()
        return prevouts.looked_up(self, outpoints)

    def holdings(self, keys: Iterable[bytes], *, contract: str = "") -> Holdings:
        """What these scripts hold in blocks, by the service's index. One question a script."""
        if contract:
            raise MalformedData("there are no contracts on this chain")
        self._ready()
        height, amount = integer(self._rest.text("blocks/tip/height"), "tip height"), 0
        for key in sorted(set(keys)):
            for coin in self._rest.list(f"scripthash/{script_hash(key)}/utxo"):
                status = coin.get("status")
                if isinstance(status, dict) and status.get("confirmed"):
                    amount += integer(coin.get("value"), "value")
        return Holdings(amount, height)

    def unspent(self, outpoints: Iterable[str] | Mapping[str, bytes]) -> dict[str, int | None]:
        """The amount of each outpoint, None where it is spent (in the mempool, too) or unknown, or pays another script."""
        self._ready()
        scripts = outpoints if isinstance(outpoints, Mapping) else {}
        return {each: self._worth(each, scripts.get(each)) for each in dict.fromkeys(outpoints)}

    def _worth(self, outpoint: str, script: bytes | None) -> int | None:
        txid, _, vout = outpoint.partition(":")
        spent = self._rest.json_or_none(f"tx/{txid}/outspend/{int(vout)}")
        if spent is None or spent.get("spent") is not False:
            return None
        try:
            outputs = transaction.decode(self.raw_transaction(txid)).outputs
        except NodeRefused:
            return None
        if int(vout) >= len(outputs) or (script is not None and outputs[int(vout)].script != script):
            return None
        return outputs[int(vout)].amount

    def fee_rate(self, target_blocks: int = 6) -> int:
        """Base units per 1,000 vbytes to be mined in about `target_blocks`. Raises FeeUnknown."""
        self._ready()
        estimates = self._rest.json("fee-estimates")
        near = [int(key) for key in estimates if key.isdecimal() and int(key) <= target_blocks]
        if near:
            rate = _rate(estimates[str(max(near))])
        elif self.parameters.fallback_fee_rate is not None:
            rate = self.parameters.fallback_fee_rate
        else:
            raise FeeUnknown("the service has no fee estimate yet")
        if rate > self.parameters.fee_rate_max:
            raise FeeUnknown(f"{rate} base units for 1,000 vbytes are not believed")
        return max(rate, self.parameters.incremental_fee_rate)

    def mempool_entry(self, txid: str) -> MempoolEntry | None:
        """What a waiting transaction pays. Esplora does not say what it waits for and what waits for it: it stands for itself."""
        self._ready()
        found = self._rest.json_or_none(f"tx/{txid}")
        if found is None or _status(found).get("confirmed"):
            return None
        fee, weight = integer(found.get("fee"), "fee"), integer(found.get("weight"), "weight")
        vsize = (weight + 3) // 4
        return MempoolEntry(fee=fee, vsize=vsize, ancestor_fees=fee, ancestor_vsize=vsize, descendant_fees=fee)

    def _ready(self) -> None:
        if not self._checked:
            self.check()

    def _hash_at(self, height: int) -> str:
        try:
            return _hash(self._rest.text(f"block-height/{height}"))
        except NodeRefused as error:
            if error.node_code == NOT_FOUND:
                raise BlockNotFound(f"there is no block at height {height}") from None
            raise

    def _block_of(self, block_hash: str) -> BlockRef:
        body = self._rest.json_or_none(f"block/{block_hash}")
        if body is None:
            raise BlockNotFound(f"the service does not know block {block_hash}")
        height = integer(body.get("height"), "height")
        raw = hexadecimal(self._rest.text(f"block/{block_hash}/header"), "header", maximum=80)
        return block.header(raw, height=height, block_hash=block_hash)


class EsploraMempool:
    """What waits, as far as it is asked for: `by_address` tells its reader that it cannot be searched whole."""

    by_address = True

    def __init__(self, rest: Rest, parameters: Parameters) -> None:
        self._rest = rest
        self._replacement = parameters.replacement
        self._seen: set[bytes] = set()

    def destinations(self) -> set[bytes]:
        """Every script that is paid by something that was found so far: the service is asked by address."""
        return set(self._seen)

    def transactions(self, to: Container[bytes]) -> list[PendingTransaction]:
        """What would pay one of these scripts: one question for each, so they must be few and named. Raises MalformedData."""
        if not isinstance(to, set | frozenset | list | tuple | dict):
            raise MalformedData("a hosted mempool can be asked for named addresses only")
        if len(to) > ASKED_MAX:
            raise MalformedData(f"a hosted mempool is asked for at most {ASKED_MAX} addresses at once")
        found: dict[str, dict[str, Any]] = {}
        for key in to:
            for entry in self._rest.list(f"scripthash/{script_hash(key)}/txs/mempool"):
                found[text(entry.get("txid"), "txid")] = entry
        return [waiting for entry in found.values() if (waiting := self._pending(entry, to)).credits]

    def _pending(self, entry: dict[str, Any], to: Container[bytes]) -> PendingTransaction:
        txid = text(entry.get("txid"), "txid")
        credits = []
        for vout, output in enumerate(_objects(entry, "vout")):
            script = hexadecimal(output.get("scriptpubkey"), "scriptpubkey")
            self._seen.add(script)
            amount = integer(output.get("value"), "value")
            if amount and script in to:
                credits.append(Credit(txid, str(vout), script, amount))
        inputs = _objects(entry, "vin")
        spends = tuple(f"{text(each.get('txid'), 'txid')}:{integer(each.get('vout'), 'vout')}" for each in inputs)
        flagged = any(integer(each.get("sequence"), "sequence") < 0xFFFFFFFE for each in inputs)
        return PendingTransaction(txid, tuple(credits), spends, self._replacement and flagged)

    def spender(self, spend_key: str) -> str | None:
        """The transaction that uses this outpoint, waiting or mined, if the service knows one."""
        txid, _, vout = spend_key.partition(":")
        spent = self._rest.json_or_none(f"tx/{txid}/outspend/{int(vout)}")
        if spent is None or not spent.get("spent"):
            return None
        return text(spent.get("txid"), "txid")

    def conflicts(self, spends: Iterable[str], *, but: str = "") -> set[str]:
        """Transactions that use up one of these outpoints: at most one of them and of `but` will be mined."""
        return {txid for spent in spends if (txid := self.spender(spent)) is not None and txid != but}


def script_hash(script: bytes) -> str:
    """How Esplora names a script: the hex of its SHA-256."""
    return hashlib.sha256(script).hexdigest()


def _hash(answer: str) -> str:
    if len(answer) != 64 or hexadecimal(answer, "block hash").hex() != answer:
        raise MalformedData("the service's answer is not a block's hash")
    return answer


def _rate(estimate: object) -> int:
    """Satoshi per vbyte, as the service writes them (a decimal number), in base units per 1,000 vbytes, rounded up."""
    if isinstance(estimate, bool) or not isinstance(estimate, int | Decimal) or not 0 < estimate < 10**9:
        raise MalformedData("a fee estimate is not a number")
    return int((Decimal(estimate) * 1000).to_integral_value(ROUND_CEILING))


def _objects(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = entry.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MalformedData(f"{name} is not a list of objects")
    return rows


def _status(entry: dict[str, Any]) -> dict[str, Any]:
    status = entry.get("status")
    return status if isinstance(status, dict) else {}
