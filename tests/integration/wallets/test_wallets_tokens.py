"""What counts as money on a chain that anybody writes to: digits, fees that tokens keep, fakes, and what only seemed paid."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from exchange.assets import selectors as assets
from exchange.assets.models import AssetNetwork
from exchange.assets.services import networks
from exchange.ledger import reconciliation
from wallets import nodes, routes, selectors
from wallets.chains.protocol import BlockRef, Credit, NodeRefused
from wallets.models import Address, Deposit, Movement
from wallets.services import arriving, matching

ALICE, BOB = 101, 102
ETH, USDT = 3, 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 20

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


def mine(house, node, network, count=DEEP):
    node.mine(count)
    return house.scan(network)


def test_more_digits_than_the_chain_has_cannot_be_withdrawn():
    link = AssetNetwork.objects.get(asset_id=ETH, network_id=3)
    link.decimals = 8
    link.save()
    view = assets.asset_network(asset="ETH", network="ethereum")
    assert (view.decimals, view.chain_decimals) == (18, 8)
    assert view.from_chain(3) == 3 * 10**10
    assert view.to_chain(3 * 10**10) == 3
    with pytest.raises(assets.AmountPrecision):
        view.to_chain(3 * 10**10 + 1)


def test_what_is_smaller_than_a_base_unit_is_nothing_and_unlisted_contracts_are_dropped(house, ethereum):
    contract = ethereum.deploy("PlainToken", "Deep", "USDT", 36)
    AssetNetwork.objects.filter(asset_id=USDT, network_id=3).update(decimals=36)
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    listed = routes.of("ethereum")
    credits = [
        Credit("0x1", "log:0", b"k" * 20, 10**30 - 1, contract),
        Credit("0x2", "log:0", b"k" * 20, 5 * 10**30 + 3, contract),
        Credit("0x3", "log:0", b"k" * 20, 5, "0x" + "11" * 20),
    ]
    assert [
        (each.txid, each.amount) for each in arriving.known(chain=None, routes=listed, ref=None, credits=credits)
    ] == [("0x2", 5)]


def test_a_token_that_keeps_a_fee_is_counted_by_what_the_balance_gained(house, ethereum):
    token = ethereum.deploy("FeeToken", 6)
    networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
    AssetNetwork.objects.filter(asset_id=USDT, network_id=3).update(fee_on_transfer=True)
    alice = house.address(ALICE, "USDT", "ethereum")
    house.scan("ethereum")
    ethereum.transact("FeeToken", token, "mint", [ethereum.outside, 1_000 * DOLLAR])
    ethereum.mine()
    for _ in range(2):  # two in one block: what the balance gained is dealt out among them
        ethereum.transact("FeeToken", token, "transfer", [alice, 100 * DOLLAR])
    mine(house, ethereum, "ethereum")
    assert sorted(Deposit.objects.values_list("amount", flat=True)) == [80 * DOLLAR, 100 * DOLLAR]
    assert house.balance(ALICE, USDT) == 180 * DOLLAR
    assert reconciliation.run(now=timezone.now()).mismatches == ()


def test_what_fails_in_its_block_is_shown_no_longer_and_a_number_beyond_all_numbers_never(house, ethereum):
    token = ethereum.deploy("TestToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
    AssetNetwork.objects.filter(asset_id=USDT, network_id=3).update(decimals=2)
    alice = house.address(ALICE, "USDT", "ethereum")
    house.scan("ethereum")
    ethereum.transact("TestToken", token, "transfer", [alice, 10**15])  # nothing is there: it will revert
    ethereum.transact("TestToken", token, "transfer", [alice, 2**256 - 1])
    ethereum.send(alice, 2 * ETHER)
    house.scan("ethereum")
    shown = {(view.amount, view.state) for view in selectors.deposits(ALICE)}
    assert shown == {(10**19, "seen"), (2 * ETHER, "seen")}
    mine(house, ethereum, "ethereum")
    states = {(view.amount, view.state) for view in selectors.deposits(ALICE)}
    assert states == {(10**19, "dropped"), (2 * ETHER, "credited")}


def test_a_log_shown_before_its_place_was_known_is_one_deposit_with_the_one_that_was_mined(house, ethereum):
    token = ethereum.deploy("TestToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
    row = Address.objects.get(address=house.address(ALICE, "USDT", "ethereum"))
    link, now = routes.of("ethereum").by_contract(token), timezone.now()
    first, second = (Credit("0x" + "1f" * 32, f"log:{place}", bytes(row.script), 7, token) for place in (0, 2))
    ref = BlockRef(height=5, hash="0x5", parent="0x4", time=0)
    with transaction.atomic():
        seen = matching.arrive(first, row, link, ref=None, required=1, now=now)
        mined = matching.arrive(second, row, link, ref=ref, required=1, now=now)
        assert (mined.id, mined.position, mined.state) == (seen.id, "log:2", "confirming")
        # A second one in the same transaction is another deposit, and the same block again changes nothing.
        third = Credit(first.txid, "log:4", bytes(row.script), 7, token)
        assert matching.arrive(third, row, link, ref=ref, required=1, now=now).id != seen.id
        assert matching.arrive(second, row, link, ref=ref, required=1, now=now) is None
    assert Deposit.objects.count() == 2


@pytest.mark.parametrize(("sources", "amounts"), [(1, [80, 100]), (2, [90, 90])])
def test_a_fee_is_measured_without_an_archive_by_another_source_or_by_what_is_there(
    house, ethereum, settings, monkeypatch, sources, amounts
):
    if sources == 2:
        row = {**settings.CHAINS["ethereum"], "second_url": ethereum.url}
        settings.CHAINS = {**settings.CHAINS, "ethereum": row}
    token = ethereum.deploy("FeeToken", 6)
    networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
    AssetNetwork.objects.filter(asset_id=USDT, network_id=3).update(fee_on_transfer=True)
    alice = house.address(ALICE, "USDT", "ethereum")
    house.scan("ethereum")
    ethereum.transact("FeeToken", token, "mint", [ethereum.outside, 1_000 * DOLLAR])
    for _ in range(2):
        ethereum.transact("FeeToken", token, "transfer", [alice, 100 * DOLLAR])
        old = ethereum.height() + 1
        ethereum.mine()
    ethereum.mine(arriving.STATES_KEPT + 1)
    rpc = nodes.first("ethereum")._rpc
    real = rpc.call

    def call(method, *params):
        where = params[-1] if method == "eth_call" else ""
        if isinstance(where, dict) and int(real("eth_getBlockByHash", where["blockHash"], False)["number"], 16) <= old:
            raise NodeRefused("missing trie node 5fe1 (path )", node_code=-32000)
        return real(method, *params)

    monkeypatch.setattr(rpc, "call", call)
    assert not house.scan("ethereum").error
    mine(house, ethereum, "ethereum")
    assert sorted(Deposit.objects.values_list("amount", flat=True)) == [part * DOLLAR for part in amounts]
    ethereum.transact("FeeToken", token, "transfer", [alice, 100 * DOLLAR])
    mine(house, ethereum, "ethereum")
    assert house.balance(ALICE, USDT) == 270 * DOLLAR
    assert reconciliation.run(now=timezone.now()).mismatches == ()


def test_inner_payments_are_credited_poisoning_fakes_and_self_destructs_are_not(house, ethereum):
    token, fake = ethereum.deploy("TestToken"), ethereum.deploy("FakeTether")
    forwarder, testament = ethereum.deploy("Forwarder"), ethereum.deploy("Testament")
    networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
    alice = house.address(ALICE, "USDT", "ethereum")
    house.scan("ethereum")
    ethereum.transact("Forwarder", forwarder, "split", [alice, alice], value=2 * ETHER)
    ethereum.transact("Forwarder", forwarder, "payAndRevertInside", [alice], value=ETHER)
    ethereum.transact("FakeTether", fake, "pretend", [ethereum.outside, alice, 10**12])
    ethereum.transact("FakeTether", fake, "pretendAndFail", [ethereum.outside, alice, 10**12])
    ethereum.transact("TestToken", token, "transfer", [alice, 0])
    ethereum.transact("TestToken", token, "transfer", [alice, 5])  # reverts: nothing is there
    ethereum.rpc("anvil_setBalance", testament, hex(ETHER))
    ethereum.transact("Testament", testament, "end", [alice])
    mine(house, ethereum, "ethereum")
    assert {(each.position, each.amount) for each in Deposit.objects.all()} == {("call:0", ETHER), ("call:1", ETHER)}
    assert (house.balance(ALICE, ETH), house.balance(ALICE, USDT)) == (2 * ETHER, 0)
    assert Movement.objects.count() == 2
    assert ethereum.balance(alice) == 3 * ETHER  # what was left to her is a surplus that nobody is owed
    assert reconciliation.run(now=timezone.now()).mismatches == ()
    ethereum.reorganise(DEEP)
    mine(house, ethereum, "ethereum")
    assert house.balance(ALICE, ETH) == 0
