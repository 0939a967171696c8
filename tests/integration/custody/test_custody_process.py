"""The signer as a process of its own: starts, signs, dies anywhere and goes on; and its command."""

import json
import os
import signal
import subprocess
import sys

import psycopg2
import pytest
import redis
import requests
from celery import current_app
from django.conf import settings

from config.regtest.process import free_port
from custody import selectors
from custody.services import signing
from custody.velocity import VelocityLog
from wallets.chains import registry
from wallets.chains.evm.payout import Payment
from wallets.chains.utxo.payout import Coin
from wallets.chains.utxo.transaction import decode

from .conftest import BITCOIN, ETHEREUM, HOT, ROOT

pytestmark = pytest.mark.django_db(transaction=True)


WEB_CODE = (
    "exchange.site",
    "exchange.ledger",
    "exchange.accounts",
    "trading",
    "wallets.services",
    "wallets.models",
    "rest_framework",
    "channels",
    "allauth",
    "config.urls",
    "wallets.chains.utxo.rpc",
    "wallets.chains.evm.rpc",
    "requests",
)


def told(client):
    """The references in the messages that wait for the wallets."""
    import base64

    messages = [json.loads(raw) for raw in client.lrange("chain", 0, -1)]
    bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
    assert {message["headers"]["task"] for message in messages} <= {"wallets.advance_withdrawal"}
    return [body[0][0] for body in bodies]


def signed(job):
    found = selectors.signature(job_id=job)
    return found if isinstance(found, selectors.Signature) else None


def test_a_message_with_an_id_is_answered_by_the_process_and_the_wallets_are_told(signer, valkey):
    process = signer.start()
    job = signer.pay()
    found = signer.wait_until(lambda: signed(job))
    assert (found.signer_pid, found.database_role) == (process.pid, "bourse_signer")
    assert process.pid != os.getpid()
    assert decode(found.raw).txid == found.txid
    assert signer.wait_until(lambda: told(valkey)) == ["payout-1"]
    assert str(process.pid) in signer.said()
    assert "bourse_signer" in signer.said()
    refused = signer.job(
        signer.utxo([(BITCOIN.address(b"\x00\x14" + b"\x05" * 20), 50_000, signer.withdrawal())]), reference="p2"
    )
    assert signer.wait_until(lambda: selectors.signature(job_id=refused)).code == "withdrawal_mismatch"
    signer.wait_until(lambda: "p2" in told(valkey))


def test_it_says_whether_it_can_work_on_the_loopback_address_alone(signer):
    port = free_port()
    signer.start(SIGNER_METRICS_PORT=str(port))
    job = signer.pay()
    signer.wait_until(lambda: signed(job))

    def page(path):
        answer = requests.get(f"http://127.0.0.1:{port}/{path}", timeout=60)
        return answer.status_code, answer.text

    signer.wait_until(
        lambda: 'bourse_signer_answers_total{code="",network="bitcoin",outcome="signed"} 1.0' in page("metrics")[1]
    )
    assert (page("livez"), page("readyz"), page("anything")[0]) == ((200, "ok\n"), (200, "ok\n"), 404)
    assert requests.post(f"http://127.0.0.1:{port}/metrics", timeout=60).status_code == 501
    with signer.owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM custody_signature")
        assert cursor.fetchone() == (1,)


def test_a_job_without_a_message_is_found_at_the_start_and_while_running(signer, valkey):
    before = signer.pay()
    valkey.flushdb()
    process = signer.start()
    signer.wait_until(lambda: signed(before))
    during = signer.pay()
    # Taken away before it is read, or read: found either way.
    valkey.delete("signing")
    signer.wait_until(lambda: signed(during))
    process.send_signal(signal.SIGTERM)
    assert process.wait(180) == 0


@pytest.mark.parametrize("point", ["before_reserve", "after_reserve", "before_answer", "after_answer"])
def test_a_signer_killed_anywhere_answers_after_its_restart_with_the_same_bytes(signer, point):
    once = signer.folder / "hit"
    process = signer.start(app="troubled_signer", TROUBLE=point, TROUBLE_ONCE=str(once))
    job = signer.pay()
    assert process.wait(180) == -signal.SIGKILL
    assert once.exists(), "the step was never reached"
    with signer.room() as room:
        reserved = room.velocity.job(str(job))
        assert (reserved is not None) == (point != "before_reserve")
    signer.start(app="troubled_signer", TROUBLE=point, TROUBLE_ONCE=str(once))
    found = signer.wait_until(lambda: signed(job))
    assert BITCOIN.verify_signed(found.raw, _unsigned(signer, job)).txid == found.txid
    for process in signer.processes:
        process.kill()
        process.wait()
    log = VelocityLog.open(signer.folder / "velocity.log", key=signer.signer.log_key())
    assert log.charged("bitcoin", since=0) == log.job(str(job)).charges["bitcoin"]
    log.close()


def _unsigned(signer, job):
    with signer.owner.cursor() as cursor:
        cursor.execute("SELECT unsigned FROM custody_signing_job WHERE id = %s", [str(job)])
        return cursor.fetchone()[0]


def test_a_failed_fsync_ends_the_process_and_nothing_is_signed(signer):
    once = signer.folder / "hit"
    process = signer.start(app="troubled_signer", TROUBLE="fsync", TROUBLE_ONCE=str(once))
    job = signer.pay()
    assert process.wait(180) == 74
    assert once.exists()
    assert selectors.signature(job_id=job) is None


def test_a_second_signer_on_the_same_log_does_not_start(signer):
    signer.start()
    job = signer.pay()
    signer.wait_until(lambda: signed(job))
    second = signer.start()
    assert second.wait(180) == 1
    assert "another signer holds" in signer.said()


def test_a_signer_of_several_threads_does_not_start(signer):
    assert signer.start(pool="threads").wait(180) == 1
    assert "with -P solo only" in signer.said()


def test_a_signer_without_its_files_in_order_does_not_start(signer):
    keystore, passphrase, log = (signer.folder / name for name in ("keystore.json", "passphrase", "velocity.log"))
    kept = passphrase.read_bytes()
    keystore.chmod(0o644)
    assert signer.start().wait(180) == 1
    keystore.chmod(0o600)
    passphrase.write_text("another passphrase altogether")
    assert signer.start().wait(180) == 1
    passphrase.write_bytes(kept)
    log.unlink()
    assert signer.start().wait(180) == 1
    said = signer.said()
    for sentence in ("is open to other users", "the passphrase is wrong", "makes it"):
        assert f"The signer cannot start: {signer.folder}" in said
        assert sentence in said


def test_a_database_that_goes_away_delays_and_loses_nothing(signer):
    signer.start()
    first = signer.pay()
    signer.wait_until(lambda: signed(first))
    connection = psycopg2.connect(signer.signer_url)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'bourse_signer' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    connection.close()
    second = signer.pay()
    signer.wait_until(lambda: signed(second))


def test_a_resent_message_changes_nothing(signer, valkey):
    signer.start()
    job = signer.pay()
    found = signer.wait_until(lambda: signed(job))
    for _ in range(3):
        signing.resend(job_id=job)
    signer.wait_until(lambda: valkey.llen("signing") == 0)
    assert signed(job) == found
    assert told(valkey) == ["payout-1"]


def test_whoever_owns_the_broker_gets_nothing_but_attention(signer, valkey):
    process = signer.start()
    job = signer.pay()
    signer.wait_until(lambda: signed(job))
    for arguments in (
        [],
        ["nonsense"],
        [None],
        [["a"]],
        [{"id": 1}],
        [str(job).upper()],
        ["00000000-0000-0000-0000-000000000000"],
    ):
        current_app.send_task("custody.sign", args=arguments, queue="signing")
    current_app.send_task("os.system", args=["true"], queue="signing")
    assert not current_app.control.ping(timeout=1)
    current_app.control.shutdown()
    after = signer.pay()
    signer.wait_until(lambda: signed(after))
    assert process.poll() is None
    # What is no message at all ends Celery's consumer; whoever keeps processes running starts it again, and it goes on.
    valkey.rpush("signing", b"not a message")
    assert process.wait(180) == 1
    signer.start()
    last = signer.pay()
    signer.wait_until(lambda: signed(last))
    with signer.owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM custody_signature")
        assert cursor.fetchone() == (3,)


def test_the_signer_process_holds_no_web_code(signer):
    code = (
        "import sys, custody.signer_app as s\n"
        "print(sorted(t for t in s.app.tasks if not t.startswith('celery.')))\n"
        f"print([m for m in sys.modules if m.startswith({WEB_CODE})])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=signer.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['custody.sign']", "[]"]


# --- with real nodes --------------------------------------------------------------------------------------------------


@pytest.mark.node
@pytest.mark.parametrize("network", ["bitcoin", "litecoin"])
def test_what_the_process_signs_is_mined(signer, request, network):
    node = request.getfixturevalue({"bitcoin": "bitcoind", "litecoin": "litecoind"}[network])
    chain = registry.connect(network, url=node.url, network="regtest")
    path = "m/84'/1'/0'/0/0"
    script = signer.signer.script(path)
    node.send(chain.rules.address(script), 400_000)
    node.mine()
    (credit,) = chain.block(node.height()).credits({script})
    coin = Coin(credit.txid, int(credit.slot), credit.amount, script, path)
    receiver = node.new_address()
    asset_id, network_id = {"bitcoin": (1, 1), "litecoin": (2, 2)}[network]
    withdrawal = signer.withdrawal(asset_id=asset_id, network_id=network_id, address=receiver, amount=250_000)
    from wallets.chains.utxo.payout import Change
    from wallets.chains.utxo.payout import Payment as UtxoPayment

    change = "m/84'/1'/1'/1/0"
    unsigned = chain.rules.payout(
        coins=[coin],
        payments=[UtxoPayment(receiver, 250_000, withdrawal)],
        change=Change(chain.rules.address(signer.signer.script(change)), change),
        fee_rate=chain.fee_rate(),
    ).to_json()
    signer.start()
    job = signer.job(unsigned)
    found = signer.wait_until(lambda: signed(job))
    assert chain.rules.verify_signed(found.raw, unsigned).txid == found.txid
    assert chain.broadcast(found.raw) == found.txid
    node.mine()
    assert node.received(receiver, confirmations=1) == 250_000
    assert chain.confirmation(found.txid).state == "mined"


@pytest.mark.node
def test_what_the_process_signs_for_ether_is_mined(signer, anvil):
    chain = registry.connect("ethereum", url=anvil.url, chain_id=31337)
    hot = signer.signer.evm_address(HOT)
    anvil.send(hot, 10**18)
    anvil.mine()
    receiver = ETHEREUM.address(os.urandom(20))
    withdrawal = signer.withdrawal(asset_id=3, network_id=3, address=receiver.lower(), amount=10**17)
    payment = Payment(receiver, 10**17, withdrawal)
    unsigned = chain.rules.payout(
        from_address=hot,
        from_path=HOT,
        nonce=chain.nonce(hot),
        payment=payment,
        fees=chain.fees(),
        gas_limit=chain.send_gas(from_address=hot, payment=payment),
    ).to_json()
    signer.start()
    job = signer.job(unsigned)
    found = signer.wait_until(lambda: signed(job))
    assert chain.broadcast(found.raw) == found.txid == chain.rules.verify_signed(found.raw, unsigned).txid
    anvil.mine()
    assert anvil.balance(receiver) == 10**17
    assert chain.confirmation(found.txid).succeeded


def test_the_suite_speaks_to_the_real_broker_and_role(signer):
    assert redis.Redis.from_url(settings.REDIS_URL).ping()
    connection = psycopg2.connect(signer.signer_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("bourse_signer",)
    connection.close()
