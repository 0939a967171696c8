"""One that cannot leave holds up nobody: not its network, not the other networks, not the one behind it in line."""

from __future__ import annotations

import itertools
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from wallets import nodes, routes
from wallets.chains.evm.payout import Fees
from wallets.chains.protocol import Holdings, MalformedData, NodeRefused, NodeUnavailable
from wallets.models import Address, Cursor, Movement, Payout, Withdrawal
from wallets.services import (
    batching,
    bumping,
    crediting,
    nonces,
    payouts,
    reserving,
    reserving_utxo,
    scanning,
    settling,
    sources,
    withdrawals,
)
from wallets.services.hot import CannotReserve

CUSTOMERS = range(101, 110)
ETH, ETHER, BTC, COIN = 3, 10**18, 1, 10**8
GWEI = 10**9
OUTSIDE = "0x000000000000000000000000000000000000bEEF"
BURNER = "0x000000000000000000000000000000000000c0de"
BITCOINS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
REVERTS = NodeRefused("execution reverted", node_code=3)
KEYS = itertools.count()

pytestmark = pytest.mark.django_db


class Node:
    """What the machine asks an Ethereum node; `of` says what the estimate for a receiver is, or raises."""

    def __init__(self):
        self.of = {}
        self.held = 100 * ETHER

    def holdings(self, keys, *, contract=""):
        if isinstance(self.held, Exception):
            raise self.held
        return Holdings(self.held, 1)

    def fees(self):
        return Fees(GWEI, 3 * GWEI, GWEI)

    def nonce(self, address):
        return 0

    def send_gas(self, *, from_address, payment):
        estimate = self.of.get(payment.address.lower(), 21_000)
        if isinstance(estimate, Exception):
            raise estimate
        return estimate


@pytest.fixture
def node(house, fund, prices, monkeypatch):
    node = Node()
    monkeypatch.setattr(nodes, "chain", lambda network: node)
    for network_id in (BTC, ETH):
        Cursor.objects.create(network_id=network_id, height=10, hash="h", started_height=1, updated_at=timezone.now())
    hot = Address.objects.get(network_id=ETH, purpose="hot")
    Movement.objects.create(
        network_id=ETH, asset_id=ETH, address=hot, txid="0xaa", position="native", block_height=1, delta=50 * ETHER
    )
    for user_id in CUSTOMERS:
        fund(user_id, ETH, 90 * ETHER)
        fund(user_id, BTC, 90 * COIN)
    return node


def ask(address=OUTSIDE, amount="0.1", *, asset="ETH", network="ethereum"):
    view = withdrawals.request(
        user_id=101 + next(KEYS) % len(CUSTOMERS), asset=asset, network=network, address=address, amount=amount,
        idempotency_key=f"turn-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip
    Withdrawal.objects.filter(pk=view.id, state="review").update(state="approved", approved_at=timezone.now())
    return view.id


def row(withdrawal_id):
    return Withdrawal.objects.get(pk=withdrawal_id)


def advance(seconds=0):
    payouts.advance_all(now=timezone.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("estimate", [2_040_000, 100_001, REVERTS, MalformedData("the node said nothing sensible")])
def test_a_payment_that_cannot_be_made_holds_up_no_other_of_its_network(node, estimate):
    node.of[BURNER] = estimate
    burner, good = ask(BURNER), ask()
    advance()
    assert (row(burner).state, row(burner).waiting) == ("approved", "node_refused")
    assert row(good).state == "signing"


def test_a_node_that_is_away_is_asked_once(node, monkeypatch):
    asked = []

    def reserve(**more):
        asked.append(more)
        raise NodeUnavailable("timed out")

    first, second = ask(), ask()
    monkeypatch.setattr(reserving, "reserve", reserve)
    advance()
    assert (len(asked), row(first).waiting, row(second).waiting) == (1, "node_down", "node_down")


def test_more_refusals_than_a_run_has_rounds_starve_nobody(node, monkeypatch):
    monkeypatch.setattr(batching, "ROUNDS_MAX", 3)
    node.of[BURNER] = REVERTS
    burners = [ask(BURNER) for _ in range(5)]
    good = ask()
    for _ in range(3):
        advance()
    assert row(good).state == "signing"
    assert {row(each).waiting for each in burners} == {"node_refused"}


def test_what_the_hot_wallet_cannot_pay_now_goes_behind_what_waits_since(node, monkeypatch):
    monkeypatch.setattr(batching, "ROUNDS_MAX", 2)
    large = [ask() for _ in range(2)]
    Withdrawal.objects.filter(pk__in=large).update(amount=60 * ETHER)
    good = ask()
    for _ in range(2):
        advance()
    assert row(good).state == "signing"


def test_what_the_node_refuses_again_and_again_is_staffs_to_decide(node):
    node.of[BURNER] = REVERTS
    burner = ask(BURNER)
    for number in range(batching.REFUSALS_MAX):
        assert row(burner).state == "approved"
        advance(number * 40)
        advance(number * 40 + 1)  # not asked again at once
    assert row(burner).state == "review"
    assert "execution reverted" in row(burner).reason


def test_a_node_that_refuses_to_talk_sends_nobody_to_staff(node):
    node.held = NodeRefused("header not found", node_code=-32000)
    waiting = ask()
    for number in range(batching.REFUSALS_MAX + 1):
        advance(number * 40)
    assert (row(waiting).state, row(waiting).refusals) == ("approved", 0)


def test_a_defect_that_meets_one_withdrawal_stops_neither_the_next_nor_another_network(node, monkeypatch):
    unlucky, good = ask(BURNER), ask()
    real = reserving.reserve

    def reserve(*, routes, ids, now):
        if routes.network.family == "utxo" or unlucky in ids:
            raise StopIteration
        return real(routes=routes, ids=ids, now=now)

    monkeypatch.setattr(reserving, "reserve", reserve)
    bitcoins = ask(BITCOINS, asset="BTC", network="bitcoin")
    advance()
    assert (row(unlucky).waiting, row(bitcoins).waiting) == ("fault", "fault")
    assert row(good).state == "signing"


def test_a_defect_that_meets_one_payout_stops_no_other(node, monkeypatch):
    first = ask()
    advance()
    stuck = row(first).payout_id
    hot = Address.objects.get(network_id=ETH, purpose="hot")
    other = Payout.objects.create(
        network_id=ETH, asset_id=ETH, state="reserved", address=hot, confirmations_required=1, created_at=timezone.now()
    )
    seen = []

    def step(payout, the_routes, *, now):
        seen.append(payout.id)
        raise LookupError("a defect")

    monkeypatch.setitem(payouts.STEPS, Payout.State.SIGNING, step)
    monkeypatch.setitem(payouts.STEPS, Payout.State.RESERVED, step)
    advance()
    assert seen == [stuck, other.id]
    assert row(first).waiting == "fault"


def test_a_network_full_of_what_is_stuck_leaves_another_its_turn(node, monkeypatch):
    monkeypatch.setattr(payouts, "BATCH", 2)
    hot = {each.network_id: each for each in Address.objects.filter(purpose="hot")}

    def reserved(network_id):
        return Payout.objects.create(
            network_id=network_id, asset_id=network_id, state="reserved", address=hot[network_id],
            confirmations_required=1, created_at=timezone.now(),
        ).id  # fmt: skip

    for _ in range(3):
        reserved(BTC)
    ethers = reserved(ETH)
    seen = []
    monkeypatch.setitem(payouts.STEPS, Payout.State.RESERVED, lambda payout, the_routes, *, now: seen.append(payout.id))
    advance()
    assert ethers in seen


def test_a_batch_above_the_fee_cap_leaves_in_parts(node, settings):
    """A hundred at once cost more than the cap allows for one transaction; some of them do not."""
    address = Address.objects.filter(network_id=BTC, purpose="hot").order_by("-branch").first()
    address.coins.create(network_id=BTC, txid="ab" * 32, vout=0, amount=50 * COIN, block_height=1, mature_height=1)
    rows = [row(ask(BITCOINS, "0.01", asset="BTC", network="bitcoin")) for _ in range(8)]
    payout = Payout(network_id=BTC, asset_id=BTC, address=address, confirmations_required=1, created_at=timezone.now())
    cursor, bitcoin = Cursor.objects.get(network_id=BTC), routes.of("bitcoin")
    settings.WALLETS_FEE_CAP_SHARE = None
    one = reserving_utxo.withdrawals(rows[:1], payout, cursor, bitcoin, fee_rate=10_000).unsigned.fee
    settings.WALLETS_FEE_CAP = {"bitcoin": 2 * one}
    built = reserving_utxo.withdrawals(rows, payout, cursor, bitcoin, fee_rate=10_000)
    assert list(built.served) == rows[:4]
    assert built.unsigned.fee <= 2 * one
    settings.WALLETS_FEE_CAP = {"bitcoin": one - 1}
    with pytest.raises(CannotReserve) as cannot:
        reserving_utxo.withdrawals(rows, payout, cursor, bitcoin, fee_rate=10_000)
    assert cannot.value.why == "fees_high"


def test_a_payout_that_cannot_be_settled_holds_up_no_other(node, monkeypatch):
    hot = Address.objects.get(network_id=ETH, purpose="hot")
    first, second = (
        Payout.objects.create(
            network_id=ETH, asset_id=ETH, state="confirmed", kind="gas", amount=1, address=hot, confirmations_required=1,
            block_height=5, txid=f"0x{number}", network_fee=0, succeeded=True, created_at=timezone.now(),
        )
        for number in range(2)
    )  # fmt: skip
    real = settling._settle

    def settle(payout, the_routes, *, now):
        if payout.id == first.id:
            raise StopIteration
        real(payout, the_routes, now=now)

    monkeypatch.setattr(settling, "_settle", settle)
    assert settling.settle_due(routes=routes.of("ethereum"), now=timezone.now()) == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, second.booked_fee) == ("confirmed", "final", 0)


def test_a_credit_that_fails_holds_up_no_settlement(node, monkeypatch):
    ran = []

    def credit_due(*, routes, now):
        raise LookupError("a defect")

    def settle_due(*, routes, now):
        ran.append(routes.network.code)
        return 0

    monkeypatch.setattr(crediting, "credit_due", credit_due)
    monkeypatch.setattr(settling, "settle_due", settle_due)
    monkeypatch.setattr(scanning.Walk, "follow", lambda *arguments, **more: None)
    monkeypatch.setattr(scanning.Walk, "finalize", lambda *arguments: None)
    monkeypatch.setattr(scanning.health, "seen", lambda *arguments, **more: None)
    found = SimpleNamespace(serving=SimpleNamespace(chain=None), disputed=False)
    monkeypatch.setattr(sources, "survey", lambda **more: found)
    monkeypatch.setattr(scanning.mempools, "look", lambda **more: None)
    scanning.scan(network="ethereum", now=timezone.now())
    assert ran == ["ethereum"]


def test_a_defect_that_meets_one_bump_or_one_network_stops_no_other(node, monkeypatch, settings):
    tried = []

    def bump(*, payout_id, now):
        tried.append(payout_id)
        raise StopIteration

    monkeypatch.setattr(bumping, "_overdue", lambda *, now: ["first", "second"])
    monkeypatch.setattr(bumping, "bump", bump)
    assert (bumping.bump_due(now=timezone.now()), tried) == (0, ["first", "second"])

    asked = []

    def senders(network_id):
        asked.append(network_id)
        raise StopIteration

    settings.CHAINS = {name: {**each, "url": "http://127.0.0.1:9"} for name, each in settings.CHAINS.items()}
    for network_id in (4, 5):
        Cursor.objects.create(network_id=network_id, height=1, hash="h", started_height=1, updated_at=timezone.now())
    monkeypatch.setattr(nonces, "_senders", senders)
    assert nonces.look(now=timezone.now()) == nonces.NonceReport()
    assert {3, 4, 5} <= set(asked)
