"""Transactions that wait too long, are taken back, get lost or come out otherwise: whichever version is mined, counts, once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from config.regtest import Bitcoind
from exchange.audit.models import Record
from exchange.ledger import reconciliation
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors import holds
from tests.integration.wallets.coins_out import (
    ALICE,
    COIN,
    TENTH,
    all_are,
    ask,
    broadcast,
    exact,
    final,
    losing_answers,
    mine,
    mine_others,
    state,
    until,
)
from wallets.chains.utxo import transaction
from wallets.models import Coin, Payout, PayoutVersion, Reservation
from wallets.services import bumping, consolidating, payouts, withdrawals

BTC, LTC, STAFF = 1, 2, 900
STRANGER = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def node(signing_house, chains, tmp_path):
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        yield node


@pytest.fixture
def house(signing_house, node):
    signing_house.scan("bitcoin")
    for _ in range(3):
        node.send(signing_house.hot("bitcoin"), COIN)
    node.send(signing_house.address(ALICE, "BTC", "bitcoin"), COIN)
    mine(signing_house, node, 6)
    assert signing_house.balance(ALICE, BTC) == COIN
    return signing_house


@pytest.fixture
def sent(house, node):
    """Alice's tenth on its way, in no block: the withdrawal, its payout, and where it goes."""
    outside = node.new_address()
    view = ask(outside)
    all_are([view], "broadcast")
    return view, Payout.objects.get(), outside


def bump(payout, **more):
    return broadcast(bumping.bump(payout_id=payout.id, now=timezone.now(), **more))


def exact_but_unsettled():
    """Mined and not final: what the books do not carry yet is explained, to the satoshi."""
    return reconciliation.run(now=timezone.now()).ok


def paid_once(house, node, view, outside):
    assert state(view) == "final"
    assert node.received(outside, confirmations=1) == TENTH
    assert house.balance(ALICE, BTC) == COIN - TENTH - view.fee
    payout = Payout.objects.get(kind="payout")
    assert house.total("house_network_fees", BTC) == -payout.booked_fee == -payout.network_fee
    assert not Reservation.objects.filter(released_at=None).exclude(coin__spent_txid=payout.txid).exists()
    assert exact(house)


def test_one_that_blocks_pass_by_is_bumped_by_itself_below_the_cap_and_the_bump_is_mined(house, node, sent, settings):
    view, payout, outside = sent
    mine_others(house, node, 5)
    assert bumping.bump_due(now=timezone.now()) == 0
    mine_others(house, node, 1)
    settings.WALLETS_FEE_CAP = {"bitcoin": int(payout.versions.get().fee) + 100}
    with pytest.raises(bumping.FeesTooHigh):
        bumping.bump(payout_id=payout.id, now=timezone.now())
    assert (bumping.bump_due(now=timezone.now()), payout.versions.count()) == (0, 1)
    settings.WALLETS_FEE_CAP = {}
    assert bumping.bump_due(now=timezone.now()) == 1
    first, second = payout.versions.order_by("number")
    second = broadcast(second.id)
    assert node.rpc("getrawmempool") == [second.txid]
    assert int(second.fee) > int(first.fee)
    assert {(i["txid"], i["vout"]) for i in first.unsigned["inputs"]} <= {
        (i["txid"], i["vout"]) for i in second.unsigned["inputs"]
    }
    assert bumping.bump_due(now=timezone.now()) == 0  # the new version has waited for nothing yet
    final(house, node)
    assert Payout.objects.get().txid == second.txid
    paid_once(house, node, view, outside)


def test_the_first_version_may_be_mined_after_the_bump_was_sent(house, node, sent):
    view, payout, outside = sent
    first = payout.versions.get()
    second = bump(payout, actor_id=STAFF)
    assert Record.objects.filter(actor_id=STAFF, action="payout.bump").count() == 1
    assert node.rpc("getrawmempool") == [second.txid]
    node.rpc("generateblock", node.new_address(), [bytes(first.raw).hex()])  # some miner kept the old one
    house.scan("bitcoin")
    assert (state(view), Payout.objects.get().txid) == ("confirmed", first.txid)
    assert not ledger.stops.is_stopped("withdrawals")
    with pytest.raises(bumping.NotBumpable):
        bump(payout)
    final(house, node)
    paid_once(house, node, view, outside)


def test_a_cancel_that_is_mined_gives_the_money_back_and_the_house_pays_the_fee(house, node, sent):
    view, payout, outside = sent
    back = broadcast(bumping.cancel(payout_id=payout.id, actor_id=STAFF, now=timezone.now()))
    with pytest.raises(bumping.NotBumpable):
        bumping.cancel(payout_id=payout.id, actor_id=STAFF, now=timezone.now())
    dearer = bump(payout)  # a cancel may hang as well; what helps it along cancels, too
    assert (back.kind, dearer.kind) == ("cancel", "cancel")
    assert int(dearer.fee) > int(back.fee)
    mine(house, node)
    assert (state(view), holds.get(id=view.id).state) == ("confirmed", "pending")
    assert exact_but_unsettled()
    final(house, node)
    assert (state(view), holds.get(id=view.id).state) == ("failed", "voided")
    assert (house.balance(ALICE, BTC), node.received(outside)) == (COIN, 0)
    assert house.total("house_network_fees", BTC) == -int(dearer.fee)
    assert exact(house)


def test_a_reorganisation_that_has_the_other_version_mined_after_all_stops_withdrawals(house, node, sent):
    """Deeper than we waited: the books say paid, the chain says cancelled. No machine puts that right."""
    view, payout, _ = sent
    first = payout.versions.get()
    back = broadcast(bumping.cancel(payout_id=payout.id, actor_id=STAFF, now=timezone.now()))
    (block,) = [node.rpc("generateblock", node.new_address(), [bytes(first.raw).hex()])["hash"]]
    mine_others(house, node, 2)
    assert state(view) == "final"
    node.invalidate(block)
    node.rpc("generateblock", node.new_address(), [bytes(back.raw).hex()])
    mine_others(house, node, 4)
    assert Payout.objects.get().txid == back.txid
    (stop,) = ledger.stops.active()
    assert (back.txid in stop.reason, str(payout.id) in stop.reason) == (True, True)


def test_a_bump_without_change_takes_another_coin_and_gives_it_back_when_the_first_version_is_mined(house, node):
    node.send(house.hot("bitcoin"), TENTH + 110 * 20)  # a tenth, and the fee of one input and one output
    mine(house, node, 6)
    outside = node.new_address()
    view = ask(outside)
    all_are([view], "broadcast")
    payout = Payout.objects.get()
    first = payout.versions.get()
    assert len(first.unsigned["outputs"]) == 1
    second = bump(payout, fee_rate=50_000)
    assert (len(second.unsigned["inputs"]), len(second.unsigned["outputs"])) == (2, 2)
    assert Reservation.objects.filter(payout=payout, released_at=None).count() == 2
    node.rpc("generateblock", node.new_address(), [bytes(first.raw).hex()])
    house.scan("bitcoin")
    final(house, node)
    assert Reservation.objects.filter(payout=payout, released_at=None).count() == 1
    paid_once(house, node, view, outside)


def test_litecoins_nodes_replace_nothing_so_a_child_pays_for_its_parent(signing_house, chains, litecoind):
    chains(litecoin=litecoind)
    house = signing_house
    house.scan("litecoin")
    litecoind.send(house.hot("litecoin"), 3 * COIN)
    litecoind.send(house.address(ALICE, "LTC", "litecoin"), 2 * COIN)
    mine(house, litecoind, 12, network="litecoin")
    outside = litecoind.new_address()
    view = ask(outside, "1.5", network="litecoin")
    all_are([view], "broadcast")
    parent = Payout.objects.get()
    with pytest.raises(bumping.NotBumpable):
        bumping.cancel(payout_id=parent.id, actor_id=STAFF, now=timezone.now())
    version = bump(parent, fee_rate=60_000)
    child = version.payout
    assert (child.kind, child.parent_id) == ("child", parent.id)
    entry = litecoind.rpc("getmempoolentry", version.txid)
    assert entry["ancestorcount"] == 2
    assert int(entry["fees"]["ancestor"] * COIN) * 1000 >= 60_000 * (entry["ancestorsize"] - 2)
    with pytest.raises(bumping.NotBumpable):
        bumping.bump(payout_id=parent.id, now=timezone.now())
    grandchild = bump(child, fee_rate=90_000)  # a child that hangs is helped like any other
    mine(house, litecoind, 1, network="litecoin")
    assert litecoind.rpc("getrawmempool") == []
    final(house, litecoind, network="litecoin")
    assert state(view) == "final"
    fees = sum(payout.booked_fee for payout in Payout.objects.all())
    assert Payout.objects.filter(state="final").count() == 3
    assert house.total("house_network_fees", LTC) == -fees
    assert int(grandchild.fee) > 0
    assert litecoind.received(outside, confirmations=1) == 3 * COIN // 2
    assert exact(house, "litecoin")


def test_small_coins_are_gathered_while_fees_are_low(house, node, settings):
    for _ in range(6):
        node.send(house.hot("bitcoin"), 200_000)
    mine(house, node, 6)
    settings.WALLETS_CONSOLIDATE_COINS, settings.WALLETS_CONSOLIDATE_SMALL = 5, {"bitcoin": 1_000_000}
    settings.WALLETS_CONSOLIDATE_BELOW = {"bitcoin": 1_999}
    assert consolidating.consolidate_due(now=timezone.now()) == 0  # not at this price
    settings.WALLETS_CONSOLIDATE_BELOW = {"bitcoin": 20_000}
    settings.WALLETS_CONSOLIDATE_COINS = 6
    assert consolidating.consolidate_due(now=timezone.now()) == 0  # not for so few
    settings.WALLETS_CONSOLIDATE_COINS = 5
    assert consolidating.consolidate_due(now=timezone.now()) == 1
    assert consolidating.consolidate_due(now=timezone.now()) == 0  # one at a time
    payout = Payout.objects.get()
    broadcast(payout.versions.get().id)
    mine(house, node)
    assert exact_but_unsettled()
    final(house, node)
    payout.refresh_from_db()
    assert (payout.kind, payout.state) == ("consolidation", "final")
    assert Coin.objects.filter(spent_height=None, amount=6 * 200_000 - payout.network_fee).count() == 1
    assert house.total("house_network_fees", BTC) == -payout.network_fee
    assert house.total("house_capital", BTC) == 3 * COIN + 6 * 200_000
    assert exact(house)


def test_a_broadcast_whose_answer_is_lost_is_sent_again_and_paid_once(house, node, chains):
    outside = node.new_address()
    with losing_answers(node) as proxy:
        chains(bitcoin=proxy)
        view = ask(outside)
        until(lambda: proxy.lost, "nothing was sent")
        waiting = withdrawals.selectors.withdrawal(ALICE, view.id)
        assert (waiting.state, waiting.waiting) == ("signed", "node_down")
        assert node.rpc("getrawmempool") == [Payout.objects.get().txid]
    chains(bitcoin=node)
    all_are([view], "broadcast")
    assert PayoutVersion.objects.get().txid == node.rpc("getrawmempool")[0]
    final(house, node)
    paid_once(house, node, view, outside)


def test_a_node_that_forgot_the_transaction_is_sent_it_again(house, node):
    view = ask(STRANGER)  # in no wallet of the node's, which would remember it
    all_are([view], "broadcast")
    txid = Payout.objects.get().txid
    node.stop()
    (node.folder / "regtest" / "mempool.dat").unlink()
    node.start()
    assert node.rpc("getrawmempool") == []
    payouts.advance_all(now=timezone.now())
    assert node.rpc("getrawmempool") == [txid]
    final(house, node)
    assert state(view) == "final"
    assert node.rpc("gettxout", txid, 0)["scriptPubKey"]["address"] == STRANGER
    assert exact(house)


def test_a_changed_signature_changes_no_id_and_fools_nobody(house, node, sent):
    """The other half of each signature (BIP62) is as good to a miner: other bytes, the same transaction."""
    view, payout, outside = sent
    ours = transaction.decode(bytes(payout.versions.get().raw))
    theirs = ours.with_witnesses(tuple((other_half(coin.witness[0]), coin.witness[1]) for coin in ours.inputs))
    assert (theirs.serialize() != ours.serialize(), theirs.txid) == (True, ours.txid)
    node.rpc("generateblock", node.new_address(), [theirs.serialize().hex()])
    house.scan("bitcoin")
    assert state(view) == "confirmed"
    payouts.advance_all(now=timezone.now())
    final(house, node)
    paid_once(house, node, view, outside)


def other_half(signature: bytes) -> bytes:
    """The same DER signature with S taken from the other half of the curve's order."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    der, kind = signature[:-1], signature[-1:]
    r = der[4 : 4 + der[3]]
    s = int.from_bytes(der[4 + der[3] + 2 :], "big")
    flipped = (order - s).to_bytes(33, "big").lstrip(b"\0")
    if flipped[0] & 0x80:
        flipped = b"\0" + flipped
    body = b"\x02" + bytes([len(r)]) + r + b"\x02" + bytes([len(flipped)]) + flipped
    return b"\x30" + bytes([len(body)]) + body + kind
