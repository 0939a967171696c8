"""Deposits brought to the hot wallet on a real anvil, by the real signer: gas first, then the token; coin to the last wei."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from config.regtest import Anvil
from exchange.assets.models import AssetNetwork
from exchange.assets.services import networks
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.services import stops
from wallets import nodes
from wallets.models import Address, Deposit, Movement, Nonce, Payout, Sweep
from wallets.services import gas, nonces, payouts, scanning, sweeping

ALICE, BOB = 101, 102
ETH, USDT = 3, 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 13  # what is deposited here is small: twelve blocks
SECONDS = 60
ROUNDS = 12

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Anvil(folder=tmp_path / "node", persistent=False) as node:
        chains(ethereum=node)
        yield node


@pytest.fixture
def token(node, signer):
    contract = node.deploy("TestToken")
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    signer.allow_token(contract)
    return contract


@pytest.fixture
def house(signing_house, node, token):
    """A hot wallet with ether for gas, and nothing deposited yet."""
    signing_house.scan("ethereum")
    node.send(signing_house.hot("ethereum"), 5 * ETHER)
    node.mine(DEEP)
    signing_house.scan("ethereum")
    return signing_house


def address(user_id):
    return Address.objects.get(owner_id=user_id, network_id=3)


def give(house, node, token, user_id, *, dollars=0, ether=0, blocks=DEEP):
    """A deposit of a customer's, as deep as `blocks`."""
    to = house.address(user_id, "USDT", "ethereum")
    if dollars:
        node.transact("TestToken", token, "mint", [to, dollars * DOLLAR])
    if ether:
        node.send(to, ether)
    node.mine(blocks)
    house.scan("ethereum")


def until(condition, *steps):
    """Runs the workers' jobs until the condition holds; the signer answers in its own time."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        for step in steps:
            step()
        payouts.advance_all(now=timezone.now())
        assert time.monotonic() < deadline, list(Sweep.objects.values()) + list(Payout.objects.values())
        time.sleep(0.05)


def sweep():
    return sweeping.sweep_due(now=timezone.now())


def sent(payout_id):
    """The machine has brought it to the network."""
    until(lambda: Payout.objects.get(pk=payout_id).state == "broadcast")


def finish(house, node):
    """Sweeps until nothing is under way, and the books are closed over it."""
    sweep()
    for _ in range(ROUNDS):
        if not Sweep.objects.filter(closed_at=None).exists():
            return
        payouts.advance_all(now=timezone.now())
        until(lambda: not Payout.objects.filter(state__in=("reserved", "signing", "signed")).exists())
        node.mine(DEEP)
        house.scan("ethereum")
        sweep()
    raise AssertionError(list(Sweep.objects.values()) + list(Payout.objects.values()))


def agree(house, token):
    """Index and node agree to the wei at every address alone; index and books, with what is known to be under way."""
    report = reconciliation.run(now=timezone.now())
    assert (report.mismatches, report.surpluses, report.unreachable) == ((), (), ())
    assert house.sums_to_zero()
    chain = nodes.chain("ethereum")
    for row in Address.objects.filter(network_id=3):
        for asset_id, contract in ((ETH, ""), (USDT, token)):
            moved = sum(Movement.objects.filter(address=row, asset_id=asset_id).values_list("delta", flat=True))
            assert chain.holdings([bytes(row.script)], contract=contract).amount == moved
    return True


def exact(house, token):
    """Nothing is under way, and the books are what the node holds at all our addresses, to the wei."""
    assert agree(house, token)
    chain = nodes.chain("ethereum")
    keys = [bytes(script) for script in Address.objects.filter(network_id=3).values_list("script", flat=True)]
    held = {ETH: chain.holdings(keys).amount, USDT: chain.holdings(keys, contract=token).amount}
    return held == {asset: -house.total("chain_wallet", asset) for asset in held}


def test_a_token_gets_its_gas_waits_until_that_is_final_and_comes_home(house, node, token):
    give(house, node, token, ALICE, dollars=1_000)
    assert sweep().planned == 1
    (row,) = Sweep.objects.all()
    assert (row.gas.kind, row.gas.destination, row.payout) == ("gas", address(ALICE).address, None)
    sent(row.gas_id)
    assert exact(house, token)
    node.mine()
    house.scan("ethereum")
    # Mined, but not final: neither the sweep nor more gas.
    for _ in range(3):
        assert sweep().moved == 0
    assert Payout.objects.count() == 1
    assert agree(house, token)
    node.mine(DEEP)
    house.scan("ethereum")
    assert exact(house, token)
    assert sweep().moved == 1
    row.refresh_from_db()
    assert (row.payout.kind, row.payout.parent_id, row.payout.amount) == ("sweep", row.gas_id, 1_000 * DOLLAR)
    sent(row.payout_id)
    node.mine()
    house.scan("ethereum")
    assert agree(house, token)
    node.mine(DEEP)
    house.scan("ethereum")
    sweep()
    row.refresh_from_db()
    assert (row.outcome, Payout.objects.count()) == ("done", 2)
    assert node.read("TestToken", token, "balanceOf", address(ALICE).address) == 0
    assert node.read("TestToken", token, "balanceOf", house.hot("ethereum")) == 1_000 * DOLLAR
    assert house.balance(ALICE, USDT) == 1_000 * DOLLAR  # it is hers, wherever it lies
    assert Deposit.objects.filter(owner_id=ALICE).count() == 1  # gas is no deposit of hers
    assert house.balance(ALICE, ETH) == 0
    fees = sum(Payout.objects.values_list("network_fee", flat=True))
    assert house.total("house_network_fees", ETH) == -fees
    assert exact(house, token)


def test_what_is_left_of_the_gas_serves_the_next_sweep(house, node, token):
    give(house, node, token, ALICE, dollars=1_000)
    finish(house, node)
    left = node.balance(address(ALICE).address)
    assert left > 0
    # What was sent had a margin, so that the next one is paid for when prices have fallen since.
    node.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**6))
    node.mine()
    give(house, node, token, ALICE, dollars=500)
    finish(house, node)
    assert Payout.objects.filter(kind="gas").count() == 1
    assert Payout.objects.filter(kind="sweep").count() == 2
    assert node.balance(address(ALICE).address) < left
    assert exact(house, token)


def test_the_own_coin_is_swept_to_the_last_wei(house, node, token):
    give(house, node, token, ALICE, ether=2 * ETHER)
    before = node.balance(house.hot("ethereum"))
    finish(house, node)
    (payout,) = Payout.objects.all()
    assert node.balance(address(ALICE).address) == 0
    assert node.balance(house.hot("ethereum")) == before + payout.amount
    assert payout.amount + payout.network_fee == 2 * ETHER
    assert house.balance(ALICE, ETH) == 2 * ETHER
    assert exact(house, token)


def test_what_is_not_worth_it_or_not_credited_yet_stays(house, node, token):
    give(house, node, token, ALICE, dollars=49, ether=ETHER // 100)
    give(house, node, token, BOB, dollars=5_000, ether=ETHER, blocks=3)
    assert house.balance(BOB, USDT) == 0
    assert sweep().planned == 0
    node.mine(DEEP)
    house.scan("ethereum")
    assert sweep().planned > 0
    assert not Sweep.objects.filter(address=address(ALICE)).exists()


def test_nothing_is_swept_where_the_asset_has_no_minimum_or_keeps_a_fee(house, node, token):
    give(house, node, token, ALICE, dollars=1_000)
    link = AssetNetwork.objects.filter(asset_id=USDT, network_id=3)
    link.update(sweep_minimum=None)
    assert sweep().planned == 0
    link.update(sweep_minimum=DOLLAR, fee_on_transfer=True)
    assert sweep().planned == 0
    link.update(fee_on_transfer=False)
    assert sweep().planned == 1


@pytest.mark.parametrize(
    ("where", "name", "deposit", "kind"),
    [
        (sweeping, "_movable", {"dollars": 1_000}, "gas"),  # while we plan
        (gas, "of_token", {"dollars": 1_000}, "gas"),  # while we reckon what a token needs
        (gas, "needed", {"ether": 2 * ETHER}, "sweep"),  # while we reckon what the coin's own sweep costs
    ],
)
def test_two_workers_at_once_plan_and_pay_once(house, node, token, monkeypatch, where, name, deposit, kind):
    give(house, node, token, ALICE, **deposit)
    honest = getattr(where, name)
    others = []

    def while_another_works(*args, **kwargs):
        monkeypatch.setattr(where, name, honest)
        others.append(sweep())  # the other worker, between our look and our step
        return honest(*args, **kwargs)

    monkeypatch.setattr(where, name, while_another_works)
    sweep()
    assert [report.moved for report in others] == [1]
    assert Sweep.objects.count() == 1
    assert [payout.kind for payout in Payout.objects.all()] == [kind]


def test_the_coin_of_an_address_pays_for_its_tokens_before_it_is_swept(house, node, token):
    give(house, node, token, ALICE, dollars=1_000, ether=2 * ETHER)
    finish(house, node)
    assert not Payout.objects.filter(kind="gas").exists()
    finish(house, node)
    assert {payout.asset_id for payout in Payout.objects.all()} == {ETH, USDT}
    token_sweep, coin_sweep = Payout.objects.order_by("id")
    assert (token_sweep.asset_id, coin_sweep.asset_id) == (USDT, ETH)
    assert node.balance(address(ALICE).address) == 0
    assert exact(house, token)


def test_a_reorganised_gas_payment_is_sent_again_and_never_twice(house, node, token):
    give(house, node, token, ALICE, dollars=1_000)
    sweep()
    brought = Sweep.objects.get().gas
    sent(brought.pk)
    node.mine(3)
    house.scan("ethereum")
    node.reorganise(3)
    node.mine()
    house.scan("ethereum")
    assert node.balance(address(ALICE).address) == 0
    sweep()
    assert Payout.objects.filter(kind="gas").count() == 1
    finish(house, node)
    assert Payout.objects.filter(kind="gas").count() == 1
    assert Sweep.objects.get().outcome == "done"
    assert exact(house, token)


def test_a_sweep_that_reverts_costs_its_fee_and_is_left_alone_for_a_while(house, node, token):
    give(house, node, token, ALICE, dollars=1_000, ether=ETHER // 50)
    sweep()
    sent(Sweep.objects.get().payout_id)
    code = node.rpc("eth_getCode", token, "latest")
    node.rpc("anvil_setCode", token, "0x60006000fd")
    node.mine()
    node.rpc("anvil_setCode", token, code)
    node.mine(DEEP)
    house.scan("ethereum")
    sweep()
    assert Sweep.objects.get().outcome == "failed"
    assert exact(house, token)
    assert sweep().planned == 0
    later = timezone.now() + 2 * sweeping.PAUSE
    assert sweeping.sweep_due(now=later).planned == 1


def test_what_the_signer_refuses_gives_its_nonce_back_and_is_not_tried_in_a_circle(house, node):
    unknown = node.deploy("TestToken")  # the signer has no limits for it
    networks.set_contract(asset="USDT", network="ethereum", contract=unknown, replace=True, now=timezone.now())
    give(house, node, unknown, ALICE, dollars=1_000, ether=ETHER // 50)
    sweep()
    row = Sweep.objects.get()
    until(lambda: Payout.objects.get(pk=row.payout_id).state == "released")
    sweep()
    row.refresh_from_db()
    assert row.outcome == "refused"
    assert not Nonce.objects.filter(released_at=None).exists()
    assert sweep().planned == 0


def test_a_stop_of_withdrawals_stops_sweeps(house, node, token):
    give(house, node, token, ALICE, dollars=1_000)
    stops.stop(scope="withdrawals", reason="a look at the books", now=timezone.now())
    assert sweep().planned == 0
    assert ledger.stops.is_stopped("withdrawals")


def test_a_gap_below_a_signed_nonce_is_filled(house, node, token):
    """As after a restore in which a promise was lost: what stands above would hang for ever."""
    hot = Address.objects.get(network_id=3, purpose="hot")
    give(house, node, token, ALICE, dollars=1_000)
    give(house, node, token, BOB, dollars=1_000)
    sweep()
    first, second = Sweep.objects.order_by("id")
    until(lambda: Payout.objects.get(pk=first.gas_id).state == "broadcast")
    until(lambda: Sweep.objects.get(pk=second.pk).gas_id is not None, sweep)
    sent(Sweep.objects.get(pk=second.pk).gas_id)
    # The first one's transaction leaves the node and our hands.
    Payout.objects.filter(pk=first.gas_id).update(state="released", closed_at=timezone.now())
    Nonce.objects.filter(payout_id=first.gas_id).update(released_at=timezone.now())
    node.rpc("anvil_dropTransaction", first.gas.versions.get().txid)
    assert nonces.look(now=timezone.now()) == nonces.NonceReport(filled=1)
    filler = Payout.objects.get(address=hot, destination=hot.address)
    assert Nonce.objects.get(payout=filler, released_at=None).nonce == 0
    assert nonces.look(now=timezone.now()) == nonces.NonceReport()
    sent(filler.pk)
    node.mine(DEEP)
    house.scan("ethereum")
    assert Payout.objects.get(pk=Sweep.objects.get(pk=second.pk).gas_id).state == "final"
    assert exact(house, token)


def test_a_nonce_that_another_hand_used_stops_withdrawals_before_the_scanner_is_there(house, node, token):
    give(house, node, token, ALICE, dollars=1_000)
    sweep()
    brought = Sweep.objects.get().gas
    sent(brought.pk)
    node.rpc("anvil_dropTransaction", brought.versions.get().txid)
    hot = house.hot("ethereum")
    node.rpc("anvil_impersonateAccount", hot)
    node.send(node.accounts[3], ETHER, sender=hot)
    node.mine()
    assert nonces.look(now=timezone.now()).taken == 1
    assert (
        "was not signed by us" in ledger.stops.active()[0].reason or "did not sign" in ledger.stops.active()[0].reason
    )


def test_a_rescan_of_sweeps_counts_nothing_twice(house, node, token):
    give(house, node, token, ALICE, dollars=1_000, ether=ETHER)
    finish(house, node)
    finish(house, node)
    scanning.rescan(network="ethereum", from_height=node.height() - 40, now=timezone.now())
    house.scan("ethereum")
    assert exact(house, token)
    assert Deposit.objects.filter(owner_id=ALICE).count() == 2
