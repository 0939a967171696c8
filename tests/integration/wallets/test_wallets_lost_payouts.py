"""A payout that others made impossible is given up once that is final, and not a block sooner: nobody is paid twice."""

from __future__ import annotations

import socket

import pytest
from django.utils import timezone

from config.regtest import Anvil, Bitcoind
from exchange.assets.models import AssetNetwork, ConfirmationTier
from exchange.audit.models import Record
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import holds
from exchange.ledger.services import stops
from exchange.outbox.models import Event
from tests.integration.wallets.coins_out import (
    ALICE,
    COIN,
    TENTH,
    all_are,
    ask,
    broadcast,
    exact,
    mine,
    mine_others,
    state,
)
from wallets import nodes, selectors
from wallets.chains.protocol import BroadcastRefused
from wallets.models import Coin, Nonce, Payout, PayoutVersion, Reservation, Withdrawal
from wallets.services import bumping, nonces, payouts, windows, withdrawals

BTC, ETH, STAFF, ETHER = 1, 3, 900, 10**18
FINAL = 6  # confirmations that everything waits for, once the coins are at hand
NEVER = 10**6

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        yield node


@pytest.fixture
def house(signing_house, node):
    """Alice has two coins in the books; what lies on the chain for her is kept back, so that a test chooses what is spent."""
    ConfirmationTier.objects.all().delete()
    AssetNetwork.objects.update(confirmations=1)
    signing_house.scan("bitcoin")
    node.send(signing_house.address(ALICE, "BTC", "bitcoin"), 2 * COIN)
    mine(signing_house, node)
    Coin.objects.update(mature_height=NEVER)
    return signing_house


def wait_longer():
    AssetNetwork.objects.update(confirmations=FINAL)


def double_spend(node, txid):
    """Another transaction of the same sender with the same coins, to himself; as bytes."""
    made = node.rpc("getrawtransaction", txid, True)
    inputs = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in made["vin"]]
    held = sum(node.rpc("gettxout", coin["txid"], coin["vout"], False)["value"] for coin in inputs)
    raw = node.rpc("createrawtransaction", inputs, {node.new_address(): f"{held:.8f}"})
    return node.wallet("signrawtransactionwithwallet", raw)["hex"]


@pytest.fixture
def doomed(house, node):
    """A payout of 0.11 from two coins of ours; the sender of the larger one has it back, by a reorganisation."""
    spare = node.send(house.hot("bitcoin"), TENTH // 5)
    mine(house, node)
    gone = node.send(house.hot("bitcoin"), TENTH)
    mine(house, node)
    outside = node.new_address()
    view = ask(outside, "0.11")
    all_are([view], "broadcast")
    payout = Payout.objects.get()
    assert {each.coin.txid for each in payout.reservations.select_related("coin")} == {spare, gone}
    wait_longer()
    block = node.rpc("getblockhash", node.height())
    node.invalidate(block)
    taken = node.rpc("generateblock", node.new_address(), [double_spend(node, gone)])["hash"]
    assert house.scan("bitcoin").scanned == 1
    coin = Coin.objects.get(txid=gone)
    assert (coin.block_height, coin.gone_height) == (None, node.height())
    return view, payout, outside, block, taken


def test_a_coin_that_was_double_spent_for_good_ends_the_payout_and_pays_nobody(house, node, doomed, settings):
    view, payout, outside, _, _ = doomed
    assert state(view) == "broadcast"
    mine_others(house, node, FINAL - 2)
    assert (state(view), holds.get(id=view.id).state) == ("broadcast", "pending")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://u:p@127.0.0.1:{taken.getsockname()[1]}"
    alone = settings.CHAINS
    settings.CHAINS = {**alone, "bitcoin": {**alone["bitcoin"], "second_url": closed}}
    mine_others(house, node, 1)
    assert state(view) == "broadcast"  # final by one of the two nodes; the other has not been heard
    settings.CHAINS = alone
    assert house.scan("bitcoin").lost == 1
    assert (state(view), holds.get(id=view.id).state) == ("failed", "voided")
    assert "nothing was sent" in Withdrawal.objects.get(pk=view.id).reason
    payout.refresh_from_db()
    assert payout.state == "lost" and payout.closed_at is not None
    assert not Reservation.objects.filter(payout=payout, released_at=None).exists()
    assert house.balance(ALICE, BTC) == 2 * COIN
    assert not windows.counted().filter(pk=view.id).exists()  # nothing left, so nothing of a limit is used up
    record = Record.objects.get(action="payout.lost")
    assert (record.actor_id, record.subject) == (None, f"payout:{payout.id}")
    assert Event.objects.filter(topic="wallets.network_payout_lost").count() == 1
    assert exact(house)
    paid_anew(house, node, payout, outside)


def paid_anew(house, node, lost, outside):
    """The money and the coin that was left are free: a new request is paid, once; the old bytes are good for nothing."""
    again = ask(outside, "0.015")
    all_are([again], "broadcast")
    (version,) = PayoutVersion.objects.filter(payout__withdrawals=again.id)
    before = {coin["txid"] for coin in lost.versions.get().unsigned["inputs"]}
    assert {coin["txid"] for coin in version.unsigned["inputs"]} < before
    with pytest.raises(BroadcastRefused):
        nodes.chain("bitcoin").broadcast(bytes(lost.versions.get().raw))
    mine(house, node, FINAL)
    assert state(again) == "final"
    assert node.received(outside, confirmations=1) == 15 * COIN // 1000
    assert house.scan("bitcoin").lost == 0 and not ledger.stops.active()
    assert exact(house)


def test_the_branch_that_comes_back_in_time_finds_the_payout_waiting(house, node, doomed):
    view, payout, outside, block, taken = doomed
    mine_others(house, node, FINAL - 2)
    node.invalidate(taken)
    node.reconsider(block)
    mine_others(house, node, FINAL + 2)  # none of these has the payout, and the double spend is in none any more
    assert state(view) == "broadcast"
    assert not Coin.objects.exclude(gone_height=None).exists()
    payouts.advance_all(now=timezone.now())
    mine(house, node, FINAL)
    assert state(view) == "final"
    assert node.received(outside, confirmations=1) == 11 * TENTH // 10
    payout.refresh_from_db()
    assert payout.state == "final"
    assert exact(house)


def test_what_hangs_on_a_version_of_ours_that_lost_is_given_up_and_what_won_is_not(house, node):
    """Three in a row, each of the change of the one before; then a reorganisation has another version of the first mined."""
    node.send(house.hot("bitcoin"), COIN)
    mine(house, node)
    wait_longer()
    first = ask(node.new_address(), "0.01")
    all_are([first], "broadcast")
    parent = Payout.objects.get()
    original = parent.versions.get()
    bumped = broadcast(bumping.bump(payout_id=parent.id, actor_id=STAFF, now=timezone.now()))
    block = node.rpc("generateblock", node.new_address(), [bytes(original.raw).hex()])["hash"]
    house.scan("bitcoin")
    second = ask(node.new_address(), "0.02")
    all_are([second], "broadcast")
    mine(house, node)
    third = ask(node.new_address(), "0.03")
    all_are([third], "broadcast")
    node.invalidate(block)
    node.rpc("generateblock", node.new_address(), [bytes(bumped.raw).hex()])
    mine_others(house, node, FINAL - 2)
    assert [state(view) for view in (first, second, third)] == ["confirmed", "broadcast", "broadcast"]
    mine_others(house, node, 1)
    assert [state(view) for view in (first, second, third)] == ["final", "failed", "failed"]
    assert {holds.get(id=view.id).state for view in (second, third)} == {"voided"}
    assert not Payout.objects.filter(closed_at=None).exists()
    assert exact(house)


def test_one_version_that_is_impossible_leaves_the_other_to_be_mined(house, node):
    """A bump took a second coin, whose sender has it back: what was signed before it is as good as ever."""
    node.send(house.hot("bitcoin"), TENTH // 10 + 110 * 20)  # a hundredth, and the fee of one input and one output
    mine(house, node)
    outside = node.new_address()
    view = ask(outside, "0.01")
    all_are([view], "broadcast")
    gone = node.send(house.hot("bitcoin"), TENTH)
    node.rpc("generateblock", node.new_address(), [node.rpc("getrawtransaction", gone)])
    house.scan("bitcoin")
    payout = Payout.objects.get()
    second = broadcast(bumping.bump(payout_id=payout.id, fee_rate=50_000, actor_id=STAFF, now=timezone.now()))
    assert gone in {coin["txid"] for coin in second.unsigned["inputs"]}
    wait_longer()
    node.invalidate(node.rpc("getblockhash", node.height()))
    node.rpc("generateblock", node.new_address(), [double_spend(node, gone)])
    mine_others(house, node, FINAL + 2)
    assert Coin.objects.get(txid=gone).gone_height is not None
    assert (state(view), holds.get(id=view.id).state) == ("broadcast", "pending")
    payouts.advance_all(now=timezone.now())
    mine(house, node, FINAL)
    assert (state(view), node.received(outside, confirmations=1)) == ("final", TENTH // 10)
    assert Payout.objects.get().txid == payout.versions.get(number=1).txid
    assert exact(house)


@pytest.fixture
def anvil_house(signing_house, chains, tmp_path):
    """A withdrawal of half an ether that is out, and whose bytes every node then forgot."""
    with Anvil(folder=tmp_path / "anvil", persistent=False) as node:
        chains(ethereum=node)
        signing_house.scan("ethereum")
        node.send(signing_house.hot("ethereum"), 5 * ETHER)
        node.send(signing_house.address(ALICE, "ETH", "ethereum"), 2 * ETHER)
        node.mine(70)
        signing_house.scan("ethereum")
        view = ask_ether(node, "lost")
        all_are([view], "broadcast")
        node.rpc("anvil_dropAllTransactions")
        yield signing_house, node, view


def ask_ether(node, key):
    return withdrawals.request(
        user_id=ALICE, asset="ETH", network="ethereum", address=node.accounts[5], amount="0.5",
        idempotency_key=key, now=timezone.now(),
    )  # fmt: skip


def other_hand(house, node):
    """Somebody who has our key, too: anvil lets a test send without it."""
    hot = house.hot("ethereum")
    node.rpc("anvil_impersonateAccount", hot)
    node.rpc(
        "eth_sendTransaction",
        {"from": hot, "to": node.accounts[7], "value": hex(ETHER), "gas": hex(21_000), "gasPrice": hex(10**11)},
    )
    node.rpc("anvil_stopImpersonatingAccount", hot)
    node.mine(1)
    house.scan("ethereum")


def lift():
    for stop in ledger.stops.active():
        stops.lift(stop_id=stop.id, reason="looked at", actor=STAFF, now=timezone.now())


def test_a_nonce_that_another_hand_used_for_good_ends_the_payout_and_the_next_ones_go_on(anvil_house):
    house, node, view = anvil_house
    before = node.balance(node.accounts[5])
    other_hand(house, node)
    assert ledger.stops.active() and nonces.look(now=timezone.now()).taken == 1
    node.mine(50)
    assert house.scan("ethereum").lost == 0  # not final yet
    assert (state(view), holds.get(id=view.id).state) == ("broadcast", "pending")
    node.mine(30)
    assert house.scan("ethereum").lost == 1
    assert (state(view), holds.get(id=view.id).state) == ("failed", "voided")
    assert house.balance(ALICE, ETH) == 2 * ETHER
    assert Payout.objects.get().state == "lost"
    assert Nonce.objects.get().released_at is not None
    lift()
    assert nonces.look(now=timezone.now()).taken == 0 and not ledger.stops.active()
    again = ask_ether(node, "again")
    all_are([again], "broadcast")
    node.mine(80)
    house.scan("ethereum")
    assert state(again) == "final"
    assert node.balance(node.accounts[5]) - before == ETHER // 2


def test_a_nonce_that_a_reorganisation_gave_back_in_time_pays_as_if_nothing_had_been(anvil_house):
    house, node, view = anvil_house
    before = node.balance(node.accounts[5])
    other_hand(house, node)
    node.mine(20)
    assert house.scan("ethereum").lost == 0
    node.reorganise(21)
    node.mine(1)
    house.scan("ethereum")
    lift()
    payouts.advance_all(now=timezone.now())
    node.mine(90)
    assert house.scan("ethereum").lost == 0
    assert (state(view), selectors.withdrawal(ALICE, view.id).txid) == ("final", Payout.objects.get().txid)
    assert node.balance(node.accounts[5]) - before == ETHER // 2
