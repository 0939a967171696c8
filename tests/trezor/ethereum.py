"""The software Trezor's Ethereum half: an address, and a transaction shown and signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_account import Account
from eth_utils import to_checksum_address
from trezorlib import messages

if TYPE_CHECKING:
    from tests.trezor.device import SoftwareTrezor

F = messages.FailureType
H = 1 << 31
TRANSFER = bytes.fromhex("a9059cbb")


def _account(device: SoftwareTrezor, path: list[int]) -> Any:
    from tests.trezor.device import Refusal

    steps = list(path)
    if len(steps) != 5 or steps[:2] != [H + 44, H + 60] or steps[2] < H or steps[3] >= H or steps[4] >= H:
        raise Refusal(F.DataError, "Forbidden key path")
    return Account.from_key(device.key(steps).key.serialize())


def address(device: SoftwareTrezor, asked: messages.EthereumGetAddress) -> messages.EthereumAddress:
    text = _account(device, asked.address_n).address
    if asked.show_display:
        device.show(f"Receive address {text}")
    return messages.EthereumAddress(address=text)


def sign(device: SoftwareTrezor, asked: Any) -> messages.EthereumTxRequest:
    """EIP-1559 and, where the chain has it, the older form."""
    from tests.trezor.device import Refusal

    account = _account(device, asked.address_n)
    dynamic = isinstance(asked, messages.EthereumSignTxEIP1559)
    data = asked.data_initial_chunk or b""
    while len(data) < (asked.data_length or 0):
        more = min(1024, asked.data_length - len(data))
        data += device.ask(messages.EthereumTxRequest(data_length=more), messages.EthereumTxAck).data_chunk
    if not asked.to:
        raise Refusal(F.DataError, "Contract creation is not part of these tests")
    value = int.from_bytes(asked.value or b"", "big")
    if data[:4] == TRANSFER and len(data) == 68 and not value:
        to = to_checksum_address(data[16:36])
        device.show(f"Send {int.from_bytes(data[36:], 'big')} of token {asked.to} to {to}")
    else:
        device.show(f"Send {value} to {asked.to} with {len(data)} bytes of data")
    gas = int.from_bytes(asked.gas_limit, "big")
    fields: dict[str, Any] = {
        "nonce": int.from_bytes(asked.nonce or b"", "big"),
        "gas": gas,
        "to": to_checksum_address(asked.to),
        "value": value,
        "data": data,
        "chainId": asked.chain_id,
    }
    if dynamic:
        price = int.from_bytes(asked.max_gas_fee, "big")
        if int.from_bytes(asked.max_priority_fee, "big") > price:
            raise Refusal(F.DataError, "Fee overflow")
        fields |= {
            "type": 2,
            "maxFeePerGas": price,
            "maxPriorityFeePerGas": int.from_bytes(asked.max_priority_fee, "big"),
        }
    else:
        price = int.from_bytes(asked.gas_price, "big")
        fields["gasPrice"] = price
    device.show(f"Maximum fee {gas * price} on chain {asked.chain_id}")
    signed = account.sign_transaction(fields)
    return messages.EthereumTxRequest(
        signature_v=signed.v, signature_r=signed.r.to_bytes(32, "big"), signature_s=signed.s.to_bytes(32, "big")
    )
