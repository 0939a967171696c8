"""Two sources of one network on real nodes: compared, shown, and never believed against each other."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from config.regtest import Bitcoind
from exchange.ledger.services import stops
from tests.esplora import esplora
from tests.integration.chains.between import Answer, between
from wallets import nodes, selectors
from wallets.models import Cursor, Source
from wallets.services import health, scanning

ALICE, BTC, COIN = 101, 1, 10**8
KEY = "k3y-that-nobody-may-read-4711"

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two nodes that do not know each other; what one learns, a test tells the other."""
    with (
        Bitcoind(folder=tmp_path_factory.mktemp("first")) as first,
        Bitcoind(folder=tmp_path_factory.mktemp("second")) as second,
    ):
        first.mine(30)  # longer than the other's own chain
        yield first, second


def tell(source, target):
    """Gives `target` every block of `source`'s chain that it does not have."""
    height = source.height()
    missing = []
    while True:
        block_hash = source.rpc("getblockhash", height)
        if height <= target.height() and target.rpc("getblockhash", height) == block_hash:
            break
        missing.append(block_hash)
        height -= 1
    for block_hash in reversed(missing):
        target.rpc("submitblock", source.rpc("getblock", block_hash, 0))


@pytest.fixture
def first(pair):
    """The first node, both on its chain."""
    first, second = pair
    for node in pair:
        node.start()
    if first.rpc("getbestblockhash") != second.rpc("getbestblockhash"):
        longer, other = sorted(pair, key=lambda node: -node.height())
        if longer.height() == other.height():
            longer.mine(1)
        tell(longer, other)
    return first


@pytest.fixture
def second(first, pair):
    return pair[1]


@pytest.fixture
def configured(settings):
    def configure(url, second_url, **row):
        row = {**settings.CHAINS["bitcoin"], "url": url, "second_url": second_url, "second_kind": "node", **row}
        settings.CHAINS = {**settings.CHAINS, "bitcoin": row}

    return configure


@pytest.fixture
def both(configured, first, second, house):
    configured(first.url, second.url)
    house.scan("bitcoin")
    return house


def states():
    return {row.name: row.state for row in Source.objects.all()}


def paid(house, node, *, amount=COIN, depth=10):
    txid = node.send(house.address(ALICE, "BTC", "bitcoin"), amount)
    node.mine(depth)
    return txid


def test_two_that_agree_are_shown_and_credit_as_one(both, first, second):
    paid(both, first)
    tell(first, second)
    report = both.scan("bitcoin")
    assert (report.credited, report.disputed) == (1, False)
    assert both.balance(ALICE, BTC) == COIN
    view = selectors.network("bitcoin")
    assert view.ok and view.degraded == ""
    assert [(each.name, each.state) for each in view.sources] == [("first", "ok"), ("second", "ok")]


def test_nothing_is_believed_that_the_other_has_not_seen(both, first, second):
    paid(both, first)  # ten blocks that only the first one knows
    before = Cursor.objects.get().height
    report = both.scan("bitcoin")
    assert (report.scanned, report.credited) == (0, 0)
    assert Cursor.objects.get().height == before
    tell(first, second)
    assert both.scan("bitcoin").credited == 1
    assert both.balance(ALICE, BTC) == COIN


def test_two_branches_hold_everything_until_one_of_them_gives_way(both, first, second):
    second.mine(4)  # a branch of its own, which pays nobody
    paid(both, first, depth=3)
    report = both.scan("bitcoin")
    assert (report.scanned, report.credited) == (0, 0)
    view = selectors.network("bitcoin")
    assert not view.ok
    assert "first has" in view.last_error and "second has" in view.degraded
    assert b"contradict each other" in Client().get("/status/").content
    assert both.balance(ALICE, BTC) == 0
    first.mine(8)
    tell(first, second)
    assert both.scan("bitcoin").credited == 1
    assert both.balance(ALICE, BTC) == COIN
    assert selectors.network("bitcoin").ok


def test_a_credit_waits_while_the_other_says_that_our_newest_block_is_another(both, first, second):
    stop = stops.stop(scope="deposits", reason="so that it is deep and not credited yet", now=both.now())
    paid(both, first)
    tell(first, second)
    both.scan("bitcoin")
    (deposit,) = selectors.deposits(ALICE)
    assert deposit.state == "confirming" and deposit.confirmations >= deposit.confirmations_required
    second.invalidate(second.rpc("getblockhash", first.height() - 9))
    second.rpc("prioritisetransaction", deposit.txid, 0, -COIN)
    second.mine(12)
    stops.lift(stop_id=stop, reason="now it may be", actor=None, now=both.now())
    report = both.scan("bitcoin")
    assert (report.disputed, report.credited) == (True, 0)
    assert both.balance(ALICE, BTC) == 0
    tell(second, first)  # the other was right: what we had is taken back, nothing was ever credited
    report = both.scan("bitcoin")
    assert (report.disputed, report.reversed) == (False, 0)
    assert both.balance(ALICE, BTC) == 0
    second.rpc("prioritisetransaction", deposit.txid, 0, COIN)


def test_a_reorganisation_is_followed_when_both_have_gone_over(both, first, second):
    paid(both, first)
    tell(first, second)
    both.scan("bitcoin")
    assert both.balance(ALICE, BTC) == COIN
    fork = first.rpc("getblockhash", first.height() - 9)
    (deposit,) = selectors.deposits(ALICE)
    first.invalidate(fork)
    first.rpc("prioritisetransaction", deposit.txid, 0, -COIN)
    first.mine(12)
    assert both.scan("bitcoin").reversed == 0  # the second still has the old branch
    assert both.balance(ALICE, BTC) == COIN
    tell(first, second)
    assert both.scan("bitcoin").reversed == 1
    assert both.balance(ALICE, BTC) == 0
    first.rpc("prioritisetransaction", deposit.txid, 0, COIN)


def test_when_one_is_down_the_other_serves_and_it_is_shown(both, first, second):
    paid(both, first)
    tell(first, second)
    first.stop()
    report = both.scan("bitcoin")
    assert (report.error, report.credited) == ("", 1)
    assert states() == {"first": "down", "second": "ok"}
    assert nodes.chain("bitcoin") is nodes.second("bitcoin")
    view = selectors.network("bitcoin")
    assert view.ok and view.degraded.startswith("first: ")
    assert b"One of its two sources is not well" in Client().get("/status/").content
    first.start()
    both.scan("bitcoin")
    assert nodes.chain("bitcoin") is nodes.first("bitcoin")
    assert selectors.network("bitcoin").degraded == ""


def test_both_down_is_down(both, first, second):
    first.stop()
    second.stop()
    assert both.scan("bitcoin").error
    assert not selectors.network("bitcoin").ok


def asked_method(asked):
    body = json.loads(asked.body)
    return body.get("method") if isinstance(body, dict) else ""


def answered(forward, result):
    answer = forward()
    return Answer(json.dumps({**json.loads(answer.body), "result": result}).encode(), answer.status)


@contextmanager
def behaving(node, behaviour):
    with between(node.url) as server:
        server.behave = behaviour
        yield server


def test_a_source_on_another_chain_is_told_and_not_asked(configured, first, second, house):
    def elsewhere(asked, forward):
        if asked_method(asked) == "getblockchaininfo":
            return answered(forward, {**json.loads(forward().body)["result"], "chain": "main"})
        return forward()

    with behaving(first, elsewhere) as server:
        configured(server.url, second.url)
        house.scan("bitcoin")
        paid(house, first)
        tell(first, second)
        assert house.scan("bitcoin").credited == 1
        assert states() == {"first": "wrong_chain", "second": "ok"}


def test_a_source_that_names_a_tip_it_does_not_have_is_a_liar(configured, first, second, house):
    def lie(asked, forward):
        if asked_method(asked) == "getblockhash" and json.loads(asked.body)["params"] == [first.height()]:
            return answered(forward, first.rpc("getblockhash", first.height() - 1))
        return forward()

    with behaving(first, lie) as server:
        configured(server.url, second.url)
        assert health.check(network="bitcoin", now=house.now())
        assert states() == {"first": "lying", "second": "ok"}
        house.scan("bitcoin")
        assert states()["first"] == "lying"  # until it was looked at thoroughly again
        server.behave = lambda asked, forward: forward()
        health.check(network="bitcoin", now=house.now())
        assert states() == {"first": "ok", "second": "ok"}


def test_a_slow_source_is_shown_and_still_a_witness(configured, first, second, house, settings):
    settings.WALLETS_SOURCE_SLOW_SECONDS = 0.5
    pause = threading.Event()

    def slowly(asked, forward):
        if asked_method(asked) == "getblockchaininfo":
            pause.wait(1)
        return forward()

    with behaving(second, slowly) as server:
        configured(first.url, server.url)
        house.scan("bitcoin")
        assert states() == {"first": "ok", "second": "slow"}
        paid(house, first)
        assert house.scan("bitcoin").scanned == 0
        tell(first, second)
        assert house.scan("bitcoin").credited == 1
    assert "second" in selectors.network("bitcoin").degraded


def test_a_source_that_threw_a_block_away_is_passed_by(configured, first, second, house):
    def pruned(asked, forward):
        if asked_method(asked) == "getblock":
            error = {"code": -1, "message": "Block not available (pruned data)"}  # Bitcoin Core's rpc/blockchain.cpp
            return Answer(json.dumps({"result": None, "error": error, "id": 1}).encode(), 500)
        return forward()

    with behaving(first, pruned) as server:
        configured(server.url, second.url)
        house.scan("bitcoin")
        paid(house, first)
        tell(first, second)
        house.scan("bitcoin")
        assert states()["first"] == "pruned"
        assert house.scan("bitcoin").credited == 1
        assert house.balance(ALICE, BTC) == COIN


def test_a_source_whose_newest_block_is_old_is_waited_for_no_longer(both, first, second, settings):
    settings.WALLETS_STUCK_BLOCKS = 6  # an hour
    later = both.now() + timedelta(minutes=90)
    paid(both, first, depth=1)
    tell(first, second)
    both.scan("bitcoin")
    for node in (first, second):
        node.rpc("setmocktime", int(later.timestamp()))
    try:
        first.mine(9)
        report = scanning.scan(network="bitcoin", now=later)
        assert report.credited == 1
        assert states() == {"first": "ok", "second": "stuck"}
        assert "minutes old" in selectors.network("bitcoin").degraded
        tell(first, second)
    finally:
        for node in (first, second):
            node.rpc("setmocktime", 0)


def test_an_esplora_service_with_a_key_serves_alone_and_its_key_is_nowhere(
    configured, first, second, house, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    with esplora(first, key=KEY) as service:
        configured(service.url, second.url, kind="esplora", header=f"X-Api-Key: {KEY}")
        house.scan("bitcoin")
        txid = first.send(house.address(ALICE, "BTC", "bitcoin"), COIN)
        house.scan("bitcoin")
        (deposit,) = selectors.deposits(ALICE)
        assert (deposit.txid, deposit.state) == (txid, "seen")  # asked by its address
        first.mine(10)
        tell(first, second)
        assert house.scan("bitcoin").credited == 1
        assert house.balance(ALICE, BTC) == COIN
        service.key = "another"  # it takes our key no longer
        house.scan("bitcoin")
    house.scan("bitcoin")  # and now it is gone
    assert states() == {"first": "down", "second": "ok"}
    call_command("wallets", "status")
    out = capfd.readouterr()
    rows = " ".join(str(vars(row)) for row in Source.objects.all())
    assert KEY not in caplog.text + out.out + out.err + rows
