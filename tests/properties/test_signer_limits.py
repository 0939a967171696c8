"""The signer against a naive model: no jobs, lies, clocks or restarts get more signed than its limits, or pay anybody else."""

import copy
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from custody import admission, examine
from custody.accounts import Accounts
from custody.cold_addresses import ColdAddresses
from custody.content import digest
from custody.examine import Knowledge, Refused, WithdrawalRow
from custody.limits import DAY_S, HOUR_S, Limit
from custody.signers.software import SoftwareSigner
from custody.velocity import VelocityLog
from wallets.chains import registry
from wallets.chains.utxo.payout import Change, Coin, Payment
from wallets.chains.utxo.transaction import decode

BITCOIN = registry.rules("bitcoin", network="regtest")
RULES = {"bitcoin": BITCOIN}
SIGNER = SoftwareSigner(b"\x21" * 32)
LIMITS = {"bitcoin": Limit(1, "BTC", 8, 40_000, 100_000, 180_000, 9_000)}
KNOWLEDGE = Knowledge(SIGNER, RULES, {"bitcoin": 1}, LIMITS, Accounts(), ColdAddresses())
OUTSIDE = [BITCOIN.address(b"\x00\x14" + bytes([number]) * 20) for number in (1, 2, 3)]
PATHS = [f"m/84'/1'/0'/0/{number}" for number in range(6)]
SCRIPTS = [SIGNER.script(path) for path in PATHS]
CHANGE_PATH = "m/84'/1'/1'/1/0"
CHANGE = Change(BITCOIN.address(SIGNER.script(CHANGE_PATH)), CHANGE_PATH)


def withdrawal_id(number):
    return f"00000000-0000-7000-8000-{number:012d}"


def row(number, address, amount):
    return WithdrawalRow(withdrawal_id(number), 1, 1, address, amount, "signing")


def coin(number, amount=200_000):
    return Coin(f"{number:064x}", 0, amount, SCRIPTS[number % 6], PATHS[number % 6])


def sign(log, rows, unsigned, *, job_id, now):
    """The signer's way through a job, without its database."""
    reading = examine.read(network="bitcoin", unsigned=unsigned, knowledge=KNOWLEDGE)
    kind = "payout" if reading.paid else "sweep"
    admission.check_kind(kind, reading, knowledge=KNOWLEDGE)
    examine.check_withdrawals(reading, rows=rows, knowledge=KNOWLEDGE)
    content = digest("bitcoin", unsigned)
    entry = admission.reservation(kind, reading, job_id=job_id, content=content, log=log, knowledge=KNOWLEDGE, now=now)
    log.reserve(entry)
    return SIGNER.sign_utxo(reading.unsigned, BITCOIN.parameters)


steps = st.lists(
    st.tuples(
        st.integers(0, 5),  # which withdrawal
        st.sampled_from([1_000, 15_000, 39_999, 40_000, 40_001]),  # how much it is said to be
        st.integers(0, 4),  # which coin
        st.integers(1_000, 60_000),  # fee rate
        st.sampled_from([-7_200, 0, 1, 600, 1_799, 3_600, 3_601, 43_200]),  # how the clock moves
        st.booleans(),  # whether the signer is started anew
    ),
    max_size=40,
)


@settings(max_examples=50, deadline=None)
@given(steps)
def test_no_sequence_of_jobs_gets_more_than_the_limits(sequence):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "velocity.log"
        VelocityLog.create(path, key=b"k")
        log = VelocityLog.open(path, key=b"k")
        clock = latest = 1_000_000
        # What could be mined: of transactions that share a coin only one can, so each coin's dearest bounds what leaves.
        signed = []
        for number, (which, amount, coin_number, fee_rate, moved, restart) in enumerate(sequence):
            clock += moved
            latest = max(latest, clock)
            if restart:
                log.close()
                log = VelocityLog.open(path, key=b"k")
            payment = Payment(OUTSIDE[which % 3], amount, withdrawal_id(which))
            unsigned = BITCOIN.payout(coins=[coin(coin_number)], payments=[payment], change=CHANGE, fee_rate=fee_rate)
            try:
                rows = {payment.withdrawal_id: row(which, payment.address, amount)}
                raw = sign(log, rows, unsigned.to_json(), job_id=f"job{number}", now=clock)
            except Refused:
                continue
            found = decode(raw)
            assert found.outputs[0].amount == amount <= LIMITS["bitcoin"].each
            assert unsigned.fee <= LIMITS["bitcoin"].fee
            signed.append((max(clock, latest), which, coin_number, amount + unsigned.fee))
            for span, most in ((HOUR_S, LIMITS["bitcoin"].hour), (DAY_S, LIMITS["bitcoin"].day)):
                assert worst_case(signed, since=signed[-1][0] - span) <= most
        paid_by = {}
        for _, which, coin_number, _ in signed:
            # Of two transactions with different coins both could be mined.
            assert paid_by.setdefault(which, coin_number) == coin_number
        log.close()


def worst_case(signed, *, since):
    """The most that can be mined of what was signed after `since`: of each coin its dearest use."""
    dearest = {}
    for at, _, coin_number, charge in signed:
        if at > since:
            dearest[coin_number] = max(dearest.get(coin_number, 0), charge)
    return sum(dearest.values())


def good_job():
    unsigned = BITCOIN.payout(
        coins=[coin(1), coin(2, 30_000)],
        payments=[Payment(OUTSIDE[0], 20_000, withdrawal_id(1)), Payment(OUTSIDE[1], 15_000, withdrawal_id(2))],
        change=CHANGE,
        fee_rate=2_000,
    )
    rows = {withdrawal_id(1): row(1, OUTSIDE[0], 20_000), withdrawal_id(2): row(2, OUTSIDE[1], 15_000)}
    return unsigned.to_json(), rows


odd = st.one_of(st.integers(-1, 2**40), st.none(), st.just([]), st.just({}), st.text(max_size=10))
# Mostly what could stand there, so that what is altered is often a good job of another meaning.
likely = {
    "address": st.sampled_from([*OUTSIDE, CHANGE.address]),
    "path": st.sampled_from([*PATHS, CHANGE_PATH]),
    "script": st.sampled_from([script.hex() for script in SCRIPTS]),
    "withdrawal_id": st.sampled_from([withdrawal_id(1), withdrawal_id(2), ""]),
    "amount": st.integers(0, 200_000).map(str),
}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_altered_in_a_job_only_its_withdrawals_and_our_own_keys_are_paid(data):
    body, rows = good_job()
    altered = copy.deepcopy(body)
    for _ in range(data.draw(st.integers(1, 3))):
        alter(altered, data)
    if (
        data.draw(st.booleans())
        and isinstance(altered.get("inputs"), list)
        and isinstance(altered.get("outputs"), list)
    ):
        settle_fee(altered)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "velocity.log"
        VelocityLog.create(path, key=b"k")
        log = VelocityLog.open(path, key=b"k")
        try:
            raw = sign(log, rows, altered, job_id="job", now=1_000_000)
        except Refused:
            return
        finally:
            log.close()
    ours = {*SCRIPTS, SIGNER.script(CHANGE_PATH)}
    asked = [(BITCOIN.parse(wanted.address).key, wanted.amount) for wanted in rows.values()]
    for output in decode(raw).outputs:
        if output.script not in ours:
            asked.remove((output.script, output.amount))


def alter(body, data):
    """Replaces, removes or doubles something somewhere in the job."""
    part = body
    while True:
        if not part:
            return
        keys = sorted(part) if isinstance(part, dict) else range(len(part))
        if part is body:
            keys = [*keys, *(name for name in ("inputs", "outputs", "outputs") * 4 if name in body)]
        key = data.draw(st.sampled_from(keys))
        if isinstance(part[key], dict | list) and data.draw(st.integers(0, 3)):
            part = part[key]
            continue
        action = data.draw(st.sampled_from(["replace", "replace", "replace", "remove", "double"]))
        if action == "remove":
            del part[key]
        elif action == "double" and isinstance(part, list):
            part.append(copy.deepcopy(part[key]))
        else:
            part[key] = data.draw(likely[key] if key in likely and data.draw(st.integers(0, 4)) else odd)
        return


def settle_fee(body):
    """Makes the fee add up again, so that deeper checks are reached."""
    try:
        total = sum(int(item["amount"]) for item in body["inputs"]) - sum(
            int(item["amount"]) for item in body["outputs"]
        )
    except (TypeError, KeyError, ValueError):
        return
    body["fee"] = str(total)


def test_the_job_that_is_altered_above_is_a_good_one():
    body, rows = good_job()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "velocity.log"
        VelocityLog.create(path, key=b"k")
        log = VelocityLog.open(path, key=b"k")
        assert BITCOIN.verify_signed(sign(log, rows, body, job_id="job", now=1), body).fee == int(body["fee"])
        log.close()
