"""The few words of ERC-20 that money needs: the Transfer log, the transfer call, balanceOf and decimals.

A log is matched by its shape and its contract, never by the transaction's `to`: any contract may move a token.
What must never happen here: an ERC-721 transfer (four topics) taken for an amount.
"""

from __future__ import annotations

from wallets.chains.protocol import MalformedData

TRANSFER_TOPIC = (
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # keccak("Transfer(address,address,uint256)")
)
_TRANSFER = bytes.fromhex("a9059cbb")  # transfer(address,uint256)
_BALANCE_OF = bytes.fromhex("70a08231")  # balanceOf(address)
DECIMALS_CALL = bytes.fromhex("313ce567")  # decimals()


def transfer_call(to: bytes, amount: int) -> bytes:
    """Call data that moves `amount` of the token to the 20 bytes `to`."""
    return _TRANSFER + to.rjust(32, b"\0") + amount.to_bytes(32, "big")


def read_transfer_call(data: bytes) -> tuple[bytes, int] | None:
    """(to, amount) when the call data is a plain transfer, else None."""
    if len(data) != 68 or data[:4] != _TRANSFER or any(data[4:16]):
        return None
    return data[16:36], int.from_bytes(data[36:], "big")


def balance_of_call(key: bytes) -> bytes:
    """Call data that asks for the balance of 20 bytes."""
    return _BALANCE_OF + key.rjust(32, b"\0")


def read_transfer_log(topics: object, data: object) -> tuple[bytes, int] | None:
    """(to, amount) when the log is an ERC-20 Transfer, else None. Raises MalformedData when it only pretends to hold hex."""
    if not isinstance(topics, list) or len(topics) != 3 or topics[0] != TRANSFER_TOPIC:
        return None
    if not isinstance(data, str) or len(data) != 66 or not isinstance(topics[2], str) or len(topics[2]) != 66:
        return None
    try:
        to, amount = bytes.fromhex(topics[2][2:]), int(data, 16)
    except ValueError:
        raise MalformedData("a log's topic or data is not hexadecimal") from None
    return (to[12:], amount) if not any(to[:12]) else None
