"""What the signer signs, what it refuses, and that its own limits hold whatever the database says."""

import json
import random
from datetime import timedelta

import pytest

from custody import selectors
from custody.limits import Limit
from custody.services import signing
from custody.velocity import VelocityLog
from exchange.core.ids import uuid7
from wallets.chains.evm.payout import Payment
from wallets.chains.utxo.payout import Coin
from wallets.chains.utxo.transaction import decode

from .conftest import BITCOIN, ETHEREUM, FEES, GENEROUS, NOW, OUTSIDE, RECEIVER, TOKEN

pytestmark = pytest.mark.django_db(transaction=True)


def refusal(signer, job_id, **when):
    assert signer.answer(job_id, **when) == "refused"
    found = selectors.signature(job_id=job_id)
    assert isinstance(found, selectors.Refusal)
    assert found.reason
    return found.code


def log_lines(signer):
    return (signer.folder / "velocity.log").read_bytes().count(b"\n") - 1


def test_a_payout_is_signed_once_and_always_with_the_same_bytes(signer):
    withdrawal = signer.withdrawal()
    unsigned = signer.utxo([(OUTSIDE, 50_000, withdrawal)])
    job = signer.job(unsigned)
    assert selectors.signature(job_id=job) is None
    assert selectors.jobs_waiting() == [job]
    assert signer.answer(job) == "signed"
    found = selectors.signature(job_id=job)
    assert found.txid == BITCOIN.verify_signed(found.raw, unsigned).txid
    assert found.database_role == "bourse_signer"
    assert signer.answer(job) == "answered"
    assert selectors.signature(job_id=job) == found
    assert selectors.jobs_waiting() == []
    assert log_lines(signer) == 1


def test_a_token_payout_is_signed(signer):
    withdrawal = signer.withdrawal(asset_id=4, network_id=3, address=RECEIVER.lower(), amount=777_777)
    unsigned = signer.evm(Payment(RECEIVER, 777_777, withdrawal, TOKEN))
    job = signer.job(unsigned)
    assert signer.answer(job) == "signed"
    found = selectors.signature(job_id=job)
    assert found.txid == ETHEREUM.verify_signed(found.raw, unsigned).txid


def test_coins_move_between_our_own_keys_without_a_withdrawal(signer):
    gathered = signer.job(signer.utxo([], coins=[signer.coin(), signer.coin()]), kind="sweep")
    own = "m/44'/60'/0'/0/9"
    gas = signer.job(signer.evm(Payment(signer.signer.evm_address(own), 10**15, path=own)), kind="gas")
    assert [signer.answer(job) for job in (gathered, gas)] == ["signed", "signed"]


def test_the_same_request_again_is_the_same_job_and_another_content_a_conflict(signer):
    unsigned = signer.utxo([(OUTSIDE, 50_000, signer.withdrawal())])
    id = uuid7()
    arguments = {"id": id, "network": "bitcoin", "kind": "payout", "unsigned": unsigned, "reference": "r", "now": NOW}
    assert signing.request(**arguments) == signing.request(**arguments) == id
    for change in (
        {"unsigned": unsigned | {"locktime": 1}},
        {"network": "litecoin"},
        {"kind": "sweep"},
        {"reference": "s"},
    ):
        with pytest.raises(signing.SigningJobConflict):
            signing.request(**(arguments | change))
    with pytest.raises(signing.SigningKindUnknown):
        signing.request(**(arguments | {"kind": "gift"}))


def test_an_unknown_job_is_nobodys(signer):
    assert signer.answer(uuid7()) == "unknown"


WRONG_ROWS = [
    ({"amount": 49_999}, "withdrawal_mismatch"),
    ({"amount": 50_001}, "withdrawal_mismatch"),
    ({"address": BITCOIN.address(b"\x00\x14" + b"\x08" * 20)}, "withdrawal_mismatch"),
    ({"address": "not an address"}, "withdrawal_mismatch"),
    ({"asset_id": 2}, "withdrawal_mismatch"),
    ({"network_id": 2}, "withdrawal_mismatch"),
    ({"state": "requested"}, "withdrawal_state"),
    ({"state": "cancelled"}, "withdrawal_state"),
    ({"state": "final"}, "withdrawal_state"),
]


def test_an_output_that_is_not_its_withdrawals_is_refused(signer):
    for row, code in WRONG_ROWS:
        job = signer.job(signer.utxo([(OUTSIDE, 50_000, signer.withdrawal(**row))]))
        assert (row, refusal(signer, job)) == (row, code)
    assert log_lines(signer) == 0


def test_a_withdrawal_that_does_not_exist_is_refused(signer):
    job = signer.job(signer.utxo([(OUTSIDE, 50_000, str(uuid7()))]))
    assert refusal(signer, job) == "withdrawal_missing"


def test_a_withdrawal_has_one_spelling(signer):
    withdrawal = signer.withdrawal()
    for spelled in (withdrawal.upper(), "{" + withdrawal + "}", withdrawal.replace("-", ""), "nonsense"):
        assert refusal(signer, signer.job(signer.utxo([(OUTSIDE, 50_000, spelled)]))) == "job_malformed"


def test_a_withdrawal_is_not_paid_twice_in_one_transaction(signer):
    withdrawal = signer.withdrawal()
    unsigned = signer.utxo([(OUTSIDE, 50_000, withdrawal)], coins=[signer.coin(200_000)])
    unsigned["outputs"].append(unsigned["outputs"][0])
    unsigned["outputs"][1]["amount"] = str(int(unsigned["outputs"][1]["amount"]) - 50_000)
    assert refusal(signer, signer.job(unsigned)) == "job_malformed"


WRONG_JOBS = [
    (("outputs", 1, "path"), "m/84'/1'/1'/1/1", "not_our_key"),
    (("outputs", 1, "path"), "m/49'/1'/1'/1/0", "not_our_key"),
    (("outputs", 1, "address"), OUTSIDE, "not_our_key"),
    (("inputs", 0, "path"), "m/84'/1'/0'/0/999", "not_our_key"),
    (("inputs", 0, "script"), "0014" + "00" * 20, "not_our_key"),
    (("inputs", 0, "amount"), "100001", "job_malformed"),
    (("inputs", 0, "txid"), "zz", "job_malformed"),
    (("fee",), "1", "job_malformed"),
    (("network",), "litecoin", "wrong_chain"),
    (("family",), "evm", "job_malformed"),
    (("outputs", 0, "address"), "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "withdrawal_mismatch"),
]


def test_a_job_that_is_not_what_it_says_is_refused(signer):
    for where, value, code in WRONG_JOBS:
        unsigned = signer.utxo([(OUTSIDE, 50_000, signer.withdrawal())])
        part = unsigned
        for step in where[:-1]:
            part = part[step]
        part[where[-1]] = value
        assert (where, refusal(signer, signer.job(unsigned, network="bitcoin"))) == (where, code)
    assert log_lines(signer) == 0


def test_json_that_is_no_job_is_refused(signer):
    for body in ({}, {"network": "bitcoin"}, {"network": "bitcoin", "inputs": [[[[]]]]}, {"network": "dogecoin"}):
        assert refusal(signer, signer.job(body, network=body.get("network", "bitcoin"))) in (
            "job_malformed",
            "wrong_chain",
        )


def test_another_chain_id_is_refused(signer):
    withdrawal = signer.withdrawal(asset_id=3, network_id=3, address=RECEIVER, amount=5)
    unsigned = signer.evm(Payment(RECEIVER, 5, withdrawal)) | {"chain_id": 1}
    assert refusal(signer, signer.job(unsigned)) == "wrong_chain"


def test_a_token_without_limits_is_not_signed_for(signer):
    other = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"
    withdrawal = signer.withdrawal(asset_id=4, network_id=3, address=RECEIVER, amount=5)
    assert refusal(signer, signer.job(signer.evm(Payment(RECEIVER, 5, withdrawal, other)))) == "asset_not_allowed"


def test_a_withdrawal_of_one_asset_is_not_paid_in_another(signer):
    """Ten million base units of USDT are ten dollars; of wei they are nothing, and the other way round a fortune."""
    withdrawal = signer.withdrawal(asset_id=4, network_id=3, address=RECEIVER, amount=500_000)
    assert refusal(signer, signer.job(signer.evm(Payment(RECEIVER, 500_000, withdrawal)))) == "withdrawal_mismatch"


def test_a_fee_over_its_cap_is_refused(signer):
    job = signer.pay(coins=[signer.coin(200_000)], fee_rate=400_000)
    assert refusal(signer, job) == "fee_cap"
    own = "m/44'/60'/0'/0/9"
    dear = FEES.__class__(10**9, 10**12, 10**9)
    sweep = signer.job(signer.evm(Payment(signer.signer.evm_address(own), 1, path=own), fees=dear), kind="gas")
    assert refusal(signer, sweep) == "fee_cap"


def test_one_payout_an_hour_and_a_day_have_their_limits(signer):
    big = [signer.coin(2_000_000) for _ in range(9)]
    assert refusal(signer, signer.pay(1_000_001, coins=[big.pop()])) == "limit_each"
    assert signer.answer(signer.pay(999_000, coins=[big.pop()])) == "signed"
    assert signer.answer(signer.pay(999_000, coins=[big.pop()])) == "signed"
    assert refusal(signer, signer.pay(10_000, coins=[big.pop()])) == "limit_hour"
    later = NOW + timedelta(hours=1, seconds=1)
    assert signer.answer(signer.pay(999_000, coins=[big.pop()]), now=later) == "signed"
    assert refusal(signer, signer.pay(10_000, coins=[big.pop()]), now=later) == "limit_day"
    assert refusal(signer, signer.pay(10_000, coins=[big.pop()]), now=NOW - timedelta(days=30)) == "limit_day"
    assert signer.answer(signer.pay(10_000, coins=[big.pop()]), now=NOW + timedelta(days=1, seconds=1)) == "signed"


def test_fees_of_moves_between_our_own_keys_count_too(signer):
    signer.limits(bitcoin=Limit(1, "BTC", 8, 10, 100_000, 100_000, 50_000))
    outcomes = []
    for _ in range(6):
        unsigned = signer.utxo([], coins=[signer.coin(900_000)], fee_rate=400_000)
        assert 40_000 < int(unsigned["fee"]) <= 50_000
        outcomes.append(signer.answer(signer.job(unsigned, kind="sweep")))
    assert outcomes == ["signed", "signed", "refused", "refused", "refused", "refused"]


def test_a_withdrawal_that_was_signed_for_is_not_signed_for_again_with_other_coins(signer):
    withdrawal = signer.withdrawal()
    first = signer.job(signer.utxo([(OUTSIDE, 50_000, withdrawal)]))
    assert signer.answer(first) == "signed"
    again = signer.job(signer.utxo([(OUTSIDE, 50_000, withdrawal)]))
    assert refusal(signer, again) == "already_signed"


def test_a_replacement_shares_a_coin_with_every_version_and_counts_once(signer):
    withdrawal = signer.withdrawal(amount=900_000)
    a, b, c = (signer.coin(1_500_000) for _ in range(3))
    first = signer.job(signer.utxo([(OUTSIDE, 900_000, withdrawal)], coins=[a]))
    second = signer.job(signer.utxo([(OUTSIDE, 900_000, withdrawal)], coins=[a], fee_rate=9_000), kind="replacement")
    assert [signer.answer(job) for job in (first, second)] == ["signed", "signed"]
    beside = signer.job(signer.utxo([(OUTSIDE, 900_000, withdrawal)], coins=[b], fee_rate=9_000), kind="replacement")
    assert refusal(signer, beside) == "already_signed"
    # Both versions together count as one: there is room for another payout within the hour's two million.
    assert signer.answer(signer.pay(900_000, coins=[c])) == "signed"


def test_an_evm_replacement_has_the_same_nonce(signer):
    withdrawal = signer.withdrawal(asset_id=3, network_id=3, address=RECEIVER, amount=10**17)
    payment = Payment(RECEIVER, 10**17, withdrawal)
    dearer = FEES.__class__(10**9, 4 * 10**9, 2 * 10**9)
    assert signer.answer(signer.job(signer.evm(payment, nonce=4))) == "signed"
    assert signer.answer(signer.job(signer.evm(payment, nonce=4, fees=dearer), kind="replacement")) == "signed"
    assert (
        refusal(signer, signer.job(signer.evm(payment, nonce=5, fees=dearer), kind="replacement")) == "already_signed"
    )


def test_a_coin_has_one_amount_so_two_half_true_signatures_cannot_hide_a_fee(signer):
    """BIP143 signs each input's own amount: told half the truth twice, a signer could be made to sign away the other half."""
    true = [signer.coin(900_000), signer.coin(900_000)]
    lied = [true[0], Coin(true[1].txid, true[1].vout, 1_000, true[1].script, true[1].path)]
    other_lie = [Coin(true[0].txid, true[0].vout, 1_000, true[0].script, true[0].path), true[1]]
    first = signer.job(signer.utxo([], coins=lied), kind="sweep")
    assert signer.answer(first) == "signed"
    assert refusal(signer, signer.job(signer.utxo([], coins=other_lie), kind="sweep")) == "amount_contradicts"


@pytest.mark.parametrize("point", ["before_reserve", "after_reserve", "before_answer", "after_answer"])
def test_a_signer_that_stops_anywhere_ends_in_one_reservation_and_one_answer(signer, point):
    class Stopped(Exception):
        pass

    def stop(at):
        if at == point:
            raise Stopped

    job = signer.pay()
    signer.passing = stop
    with pytest.raises(Stopped):
        signer.answer(job)
    reserved, answered = log_lines(signer), selectors.signature(job_id=job)
    assert reserved == (0 if point == "before_reserve" else 1)
    assert (answered is not None) == (point == "after_answer")
    signer.passing = lambda at: None
    assert signer.answer(job) == ("answered" if point == "after_answer" else "signed")
    assert log_lines(signer) == 1
    found = selectors.signature(job_id=job)
    assert decode(found.raw).txid == found.txid


def test_a_reserved_job_is_signed_although_the_limits_are_used_up_meanwhile(signer):
    def stop(at):
        if at == "after_reserve":
            raise InterruptedError

    job = signer.pay(1_000_000, coins=[signer.coin(2_000_000)])
    signer.passing = stop
    with pytest.raises(InterruptedError):
        signer.answer(job)
    signer.passing = lambda at: None
    signer.limits(bitcoin=Limit(1, "BTC", 8, 1, 1, 1, 1))
    assert signer.answer(job) == "signed"


def test_a_job_that_was_changed_after_its_reservation_is_refused(signer):
    def stop(at):
        if at == "after_reserve":
            raise InterruptedError

    job = signer.pay()
    signer.passing = stop
    with pytest.raises(InterruptedError):
        signer.answer(job)
    other = signer.utxo([(OUTSIDE, 50_000, signer.withdrawal())])
    with signer.owner.cursor() as cursor:
        cursor.execute("ALTER TABLE custody_signing_job DISABLE TRIGGER USER")
        cursor.execute("UPDATE custody_signing_job SET unsigned = %s WHERE id = %s", [json.dumps(other), str(job)])
        cursor.execute("ALTER TABLE custody_signing_job ENABLE TRIGGER USER")
    signer.passing = lambda at: None
    assert refusal(signer, job) == "job_malformed"


def test_the_limits_hold_when_the_whole_database_lies(signer):
    """The owner of the database writes any row it likes, deletes answers, and still gets no more than the signer's limit."""
    dice = random.Random(20261120)
    attacker = BITCOIN.address(b"\x00\x14" + b"\x66" * 20)
    stolen, signed, refused = 0, 0, 0
    for attempt in range(60):
        amount = dice.choice([1_000, 300_000, 999_999, 1_000_000, 1_500_000])
        coin = signer.coin(amount + 40_000)
        unsigned = signer.utxo([(attacker, amount, signer.withdrawal(address=attacker, amount=amount))], coins=[coin])
        # What is not paid out is burnt as a fee, as much as the cap lets through.
        unsigned["outputs"] = unsigned["outputs"][:1]
        unsigned["fee"] = str(40_000)
        job = signer.job(unsigned)
        if signer.answer(job, now=NOW + timedelta(seconds=attempt)) == "signed":
            found = decode(selectors.signature(job_id=job).raw)
            stolen += sum(output.amount for output in found.outputs) + 40_000
            signed += 1
        else:
            refused += 1
        if attempt % 7 == 0:
            # Forget everything the database knows of answers: the log is what counts.
            with signer.owner.cursor() as cursor:
                cursor.execute("ALTER TABLE custody_signature DISABLE TRIGGER USER")
                cursor.execute("DELETE FROM custody_signature")
                cursor.execute("ALTER TABLE custody_signature ENABLE TRIGGER USER")
    assert signed
    assert refused
    assert stolen <= GENEROUS["bitcoin"].hour
    log = VelocityLog.open(signer.folder / "velocity.log", key=signer.signer.log_key())
    assert log.charged("bitcoin", since=0) == stolen
    log.close()


def test_a_forged_job_id_does_not_get_a_second_signature_for_other_bytes(signer):
    job = signer.pay()
    assert signer.answer(job) == "signed"
    before = selectors.signature(job_id=job)
    other = signer.utxo([(OUTSIDE, 50_000, signer.withdrawal())])
    with signer.owner.cursor() as cursor:
        for table in ("custody_signature", "custody_signing_job"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM custody_signature")
        cursor.execute("UPDATE custody_signing_job SET unsigned = %s WHERE id = %s", [json.dumps(other), str(job)])
        for table in ("custody_signature", "custody_signing_job"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    assert refusal(signer, job) == "job_malformed"
    assert before.raw
