"""Deposits on a real bitcoind and litecoind: shown unconfirmed, credited at depth, taken back and credited once again."""

from __future__ import annotations

import pytest
from django.utils import timezone

from config.regtest import Bitcoind
from exchange.ledger import selectors as ledger
from exchange.ledger.services import stops
from exchange.outbox.models import Event
from wallets import selectors
from wallets.models import Address, Block, Coin, Cursor, Deposit
from wallets.services import scanning

ALICE, BOB = 101, 102
BTC, LTC = 1, 2
COIN = 10**8

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def network(request):
    return getattr(request, "param", "bitcoin")


both = pytest.mark.parametrize("network", ["bitcoin", "litecoin"], indirect=True)


@pytest.fixture
def node(network, chains, request):
    node = request.getfixturevalue({"bitcoin": "bitcoind", "litecoin": "litecoind"}[network])
    chains(**{network: node})
    yield node
    node.start()
    node.mine(1)  # an empty mempool for the next test


@pytest.fixture
def asset(network):
    return {"bitcoin": "BTC", "litecoin": "LTC"}[network]


@pytest.fixture
def asset_id(asset):
    return {"BTC": BTC, "LTC": LTC}[asset]


@pytest.fixture
def pay(house, node, network, asset):
    """Sends coins from a wallet that is not ours to Alice's address; gives the txid."""
    house.scan(network)

    def send(amount, user_id=ALICE):
        return node.send(house.address(user_id, asset, network), amount)

    return send


def topics():
    return [event.topic for event in Event.objects.order_by("id") if event.topic.startswith("wallets.deposit")]


def one(user_id=ALICE):
    (view,) = selectors.deposits(user_id)
    return view


@both
def test_a_deposit_is_shown_unconfirmed_and_credited_at_its_depth(house, node, network, asset_id, pay):
    txid = pay(COIN)
    house.scan(network)
    assert (one().txid, one().state, one().amount, one().confirmations) == (txid, "seen", COIN, 0)
    assert selectors.pending(ALICE) == [one()]
    for depth in range(1, one().confirmations_required):
        node.mine(1)
        house.scan(network)
        assert (one().state, one().confirmations) == ("confirming", depth)
        assert house.balance(ALICE, asset_id) == 0
    node.mine(1)
    report = house.scan(network)
    assert report.credited == 1
    assert (one().state, house.balance(ALICE, asset_id)) == ("credited", COIN)
    assert house.total("chain_wallet", asset_id) == -COIN
    assert ledger.transfer(id=one().transfer_id).reference.startswith(f"{network}:{txid}")
    assert topics() == ["wallets.deposit_seen", "wallets.deposit_confirming", "wallets.deposit_credited"]
    house.scan(network)
    assert house.balance(ALICE, asset_id) == COIN


def test_many_blocks_and_payments_are_caught_up_with_at_once(house, node, network, asset_id, pay):
    for amount in (COIN, 2 * COIN, 3 * COIN):
        pay(amount)
        pay(amount, BOB)
        node.mine(1)
    node.mine(10)
    house.scan(network)
    assert house.balance(ALICE, asset_id) == house.balance(BOB, asset_id) == 6 * COIN
    assert Cursor.objects.get().height == node.height()
    assert house.sums_to_zero()


@both
def test_coins_at_the_hot_address_are_the_houses_capital(house, node, network, asset_id, pay):
    node.send(house.hot(network), 5 * COIN)
    node.mine(10)
    house.scan(network)
    assert house.total("house_capital", asset_id) == 5 * COIN
    assert house.total("customer", asset_id) == 0
    assert topics() == []


def test_less_than_the_minimum_is_kept_apart_and_not_credited(house, node, network, asset, asset_id, pay):
    txid = pay(2_000)
    node.mine(10)
    house.scan(network)
    assert (one().txid, one().state) == (txid, "below_minimum")
    assert house.balance(ALICE, asset_id) == 0
    assert house.total("suspense", asset_id) == 2_000


def test_a_replaced_deposit_is_dropped(house, node, network, pay):
    first = pay(COIN)
    house.scan(network)
    replacement = node.wallet("bumpfee", first)["txid"]
    house.scan(network)
    states = {view.txid: view.state for view in selectors.deposits(ALICE)}
    assert states == {first: "dropped", replacement: "seen"}
    node.mine(10)
    house.scan(network)
    states = {view.txid: view.state for view in selectors.deposits(ALICE)}
    assert states == {first: "dropped", replacement: "credited"}


def reorganise(node, depth, *, without=()):
    """Throws the last blocks away; what they held waits in the mempool. Given txids, a block without those follows."""
    node.invalidate(node.rpc("getblockhash", node.height() - depth + 1))
    for txid in without:
        node.rpc("prioritisetransaction", txid, 0, -COIN)
    if without:
        node.mine(1)
    for txid in without:
        node.rpc("prioritisetransaction", txid, 0, COIN)


@both
def test_a_reorganised_deposit_is_taken_back_and_credited_once_when_mined_again(house, node, network, asset_id, pay):
    txid = pay(COIN)
    node.mine(10)
    house.scan(network)
    assert house.balance(ALICE, asset_id) == COIN
    reorganise(node, 10, without=[txid])
    report = house.scan(network)
    assert report.reversed == 1
    assert one().state in ("seen", "orphaned")
    assert one().reversed_at is not None
    assert house.balance(ALICE, asset_id) == house.total("chain_wallet", asset_id) == 0
    assert not Coin.objects.filter(block_height__isnull=False).exists()
    node.mine(10)
    house.scan(network)
    assert (one().state, one().txid) == ("credited", txid)
    assert house.balance(ALICE, asset_id) == COIN
    deposit = Deposit.objects.get()
    assert deposit.credits == 2
    assert deposit.transfer_id != deposit.reversal_id
    assert house.sums_to_zero()
    assert topics().count("wallets.deposit_credited") == 2
    assert topics().count("wallets.deposit_orphaned") == 1


def test_what_was_spent_meanwhile_is_owed_and_freezes_until_it_is_mined_again(
    house, node, network, asset_id, pay, spend
):
    txid = pay(COIN)
    node.mine(10)
    house.scan(network)
    spend(ALICE, asset_id, COIN - 1)
    reorganise(node, 10, without=[txid])
    house.scan(network)
    assert house.balance(ALICE, asset_id) == 0
    assert ledger.receivables(owner_id=ALICE) == {asset_id: COIN - 1}
    assert ledger.is_frozen(owner_id=ALICE)
    node.mine(10)
    house.scan(network)
    assert house.balance(ALICE, asset_id) == 1
    assert not any(ledger.receivables(owner_id=ALICE).values())
    assert not ledger.is_frozen(owner_id=ALICE)
    assert house.sums_to_zero()


def test_a_node_that_is_only_behind_takes_nothing_back(house, node, network, asset_id, pay):
    pay(COIN)
    node.mine(10)
    house.scan(network)
    reorganise(node, 5)  # its tip is five blocks lower, on our own branch
    report = house.scan(network)
    assert (report.reversed, report.halted) == (0, "")
    assert house.balance(ALICE, asset_id) == COIN
    assert "5 blocks behind" in selectors.network(network).last_error
    node.mine(6)
    house.scan(network)
    assert selectors.network(network).ok
    assert house.balance(ALICE, asset_id) == COIN


def test_a_node_that_starts_from_nothing_again_is_waited_for(house, node, network, asset_id, pay, chains, tmp_path):
    pay(COIN)
    node.mine(10)
    house.scan(network)
    Block.objects.filter(height__lt=Cursor.objects.get().height - 3).delete()
    with Bitcoind(folder=tmp_path / "young") as young:
        chains(bitcoin=young)
        young.invalidate(young.rpc("getblockhash", 5))
        report = house.scan(network)
        assert (report.reversed, report.halted) == (0, "")
        assert "behind" in selectors.network(network).last_error
    assert house.balance(ALICE, asset_id) == COIN


def test_a_reorganisation_beyond_the_limit_halts_and_stops_withdrawals(house, node, network, asset_id, pay, settings):
    settings.WALLETS_REORG_LIMIT = 3
    txid = pay(COIN)
    node.mine(10)
    house.scan(network)
    reorganise(node, 10, without=[txid])
    node.mine(10)
    assert "more than 3 blocks" in house.scan(network).halted
    assert ledger.stops.is_stopped("withdrawals")
    assert house.balance(ALICE, asset_id) == COIN
    assert not selectors.network(network).ok
    settings.WALLETS_REORG_LIMIT = 100
    scanning.resume(network=network, now=house.now())
    node.mine(5)
    assert house.scan(network).halted == ""
    assert house.balance(ALICE, asset_id) == COIN


def test_a_rescan_finds_nothing_twice(house, node, network, asset_id, pay):
    pay(COIN)
    node.mine(10)
    house.scan(network)
    start = node.height() - 10
    assert scanning.rescan(network=network, from_height=start, now=house.now()) == 11
    house.scan(network)
    assert house.balance(ALICE, asset_id) == COIN
    assert Coin.objects.count() == Deposit.objects.count() == 1


def test_the_first_scan_begins_before_the_oldest_address_could_be_paid(house, node, network, asset, asset_id):
    Address.objects.update(created_at=timezone.now())
    node.send(house.address(ALICE, asset, network), COIN)
    node.mine(10)
    house.scan(network)
    assert house.balance(ALICE, asset_id) == COIN


def test_a_rescan_finds_what_was_paid_before_the_scanner_began(house, node, network, asset_id):
    before = node.height()
    node.send(house.hot(network), COIN)
    node.mine(10)
    house.scan(network)  # it starts at the tip, as after a restore with old keys
    assert house.total("house_capital", asset_id) == 0
    scanning.rescan(network=network, from_height=before, now=house.now())
    house.scan(network)
    assert house.total("house_capital", asset_id) == COIN


def test_a_stop_of_deposits_holds_credits_back(house, node, network, asset_id, pay):
    pay(COIN)
    node.mine(10)
    stop = stops.stop(scope="deposits", reason="a look at the chain", now=timezone.now())
    house.scan(network)
    assert (one().state, house.balance(ALICE, asset_id)) == ("confirming", 0)
    stops.lift(stop_id=stop, reason="all is well", actor=None, now=timezone.now())
    house.scan(network)
    assert house.balance(ALICE, asset_id) == COIN


def test_a_node_that_is_down_is_shown_and_deposits_wait(house, node, network, asset_id, pay):
    pay(COIN)
    node.mine(10)
    node.stop()
    report = house.scan(network)
    assert report.error
    view = selectors.network(network)
    assert (view.ok, bool(view.last_error)) == (False, True)
    assert Event.objects.filter(topic="wallets.network_down").count() == 1
    house.scan(network)
    assert Event.objects.filter(topic="wallets.network_down").count() == 1
    node.start()
    house.scan(network)
    assert selectors.network(network).ok
    assert Event.objects.filter(topic="wallets.network_up").count() == 1
    assert house.balance(ALICE, asset_id) == COIN
