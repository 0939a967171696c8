"""The scanner on chains that no real node makes on request: order and bounds of fetching, ids twice, late addresses."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.regtest import Anvil
from exchange.assets.models import AssetNetwork, ConfirmationTier, Network
from exchange.ledger.selectors import stops
from tests.simulation.paper_chain import PaperChain, Payment
from wallets import nodes, selectors
from wallets.chains.protocol import NodeUnavailable
from wallets.models import Address, Coin, Cursor, Deposit, Xpub
from wallets.services import addresses, fetching, matching, reserving_utxo, scanning, watching, xpubs

ALICE, BOB, BTC, COIN = 101, 102, 1, 10**8
DEADLINE_S = 60

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Paper(PaperChain):
    """A chain in memory whose `final` height is its network's word."""

    final: int | None = None
    asked: list[int] = field(default_factory=list)

    def finalized(self) -> int | None:
        return self.final

    def again(self, payment: Payment) -> None:
        """Mines what stands in a block already once more."""
        self.waiting[payment.txid] = payment
        self.mine()


@pytest.fixture
def chain(monkeypatch, settings, keys):
    settings.CHAINS = {**settings.CHAINS, "bitcoin": {**settings.CHAINS["bitcoin"], "url": "paper"}}
    made = Paper(Random(1))
    monkeypatch.setattr(nodes, "first", lambda network: made)
    xpubs.import_file(document=keys, now=timezone.now())
    scan()
    return made


def scan(**options):
    return scanning.scan(network="bitcoin", now=timezone.now(), **options)


def address(user_id=ALICE):
    view = addresses.deposit_address(user_id=user_id, asset="BTC", network="bitcoin", now=timezone.now())
    return bytes(Address.objects.get(address=view.address).script)


def balance(user_id=ALICE):
    return sum(view.amount for view in selectors.deposits(user_id) if view.state == "credited")


def test_blocks_are_fetched_at_once_kept_in_bounds_and_committed_in_order(chain, monkeypatch):
    to = address()
    for _ in range(40):
        chain.pay(to, COIN)
        chain.mine()
    company, most, running, lock = threading.Event(), 0, 0, threading.Lock()
    taken: list[int] = []
    real_block, real_look = chain.block, matching.look
    ahead = 0

    def block(height):
        nonlocal running, most, ahead
        with lock:
            running += 1
            most = max(most, running)
            ahead = max(ahead, height - (taken[-1] if taken else start))
        if running > 1:
            company.set()
        assert company.wait(DEADLINE_S)  # nobody goes on alone: several are asked for at once, or this never ends
        found = real_block(height)
        with lock:
            running -= 1
        return found

    def look(**arguments):
        taken.append(arguments["block"].ref.height)
        return real_look(**arguments)

    start = Cursor.objects.get().height
    monkeypatch.setattr(chain, "block", block)
    monkeypatch.setattr(chain, "block_ref", lambda height: real_block(height).ref)
    monkeypatch.setattr(matching, "look", look)
    assert scan().scanned == 40
    assert taken == sorted(taken) == list(range(taken[0], taken[0] + 40))
    assert 2 <= most <= fetching.THREADS
    assert ahead <= fetching.AHEAD + 1
    assert Deposit.objects.count() == 40


def test_a_block_that_no_longer_follows_ends_the_run_and_the_fork_is_found(chain):
    to = address()
    for _ in range(10):
        chain.pay(to, COIN)
        chain.mine()
    scan()
    chain.reorganise(5, lost=1.0)
    for _ in range(20):
        chain.mine()
    report = scan()
    assert report.height == len(chain.blocks) - 1
    assert balance() == COIN * Deposit.objects.filter(state="credited").count()
    assert Deposit.objects.filter(state="orphaned").count() == 5


def test_an_address_made_while_its_block_is_fetched_is_credited(chain, monkeypatch):
    xpub = Xpub.objects.get(network_id=1, purpose="deposit")
    script = nodes.rules("bitcoin").derive(xpub.xpub, index=xpub.next_index).key
    chain.pay(script, COIN)
    chain.mine()
    real = chain.block
    monkeypatch.setattr(chain, "block_ref", lambda height: real(height).ref)
    monkeypatch.setattr(chain, "block", lambda height: (real(height), address(BOB))[0])  # made after the node was asked
    scan()
    monkeypatch.undo()
    (deposit,) = selectors.deposits(BOB)
    assert (deposit.amount, deposit.state) == (COIN, "confirming")


def test_a_txid_that_stands_in_two_blocks_is_credited_once(chain):
    """As two coinbases of 2010 do (BIP 30), or a node that repeats itself."""
    payment = Payment("ab" * 32, address(), COIN)
    chain.again(payment)
    scan()
    chain.again(payment)
    for _ in range(10):
        chain.mine()
    scan()
    chain.again(payment)
    for _ in range(10):
        chain.mine()
    scan()
    assert balance() == COIN
    assert Deposit.objects.get().credits == 1
    assert Coin.objects.count() == 1


def test_a_malleated_payment_is_another_txid_and_only_the_mined_one_is_credited(chain):
    to = address()
    chain.pay(to, COIN)
    (first,) = chain.waiting.values()
    scan()
    del chain.waiting[first.txid]
    chain.again(Payment("cd" * 32, to, COIN))
    for _ in range(10):
        chain.mine()
    scan()
    assert {view.txid: view.state for view in selectors.deposits(ALICE)} == {
        first.txid: "dropped",
        "cd" * 32: "credited",
    }
    assert balance() == COIN


def test_a_rescan_finds_what_an_address_that_was_added_late_was_paid_and_nothing_twice(chain):
    xpub = Xpub.objects.get(network_id=1, purpose="deposit")
    early = address()
    late = nodes.rules("bitcoin").derive(xpub.xpub, index=xpub.next_index + 1).key
    for to in (early, late):
        chain.pay(to, COIN)
    chain.mine()
    paid_at = len(chain.blocks) - 1
    for _ in range(20):
        chain.mine()
    scan()
    assert (balance(), Deposit.objects.count()) == (COIN, 1)
    assert address(BOB) == late
    scan()
    assert balance(BOB) == 0
    for _ in range(2):
        call_command("wallets", "rescan", "bitcoin", "--from", str(paid_at), "--to", str(paid_at))
        scan()
        assert (balance(), balance(BOB)) == (COIN, COIN)
    assert Deposit.objects.count() == Coin.objects.count() == 2
    assert {deposit.credits for deposit in Deposit.objects.all()} == {1}


def test_a_coin_that_a_rescan_finds_is_offered_once_every_later_block_was_looked_at(chain, monkeypatch):
    xpub = Xpub.objects.get(network_id=1, purpose="deposit")
    chain.pay(nodes.rules("bitcoin").derive(xpub.xpub, index=xpub.next_index).key, COIN)
    chain.mine()
    paid_at = len(chain.blocks) - 1
    for _ in range(10):
        chain.mine()
    scan()
    address(BOB)
    real, offered, breaks_at = matching.record, [], paid_at + 4

    def free():
        return reserving_utxo.free(1, Cursor.objects.get()).count()

    def record(*, found, **more):
        if found.ref.height == breaks_at:
            raise NodeUnavailable("the line is cut")
        real(found=found, **more)
        offered.append((found.ref.height, free()))

    monkeypatch.setattr(matching, "record", record)
    with pytest.raises(NodeUnavailable):
        scanning.rescan(network="bitcoin", from_height=paid_at, now=timezone.now())
    assert (free(), Coin.objects.count()) == (0, 1)
    breaks_at = None
    # The same range again: the coin is known by now, and the later blocks are looked at all the same.
    scanning.rescan(network="bitcoin", from_height=paid_at, to_height=paid_at + 1, now=timezone.now())
    assert offered[-1][0] == len(chain.blocks) - 1
    assert {count for _, count in offered} == {0}
    assert free() == 1
    assert Coin.objects.get().mature_height == paid_at + Deposit.objects.get().confirmations_required - 1


@pytest.mark.parametrize("wrong", [("--from", "-1"), ("--from", "7", "--to", "3"), ("--from", "99999")])
def test_a_range_that_is_none_is_refused(chain, wrong):
    with pytest.raises(CommandError, match="between 0 and"):
        call_command("wallets", "rescan", "bitcoin", *[f"{wrong[0]}={wrong[1]}", *wrong[2:]])


def test_confirmations_grow_with_the_amount_by_any_number_of_tiers(chain):
    link = AssetNetwork.objects.get(asset_id=BTC, network_id=1)
    link.tiers.all().delete()
    AssetNetwork.objects.update(confirmations=1)
    for from_amount, confirmations in ((COIN, 3), (5 * COIN, 6), (50 * COIN, 12)):
        ConfirmationTier.objects.create(asset_network=link, from_amount=from_amount, confirmations=confirmations)
    wanted = {COIN - 1: 1, COIN: 3, 5 * COIN - 1: 3, 5 * COIN: 6, 49 * COIN: 6, 50 * COIN: 12, 700 * COIN: 12}
    for user_id, amount in enumerate(wanted, start=ALICE):
        chain.pay(address(user_id), amount)
    for depth in range(1, 13):
        chain.mine()
        scan()
        credited = set(Deposit.objects.filter(state="credited").values_list("amount", flat=True))
        assert credited == {amount for amount, needed in wanted.items() if needed <= depth}


@pytest.fixture
def large_ones_wait():
    """One block for what is small, six from five coins on."""
    link = AssetNetwork.objects.get(asset_id=BTC, network_id=1)
    link.tiers.all().delete()
    AssetNetwork.objects.update(confirmations=1)
    ConfirmationTier.objects.create(asset_network=link, from_amount=5 * COIN, confirmations=6)


def test_what_is_cut_into_many_outputs_waits_as_long_as_it_would_whole(chain, large_ones_wait):
    for _ in range(10):
        chain.pay(address(), COIN)
    chain.pay(address(BOB), COIN)
    scan()
    assert {view.confirmations_required for view in selectors.deposits(ALICE)} == {6}  # shown so from the start
    for _ in range(5):
        chain.mine()
        scan()
        assert (balance(), balance(BOB)) == (0, COIN)
        assert not Coin.objects.filter(address__owner_id=ALICE, mature_height__lte=Cursor.objects.get().height)
    chain.mine()
    scan()
    assert balance() == 10 * COIN
    assert Coin.objects.filter(mature_height__lte=Cursor.objects.get().height).count() == 11


def test_nor_does_it_help_to_cut_it_over_blocks_even_when_the_first_are_credited(chain, large_ones_wait):
    for _ in range(8):
        chain.pay(address(), COIN)
        chain.mine()
        scan()
        tip = Cursor.objects.get().height
        credited = Deposit.objects.filter(state="credited").values_list("block_height", flat=True)
        for depth in range(1, 6):  # what a reorganisation of so few blocks would take is small change
            assert sum(COIN for height in credited if height > tip - depth) < 5 * COIN
    for _ in range(6):
        chain.mine()
    scan()
    assert balance() == 8 * COIN


def test_where_the_network_says_what_is_final_nothing_else_counts(chain, settings):
    settings.PRIVATE_CHAINS_ARE_FINAL = True
    Network.objects.filter(id=1).update(finalized=True)
    chain.pay(address(), COIN)
    chain.mine()
    paid_at = len(chain.blocks) - 1
    for _ in range(30):
        chain.mine()
    chain.final = paid_at - 1
    assert scan().credited == 0
    (waiting,) = selectors.deposits(ALICE)
    assert (waiting.state, waiting.waits_for, waiting.confirmations) == ("confirming", "finality", 31)
    chain.final = paid_at
    assert scan().credited == 1
    assert Cursor.objects.get().finalized_height == paid_at
    chain.final = paid_at - 1  # a node that forgot: what was final stays it
    scan()
    assert Cursor.objects.get().finalized_height == paid_at


def test_a_final_block_that_is_left_halts_everything(chain, settings):
    settings.PRIVATE_CHAINS_ARE_FINAL = True
    Network.objects.filter(id=1).update(finalized=True)
    chain.pay(address(), COIN)
    for _ in range(5):
        chain.mine()
    chain.final = len(chain.blocks) - 1
    assert scan().credited == 1
    chain.reorganise(3, lost=1.0)
    assert "had called final" in scan().halted
    assert stops.is_stopped("withdrawals")
    assert balance() == COIN


def test_a_coin_written_by_another_process_is_known_before_its_spender_is_matched(chain):
    registry = watching.CoinSet(1)
    assert len(registry.refresh()) == 0
    chain.pay(address(), COIN)
    chain.mine()
    scan()
    assert len(registry.refresh()) == 1  # of another process: found by its row
    Coin.objects.all().delete()
    assert len(registry.refresh()) == 0  # another database than before


def test_many_addresses_are_read_in_pages(chain, monkeypatch):
    monkeypatch.setattr(watching, "PAGE", 3)
    scripts = {address(user_id) for user_id in range(500, 510)}
    watch = watching.WatchSet(1).refresh()
    assert watch.hits(scripts) == scripts
    assert len(watch) == 12  # the hot wallet's two as well
    more = address(999)
    assert watch.refresh().hits({more}) == {more}


@pytest.mark.node
def test_a_replacement_that_we_see_only_in_its_block_is_named(house, chains, bitcoind):
    chains(bitcoin=bitcoind)
    house.scan("bitcoin")
    first = bitcoind.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
    house.scan("bitcoin")
    (seen,) = selectors.deposits(ALICE)
    assert (seen.txid, seen.state, seen.replaceable) == (first, "seen", True)
    second = bitcoind.wallet("bumpfee", first)["txid"]
    bitcoind.mine(1)
    house.scan("bitcoin")
    views = {view.txid: view for view in selectors.deposits(ALICE)}
    assert (views[first].state, views[first].replaced_by) == ("dropped", second)
    assert views[second].state == "confirming"
    assert not views[second].replaceable


@pytest.mark.node
def test_ether_is_credited_when_its_chain_calls_it_final(house, chains, settings, tmp_path):
    settings.PRIVATE_CHAINS_ARE_FINAL = True
    assert Network.objects.get(code="ethereum").finalized  # as it comes
    with Anvil(folder=tmp_path / "anvil", persistent=False, slots_in_an_epoch=4) as anvil:
        chains(ethereum=anvil)
        house.scan("ethereum")
        anvil.send(house.address(ALICE, "ETH", "ethereum"), 10**18)
        anvil.mine(3)
        assert house.scan("ethereum").credited == 0
        (waiting,) = selectors.deposits(ALICE)
        assert waiting.waits_for == "finality"
        for _ in range(20):
            anvil.mine(1)
            if house.scan("ethereum").credited:
                break
        final = Cursor.objects.get(network_id=3).finalized_height
        assert final >= Deposit.objects.get().block_height
        assert house.balance(ALICE, 3) == 10**18
