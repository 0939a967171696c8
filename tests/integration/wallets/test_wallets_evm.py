"""Ether and a token on a real anvil: deposits by value and by log, reorganisations, withdrawals in nonce order, theft."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone

from config.regtest import Anvil
from exchange.assets.services import networks
from exchange.core.ids import uuid7
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import holds
from wallets import nodes, selectors
from wallets.chains.protocol import Confirmation
from wallets.models import Address, Deposit, Nonce, Payout, Withdrawal
from wallets.services import deciding, payouts, scanning, windows, withdrawals

ALICE, BOB = 101, 102
ETH, USDT = 3, 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 14  # deeper than what these amounts wait for
KEYS = itertools.count()

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Anvil(folder=tmp_path / "node", persistent=False) as node:
        chains(ethereum=node)
        yield node


@pytest.fixture
def token(node, signer):
    """The test token, deployed as the operator would and allowed by the signer."""
    contract = node.deploy("TestToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    signer.allow_token(contract)
    return contract


@pytest.fixture
def house(signing_house, node, token):
    """A funded hot wallet, and Alice with ether and dollars of her own."""
    signing_house.scan("ethereum")
    alice, hot = signing_house.address(ALICE, "USDT", "ethereum"), signing_house.hot("ethereum")
    node.send(hot, 5 * ETHER)
    node.send(alice, 2 * ETHER)
    node.transact("TestToken", token, "mint", [hot, 5_000 * DOLLAR])
    node.transact("TestToken", token, "mint", [alice, 1_000 * DOLLAR])
    mine(signing_house, node, DEEP)
    return signing_house


def mine(house, node, count=1):
    node.mine(count)
    return house.scan("ethereum")


def ask(asset, address, amount):
    return withdrawals.request(
        user_id=ALICE, asset=asset, network="ethereum", address=address, amount=amount,
        idempotency_key=f"evm-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


def exact(house, token):
    """The books sum to zero and equal what the node holds at our addresses, to the wei."""
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses, report.unreachable) == ((), (), ())
    assert house.sums_to_zero()
    keys = [bytes(script) for script in Address.objects.filter(network_id=3).values_list("script", flat=True)]
    chain = nodes.chain("ethereum")
    held = {ETH: chain.holdings(keys).amount, USDT: chain.holdings(keys, contract=token).amount}
    return held == {asset: -house.total("chain_wallet", asset) for asset in held}


def stranger(node, number=5):
    return node.accounts[number]


def test_ether_and_tokens_are_credited_by_what_arrived(house, node, token):
    assert house.balance(ALICE, ETH) == 2 * ETHER
    assert house.balance(ALICE, USDT) == 1_000 * DOLLAR
    assert house.total("house_capital", ETH) == 5 * ETHER
    assert house.total("house_capital", USDT) == 5_000 * DOLLAR
    assert {view.position for view in selectors.deposits(ALICE)} == {"native", "log:0"}
    assert exact(house, token)


def test_a_deposit_is_shown_before_its_block_and_credited_at_depth(house, node):
    txid = node.send(house.address(BOB, "ETH", "ethereum"), ETHER)
    house.scan("ethereum")
    (view,) = selectors.deposits(BOB)
    assert (view.txid, view.state) == (txid, "seen")
    mine(house, node, view.confirmations_required - 1)
    assert selectors.deposits(BOB)[0].state == "confirming"
    mine(house, node)
    assert selectors.deposits(BOB)[0].state == "credited"
    assert house.balance(BOB, ETH) == ETHER


def test_a_token_nobody_registered_credits_nothing(house, node, token):
    other = node.deploy("TestToken")  # the same name, symbol and decimals
    node.transact("TestToken", other, "mint", [house.address(BOB, "USDT", "ethereum"), 1_000 * DOLLAR])
    mine(house, node, DEEP)
    assert selectors.deposits(BOB) == []
    assert house.balance(BOB, USDT) == 0


def test_a_reorganised_deposit_is_taken_back_and_credited_once_when_sent_again(house, node, token):
    bob = house.address(BOB, "ETH", "ethereum")
    required = 0
    node.send(bob, ETHER)
    house.scan("ethereum")
    required = selectors.deposits(BOB)[0].confirmations_required
    mine(house, node, required)
    assert house.balance(BOB, ETH) == ETHER
    node.reorganise(required)
    report = house.scan("ethereum")
    assert report.reversed == 1
    assert house.balance(BOB, ETH) == 0
    assert selectors.deposits(BOB)[0].state == "orphaned"
    assert exact(house, token)
    node.send(bob, ETHER)
    mine(house, node, DEEP)
    assert house.balance(BOB, ETH) == ETHER
    assert sum(deposit.credits for deposit in Deposit.objects.filter(owner_id=BOB)) == 2
    assert exact(house, token)


@pytest.mark.parametrize(("asset", "amount", "units"), [("ETH", "0.5", ETHER // 2), ("USDT", "100", 100 * DOLLAR)])
def test_a_withdrawal_reaches_its_receiver_and_the_books(house, node, token, asset, amount, units):
    outside = stranger(node)
    before = node.balance(outside) if asset == "ETH" else node.read("TestToken", token, "balanceOf", outside)
    view = ask(asset, outside, amount)
    sent = house.advance(ALICE, view.id, "broadcast")
    mine(house, node)
    assert selectors.withdrawal(ALICE, view.id).state == "confirmed"
    assert reconciliation.run(now=timezone.now()).ok
    assert holds.get(id=view.id).state == "pending"
    mine(house, node, DEEP)
    final = selectors.withdrawal(ALICE, view.id)
    assert (final.state, final.txid, final.network_fee_asset) == ("final", sent.txid, "ETH")
    after = node.balance(outside) if asset == "ETH" else node.read("TestToken", token, "balanceOf", outside)
    assert after - before == units
    receipt = node.receipt(sent.txid)
    assert final.network_fee == int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert house.total("house_network_fees", ETH) == -final.network_fee
    assert house.total("house_fees", view.asset_id) == view.fee
    assert exact(house, token)


def test_a_receipt_that_is_not_of_the_block_is_not_believed(house, node, token, monkeypatch):
    view = ask("ETH", stranger(node), "0.5")
    house.advance(ALICE, view.id, "broadcast")
    node.mine()
    with monkeypatch.context() as patched:
        patched.setattr(nodes.chain("ethereum"), "confirmation", lambda *args, **kwargs: Confirmation("mempool"))
        house.scan("ethereum")
    assert selectors.withdrawal(ALICE, view.id).state == "broadcast"
    house.scan("ethereum")
    confirmed = selectors.withdrawal(ALICE, view.id)
    assert confirmed.state == "confirmed"
    assert confirmed.network_fee > 0


def test_many_at_once_take_one_nonce_each_without_a_gap(house, node, token):
    views = [ask("ETH", stranger(node), "0.05") for _ in range(3)] + [
        ask("USDT", stranger(node), "20") for _ in range(3)
    ]

    def advance(view):
        try:
            payouts.advance(reference=str(view.id), now=timezone.now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(advance, views * 2))
    for view in views:
        house.advance(ALICE, view.id, "broadcast")
    nonces = Nonce.objects.filter(released_at=None).order_by("nonce").values_list("nonce", flat=True)
    assert list(nonces) == list(range(6))
    mine(house, node, DEEP)
    assert {view.state for view in selectors.withdrawals(ALICE)} == {"final"}
    assert exact(house, token)


@pytest.fixture
def at_most_one_ether(signer):
    """The signer's own limit for one payout, below what the house's policy lets through."""
    rest = ("--asset-id", "3", "--symbol", "ETH", "--decimals", "18", "--hour", "100", "--day", "200", "--fee", "0.05")
    signer.custody("limit", "ethereum", "--each", "1", *rest)
    yield
    signer.custody("limit", "ethereum", "--each", "30", *rest)


def test_what_the_signer_refuses_gives_its_nonce_to_the_next(house, node, token, at_most_one_ether):
    refused = ask("ETH", stranger(node), "1.5")
    house.advance(ALICE, refused.id, "review")
    assert "limit_each" in Withdrawal.objects.get(pk=refused.id).reason  # for staff, not for the customer
    good = ask("ETH", stranger(node), "0.1")
    house.advance(ALICE, good.id, "broadcast")
    assert [(each.nonce, each.released_at is None) for each in Nonce.objects.order_by("id")] == [(0, False), (0, True)]


def test_a_transaction_that_is_reorganised_away_is_sent_again_and_final_once(house, node, token):
    outside = stranger(node)
    before = node.balance(outside)
    view = ask("ETH", outside, "0.5")
    txid = house.advance(ALICE, view.id, "broadcast").txid
    mine(house, node)
    node.reorganise(1)
    mine(house, node)
    back = selectors.withdrawal(ALICE, view.id)
    assert (back.state, node.balance(outside)) == ("broadcast", before)
    payouts.advance_all(now=timezone.now())
    mine(house, node, DEEP)
    final = selectors.withdrawal(ALICE, view.id)
    assert (final.state, final.txid) == ("final", txid)
    assert node.balance(outside) - before == ETHER // 2
    assert exact(house, token)


def test_a_final_one_that_is_reorganised_away_is_sent_again_and_booked_once(house, node, token):
    """Deeper than we waited: the customer is not paid twice, the books follow the chain."""
    outside = stranger(node)
    view = ask("ETH", outside, "0.5")
    house.advance(ALICE, view.id, "broadcast")
    required = selectors.withdrawal(ALICE, view.id).confirmations_required
    mine(house, node, required)
    assert selectors.withdrawal(ALICE, view.id).state == "final"
    spent = house.balance(ALICE, ETH)
    before = node.balance(outside)
    node.reorganise(required)
    mine(house, node)
    assert node.balance(outside) == before - ETHER // 2
    assert reconciliation.run(now=timezone.now()).ok
    payouts.advance_all(now=timezone.now())
    mine(house, node, DEEP)
    assert node.balance(outside) == before
    assert (selectors.withdrawal(ALICE, view.id).state, house.balance(ALICE, ETH)) == ("final", spent)
    assert Payout.objects.get().booked_fee == Payout.objects.get().network_fee
    assert exact(house, token)


def test_one_that_reverts_gives_the_money_back_but_for_the_agreed_fee_and_counts_in_the_limits(house, node, token):
    outside = "0x000000000000000000000000000000000000bEEF"
    view = ask("ETH", outside, "0.5")
    house.advance(ALICE, view.id, "broadcast")
    node.rpc("anvil_setCode", outside, "0x60006000fd")  # from now on it refuses what it is sent
    mine(house, node, DEEP)
    failed = selectors.withdrawal(ALICE, view.id)
    assert failed.state == "failed"
    assert house.balance(ALICE, ETH) == 2 * ETHER - view.fee < 2 * ETHER
    balance = next(each for each in ledger.balances(owner_id=ALICE) if each.asset_id == ETH)
    assert (holds.get(id=view.id).state, balance.held) == ("posted", 0)
    assert house.total("house_fees", ETH) == view.fee
    assert house.total("house_network_fees", ETH) == -failed.network_fee < 0
    now = timezone.now()
    assert [each.amount for each in windows.counted().filter(owner_id=ALICE)] == [ETHER // 2]
    spent = deciding._spent(ALICE, ETH, but=uuid7(), now=now)
    assert set(spent.values()) == {ETHER // 2}
    assert exact(house, token)


def test_without_gas_a_token_withdrawal_waits(signing_house, node, token, fund):
    fund(ALICE, USDT, 1_000 * DOLLAR)
    signing_house.scan("ethereum")
    node.transact("TestToken", token, "mint", [signing_house.hot("ethereum"), 5_000 * DOLLAR])
    mine(signing_house, node, DEEP)
    view = ask("USDT", stranger(node), "100")
    payouts.advance_all(now=timezone.now())
    assert selectors.withdrawal(ALICE, view.id).waiting == "hot_wallet_gas_short"


@pytest.mark.parametrize("whose", ["hot", "deposit"])
def test_ether_moved_by_another_hand_stops_withdrawals_with_its_block(house, node, token, whose):
    assert exact(house, token)
    ours = house.hot("ethereum") if whose == "hot" else house.address(ALICE, "ETH", "ethereum")
    node.rpc("anvil_impersonateAccount", ours)
    txid = node.send(stranger(node), ETHER, sender=ours)
    mine(house, node)
    assert txid in ledger.stops.active()[0].reason
    shortages = reconciliation.run(now=timezone.now()).mismatches
    assert len(shortages) == 1
    assert shortages[0].expected - shortages[0].found > ETHER  # and the gas


def test_a_token_moved_by_another_hand_is_missed_to_the_cent_though_another_address_has_more(house, node, token):
    alice = house.address(ALICE, "ETH", "ethereum")
    node.rpc("anvil_impersonateAccount", alice)
    node.transact("TestToken", token, "transfer", [stranger(node), 7 * DOLLAR], sender=alice)
    mine(house, node)
    shortages = reconciliation.run(now=timezone.now()).mismatches
    assert 7 * DOLLAR in {m.expected - m.found for m in shortages if m.asset_id == USDT}


def test_a_balance_that_shrinks_without_a_transaction_is_noticed_and_a_gift_is_not(house, node, token):
    hot, alice = house.hot("ethereum"), house.address(ALICE, "ETH", "ethereum")
    node.rpc("anvil_setBalance", alice, hex(2 * ETHER + 5))  # as a self-destruct would give
    assert reconciliation.run(now=timezone.now()).ok
    node.rpc("anvil_setBalance", hot, hex(5 * ETHER - 3))
    shortages = reconciliation.run(now=timezone.now()).mismatches
    assert [(m.asset_id, m.expected - m.found) for m in shortages] == [(ETH, 3)]
    assert ledger.stops.is_stopped("withdrawals")


def test_a_rescan_counts_nothing_twice(house, node, token):
    scanning.rescan(network="ethereum", from_height=1, now=timezone.now())
    house.scan("ethereum")
    assert house.balance(ALICE, ETH) == 2 * ETHER
    assert exact(house, token)
