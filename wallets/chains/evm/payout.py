"""Builds an unsigned payout: one transaction that pays one withdrawal or one key of ours, in the native coin or in a token.

A later version (a bump, a cancel) has the nonce of the first, so that at most one of them is ever mined. What must never happen
here: fields that say one payment and a `pays` that says another, or a later version with another nonce.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wallets.chains import protocol
from wallets.chains.evm import address as addresses
from wallets.chains.evm import erc20
from wallets.chains.evm.transaction import DynamicFeeTransaction, LegacyTransaction, Transaction
from wallets.chains.protocol import AddressInvalid, MalformedData, PayoutImpossible

GAS_LIMIT_MAX = 2_000_000
PLAIN_GAS = 21_000  # what moving the native coin to an account without code costs, always
# The path of a payment to a cold wallet of ours.
COLD = "cold/"


@dataclass(frozen=True, slots=True)
class Payment:
    """What is paid: `amount` of the native coin (`contract` "") or of a token, in units of the chain.

    Either it pays `withdrawal_id`, or it stays ours: our key at `path` (a sweep, gas for a deposit address), or a cold wallet's
    ("cold/0/0"). A cancel pays nothing to the sender itself.
    """

    address: str
    amount: int
    withdrawal_id: str = ""
    contract: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Fees:
    """What the chain asks for now, in wei per gas. `max_fee_per_gas` leaves room for the base fee to double.

    `legacy`: one gas price, in both fields. A chain without a base fee has no other.
    """

    base_fee: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    legacy: bool = False

    def flat(self) -> Fees:
        """The same with a price that is paid to the last wei, so that whoever empties an account knows what the fee will be.

        It leaves room for two full blocks' rise of the base fee.
        """
        price = max(self.base_fee * 5 // 4 + self.max_priority_fee_per_gas, 1)
        return self if self.legacy else Fees(self.base_fee, price, price)


@dataclass(frozen=True, slots=True)
class UnsignedEvm:
    """A payout to be signed by our key at `from_path`. `empties`: it takes all the native coin that the sender has.

    Then fee and amount are one sum, and a later version that pays more for gas pays less to us.
    """

    network: str
    from_address: str
    from_path: str
    transaction: Transaction
    payment: Payment
    empties: bool = False

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
            "legacy": isinstance(fields, LegacyTransaction),
            "empties": self.empties,
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
    empties: bool = False,
) -> UnsignedEvm:
    """The transaction that makes `payment`. Raises PayoutImpossible and AddressInvalid."""
    if payment.amount <= 0:
        raise PayoutImpossible("a payment must be positive")
    if bool(payment.withdrawal_id) == bool(payment.path):
        raise PayoutImpossible("a payment is for a withdrawal or for our own key: one of the two")
    if not PLAIN_GAS <= gas_limit <= GAS_LIMIT_MAX:
        raise PayoutImpossible(f"a gas limit of {gas_limit} is not a payment's")
    if empties and (payment.contract or not payment.path or fees.max_fee_per_gas != fees.max_priority_fee_per_gas):
        raise PayoutImpossible("only the native coin is emptied, to our own key, at a flat fee")
    transaction = _transaction(chain_id, nonce, fees, gas_limit, call(payment))
    sender = addresses.parse(from_address).text
    return UnsignedEvm(network, sender, from_path, transaction, payment, empties)


def bumped(unsigned: UnsignedEvm, fees: Fees) -> UnsignedEvm:
    """The same payment under the same nonce for what the chain asks now, and at least an eighth more on both fees.

    Nodes take no replacement for less. Raises PayoutImpossible where what empties an account would not cover its own fee.
    """
    old, payment = unsigned.transaction, unsigned.payment
    raised = _raised(old, fees, flat=unsigned.empties)
    if unsigned.empties:
        rest = payment.amount + old.fee_max - raised.max_fee_per_gas * old.gas_limit
        if rest <= 0:
            raise PayoutImpossible("the fee is more than there is")
        payment = replace(payment, amount=rest)
    transaction = _transaction(old.chain_id, old.nonce, raised, old.gas_limit, call(payment))
    return replace(unsigned, transaction=transaction, payment=payment)


def cancelled(unsigned: UnsignedEvm, fees: Fees) -> UnsignedEvm:
    """Nothing to the sender itself under the same nonce, for at least an eighth more: once mined, the payment never will be."""
    old = unsigned.transaction
    payment = Payment(unsigned.from_address, 0, path=unsigned.from_path)
    transaction = _transaction(old.chain_id, old.nonce, _raised(old, fees), PLAIN_GAS, call(payment))
    return replace(unsigned, transaction=transaction, payment=payment, empties=False)


def fee_max(body: Mapping[str, Any]) -> int:
    """The most that an `unsigned` of ours can cost, in wei, apart from its value."""
    return int(body["max_fee_per_gas"]) * int(body["gas_limit"])


def _raised(old: Transaction, fees: Fees, *, flat: bool = False) -> Fees:
    """What a replacement must offer: 12.5% more than before (geth asks for 10, others for 12.5), or what the chain asks now."""
    max_fee = max(fees.max_fee_per_gas, -(-old.max_fee_per_gas * 9 // 8))
    if isinstance(old, LegacyTransaction) or flat:
        return Fees(fees.base_fee, max_fee, max_fee, legacy=isinstance(old, LegacyTransaction))
    priority = max(fees.max_priority_fee_per_gas, -(-old.max_priority_fee_per_gas * 9 // 8))
    return Fees(fees.base_fee, max(max_fee, priority), priority)


def _transaction(
    chain_id: int, nonce: int, fees: Fees, gas_limit: int, to_value_data: tuple[bytes, int, bytes]
) -> Transaction:
    if fees.legacy:
        return LegacyTransaction(chain_id, nonce, fees.max_fee_per_gas, gas_limit, *to_value_data)
    return DynamicFeeTransaction(
        chain_id, nonce, fees.max_priority_fee_per_gas, fees.max_fee_per_gas, gas_limit, *to_value_data
    )


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
    unsigned = UnsignedEvm(
        network=protocol.text(body.get("network"), "network"),
        from_address=addresses.parse(protocol.text(body.get("from"), "from")).text,
        from_path=protocol.text(body.get("from_path"), "from_path"),
        transaction=_fields(body),
        payment=payment,
        empties=_boolean(body.get("empties", False), "empties"),
    )
    _consistent(unsigned)
    return unsigned


def _fields(body: Mapping[str, Any]) -> Transaction:
    priority = protocol.integer(body.get("max_priority_fee_per_gas"), "max_priority_fee_per_gas")
    max_fee = protocol.integer(body.get("max_fee_per_gas"), "max_fee_per_gas")
    legacy = _boolean(body.get("legacy", False), "legacy")
    if priority > max_fee or (legacy and priority != max_fee):
        raise MalformedData("the priority fee is higher than the fee, or a plain gas price is two")
    return _transaction(
        protocol.integer(body.get("chain_id"), "chain_id", maximum=2**63),
        protocol.integer(body.get("nonce"), "nonce", maximum=2**63),
        Fees(0, max_fee, priority, legacy),
        protocol.integer(body.get("gas_limit"), "gas_limit", maximum=GAS_LIMIT_MAX),
        (
            addresses.parse(protocol.text(body.get("to"), "to")).key,
            protocol.integer(body.get("value"), "value"),
            protocol.hexadecimal(body.get("data"), "data", maximum=10_000),
        ),
    )


def _consistent(unsigned: UnsignedEvm) -> None:
    """That the fields make the payment which is named, and nothing else."""
    payment, fields = unsigned.payment, unsigned.transaction
    if bool(payment.withdrawal_id) == bool(payment.path):
        raise MalformedData("a payment is for a withdrawal or for our own key: one of the two")
    cancels = not payment.contract and (payment.path, payment.address) == (unsigned.from_path, unsigned.from_address)
    if not payment.amount and not cancels:
        raise MalformedData("a payment is positive, but for a cancel, which pays nothing to its sender")
    if (fields.to, fields.value, fields.data) != call(payment):
        raise MalformedData("the transaction's fields do not make the payment that it names")
    if unsigned.empties and (payment.contract or not payment.path):
        raise MalformedData("only the native coin is emptied, to our own key")


def _boolean(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedData(f"{name} is neither true nor false")
    return value


def _contract(value: object) -> str:
    text = protocol.text(value, "contract")
    return addresses.parse(text).text if text else ""
