"""Whether the signer may sign what it has read: what each kind of job may do, what was signed before, and the limits.

Of the versions of one payment at most one can ever be mined, because each shares an input or the nonce with every other; so a
payment counts once, as its dearest version. What must never happen here: a withdrawal paid by two transactions that could both be
mined, a fee beyond its cap, or a coin signed for with two amounts (behind which a fee could hide: two half-true signatures make
a whole one).
"""

from __future__ import annotations

from custody import policy
from custody.examine import Knowledge, Reading, Refused
from custody.limits import WINDOWS_S
from custody.velocity import Reservation, VelocityLog, conflicts
from wallets.chains.evm.payout import UnsignedEvm

# What stays the house's may go to these keys alone, by kind of job.
KEEPS = {
    "payout": frozenset({"hot"}),
    "sweep": frozenset({"hot"}),
    "consolidation": frozenset({"hot"}),
    "child": frozenset({"hot"}),
    "gas": frozenset({"deposit", "hot"}),
    "cold": frozenset({"hot", "cold"}),
    "replacement": frozenset({"hot", "cold", "deposit"}),
    "cancel": frozenset({"hot"}),
}
PAYING = frozenset({"payout", "replacement"})


def check_kind(kind: str, reading: Reading, *, knowledge: Knowledge) -> None:
    """Holds the job's outputs against what its kind is for. Raises Refused."""
    if kind not in KEEPS:
        raise Refused("kind_mismatch", f"there is no kind of job called {kind[:20]}")
    if kind == "payout" and not reading.paid:
        raise Refused("payout_without_withdrawal", "a payout pays at least one withdrawal")
    if reading.paid and kind not in PAYING:
        raise Refused("kind_mismatch", f"a {kind} pays nobody but the house")
    roles = {kept.role for kept in reading.kept}
    if kind == "cancel" and _nothing_to_the_sender(reading):
        return
    if not roles <= KEEPS[kind]:
        raise Refused("kind_mismatch", f"a {kind} does not go to a {', '.join(sorted(roles - KEEPS[kind]))} address")
    if kind == "cold" and "cold" not in roles:
        raise Refused("kind_mismatch", "this goes to no cold wallet")
    if reading.paid and roles - {"hot"}:
        raise Refused("kind_mismatch", "what a payout leaves over returns to the hot wallet")
    if "deposit" in roles:
        _check_gas(reading, knowledge)


def _nothing_to_the_sender(reading: Reading) -> bool:
    """An EVM cancel spends the nonce and moves nothing, from whichever key of ours."""
    unsigned = reading.unsigned
    return (
        isinstance(unsigned, UnsignedEvm)
        and not unsigned.payment.amount
        and unsigned.payment.address == unsigned.from_address
    )


def _check_gas(reading: Reading, knowledge: Knowledge) -> None:
    """Gas for a deposit address: the own coin, and no more than a transaction there may cost."""
    if not isinstance(reading.unsigned, UnsignedEvm) or reading.asset != reading.native:
        raise Refused("kind_mismatch", "a deposit address is sent nothing but gas")
    cap = knowledge.limit(reading.native).fee
    if sum(kept.amount for kept in reading.kept) > cap:
        raise Refused("gas_above_cap", f"gas of more than {cap} base units, the most that a fee may be")


def reservation(
    kind: str, reading: Reading, *, job_id: str, content: str, log: VelocityLog, knowledge: Knowledge, now: int
) -> Reservation:
    """The line for the log, if limits and log allow it. `now` in seconds. Raises Refused."""
    for spend, worth in reading.spends.items():
        if log.contradicts(spend, worth):
            raise Refused("amount_contradicts", f"{spend} was signed for with another amount")
    replaces = _replaced(kind, reading, log)
    now = log.clock(now)
    fee_cap = knowledge.limit(reading.native).fee
    if reading.fee > fee_cap:
        raise Refused("fee_cap", f"a fee of {reading.fee} base units is over the cap of {fee_cap}")
    charges = reading.charges()
    versions = log.versions(replaces) if replaces else []
    for asset, own in charges.items():
        # Of a payment's versions only one can be mined, so the dearest is what counts.
        charge = max([own, *(entry.charges.get(asset, 0) for entry in versions)])
        spent = {
            (policy.Scope.HOUSE, window): log.charged(asset, since=now - window, without=replaces)
            for window in WINDOWS_S
        }
        _judge(asset, reading, charge, spent, knowledge)
    withdrawals = tuple(payment.withdrawal_id for payment in reading.paid)
    return Reservation(job_id, now, content, charges, reading.spends, withdrawals, replaces)


def _judge(
    asset: str, reading: Reading, charge: int, spent: dict[tuple[policy.Scope, int], int], knowledge: Knowledge
) -> None:
    """The signer's own policy for one asset: each withdrawal by itself, hours and days by the sum and the fee."""
    largest = max(reading.paid, key=lambda payment: payment.amount, default=None) if asset == reading.asset else None
    limit = knowledge.limit(asset)
    request = policy.Request(
        asset,
        reading.native,
        largest.amount if largest else 0,
        charge,
        spent,
        symbol=limit.symbol,
        decimals=limit.decimals,
    )
    decision = policy.evaluate(limit.rules(asset), request)
    if decision.effect is policy.Effect.ALLOW:
        return
    if decision.code == "limit_each" and largest is not None:
        raise Refused(decision.code, f"withdrawal {largest.withdrawal_id}: {decision.explanation}")
    raise Refused(decision.code or "policy_review", decision.explanation)


def _replaced(kind: str, reading: Reading, log: VelocityLog) -> str:
    """The payment that this job is a later version of, "" if none. Raises Refused when it would pay beside it.

    What pays withdrawals is a version of what paid them before, whatever else it spends; and of whichever payment it is a
    version, it must exclude every other version of that one.
    """
    for payment in reading.paid:
        if log.long_ago(payment.withdrawal_id):
            raise Refused("payment_too_old", f"withdrawal {payment.withdrawal_id} was signed for long ago")
    payments = {entry.payment for payment in reading.paid for entry in log.paid(payment.withdrawal_id)}
    if not reading.paid and kind in ("replacement", "cancel"):
        payments = {
            entry.payment
            for spend in reading.spends
            for entry in log.spending(spend)
            if _takes_the_place(kind, reading, entry)
        }
    versions = [entry for payment in payments for entry in log.versions(payment)]
    if not conflicts(reading.spends, versions):
        named = ", ".join(payment.withdrawal_id for payment in reading.paid if log.paid(payment.withdrawal_id))
        raise Refused("already_signed", f"another transaction that may still be mined pays {named or 'for the same'}")
    if len(payments) > 1:
        raise Refused("already_signed", "what this would replace was signed as different payments")
    if kind == "replacement" and not _same_payments(reading, versions):
        raise Refused(
            "replaces_nothing", "the signer signed no transaction with these payments and one of these inputs"
        )
    if kind == "cancel" and not versions:
        raise Refused("replaces_nothing", "the signer signed no transaction with exactly these inputs")
    return payments.pop() if payments else ""


def _takes_the_place(kind: str, reading: Reading, entry: Reservation) -> bool:
    """Whether a job that pays nobody may be another version of this one: a cancel has its very inputs, a bump all of them.

    One input in common is not enough: a payment gives back what a bump had added to it and the mined version left, and the next
    payment that spends this coin is another one.
    """
    own = reading.spends.keys()
    return own == entry.spends.keys() if kind == "cancel" else own >= entry.spends.keys()


def _same_payments(reading: Reading, versions: list[Reservation]) -> bool:
    """Whether some version pays the same withdrawals. (A cancel among them pays none.)"""
    own = {payment.withdrawal_id for payment in reading.paid}
    return any(set(entry.withdrawals) == own for entry in versions)
