"""What the signer makes of a job before it signs: it reads everything itself and believes only its seed, its files and its log.

The database may lie in every field. A lie can then only be refused, or be signed within the limits. What must never happen here:
an output that is neither a withdrawal's, nor our own key's, nor a cold wallet's of the signer's own file; or a withdrawal paid
another amount, asset or address than its row says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from custody.accounts import Accounts
from custody.cold_addresses import ColdAddresses
from custody.limits import Limit, asset_key
from custody.signers.software import SoftwareSigner
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import ChainError, MalformedData
from wallets.chains.utxo import payout as utxo_payout
from wallets.chains.utxo.rules import UtxoRules

Rules = UtxoRules | EvmRules
# The first version while it is with us; a later one also of what is signed and no node takes (its fee is too low by now).
SIGNABLE_STATES = frozenset({"signing", "signed", "broadcast"})
_EVM_COIN_TYPE = 60


class Refused(Exception):
    """The signer will not sign this job. `code` is for programs, the text for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything the signer believes: its keys, the chains of its settings, and the files beside its keystore."""

    signer: SoftwareSigner
    rules: Mapping[str, Rules]
    network_ids: Mapping[str, int]
    limits: Mapping[str, Limit]
    accounts: Accounts
    cold: ColdAddresses

    def limit(self, asset: str) -> Limit:
        """Raises Refused where there is none: what nobody set a limit for is not signed."""
        limit = self.limits.get(asset)
        if limit is None:
            raise Refused("asset_not_allowed", f"the signer has no limits for {asset}, so it signs nothing of it")
        return limit

    def role(self, network: str, path: str, key: bytes) -> str:
        """What the key (script or 20 bytes) is that is said to stand at a path: "hot", "deposit", "cold", or "" for nobody's."""
        rules = self.rules[network]
        if path.startswith(utxo_payout.COLD):
            return "cold" if self.cold.knows(network, rules, path, key) else ""
        if isinstance(rules, UtxoRules):
            role = self.accounts.role(network, path, family="utxo", coin_type=rules.parameters.coin_type)
            return role if role and self.signer.script(path) == key else ""
        role = self.accounts.role(network, path, family="evm", coin_type=_EVM_COIN_TYPE)
        return role if role and rules.parse(self.signer.evm_address(path)).key == key else ""


@dataclass(frozen=True, slots=True)
class WithdrawalRow:
    """What the database says of a withdrawal: where to, how much, of what."""

    id: str
    asset_id: int
    network_id: int
    address: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment to somebody else that the bytes will make; `amount` in units of the chain."""

    withdrawal_id: str
    address: str
    amount: int


@dataclass(frozen=True, slots=True)
class Kept:
    """One output that stays the house's: to a "hot", "deposit" or "cold" key."""

    role: str
    amount: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A job as the signer understands it, before it asks whether it may."""

    unsigned: utxo_payout.UnsignedUtxo | evm_payout.UnsignedEvm
    rules: Rules
    native: str
    asset: str
    paid: tuple[Paid, ...]
    kept: tuple[Kept, ...]
    fee: int
    spends: dict[str, str]

    @property
    def amount(self) -> int:
        """What is paid to others."""
        return sum(payment.amount for payment in self.paid)

    def charges(self) -> dict[str, int]:
        """What leaves us at most, by asset: payments and fee. What stays the house's does not leave."""
        charges = {self.native: self.fee}
        charges[self.asset] = charges.get(self.asset, 0) + self.amount
        return charges


def read(*, network: str, unsigned: Mapping[str, Any], knowledge: Knowledge) -> Reading:
    """Decodes the job and checks it against our own keys. Raises Refused."""
    chain = knowledge.rules.get(network)
    if chain is None or unsigned.get("network") != network:
        raise Refused("wrong_chain", f"this signer does not sign for {network}")
    try:
        if isinstance(chain, UtxoRules):
            reading = _read_utxo(network, unsigned, chain, knowledge)
        else:
            reading = _read_evm(network, unsigned, chain, knowledge)
    except MalformedData as error:
        raise Refused("job_malformed", str(error)) from None
    except ChainError as error:
        raise Refused("job_malformed", f"{error.code}: {error}") from None
    for payment in reading.paid:
        # One spelling only, or the same withdrawal could be named twice.
        if not _is_canonical_uuid(payment.withdrawal_id):
            raise Refused("job_malformed", "a withdrawal id is not a UUID in its canonical form")
    if len({payment.withdrawal_id for payment in reading.paid}) != len(reading.paid):
        raise Refused("job_malformed", "a withdrawal is paid twice in one transaction")
    return reading


def _read_utxo(network: str, body: Mapping[str, Any], rules: UtxoRules, knowledge: Knowledge) -> Reading:
    unsigned = utxo_payout.from_json(body)
    for coin in unsigned.inputs:
        if knowledge.role(network, coin.path, coin.script) not in ("hot", "deposit"):
            raise Refused("not_our_key", f"the coin {coin.outpoint} is not our key's at {coin.path[:40]}")
    paid, kept = [], []
    for output in unsigned.outputs:
        if output.withdrawal_id:
            paid.append(Paid(output.withdrawal_id, output.address, output.amount))
            continue
        key = rules.parse(output.address).key
        kept.append(Kept(_kept_role(network, output.path, output.address, key, knowledge), output.amount))
    spends = {f"{network}:{coin.outpoint}": str(coin.amount) for coin in unsigned.inputs}
    return Reading(unsigned, rules, network, network, tuple(paid), tuple(kept), unsigned.fee, spends)


def _read_evm(network: str, body: Mapping[str, Any], rules: EvmRules, knowledge: Knowledge) -> Reading:
    unsigned = evm_payout.from_json(body)
    if unsigned.transaction.chain_id != rules.chain_id:
        raise Refused("wrong_chain", f"this signer does not sign for chain id {unsigned.transaction.chain_id}")
    sender = rules.parse(unsigned.from_address).key
    if knowledge.role(network, unsigned.from_path, sender) not in ("hot", "deposit"):
        raise Refused("not_our_key", f"{unsigned.from_address} is not our key at {unsigned.from_path[:40]}")
    payment = unsigned.payment
    paid: tuple[Paid, ...] = ()
    kept: tuple[Kept, ...] = ()
    if payment.withdrawal_id:
        paid = (Paid(payment.withdrawal_id, payment.address, payment.amount),)
    else:
        key = rules.parse(payment.address).key
        kept = (Kept(_kept_role(network, payment.path, payment.address, key, knowledge), payment.amount),)
    spends = {f"{network}:{unsigned.spend_key}": ""}
    asset = asset_key(network, payment.contract)
    return Reading(unsigned, rules, network, asset, paid, kept, unsigned.fee_max, spends)


def _kept_role(network: str, path: str, address: str, key: bytes, knowledge: Knowledge) -> str:
    role = knowledge.role(network, path, key)
    if role:
        return role
    if path.startswith(utxo_payout.COLD):
        raise Refused("cold_unknown", f"{address[:100]} is not at {path[:40]} of a cold wallet that this signer knows")
    raise Refused("not_our_key", f"the output to {address[:100]} is not our key at {path[:40]}")


def _is_canonical_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def check_withdrawals(reading: Reading, *, rows: Mapping[str, WithdrawalRow], knowledge: Knowledge) -> None:
    """Holds every payment against the withdrawal it says it makes. Raises Refused, naming the withdrawal."""
    limit = knowledge.limit(reading.asset)
    for payment in reading.paid:
        row = rows.get(payment.withdrawal_id)
        if row is None:
            raise Refused("withdrawal_missing", f"there is no withdrawal {payment.withdrawal_id}")
        if row.network_id != knowledge.network_ids[reading.native] or row.asset_id != limit.asset_id:
            raise Refused("withdrawal_mismatch", f"withdrawal {row.id} is of another asset or network")
        if not limit.pays(payment.amount, row.amount) or not _same_address(reading, row.address, payment.address):
            raise Refused("withdrawal_mismatch", f"withdrawal {row.id} asks for another amount or address")
        if row.state not in SIGNABLE_STATES:
            raise Refused("withdrawal_state", f"withdrawal {row.id} is {row.state}, not ready to be signed")


def _same_address(reading: Reading, asked: str, paid: str) -> bool:
    try:
        return reading.rules.parse(asked).key == reading.rules.parse(paid).key
    except ChainError:
        return False
