"""One EVM node, seen through `protocol.Chain`.

What must never happen here: an answer believed before the node has named the configured chain id, logs asked for by number, or a
broadcast called failed while the node has the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wallets.chains.evm import address as addresses
from wallets.chains.evm import block, erc20, payout, traces, transaction
from wallets.chains.evm.block import EvmBlock, EvmMempool
from wallets.chains.evm.rpc import INVALID_PARAMS, METHOD_NOT_FOUND, Rpc
from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import (
    BlockNotFound,
    BlockRef,
    BroadcastRefused,
    Confirmation,
    DataPruned,
    Holdings,
    MalformedData,
    NodeRefused,
    WrongChain,
    hexadecimal,
    integer,
    text,
)

_PRIORITY_FEE_FALLBACK = 10**9  # 1 gwei, where the node has no opinion


class EvmChain:
    """One node of one EVM chain. Safe to share between threads; connects at the first question.

    `legacy_fees`: its validators want a plain gas price; a chain without a base fee is told by itself. `trace`: the node answers
    debug_traceBlockByHash or …ByNumber, so that what contracts pay inside a transaction is seen.
    """

    def __init__(
        self,
        *,
        name: str,
        url: str,
        chain_id: int,
        legacy_fees: bool = False,
        trace: bool = False,
        header: str = "",
        timeout_s: float = 30,
    ) -> None:
        self.name = name
        self._legacy_fees = legacy_fees
        self._trace = trace
        self.rules = EvmRules(name, chain_id)
        self._rpc = Rpc(url, header=header, timeout_s=timeout_s)
        self._checked = False

    def check(self) -> None:
        """Asks the node which chain it serves. Raises WrongChain."""
        self._checked = False
        chain_id = block.quantity(self._rpc.call("eth_chainId"), "chain id")
        if chain_id != self.rules.chain_id:
            raise WrongChain(f"the node serves chain {chain_id}, not {self.rules.chain_id}")
        self._checked = True

    def tip(self) -> BlockRef:
        """The node's latest block. Asks for the chain id again each time: behind one URL may stand another node tomorrow."""
        self.check()
        return block.reference(self._rpc.call("eth_getBlockByNumber", "latest", False))

    def finalized(self) -> int | None:
        """The height that cannot be reorganised any more, None where the chain has no such thing."""
        self._ready()
        try:
            head = self._rpc.call("eth_getBlockByNumber", "finalized", False)
        except NodeRefused:
            return None
        return block.reference(head).height if head else None

    def block_ref(self, height: int) -> BlockRef:
        """The active chain's block at this height. Raises BlockNotFound."""
        self._ready()
        return block.reference(self._block_json(height, whole=False))

    def block(self, height: int) -> EvmBlock:
        """The active chain's block at this height with its receipts, both by its hash. Raises BlockNotFound."""
        self._ready()
        body = self._block_json(height, whole=True)
        receipts = self._receipts(body)
        traced = self._traces(body) if self._trace and block.runs_code(receipts) else None
        return block.parse(body, receipts, traced)

    def mempool(self) -> EvmMempool:
        """What the node would mine next."""
        self._ready()
        return block.parse_pending(self._rpc.call("eth_getBlockByNumber", "pending", True) or {"transactions": []})

    def broadcast(self, raw: bytes) -> str:
        """Sends signed bytes; the txid. That the network has them already is success.

        Raises BroadcastRefused when the node does not take them and does not know them; NodeUnavailable when there was no answer:
        then the bytes may be out, and the same bytes may be sent again.
        """
        self._ready()
        txid = transaction.decode(raw).txid
        try:
            self._rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        except NodeRefused as error:
            # "already known", "nonce too low" when it is mined: every client words it differently, so look for it.
            if self.confirmation(txid).state == "unknown":
                raise BroadcastRefused(error.node_message, node_code=error.node_code) from None
        return txid

    def confirmation(self, txid: str, *, block_hash: str = "") -> Confirmation:
        """Where a transaction stands, by its receipt; `succeeded` False when it was mined and reverted."""
        self._ready()
        receipt = self._rpc.call("eth_getTransactionReceipt", txid)
        if not isinstance(receipt, dict):
            waiting = self._rpc.call("eth_getTransactionByHash", txid)
            return Confirmation("mempool" if isinstance(waiting, dict) else "unknown")
        height = block.quantity(receipt.get("blockNumber"), "blockNumber")
        mined_in = text(receipt.get("blockHash"), "blockHash")
        tip = self.tip()
        try:
            if self.block_ref(height).hash != mined_in:
                return Confirmation("mempool")
        except BlockNotFound:
            return Confirmation("mempool")
        finalized = self.finalized()
        gas_used = block.quantity(receipt.get("gasUsed"), "gasUsed")
        gas_price = block.quantity(self._gas_price(receipt, txid), "gas price")
        return Confirmation(
            state="mined",
            confirmations=max(1, tip.height - height + 1),
            height=height,
            block_hash=mined_in,
            succeeded=receipt.get("status") == "0x1",
            fee=gas_used * gas_price,
            final=None if finalized is None else height <= finalized,
        )

    def holdings(self, keys: Iterable[bytes], *, contract: str = "", at: str = "") -> Holdings:
        """What the node says these addresses hold at one block (the latest, or the one of hash `at`), natively or of a token."""
        ref = block.reference(self._block_of(at)) if at else self.tip()
        return Holdings(sum(self.balances(keys, contract=contract, at=ref.hash).values()), ref.height)

    def balances(self, keys: Iterable[bytes], *, contract: str = "", at: str) -> dict[bytes, int]:
        """What each of these addresses holds at the block of hash `at`; many questions in one request.

        Raises DataPruned where the node has the block and not its state any more.
        """
        self._ready()
        try:
            return self._balances(keys, contract, at)
        except NodeRefused as error:
            # Every client words it differently that a state is gone; a contract's own no, or an odd question, is neither.
            if error.node_code == INVALID_PARAMS or "revert" in error.node_message.lower():
                raise
            self._block_of(at)
            raise DataPruned(f"the node has no state of block {at}: {error.node_message}") from None

    def _balances(self, keys: Iterable[bytes], contract: str, at: str) -> dict[bytes, int]:
        where = {"blockHash": at}
        distinct = sorted(set(keys))
        if contract:
            asked = [
                ("eth_call", ({"to": contract, "data": "0x" + erc20.balance_of_call(key).hex()}, where))
                for key in distinct
            ]
            amounts = [_number(answer, contract) for answer in self._rpc.batch(asked)]
        else:
            balances = [("eth_getBalance", (addresses.checksummed(key), where)) for key in distinct]
            amounts = [block.quantity(answer, "balance") for answer in self._rpc.batch(balances)]
        return dict(zip(distinct, amounts, strict=True))

    def nonce(self, address: str, *, pending: bool = False, height: int | None = None) -> int:
        """The next nonce of an address: after what is mined (up to one block), or after what waits as well.

        A node without the state of an old block raises NodeRefused.
        """
        self._ready()
        when = hex(height) if height is not None else "pending" if pending else "latest"
        return block.quantity(self._rpc.call("eth_getTransactionCount", address, when), "nonce")

    def fees(self) -> payout.Fees:
        """What a transaction should offer now: a base fee and a tip, or one gas price where the chain has no base fee."""
        self._ready()
        head = self._rpc.call("eth_getBlockByNumber", "latest", False)
        if not isinstance(head, dict):
            raise MalformedData("a block is not an object")
        if self._legacy_fees or head.get("baseFeePerGas") is None:
            price = block.quantity(self._rpc.call("eth_gasPrice"), "gas price")
            # An eighth above what the node names: the price of the next blocks, not of the last ones.
            price = max(price * 9 // 8, 1)
            return payout.Fees(0, price, price, legacy=True)
        base_fee = block.quantity(head["baseFeePerGas"], "baseFeePerGas")
        try:
            priority = block.quantity(self._rpc.call("eth_maxPriorityFeePerGas"), "priority fee")
        except NodeRefused:
            priority = _PRIORITY_FEE_FALLBACK
        return payout.Fees(base_fee, 2 * base_fee + priority, priority)

    def send_gas(self, *, from_address: str, payment: payout.Payment) -> int:
        """The gas limit for this payment: the estimate and a fifth more. Raises NodeRefused when the payment would fail.

        A token that would answer false fails, too: its transaction would succeed and move nothing.
        """
        self._ready()
        to, value, data = payout.call(payment)
        asked = {"from": from_address, "to": addresses.checksummed(to), "value": hex(value), "data": "0x" + data.hex()}
        estimate = block.quantity(self._rpc.call("eth_estimateGas", asked), "gas")
        if payment.contract and _says_false(self._rpc.call("eth_call", asked, "latest")):
            raise NodeRefused(f"the token {payment.contract} answers false to this payment")
        return estimate if estimate == payout.PLAIN_GAS else estimate + estimate // 5

    def token_decimals(self, contract: str) -> int:
        """What a token's contract says of its decimals. Raises MalformedData when it says nothing sensible."""
        self._ready()
        asked = {"to": contract, "data": "0x" + erc20.DECIMALS_CALL.hex()}
        return integer(_number(self._rpc.call("eth_call", asked, "latest"), contract), "decimals", maximum=77)

    def _ready(self) -> None:
        if not self._checked:
            self.check()

    def _block_json(self, height: int, *, whole: bool) -> dict[str, Any]:
        body = self._rpc.call("eth_getBlockByNumber", hex(height), whole)
        if not isinstance(body, dict):
            raise BlockNotFound(f"there is no block at height {height}")
        return body

    def _block_of(self, block_hash: str) -> dict[str, Any]:
        self._ready()
        body = self._rpc.call("eth_getBlockByHash", block_hash, False)
        if not isinstance(body, dict):
            raise BlockNotFound(f"block {block_hash} is gone")
        return body

    def _receipts(self, body: dict[str, Any]) -> list[Any]:
        """All receipts of the block by its hash; one by one where the node has no word for all of them."""
        ref = block.reference(body)
        try:
            receipts = self._rpc.call("eth_getBlockReceipts", ref.hash)
        except NodeRefused:
            # Clients word it differently that they have no such method, and that they have no such block.
            self._block_of(ref.hash)
            asked = [("eth_getTransactionReceipt", (each["hash"],)) for each in body["transactions"]]
            receipts = self._rpc.batch(asked)
        if not isinstance(receipts, list) or None in receipts:
            self._block_of(ref.hash)
            raise DataPruned(f"the node has thrown away the receipts of block {ref.hash}")
        return receipts

    def _gas_price(self, receipt: dict[str, Any], txid: str) -> object:
        """What was paid for gas; before EIP-1559 a receipt does not say it, and it is the transaction's own price."""
        if "effectiveGasPrice" in receipt:
            return receipt["effectiveGasPrice"]
        sent = self._rpc.call("eth_getTransactionByHash", txid)
        return sent.get("gasPrice") if isinstance(sent, dict) else None

    def _traces(self, body: dict[str, Any]) -> Any:
        """The block's call trees. A node that should trace and does not leaves the block unread: nothing is passed over."""
        ref = block.reference(body)
        try:
            return self._rpc.call("debug_traceBlockByHash", ref.hash, traces.TRACER)
        except NodeRefused as error:
            if error.node_code != METHOD_NOT_FOUND:
                self._block_of(ref.hash)
                raise
        traced = self._rpc.call("debug_traceBlockByNumber", hex(ref.height), traces.TRACER)
        if self.block_ref(ref.height).hash != ref.hash:
            raise BlockNotFound(f"block {ref.hash} is gone")
        return traced


def _says_false(answer: object) -> bool:
    """A word of zeros. No answer at all is a yes: the largest token gives none."""
    word = hexadecimal(answer, "answer")
    return len(word) == 32 and not any(word)


def _number(answer: object, contract: str) -> int:
    word = hexadecimal(answer, "answer")
    if len(word) != 32:
        raise MalformedData(f"the contract {contract} does not answer with a number")
    return int.from_bytes(word, "big")
