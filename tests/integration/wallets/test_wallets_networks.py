"""Networks by configuration on two real chains: one key for one customer on both, one asset over both, nothing mixed up."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.regtest import Anvil
from exchange.assets import selectors as assets
from exchange.ledger import reconciliation
from tests.integration.wallets.conftest import public_keys
from wallets import routes, selectors
from wallets.models import Address, Deposit, Payout, PayoutVersion, Sweep, Xpub
from wallets.services import addresses, payouts, sweeping, withdrawals, xpubs
from wallets.services.addresses import NetworkDisabled

ALICE, BOB = 101, 102
ETH, USDT = 3, 4
BSC = 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 20

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bsc(ethereum, settings, tmp_path):
    """A second chain, configured and nothing more."""
    with Anvil(folder=tmp_path / "bsc", persistent=False, chain_id=56) as node:
        settings.CHAINS = {**settings.CHAINS, "bsc": {**settings.CHAINS["bsc"], "url": node.url}}
        yield node


def manage(*words):
    out = StringIO()
    call_command("assets", *words, stdout=out)
    return out.getvalue()


def join(keys, seed):
    """What an operator does when its node is configured: offer the network, register its keys, offer its tokens."""
    manage("add_network", "bsc")
    accounts = [{**account, "network": "bsc"} for account in keys["accounts"] if account["network"] == "ethereum"]
    document = {**public_keys(seed), "accounts": [*keys["accounts"], *accounts], "chains": {"bsc": 56}}
    return xpubs.import_file(document=document, now=timezone.now())


def offer_tether(network, contract):
    manage("set_contract", "USDT", network, contract)
    manage("on", "USDT", network)


def mine(house, node, network, count=DEEP):
    node.mine(count)
    return house.scan(network)


def test_a_network_without_a_node_is_shown_to_nobody_and_not_scanned(house, ethereum):
    assert "bsc" not in routes.configured()
    assert {link.network for link in assets.asset_networks()} == {"bitcoin", "litecoin", "ethereum"}
    assert {view.network for view in selectors.networks()} == {"bitcoin", "litecoin", "ethereum"}
    assert "BNB" not in {asset.code for asset in assets.assets()}
    with pytest.raises(NetworkDisabled):
        house.address(ALICE, "USDT", "bsc")
    with pytest.raises(CommandError, match="has no node"):
        manage("add_network", "bsc")
    with pytest.raises(CommandError, match="has no node"):
        manage("on", "USDT", "bsc")


def test_a_network_whose_node_was_taken_away_is_hidden_again(house, bsc, keys, seed, settings):
    join(keys, seed)
    assert "bsc" in {link.network for link in assets.asset_networks()}
    settings.CHAINS = {**settings.CHAINS, "bsc": {**settings.CHAINS["bsc"], "url": ""}}
    assert "bsc" not in {link.network for link in assets.asset_networks()}
    assert not assets.asset_network(asset="BNB", network="bsc").enabled


def test_one_key_is_one_customers_on_every_network_those_that_join_later_included(house, ethereum, bsc, keys, seed):
    first = house.address(ALICE, "ETH", "ethereum")
    house.address(BOB, "ETH", "ethereum")
    join(keys, seed)
    house.address(103, "BNB", "bsc")
    house.address(104, "ETH", "ethereum")
    assert house.address(ALICE, "BNB", "bsc") == first
    owners = {}
    for row in Address.objects.filter(network_id__in=(3, BSC), purpose="deposit"):
        owners.setdefault(row.address, set()).add(row.owner_id)
    assert all(len(each) == 1 for each in owners.values())
    assert sorted(owner for (owner,) in owners.values()) == [ALICE, BOB, 103, 104]
    assert Address.objects.filter(network_id=BSC, purpose="deposit").count() == 4
    assert (
        len(set(Xpub.objects.filter(purpose="deposit", network_id__in=(3, BSC)).values_list("next_index", flat=True)))
        == 1
    )


def test_a_customer_with_an_older_key_is_watched_at_both(house, ethereum, bsc, keys, other_keys, seed):
    """His ether address is of an account that was retired before the second network came."""
    old = house.address(ALICE, "ETH", "ethereum")
    later = timezone.now()
    xpubs.import_file(document=other_keys, now=later)
    manage("add_network", "bsc")
    accounts = [{**each, "network": "bsc"} for each in other_keys["accounts"] if each["network"] == "ethereum"]
    xpubs.import_file(document={**other_keys, "accounts": accounts, "chains": {"bsc": 56}}, now=later)
    new = house.address(ALICE, "BNB", "bsc")
    assert new != old
    assert house.address(ALICE, "ETH", "ethereum") == old
    assert {row.owner_id for row in Address.objects.filter(address=new)} == {ALICE}
    assert Address.objects.filter(address=new).count() == 2


def test_tether_over_two_networks_is_one_asset_and_each_network_counts_its_own_contract(
    house, ethereum, bsc, keys, seed
):
    join(keys, seed)
    on_ethereum = ethereum.deploy("TestToken")
    offer_tether("ethereum", on_ethereum)
    bsc.deploy("FakeTether")  # at the very address that the right one has on the other chain
    on_bsc = bsc.deploy("PlainToken", "Tether USD", "USDT", 18)
    offer_tether("bsc", on_bsc)
    assert {
        (link.network, link.standard, link.chain_decimals, link.decimals)
        for link in assets.asset_networks(asset="USDT")
    } == {
        ("ethereum", "ERC20", 6, 6),
        ("bsc", "BEP20", 18, 6),
    }
    alice = house.address(ALICE, "USDT", "ethereum")
    house.scan("ethereum")
    house.scan("bsc")
    ethereum.transact("TestToken", on_ethereum, "mint", [alice, 100 * DOLLAR])
    bsc.transact(
        "PlainToken", on_bsc, "mint", [alice, 50 * 10**18 + 10**12 + 7]
    )  # and 7 that are less than a base unit
    bsc.transact("FakeTether", on_ethereum, "mint", [alice, 1_000 * DOLLAR])
    mine(house, ethereum, "ethereum")
    mine(house, bsc, "bsc")
    found = {(each.network_id, each.amount) for each in Deposit.objects.filter(owner_id=ALICE)}
    assert found == {(3, 100 * DOLLAR), (BSC, 50 * DOLLAR + 1)}
    assert house.balance(ALICE, USDT) == 150 * DOLLAR + 1
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses) == ((), ())
    assert house.sums_to_zero()


def test_the_own_coin_of_one_network_is_not_the_others(house, ethereum, bsc, keys, seed):
    join(keys, seed)
    alice = house.address(ALICE, "ETH", "ethereum")
    house.scan("bsc")
    bsc.send(alice, 3 * ETHER)
    mine(house, bsc, "bsc", 70)
    assert house.balance(ALICE, ETH) == 0
    bnb = assets.asset("BNB").id
    assert house.balance(ALICE, bnb) == 3 * ETHER


def test_a_contract_of_other_digits_is_refused(house, ethereum, bsc, keys, seed):
    join(keys, seed)
    wrong = bsc.deploy("PlainToken", "Tether USD", "USDT", 6)
    with pytest.raises(CommandError, match="6 digits"):
        manage("set_contract", "USDT", "bsc", wrong)
    assert not assets.asset_network(asset="USDT", network="bsc").contract


def test_a_network_nobody_foresaw_is_configuration_and_a_command(house, ethereum, settings):
    row = {**settings.CHAINS["ethereum"], "id": 12, "chain_id": 31337}
    settings.CHAINS = {**settings.CHAINS, "base": row}
    manage(
        "add_network", "base", "--name", "Base", "--coin", "ETH", "--standard", "ERC20 (Base)",
        "--confirmations", "30", "--min-deposit", "0.001", "--min-withdrawal", "0.01", "--fee", "0.0001",
        "--sweep-minimum", "0.05",
    )  # fmt: skip
    link = assets.asset_network(asset="ETH", network="base")
    assert (link.enabled, link.is_own_coin, link.confirmations_for(1), link.min_deposit) == (True, True, 30, 10**15)
    token = ethereum.deploy("PlainToken", "Tether USD", "USDT", 8)
    manage("add_token", "USDT", "base", token, "--decimals", "8", "--confirmations", "30", "--min-withdrawal", "5")
    view = assets.asset_network(asset="USDT", network="base")
    assert (view.standard, view.chain_decimals, view.decimals) == ("ERC20 (Base)", 8, 6)
    assert "Base" in manage("add_network", "base")  # again: nothing changes
    with pytest.raises(CommandError, match="already"):
        manage("add_token", "USDT", "base", token, "--decimals", "8", "--confirmations", "30", "--min-withdrawal", "5")


def test_a_withdrawal_names_its_network_and_checks_its_digits(house, ethereum, bsc, keys, seed, fund, prices):
    join(keys, seed)
    offer_tether("bsc", bsc.deploy("PlainToken", "Tether USD", "USDT", 18))
    fund(ALICE, USDT, 100 * DOLLAR)

    def ask(network):
        return withdrawals.request(
            user_id=ALICE, asset="USDT", network=network, address=bsc.accounts[4], amount="20",
            idempotency_key=network, now=timezone.now(),
        )  # fmt: skip

    assert ask("bsc").network == "bsc"
    with pytest.raises(NetworkDisabled):
        ask("ethereum")  # its contract is not known
    with pytest.raises(assets.NetworkNotFound):
        ask("fantom")
    with pytest.raises(assets.NetworkNotFound):
        addresses.deposit_address(user_id=ALICE, asset="USDT", network="litecoin", now=timezone.now())


def test_a_token_of_18_digits_comes_in_is_swept_and_goes_out_by_the_real_signer(
    signing_house, signer, settings, tmp_path
):
    """All of it on another chain than Ethereum: its own keys' rows, its own coin for gas, one gas price, other digits."""
    limits = ("--each", "5000", "--hour", "50000", "--day", "50000", "--fee", "0.05")
    with Anvil(folder=tmp_path / "bsc", persistent=False, chain_id=56) as node:
        settings.CHAINS = {**settings.CHAINS, "bsc": {**settings.CHAINS["bsc"], "url": node.url}}
        manage("add_network", "bsc")
        xpubs.import_file(document=signer.public_keys(), now=timezone.now())
        token = node.deploy("NoReturnToken", 18)
        offer_tether("bsc", token)
        digits = ("--decimals", "18", "--asset-decimals", "6")
        signer.custody("limit", f"bsc:{token}", "--asset-id", "4", "--symbol", "USDT", *digits, *limits)
        alice = signing_house.address(ALICE, "USDT", "bsc")
        signing_house.scan("bsc")
        node.send(signing_house.hot("bsc"), 5 * ETHER)
        node.transact("NoReturnToken", token, "mint", [alice, 100 * 10**18 + 999])
        mine(signing_house, node, "bsc")
        assert signing_house.balance(ALICE, USDT) == 100 * DOLLAR
        settle(signing_house, node)
        assert Sweep.objects.get().outcome == "done"
        assert node.read("NoReturnToken", token, "balanceOf", signing_house.hot("bsc")) == 100 * 10**18
        view = withdrawals.request(
            user_id=ALICE, asset="USDT", network="bsc", address=node.accounts[4], amount="20.5",
            idempotency_key="out", now=timezone.now(),
        )  # fmt: skip
        signing_house.advance(ALICE, view.id, "broadcast")
        mine(signing_house, node, "bsc")
        assert selectors.withdrawal(ALICE, view.id).state == "final"
        assert node.read("NoReturnToken", token, "balanceOf", node.accounts[4]) == 205 * 10**17
        assert all(version.unsigned["legacy"] for version in PayoutVersion.objects.all())
        assert {payout.kind for payout in Payout.objects.all()} == {"gas", "sweep", "payout"}
        report = reconciliation.run(now=timezone.now())
        assert (report.mismatches, report.surpluses) == ((), ())
        assert signing_house.sums_to_zero()


def settle(house, node):
    """Sweeps until nothing is under way."""
    deadline = time.monotonic() + 120
    sweeping.sweep_due(now=timezone.now())
    while Sweep.objects.filter(closed_at=None).exists():
        assert time.monotonic() < deadline, list(Sweep.objects.values()) + list(Payout.objects.values())
        payouts.advance_all(now=timezone.now())
        if Payout.objects.filter(state__in=("reserved", "signing", "signed")).exists():
            time.sleep(0.05)
            continue
        mine(house, node, "bsc")
        sweeping.sweep_due(now=timezone.now())
