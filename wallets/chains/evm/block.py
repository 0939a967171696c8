"""One EVM block with its receipts and traces: native payments that succeeded and ERC-20 Transfer logs, matched by recipient.

Logs come with the receipts of the block *hash*, so a reorganisation between two questions cannot mix two blocks. A credit's
slot is "native", "log:<place inside the receipt>" (the block-wide log index changes when it is mined again elsewhere) or
"call:<path in the call tree>". What must never happen here: a failed transaction, an empty amount or a receipt of another block
credited.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from wallets.chains.evm import erc20, traces
from wallets.chains.evm.address import checksummed
from wallets.chains.protocol import BlockRef, Credit, MalformedData, PendingTransaction, Spend, hexadecimal, text


@dataclass(frozen=True, slots=True)
class _Found:
    txid: str
    slot: str
    to: bytes
    amount: int
    contract: bytes
    # Who paid, of a token: the 40 hexadecimal digits as the log has them.
    payer: str = ""


@dataclass(frozen=True, slots=True)
class _Sent:
    txid: str
    sender: bytes
    nonce: int
    # Receiver, value and data as the node has them: read for the few that are ours.
    call: tuple[Any, Any, Any]

    @property
    def spend_key(self) -> str:
        return f"{checksummed(self.sender)}:{self.nonce}"


class EvmBlock:
    """One block, matched in memory."""

    __slots__ = ("_found", "_sent", "ref")

    def __init__(self, ref: BlockRef, found: list[_Found], sent: list[_Sent]) -> None:
        self.ref = ref
        self._found = found
        self._sent = sent

    def __len__(self) -> int:
        return len(self._sent)

    def destinations(self) -> set[bytes]:
        """Every address this block pays, as 20 bytes."""
        return {found.to for found in self._found}

    def credits(self, to: Container[bytes]) -> list[Credit]:
        """What pays one of these addresses, in the block's order."""
        found = [found for found in self._found if found.to in to]
        mine = {each.txid for each in found}
        senders = {sent.txid: sent.sender for sent in self._sent if sent.txid in mine} if mine else {}
        return [_credit(each, senders.get(each.txid)) for each in found]

    def token_moved(self, txid: str, *, contract: str, payer: str, to: str) -> bool:
        """Whether this token says that it moved from one address to the other: some answer false, and the receipt is good."""
        token, receiver, who = _twenty(contract), _twenty(to), _twenty(payer).hex()
        return any(
            (found.txid, found.contract, found.to, found.payer) == (txid, token, receiver, who) for found in self._found
        )

    def calls(self, txid: str, *, to: str, value: int, data: bytes) -> bool:
        """Whether this transaction makes exactly this call, whatever it pays for gas."""
        return any(_call(*sent.call) == (_twenty(to), value, data) for sent in self._sent if sent.txid == txid)

    def spent(self) -> set[str]:
        """Every nonce this block uses up."""
        return {sent.spend_key for sent in self._sent}

    def spends(self, of: Container[str]) -> list[Spend]:
        """What uses one of these nonces."""
        return [Spend(sent.txid, key) for sent in self._sent if (key := sent.spend_key) in of]

    def senders(self) -> set[bytes]:
        """Every account that sends something in this block, as 20 bytes."""
        return {sent.sender for sent in self._sent}

    def spends_from(self, senders: Container[bytes]) -> list[Spend]:
        """What these accounts send. A checksummed address costs a hash, so it is written for what matches alone."""
        return [Spend(sent.txid, sent.spend_key) for sent in self._sent if sent.sender in senders]


class EvmMempool:
    """What the node would put into its next block. Plain token transfers are read from their call, so nothing here is certain."""

    def __init__(self, found: list[_Found], sent: list[_Sent]) -> None:
        self._found = found
        self._sent = {entry.txid: entry.spend_key for entry in sent}
        self._spenders = {spend_key: txid for txid, spend_key in self._sent.items()}

    def destinations(self) -> set[bytes]:
        """Every address that is paid by something waiting."""
        return {found.to for found in self._found}

    def transactions(self, to: Container[bytes]) -> list[PendingTransaction]:
        """What would pay one of these addresses. Any EVM transaction can be replaced by its sender."""
        grouped: dict[str, list[Credit]] = {}
        for found in self._found:
            if found.to in to:
                grouped.setdefault(found.txid, []).append(_credit(found))
        return [
            PendingTransaction(txid, tuple(credits), (self._sent[txid],), True) for txid, credits in grouped.items()
        ]

    def spender(self, spend_key: str) -> str | None:
        """The waiting transaction that uses this nonce, if there is one."""
        return self._spenders.get(spend_key)


def _credit(found: _Found, sender: bytes | None = None) -> Credit:
    """Who paid is the account that signed, and of a token the one that its log names as well."""
    contract = checksummed(found.contract) if found.contract else ""
    paid = [sender.hex()] if sender is not None else []
    paid += [found.payer] if found.payer else []
    payers = tuple(dict.fromkeys(f"evm:{payer}" for payer in paid))
    return Credit(found.txid, found.slot, found.to, found.amount, contract, payers=payers)


def quantity(value: object, name: str) -> int:
    """A JSON-RPC quantity ("0x1a"). Raises MalformedData."""
    body = text(value, name, maximum=66)
    try:
        number = int(body, 16)
    except ValueError:
        raise MalformedData(f"{name} is not a quantity") from None
    if not body.startswith("0x") or number < 0:
        raise MalformedData(f"{name} is not a quantity")
    return number


def reference(head: object) -> BlockRef:
    """The place of a block from its JSON. Raises MalformedData."""
    if not isinstance(head, dict):
        raise MalformedData("a block is not an object")
    return BlockRef(
        height=quantity(head.get("number"), "number"),
        hash=text(head.get("hash"), "hash"),
        parent=text(head.get("parentHash"), "parentHash"),
        time=quantity(head.get("timestamp"), "timestamp"),
    )


def parse(body: object, receipts: object, traced: object = None) -> EvmBlock:
    """A block (with whole transactions), all its receipts and, where the node traces, its call trees (`traces.by_txid`).

    Receipts of what is no transaction of the block (some chains have such for their bridge) are passed over. Raises MalformedData
    when the parts do not belong together.
    """
    ref = reference(body)
    assert isinstance(body, dict)
    transactions = body.get("transactions")
    if not isinstance(transactions, list):
        raise MalformedData("a block has no list of transactions")
    by_txid = _by_txid(receipts, ref)
    sent = [_sent(transaction) for transaction in transactions]
    trees = {} if traced is None else traces.by_txid(traced, [entry.txid for entry in sent])
    found: list[_Found] = []
    for transaction, entry in zip(transactions, sent, strict=True):
        receipt = by_txid.get(entry.txid)
        if receipt is None:
            raise MalformedData("a transaction of the block has no receipt")
        if receipt.get("status") != "0x1":
            continue
        found += _native(transaction, entry.txid)
        found += _logs(receipt, entry.txid)
        if entry.txid in trees:
            paid = traces.payments(trees[entry.txid])
            found += [_Found(entry.txid, f"call:{path}", to, amount, b"") for path, to, amount in paid]
    return EvmBlock(ref, found, sent)


def _by_txid(receipts: object, ref: BlockRef) -> dict[str, dict[str, Any]]:
    if not isinstance(receipts, list):
        raise MalformedData("a block's receipts are not a list")
    by_txid: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        if not isinstance(receipt, dict) or receipt.get("blockHash") != ref.hash:
            raise MalformedData("a receipt belongs to another block")
        txid = text(receipt.get("transactionHash"), "transactionHash")
        if txid in by_txid:
            raise MalformedData("a transaction has two receipts")
        by_txid[txid] = receipt
    return by_txid


def runs_code(receipts: object) -> bool:
    """Whether any of these transactions did more than move the native coin: then there may be calls to trace."""
    return isinstance(receipts, list) and any(
        isinstance(receipt, dict) and quantity(receipt.get("gasUsed"), "gasUsed") > 21_000 for receipt in receipts
    )


def parse_pending(body: object) -> EvmMempool:
    """The node's pending block. Raises MalformedData."""
    transactions = body.get("transactions") if isinstance(body, dict) else None
    if not isinstance(transactions, list):
        raise MalformedData("a pending block has no list of transactions")
    found: list[_Found] = []
    sent: list[_Sent] = []
    for transaction in transactions:
        entry = _sent(transaction)
        sent.append(entry)
        found += _native(transaction, entry.txid)
        transfer = erc20.read_transfer_call(hexadecimal(transaction.get("input"), "input", maximum=1_000_000))
        if transfer is not None and transfer[1] and transaction.get("to"):
            # Its place among the logs is not known before it runs; the first is the usual one.
            found.append(_Found(entry.txid, "log:0", *transfer, hexadecimal(transaction["to"], "to")))
    return EvmMempool(found, sent)


def _sent(transaction: Any) -> _Sent:
    if not isinstance(transaction, dict):
        raise MalformedData("a transaction is not an object")
    sender = hexadecimal(transaction.get("from"), "from")
    if len(sender) != 20:
        raise MalformedData("a sender has 20 bytes")
    call = transaction.get("to"), transaction.get("value"), transaction.get("input")
    return _Sent(text(transaction.get("hash"), "hash"), sender, quantity(transaction.get("nonce"), "nonce"), call)


def _call(to: object, value: object, data: object) -> tuple[bytes, int, bytes]:
    """A contract that is made has no receiver."""
    receiver = _twenty(to) if to else b""
    return receiver, quantity(value, "value"), hexadecimal(data, "input", maximum=1_000_000)


def _native(transaction: dict[str, Any], txid: str) -> list[_Found]:
    amount = quantity(transaction.get("value"), "value")
    if not amount or not transaction.get("to"):
        return []
    return [_Found(txid, "native", _twenty(transaction["to"]), amount, b"")]


def _logs(receipt: dict[str, Any], txid: str) -> list[_Found]:
    logs = receipt.get("logs")
    if not isinstance(logs, list) or not all(isinstance(log, dict) for log in logs):
        raise MalformedData("a receipt has no list of logs")
    found = []
    for place, log in enumerate(logs):
        transfer = erc20.read_transfer_log(log.get("topics"), log.get("data"))
        if transfer is not None and transfer[1] and not log.get("removed"):
            payer = str(log["topics"][1])[-40:].lower()
            found.append(_Found(txid, f"log:{place}", *transfer, _twenty(log.get("address")), payer))
    return found


def _twenty(value: object) -> bytes:
    key = hexadecimal(value, "address")
    if len(key) != 20:
        raise MalformedData("an address has 20 bytes")
    return key
