"""What the signer makes of a job before it signs: it reads everything itself and believes only its seed, its limits and its log.

The database may lie in every field. A lie can then only be refused, or be signed within the limits. What must never happen here:
an output that is neither a withdrawal's nor our own key's, a fee beyond its cap, a withdrawal paid by two transactions that could
both be mined, or a coin signed for with two amounts (behind which a fee could hide: two half-true signatures make a whole one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from custody import policy
from custody.limits import WINDOWS_S, Limit, asset_key
from custody.signers import derivation
from custody.signers.software import SoftwareSigner
from custody.velocity import Reservation, VelocityLog, conflicts
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import ChainError, MalformedData
from wallets.chains.utxo import payout as utxo_payout
from wallets.chains.utxo.rules import UtxoRules

Rules = UtxoRules | EvmRules
NETWORK_IDS = {"bitcoin": 1, "litecoin": 2, "ethereum": 3}
SIGNABLE_STATES = frozenset({"signing", "broadcast"})


class Refused(Exception):
    """The signer will not sign this job. `code` is for programs, the text for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


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
    """One payment to somebody else that the bytes will make."""

    withdrawal_id: str
    address: str
    amount: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A job as the signer understands it, before it asks whether it may."""

    unsigned: utxo_payout.UnsignedUtxo | evm_payout.UnsignedEvm
    rules: Rules
    native: str
    asset: str
    paid: tuple[Paid, ...]
    fee: int
    spends: dict[str, str]

    @property
    def amount(self) -> int:
        return sum(payment.amount for payment in self.paid)

    def charges(self) -> dict[str, int]:
        """What leaves us at most, by asset: payments and fee."""
        charges = {self.native: self.fee}
        charges[self.asset] = charges.get(self.asset, 0) + self.amount
        return charges


def read(*, network: str, unsigned: Mapping[str, Any], rules: Mapping[str, Rules], signer: SoftwareSigner) -> Reading:
    """Decodes the job and checks it against our own keys. Raises Refused."""
    chain = rules.get(network)
    if chain is None or unsigned.get("network") != network:
        raise Refused("wrong_chain", f"this signer does not sign for {network}")
    try:
        if isinstance(chain, UtxoRules):
            reading = _read_utxo(network, unsigned, chain, signer)
        else:
            reading = _read_evm(network, unsigned, chain, signer)
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


def _read_utxo(network: str, body: Mapping[str, Any], rules: UtxoRules, signer: SoftwareSigner) -> Reading:
    unsigned = utxo_payout.from_json(body)
    for coin in unsigned.inputs:
        if not _owns_script(signer, rules, coin.path, coin.script):
            raise Refused("not_our_key", f"the coin {coin.outpoint} is not our key's at {coin.path[:40]}")
    paid = []
    for output in unsigned.outputs:
        if output.withdrawal_id:
            paid.append(Paid(output.withdrawal_id, output.address, output.amount))
        elif not _owns_script(signer, rules, output.path, rules.parse(output.address).key):
            raise Refused("not_our_key", f"the output to {output.address[:100]} is not our key at {output.path[:40]}")
    spends = {f"{network}:{coin.outpoint}": str(coin.amount) for coin in unsigned.inputs}
    return Reading(unsigned, rules, network, network, tuple(paid), unsigned.fee, spends)


def _read_evm(network: str, body: Mapping[str, Any], rules: EvmRules, signer: SoftwareSigner) -> Reading:
    unsigned = evm_payout.from_json(body)
    if unsigned.transaction.chain_id != rules.chain_id:
        raise Refused("wrong_chain", f"this signer does not sign for chain id {unsigned.transaction.chain_id}")
    if not _owns_address(signer, unsigned.from_path, unsigned.from_address):
        raise Refused("not_our_key", f"{unsigned.from_address} is not our key at {unsigned.from_path[:40]}")
    payment = unsigned.payment
    paid: tuple[Paid, ...] = ()
    if payment.withdrawal_id:
        paid = (Paid(payment.withdrawal_id, payment.address, payment.amount),)
    elif not _owns_address(signer, payment.path, payment.address):
        raise Refused("not_our_key", f"{payment.address} is not our key at {payment.path[:40]}")
    spends = {f"{network}:{unsigned.spend_key}": ""}
    return Reading(unsigned, rules, network, asset_key(network, payment.contract), paid, unsigned.fee_max, spends)


def _is_canonical_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _owns_script(signer: SoftwareSigner, rules: UtxoRules, path: str, script: bytes) -> bool:
    return (
        derivation.belongs(path, family="utxo", coin_type=rules.parameters.coin_type) and signer.script(path) == script
    )


def _owns_address(signer: SoftwareSigner, path: str, address: str) -> bool:
    return derivation.belongs(path, family="evm", coin_type=60) and signer.evm_address(path) == address


def check_withdrawals(reading: Reading, *, rows: Mapping[str, WithdrawalRow], limits: Mapping[str, Limit]) -> None:
    """Holds every payment against the withdrawal it says it makes. Raises Refused."""
    limit = _limit(limits, reading.asset)
    for payment in reading.paid:
        row = rows.get(payment.withdrawal_id)
        if row is None:
            raise Refused("withdrawal_missing", f"there is no withdrawal {payment.withdrawal_id}")
        if row.network_id != NETWORK_IDS[reading.native] or row.asset_id != limit.asset_id:
            raise Refused("withdrawal_mismatch", f"withdrawal {row.id} is of another asset or network")
        if row.amount != payment.amount or not _same_address(reading, row.address, payment.address):
            raise Refused("withdrawal_mismatch", f"withdrawal {row.id} asks for another amount or address")
        if row.state not in SIGNABLE_STATES:
            raise Refused("withdrawal_state", f"withdrawal {row.id} is {row.state}, not ready to be signed")


def _same_address(reading: Reading, asked: str, paid: str) -> bool:
    try:
        return reading.rules.parse(asked).key == reading.rules.parse(paid).key
    except ChainError:
        return False


def reservation(
    reading: Reading, *, job_id: str, content: str, log: VelocityLog, limits: Mapping[str, Limit], now: int
) -> Reservation:
    """The line for the log, if limits and log allow it. `now` in seconds. Raises Refused."""
    for spend, worth in reading.spends.items():
        before = log.spend(spend)
        if before is not None and before.spends[spend] != worth:
            raise Refused("amount_contradicts", f"{spend} was signed for with another amount")
    replaces = _replaced(reading, log)
    now = log.clock(now)
    if reading.fee > _limit(limits, reading.native).fee:
        raise Refused("fee_cap", f"a fee of {reading.fee} base units is over the cap")
    charges = reading.charges()
    versions = log.versions(replaces) if replaces else []
    for asset, own in charges.items():
        amount = reading.amount if asset == reading.asset else 0
        # Of a payment's versions only one can be mined, so the dearest is what counts.
        charge = max([own, *(entry.charges.get(asset, 0) for entry in versions)])
        spent = {
            (policy.Scope.HOUSE, window): log.charged(asset, since=now - window, without=replaces)
            for window in WINDOWS_S
        }
        limit = _limit(limits, asset)
        decision = policy.evaluate(
            limit.rules(asset),
            policy.Request(asset, reading.native, amount, charge, spent, symbol=limit.symbol, decimals=limit.decimals),
        )
        if decision.effect is policy.Effect.REVIEW:
            raise Refused("policy_review", decision.explanation)
        if decision.effect is policy.Effect.BLOCK:
            raise Refused(decision.code or "policy_block", decision.explanation)
    withdrawals = tuple(payment.withdrawal_id for payment in reading.paid)
    return Reservation(job_id, now, content, charges, reading.spends, withdrawals, replaces)


def _replaced(reading: Reading, log: VelocityLog) -> str:
    """The payment that this job is a later version of, "" if none. Raises Refused when it would pay beside it."""
    earlier = {entry.job_id: entry for payment in reading.paid for entry in log.paid(payment.withdrawal_id)}
    payments = {entry.payment for entry in earlier.values()}
    versions = [entry for payment in payments for entry in log.versions(payment)]
    if not conflicts(reading.spends, versions):
        raise Refused("already_signed", "another transaction that may still be mined pays one of these withdrawals")
    if len(payments) > 1:
        raise Refused("already_signed", "these withdrawals were paid by different transactions before")
    return payments.pop() if payments else ""


def _limit(limits: Mapping[str, Limit], asset: str) -> Limit:
    limit = limits.get(asset)
    if limit is None:
        raise Refused("asset_not_allowed", f"the signer has no limits for {asset}, so it signs nothing of it")
    return limit
