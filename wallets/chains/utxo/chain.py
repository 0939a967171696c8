"""One bitcoind or litecoind, seen through `protocol.Chain`.

The node needs `-txindex` (where is our transaction?). What must never happen here: an answer believed before the node has shown
that it serves the configured chain, or a broadcast called failed while the node has the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wallets.chains.protocol import (
    BlockNotFound,
    BlockRef,
    BroadcastRefused,
    Confirmation,
    DataPruned,
    FeeUnknown,
    Holdings,
    MalformedData,
    NodeRefused,
    NodeUnavailable,
    WrongChain,
    hexadecimal,
    integer,
    text,
)
from wallets.chains.utxo import block, prevouts, transaction
from wallets.chains.utxo.block import UtxoBlock
from wallets.chains.utxo.mempool import MempoolEntry, MempoolReader, UtxoMempool
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.rpc import Rpc, base_units
from wallets.chains.utxo.rules import UtxoRules

_NOT_FOUND = -5
_OUT_OF_RANGE = -8
_SCAN_KEYS_MAX = 1_000


class UtxoChain:
    """One node of one UTXO network. Safe to share between threads; connects at the first question."""

    def __init__(self, *, url: str, parameters: Parameters, timeout_s: float = 30) -> None:
        self.name = parameters.name
        self.parameters = parameters
        self.rules = UtxoRules(parameters)
        self._rpc = Rpc(url, timeout_s=timeout_s)
        self._mempool = MempoolReader(self._rpc, replacement=parameters.replacement)
        self._checked = False

    def check(self) -> None:
        """Asks the node which chain it serves. Raises WrongChain."""
        self._info()
        genesis = self._rpc.call("getblockhash", 0)
        if genesis != self.parameters.genesis:
            self._checked = False
            raise WrongChain(f"the node's first block is not that of {self.name} {self.parameters.network}")
        self._checked = True

    def tip(self) -> BlockRef:
        """The node's best block."""
        self._ready()
        return self._header(text(self._info().get("bestblockhash"), "bestblockhash"))

    def finalized(self) -> int | None:
        """None: proof of work has no final block, only depth."""
        return None

    def block_ref(self, height: int) -> BlockRef:
        """The active chain's block at this height. Raises BlockNotFound."""
        self._ready()
        return self._header(self._hash_at(height))

    def block(self, height: int) -> UtxoBlock:
        """The active chain's block at this height, parsed from its bytes. Raises BlockNotFound."""
        self._ready()
        block_hash = self._hash_at(height)
        raw = hexadecimal(self._contents(block_hash), "block", maximum=8_000_000)
        return block.parse(
            raw,
            height=height,
            block_hash=block_hash,
            coinbase_maturity=self.parameters.coinbase_maturity,
            peg_maturity=self.parameters.peg_maturity,
        )

    def mempool(self) -> UtxoMempool:
        """What waits for a block. Costs by what is new since the last reading."""
        self._ready()
        return self._mempool.read()

    def broadcast(self, raw: bytes) -> str:
        """Sends signed bytes; the txid. That the network has them already is success.

        Raises BroadcastRefused when the node does not take them and does not know them; NodeUnavailable when there was no answer:
        then the bytes may be out, and the same bytes may be sent again.
        """
        self._ready()
        txid = transaction.decode(raw).txid
        try:
            self._rpc.send("sendrawtransaction", raw.hex())
        except NodeRefused as error:
            # "already known" has many codes and texts, and a mined one may be refused for its spent inputs: look for it.
            if self.confirmation(txid).state == "unknown":
                raise BroadcastRefused(error.node_message, node_code=error.node_code) from None
        return txid

    def confirmation(self, txid: str, *, block_hash: str = "") -> Confirmation:
        """Where a transaction stands. `block_hash` helps a node that keeps no index of transactions."""
        self._ready()
        found = self._transaction(txid, block_hash)
        if found is None and block_hash:
            found = self._transaction(txid, "")
        if found is None:
            return Confirmation("unknown")
        confirmations = found.get("confirmations")
        if not isinstance(confirmations, int) or confirmations < 1:
            # The index may still point into a block that was reorganised away.
            waiting = self._refused_as_none("getmempoolentry", txid) is not None
            return Confirmation("mempool" if waiting else "unknown")
        ref = self._header(text(found.get("blockhash"), "blockhash"))
        return Confirmation("mined", confirmations, ref.height, ref.hash)

    def raw_transaction(self, txid: str, *, block_hash: str = "") -> bytes:
        """A transaction's bytes as the node keeps them. Raises NodeRefused where it does not know it."""
        self._ready()
        arguments = (txid, False, block_hash) if block_hash else (txid, False)
        return hexadecimal(self._rpc.call("getrawtransaction", *arguments), "transaction", maximum=4_000_000)

    def spent_scripts(self, txid: str, outpoints: Sequence[str], *, block_hash: str) -> dict[str, bytes]:
        """The scripts of outputs that a mined transaction spent, as far as the node still knows them.

        From what it keeps to undo the block, or else from the transactions themselves, which asks it for an index of them.
        """
        self._ready()
        found = self._refused_as_none("getrawtransaction", txid, 2, block_hash)
        told = prevouts.told(found) if isinstance(found, dict) else {}
        rest = prevouts.looked_up(self, [each for each in outpoints if each not in told])
        return {each: told[each] for each in outpoints if each in told} | rest

    def holdings(self, keys: Iterable[bytes], *, contract: str = "") -> Holdings:
        """What the node's own set of unspent coins says these scripts hold. Slow on a large chain: minutes."""
        if contract:
            raise MalformedData("there are no contracts on this chain")
        self._ready()
        scripts = sorted(set(keys))
        amount, height = 0, self.tip().height
        for start in range(0, len(scripts), _SCAN_KEYS_MAX):
            part = [{"desc": f"raw({script.hex()})"} for script in scripts[start : start + _SCAN_KEYS_MAX]]
            try:
                found = self._rpc.call("scantxoutset", "start", part)
            except NodeRefused as error:
                if error.node_code == _OUT_OF_RANGE:
                    raise NodeUnavailable("the node is busy with another scan") from None
                raise
            if not isinstance(found, dict):
                raise MalformedData("scantxoutset did not give an object")
            amount += base_units(found.get("total_amount"), "total_amount")
            height = min(height, integer(found.get("height", height), "height"))
        return Holdings(amount, height)

    def unspent(self, outpoints: Iterable[str] | Mapping[str, bytes]) -> dict[str, int | None]:
        """The amount of each outpoint, None where it is spent (in the mempool, too) or unknown.

        With the script that each should pay, None as well where it pays another.
        """
        self._ready()
        wanted = list(dict.fromkeys(outpoints))
        scripts = outpoints if isinstance(outpoints, Mapping) else {}
        calls = [
            ("gettxout", txid, int(vout), True) for txid, _, vout in (outpoint.partition(":") for outpoint in wanted)
        ]
        answers = self._rpc.batch(calls) if calls else []
        return {
            outpoint: _worth(answer, scripts.get(outpoint)) for outpoint, answer in zip(wanted, answers, strict=True)
        }

    def fee_rate(self, target_blocks: int = 6) -> int:
        """Base units per 1,000 vbytes to be mined in about `target_blocks`. Raises FeeUnknown.

        Never below what the node's mempool takes now (it rises when that is full) and never above what can be believed: an
        estimator fed with nonsense must not give our coins to miners.
        """
        self._ready()
        pool = self._rpc.call("getmempoolinfo")
        if not isinstance(pool, dict):
            raise MalformedData("getmempoolinfo did not give an object")
        floor = max(base_units(pool.get(name, 0), name) for name in ("mempoolminfee", "minrelaytxfee"))
        answer = self._rpc.call("estimatesmartfee", target_blocks)
        estimate = answer.get("feerate") if isinstance(answer, dict) else None
        rate = base_units(estimate, "feerate") if estimate is not None else self.parameters.fallback_fee_rate
        if rate is None:
            raise FeeUnknown("the node has no fee estimate yet")
        if max(rate, floor) > self.parameters.fee_rate_max:
            raise FeeUnknown(f"{max(rate, floor)} base units for 1,000 vbytes are not believed")
        return max(rate, floor)

    def mempool_entry(self, txid: str) -> MempoolEntry | None:
        """What a waiting transaction pays, with what it waits for and what waits for it; None when it does not wait."""
        self._ready()
        entry = self._refused_as_none("getmempoolentry", txid)
        if not isinstance(entry, dict):
            return None
        fees = entry.get("fees")
        if not isinstance(fees, dict):
            raise MalformedData("getmempoolentry gave no fees")
        return MempoolEntry(
            fee=base_units(fees.get("base"), "fees.base"),
            vsize=integer(entry.get("vsize"), "vsize"),
            ancestor_fees=base_units(fees.get("ancestor"), "fees.ancestor"),
            ancestor_vsize=integer(entry.get("ancestorsize"), "ancestorsize"),
            descendant_fees=base_units(fees.get("descendant"), "fees.descendant"),
        )

    def _ready(self) -> None:
        if not self._checked:
            self.check()

    def _info(self) -> dict[str, Any]:
        info = self._rpc.call("getblockchaininfo")
        if not isinstance(info, dict) or info.get("chain") != self.parameters.node_chain:
            self._checked = False
            raise WrongChain(f"the node does not serve {self.name} {self.parameters.network}")
        return info

    def _hash_at(self, height: int) -> str:
        try:
            return text(self._rpc.call("getblockhash", height), "block hash")
        except NodeRefused as error:
            if error.node_code == _OUT_OF_RANGE:
                raise BlockNotFound(f"there is no block at height {height}") from None
            raise

    def _contents(self, block_hash: str) -> Any:
        try:
            return self._rpc.call("getblock", block_hash, 0)
        except NodeRefused as error:
            if "pruned" in error.node_message:
                raise DataPruned(f"the node has thrown away what was in block {block_hash}") from None
            raise BlockNotFound(f"block {block_hash} is gone") from None

    def _header(self, block_hash: str) -> BlockRef:
        head = self._refused_as_none("getblockheader", block_hash)
        if not isinstance(head, dict):
            raise BlockNotFound(f"the node does not know block {block_hash}")
        return BlockRef(
            height=integer(head.get("height"), "height"),
            hash=block_hash,
            parent=text(head.get("previousblockhash", "0" * 64), "previousblockhash"),
            time=integer(head.get("time"), "time"),
        )

    def _transaction(self, txid: str, block_hash: str) -> dict[str, Any] | None:
        arguments = (txid, True, block_hash) if block_hash else (txid, True)
        found = self._refused_as_none("getrawtransaction", *arguments)
        return found if isinstance(found, dict) else None

    def _refused_as_none(self, method: str, *params: Any) -> Any:
        """None for what the node does not know. Any other refusal says nothing of that, and is passed on."""
        try:
            return self._rpc.call(method, *params)
        except NodeRefused as error:
            if error.node_code != _NOT_FOUND:
                raise
        return None


def _worth(answer: Any, script: bytes | None) -> int | None:
    """What `gettxout` says an output holds, None where there is none or it pays another script."""
    if not isinstance(answer, dict):
        return None
    paid = answer.get("scriptPubKey")
    if script is not None and (not isinstance(paid, dict) or paid.get("hex") != script.hex()):
        return None
    return base_units(answer.get("value"), "value")
