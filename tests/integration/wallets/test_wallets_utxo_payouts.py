"""Withdrawals of coins to the end on real nodes, signed by the real signer process, whatever dies on the way."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone

from config.regtest import Bitcoind
from custody import keystore
from custody.signers.software import SoftwareSigner
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import holds
from exchange.ledger.services import freezes, stops
from wallets import nodes, selectors
from wallets.chains.utxo import payout as utxo
from wallets.models import Address, Coin, Payout, PayoutVersion, Reservation, Withdrawal
from wallets.services import approving, payouts, withdrawals

ALICE = 101
BTC = 1
COIN = 10**8
TENTH = COIN // 10
KEYS = itertools.count()
ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    """A chain on which the signer's keys have no past."""
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        yield node


@pytest.fixture
def house(signing_house, node):
    """A hot wallet with three coins of its own, and Alice with one deposit."""
    signing_house.scan("bitcoin")
    for _ in range(3):
        node.send(signing_house.hot("bitcoin"), COIN)
    node.send(signing_house.address(ALICE, "BTC", "bitcoin"), COIN)
    mine(signing_house, node, 6)
    assert signing_house.balance(ALICE, BTC) == COIN
    return signing_house


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("bitcoin")


def ask(address, amount="0.1"):
    return withdrawals.request(
        user_id=ALICE, asset="BTC", network="bitcoin", address=address, amount=amount,
        idempotency_key=f"utxo-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


def exact(house):
    """The books sum to zero and equal, to the satoshi, what the node holds at our addresses."""
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses) == ((), ())
    assert "wallets:bitcoin" not in report.unreachable
    assert house.sums_to_zero()
    scripts = [bytes(script) for script in Address.objects.filter(network_id=1).values_list("script", flat=True)]
    return -house.total("chain_wallet", BTC) == nodes.chain("bitcoin").holdings(scripts).amount


def test_a_withdrawal_reaches_its_receiver_and_the_books_to_the_satoshi(house, node, signer):
    outside = node.new_address()
    view = ask(outside)
    sent = house.advance(ALICE, view.id, "broadcast")
    version = PayoutVersion.objects.get()
    assert (sent.txid, len(bytes(version.raw)) > 0) == (version.txid, True)
    assert version.signed_at <= version.first_broadcast_at
    assert holds.get(id=view.id).state == "pending"
    mine(house, node)
    assert selectors.withdrawal(ALICE, view.id).state == "confirmed"
    assert node.received(outside, confirmations=1) == TENTH
    assert reconciliation.run(now=timezone.now()).ok  # mined and not final: explained, to the satoshi
    mine(house, node, 10)
    final = selectors.withdrawal(ALICE, view.id)
    assert (final.state, final.cancellable) == ("final", False)
    assert [step.state for step in final.steps] == [
        "requested", "approved", "reserved", "signing", "signed", "broadcast", "confirmed", "final",
    ]  # fmt: skip
    assert house.balance(ALICE, BTC) == COIN - TENTH - view.fee
    assert house.total("house_fees", BTC) == view.fee
    assert house.total("house_network_fees", BTC) == -final.network_fee < 0
    assert exact(house)


def test_the_signer_is_another_process_with_another_database_role(house, node, signer):
    view = ask(node.new_address())
    house.advance(ALICE, view.id, "broadcast")
    from custody import selectors as custody

    answer = custody.signature(job_id=PayoutVersion.objects.get().id)
    assert (answer.database_role, answer.signer_pid) == ("bourse_signer", signer.pid)
    assert answer.signer_pid != os.getpid()


def test_litecoin_goes_the_same_way(signing_house, litecoind, chains):
    chains(litecoin=litecoind)
    house, ltc = signing_house, 2
    house.scan("litecoin")
    litecoind.send(house.hot("litecoin"), COIN)
    litecoind.send(house.address(ALICE, "LTC", "litecoin"), 2 * COIN)
    litecoind.mine(12)
    house.scan("litecoin")
    outside = litecoind.new_address()
    view = withdrawals.request(
        user_id=ALICE, asset="LTC", network="litecoin", address=outside, amount="1.5",
        idempotency_key="litecoin", now=timezone.now(),
    )  # fmt: skip
    house.advance(ALICE, view.id, "broadcast")
    litecoind.mine(12)
    house.scan("litecoin")
    assert selectors.withdrawal(ALICE, view.id).state == "final"
    assert litecoind.received(outside, confirmations=1) == 3 * COIN // 2
    assert house.balance(ALICE, ltc) == COIN // 2 - view.fee
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses, report.unreachable) == ((), (), ())
    assert house.sums_to_zero()


def test_change_is_no_deposit_and_can_be_spent(house, node):
    first = ask(node.new_address())
    house.advance(ALICE, first.id, "broadcast")
    mine(house, node, 3)
    assert [view.amount for view in selectors.deposits(ALICE)] == [COIN]
    assert house.total("house_capital", BTC) == 3 * COIN
    assert Coin.objects.filter(address__branch=1, spent_height=None).count() == 1


def test_a_withdrawal_to_another_customer_arrives_as_a_deposit(house, node):
    bob = 102
    view = ask(house.address(bob, "BTC", "bitcoin"))
    house.advance(ALICE, view.id, "broadcast")
    mine(house, node, 10)
    assert selectors.withdrawal(ALICE, view.id).state == "final"
    assert house.balance(bob, BTC) == TENTH
    assert exact(house)


def test_withdrawals_at_once_never_share_a_coin(house, node, settings):
    settings.WALLETS_BATCH_MAX = 1
    outside = [node.new_address() for _ in range(4)]
    views = [ask(address, "0.05") for address in outside]

    def advance(view):
        try:
            payouts.advance(reference=str(view.id), now=timezone.now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(advance, views * 3))
    live = Reservation.objects.filter(released_at=None)
    assert live.count() == live.values("coin").distinct().count()
    assert Payout.objects.count() == 4
    for view in views:
        house.advance(ALICE, view.id, "broadcast")
    mine(house, node, 10)
    assert [node.received(address, confirmations=1) for address in outside] == [TENTH // 2] * 4
    assert {view.state for view in selectors.withdrawals(ALICE)} == {"final"}
    assert exact(house)


CRASH = """
import os, signal, django
django.setup()
from django.utils import timezone
from wallets import nodes
from wallets.services import payouts
chain = nodes.chain("bitcoin")
real = chain.broadcast
def dying(raw):
    if os.environ["POINT"] == "after the broadcast":
        real(raw)
    print("killed", os.environ["POINT"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
chain.broadcast = dying
while True:
    payouts.advance_all(now=timezone.now())
"""


def kill_worker(node, point):
    """A worker of its own process takes the withdrawals on and is killed at the named point."""
    environment = {
        **os.environ,
        "BITCOIN_RPC_URL": node.url,
        "POINT": point,
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "WALLETS_BATCH_SECONDS": "0",
    }
    died = subprocess.run(
        [sys.executable, "-c", CRASH], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert died.stdout == f"killed {point}\n"


@pytest.mark.parametrize("point", ["before the broadcast", "after the broadcast"])
def test_a_worker_killed_around_the_broadcast_sends_the_same_bytes_once(house, node, point):
    outside = node.new_address()
    view = ask(outside)
    kill_worker(node, point)
    kept = PayoutVersion.objects.get()
    assert selectors.withdrawal(ALICE, view.id).state == "signed"
    sent = house.advance(ALICE, view.id, "broadcast")
    assert sent.txid == kept.txid
    mine(house, node, 10)
    assert selectors.withdrawal(ALICE, view.id).state == "final"
    assert node.received(outside, confirmations=1) == TENTH
    assert exact(house)


def test_one_that_was_mined_while_every_worker_was_dead_is_recognised(house, node):
    outside = node.new_address()
    view = ask(outside)
    kill_worker(node, "after the broadcast")
    mine(house, node, 10)
    assert not ledger.stops.is_stopped("withdrawals")
    assert selectors.withdrawal(ALICE, view.id).state == "final"
    assert node.received(outside, confirmations=1) == TENTH
    assert exact(house)


def test_a_node_that_is_down_makes_it_wait_and_nothing_else(house, node):
    view = ask(node.new_address())
    node.stop()
    payouts.advance_all(now=timezone.now())
    waiting = selectors.withdrawal(ALICE, view.id)
    assert (waiting.state, waiting.waiting, waiting.cancellable) == ("approved", "node_down", True)
    node.start()
    assert house.advance(ALICE, view.id, "broadcast").waiting == ""


def test_known_bytes_are_sent_again_until_a_block_has_them(house, node):
    view = ask(node.new_address())
    house.advance(ALICE, view.id, "broadcast")
    first = PayoutVersion.objects.get()
    payouts.advance_all(now=timezone.now())
    again = PayoutVersion.objects.get()
    assert again.last_broadcast_at > first.last_broadcast_at
    assert (again.last_error, bytes(again.raw), again.txid) == ("", bytes(first.raw), first.txid)
    assert selectors.withdrawal(ALICE, view.id).waiting == ""


def test_a_block_that_is_reorganised_away_is_waited_for_again(house, node):
    outside = node.new_address()
    view = ask(outside)
    txid = house.advance(ALICE, view.id, "broadcast").txid
    mine(house, node)
    assert selectors.withdrawal(ALICE, view.id).state == "confirmed"
    node.invalidate(node.rpc("getblockhash", node.height()))
    node.rpc("prioritisetransaction", txid, 0, -COIN)
    node.mine(2)
    house.scan("bitcoin")
    back = selectors.withdrawal(ALICE, view.id)
    assert (back.state, back.confirmations) == ("broadcast", 0)
    assert holds.get(id=view.id).state == "pending"
    assert exact(house) or house.total("chain_wallet", BTC)
    node.rpc("prioritisetransaction", txid, 0, COIN)
    payouts.advance_all(now=timezone.now())
    mine(house, node, 10)
    assert selectors.withdrawal(ALICE, view.id).state == "final"
    assert node.received(outside, confirmations=1) == TENTH
    assert exact(house)


def test_what_the_signer_refuses_goes_to_staff_and_its_coins_are_free(house, node, rules):
    rules([])  # the house's own policy lets it pass
    node.send(house.address(ALICE, "BTC", "bitcoin"), 2 * COIN)
    mine(house, node, 6)
    view = ask(node.new_address(), "2.1")  # the signer's own limit is 2
    house.advance(ALICE, view.id, "review")
    assert "limit_each" in Withdrawal.objects.get(pk=view.id).reason  # for staff, not for the customer
    assert not Reservation.objects.filter(released_at=None).exists()
    approving.reject(withdrawal_id=view.id, actor_id=1, reason="too much", now=timezone.now())
    assert house.balance(ALICE, BTC) == 3 * COIN
    assert holds.get(id=view.id).state == "voided"
    assert exact(house)


def test_a_stop_and_a_freeze_hold_back_what_is_not_out_yet(house, node):
    view = ask(node.new_address())
    stop = stops.stop(scope="withdrawals", reason="a look at the books", now=timezone.now())
    payouts.advance_all(now=timezone.now())
    assert selectors.withdrawal(ALICE, view.id).waiting == "stopped"
    stops.lift(stop_id=stop, reason="all is well", actor=None, now=timezone.now())
    freezes.freeze(owner_id=ALICE, reason="a question", actor=None, now=timezone.now())
    payouts.advance_all(now=timezone.now())
    assert selectors.withdrawal(ALICE, view.id).waiting == "frozen"
    freezes.unfreeze(owner_id=ALICE, reason="answered", actor=None, now=timezone.now())
    house.advance(ALICE, view.id, "broadcast")


def test_an_empty_hot_wallet_makes_it_wait(signing_house, node, fund):
    fund(ALICE, BTC, COIN)
    signing_house.scan("bitcoin")
    view = ask(node.new_address())
    payouts.advance_all(now=timezone.now())
    assert selectors.withdrawal(ALICE, view.id).waiting == "hot_wallet_short"


def steal(house, node, signer):
    """A transaction of the house's own keys that the house never asked for."""
    seed = keystore.open_seed(signer.folder / "keystore", key=keystore.PassphraseFile(signer.folder / "passphrase"))
    coin = Coin.objects.filter(address__purpose="hot").select_related("address__xpub").first()
    path = f"{coin.address.xpub.path}/{coin.address.branch}/{coin.address.index}"
    unsigned = nodes.rules("bitcoin").payout(
        coins=[utxo.Coin(coin.txid, coin.vout, coin.amount, bytes(coin.address.script), path)],
        payments=[utxo.Payment(node.new_address(), coin.amount // 2, "thief")],
        change=utxo.Change(node.new_address(), path),
        fee_rate=20_000,
    )
    return node.rpc(
        "sendrawtransaction", SoftwareSigner(seed).sign_utxo(unsigned, nodes.rules("bitcoin").parameters).hex()
    )


def test_a_coin_moved_away_behind_our_back_stops_withdrawals_before_it_is_mined(house, node, signer):
    assert exact(house)
    steal(house, node, signer)
    report = reconciliation.run(now=timezone.now())
    assert [(m.sort, m.found - m.expected) for m in report.mismatches] == [("outside", -COIN)]
    assert ledger.stops.is_stopped("withdrawals")


def test_a_coin_moved_away_behind_our_back_stops_withdrawals_with_its_block(house, node, signer):
    txid = steal(house, node, signer)
    assert not ledger.stops.is_stopped("withdrawals")
    mine(house, node)
    assert txid in ledger.stops.active()[0].reason
    with pytest.raises(Exception, match="stopped"):
        ask(node.new_address())
    assert [m.found - m.expected for m in reconciliation.run(now=timezone.now()).mismatches] == [-COIN]
    assert Withdrawal.objects.count() == 0
