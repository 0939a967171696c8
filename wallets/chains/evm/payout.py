"""Builds an unsigned payout: one EIP-1559 transaction that pays one withdrawal, in the native coin or in a token.

What must never happen here: fields that say one payment and a `pays` that says another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallets.chains import protocol
from wallets.chains.evm import address as addresses
from wallets.chains.evm import erc20
from wallets.chains.evm.transaction import DynamicFeeTransaction
from wallets.chains.protocol import AddressInvalid, MalformedData, PayoutImpossible

GAS_LIMIT_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class Payment:
    """What is paid: `amount` base units of the native coin (`contract` "") or of a token.

    Either it pays `withdrawal_id`, or it goes to our own key at `path` (a sweep, gas for a deposit address).
    """

    address: str
    amount: int
    withdrawal_id: str = ""
    contract: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Fees:
    """What the chain asks for now, in wei per gas. `max_fee_per_gas` leaves room for the base fee to double."""

    base_fee: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class UnsignedEvm:
    """A payout to be signed by our key at `from_path`."""

    network: str
    from_address: str
    from_path: str
    transaction: DynamicFeeTransaction
    payment: Payment

    @property
    def fee_max(self) -> int:
        return self.transaction.fee_max

    @property
    def spend_key(self) -> str:
        """What no second transaction can use."""
        return f"{self.from_address}:{self.transaction.nonce}"

    def to_json(self) -> dict[str, Any]:
        """The job's `unsigned`."""
        fields, payment = self.transaction, self.payment
        whose = {"withdrawal_id": payment.withdrawal_id} if payment.withdrawal_id else {"path": payment.path}
        return {
            "version": 1,
            "family": "evm",
            "network": self.network,
            "chain_id": fields.chain_id,
            "from": self.from_address,
            "from_path": self.from_path,
            "nonce": fields.nonce,
            "to": addresses.checksummed(fields.to),
            "value": str(fields.value),
            "data": "0x" + fields.data.hex(),
            "gas_limit": fields.gas_limit,
            "max_fee_per_gas": str(fields.max_fee_per_gas),
            "max_priority_fee_per_gas": str(fields.max_priority_fee_per_gas),
            "pays": {"address": payment.address, "amount": str(payment.amount), "contract": payment.contract, **whose},
        }


def call(payment: Payment) -> tuple[bytes, int, bytes]:
    """(to, value, data) of the transaction that makes this payment. Raises AddressInvalid."""
    to = addresses.parse(payment.address).key
    if not payment.contract:
        return to, payment.amount, b""
    return addresses.parse(payment.contract).key, 0, erc20.transfer_call(to, payment.amount)


def build(
    *,
    network: str,
    chain_id: int,
    from_address: str,
    from_path: str,
    nonce: int,
    payment: Payment,
    fees: Fees,
    gas_limit: int,
) -> UnsignedEvm:
    """The transaction that makes `payment`. Raises PayoutImpossible and AddressInvalid."""
    if payment.amount <= 0:
        raise PayoutImpossible("a payment must be positive")
    if bool(payment.withdrawal_id) == bool(payment.path):
        raise PayoutImpossible("a payment is for a withdrawal or for our own key: one of the two")
    if not 21_000 <= gas_limit <= GAS_LIMIT_MAX:
        raise PayoutImpossible(f"a gas limit of {gas_limit} is not a payment's")
    to, value, data = call(payment)
    transaction = DynamicFeeTransaction(
        chain_id, nonce, fees.max_priority_fee_per_gas, fees.max_fee_per_gas, gas_limit, to, value, data
    )
    return UnsignedEvm(network, addresses.parse(from_address).text, from_path, transaction, payment)


def from_json(body: Mapping[str, Any]) -> UnsignedEvm:
    """Reads a job's `unsigned`, trusting nothing. Raises MalformedData when parts are missing, odd, or contradict each other."""
    if body.get("version") != 1 or body.get("family") != "evm":
        raise MalformedData("not an unsigned evm transaction of version 1")
    try:
        return _read(body)
    except AddressInvalid as error:
        raise MalformedData(str(error)) from None


def _read(body: Mapping[str, Any]) -> UnsignedEvm:
    pays = body.get("pays")
    if not isinstance(pays, dict):
        raise MalformedData("pays is not an object")
    payment = Payment(
        address=addresses.parse(protocol.text(pays.get("address"), "address")).text,
        amount=protocol.integer(pays.get("amount"), "amount"),
        withdrawal_id=protocol.text(pays.get("withdrawal_id", ""), "withdrawal_id"),
        contract=_contract(pays.get("contract", "")),
        path=protocol.text(pays.get("path", ""), "path"),
    )
    fields = DynamicFeeTransaction(
        chain_id=protocol.integer(body.get("chain_id"), "chain_id", maximum=2**63),
        nonce=protocol.integer(body.get("nonce"), "nonce", maximum=2**63),
        max_priority_fee_per_gas=protocol.integer(body.get("max_priority_fee_per_gas"), "max_priority_fee_per_gas"),
        max_fee_per_gas=protocol.integer(body.get("max_fee_per_gas"), "max_fee_per_gas"),
        gas_limit=protocol.integer(body.get("gas_limit"), "gas_limit", maximum=GAS_LIMIT_MAX),
        to=addresses.parse(protocol.text(body.get("to"), "to")).key,
        value=protocol.integer(body.get("value"), "value"),
        data=protocol.hexadecimal(body.get("data"), "data", maximum=10_000),
    )
    if bool(payment.withdrawal_id) == bool(payment.path) or not payment.amount:
        raise MalformedData("a payment is positive, and for a withdrawal or for our own key: one of the two")
    if (fields.to, fields.value, fields.data) != call(payment):
        raise MalformedData("the transaction's fields do not make the payment that it names")
    if fields.max_priority_fee_per_gas > fields.max_fee_per_gas:
        raise MalformedData("the priority fee is higher than the fee")
    return UnsignedEvm(
        network=protocol.text(body.get("network"), "network"),
        from_address=addresses.parse(protocol.text(body.get("from"), "from")).text,
        from_path=protocol.text(body.get("from_path"), "from_path"),
        transaction=fields,
        payment=payment,
    )


def _contract(value: object) -> str:
    text = protocol.text(value, "contract")
    return addresses.parse(text).text if text else ""
