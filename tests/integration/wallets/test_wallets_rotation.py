"""A new hot account while deposits to the old addresses still arrive: on real nodes, with the real signer's own command."""

from __future__ import annotations

import json
import time

import pytest
from django.utils import timezone

from config.regtest import Anvil, Bitcoind
from exchange.assets.services import networks
from exchange.ledger import reconciliation
from tests.integration.wallets.coins_out import ALICE, COIN, all_are, ask, exact, final, mine, state, until
from wallets.models import Address, Coin, Payout, Sweep, Withdrawal, Xpub
from wallets.services import consolidating, payouts, sweeping, withdrawals, xpubs

BTC, ETH, USDT = 1, 3, 4
ETHER, DOLLAR = 10**18, 10**6
DEEP = 13
SECONDS = 90

pytestmark = [pytest.mark.node, pytest.mark.django_db(transaction=True)]


def rotate(signer, network):
    """At the signer's machine, then under the web's settings. The lines that the import says of this network."""
    public = signer.folder / "rotated.json"
    signer.custody("rotate", network, "--public", str(public))
    lines = xpubs.import_file(document=json.loads(public.read_text()), now=timezone.now())
    return [line for line in lines if line.startswith(f"{network} hot")]


def test_old_bitcoin_keys_are_emptied_into_the_new_ones_and_still_taken_from(
    signing_house, chains, tmp_path, signer, settings
):
    settings.WALLETS_CONSOLIDATE_BELOW = {"bitcoin": 10**9}
    with Bitcoind(folder=tmp_path / "node") as node:
        chains(bitcoin=node)
        house = signing_house
        house.scan("bitcoin")
        old, deposit = house.hot("bitcoin"), house.address(ALICE, "BTC", "bitcoin")
        for address in (old, old, deposit):
            node.send(address, COIN)
        mine(house, node, 6)
        lines = rotate(signer, "bitcoin")
        assert [line.rsplit(" ", 1)[1] for line in lines] == ["already", "registered"]
        new = house.hot("bitcoin")
        assert new != old
        assert house.address(ALICE, "BTC", "bitcoin") == deposit
        consolidate(house, node)
        assert left_at_retired() == 0
        # Whoever has the old addresses goes on paying to them: a customer's deposit is his, and the house's comes along.
        for address in (old, deposit):
            node.send(address, COIN)
        mine(house, node, 6)
        assert house.balance(ALICE, BTC) == 2 * COIN
        view = ask(node.new_address(), "0.24")
        all_are([view], "broadcast")
        change = Payout.objects.get(pk=payout_of(view)).address
        assert change.xpub.retired_at is None
        final(house, node)
        assert state(view) == "final"
        consolidate(house, node)
        assert left_at_retired() == 0
        assert exact(house)
    assert Xpub.objects.filter(network_id=1, purpose="hot", retired_at=None).count() == 1


def payout_of(view):
    return Withdrawal.objects.get(pk=view.id).payout_id


def left_at_retired():
    return Coin.objects.filter(
        address__purpose="hot", address__xpub__retired_at__isnull=False, spent_height=None, network_id=1
    ).count()


def consolidate(house, node):
    open_now = Payout.objects.filter(kind="consolidation", closed_at=None)
    for _ in range(4):
        consolidating.consolidate_due(now=timezone.now())
        if not open_now.exists():
            return
        until(lambda: not open_now.filter(state__in=("reserved", "signing", "signed")).exists(), "it was not sent")
        final(house, node)


def test_an_old_ether_account_is_swept_into_the_new_one_with_its_tokens(signing_house, chains, tmp_path, signer):
    with Anvil(folder=tmp_path / "node", persistent=False) as node:
        chains(ethereum=node)
        house = signing_house
        token = node.deploy("TestToken")
        networks.set_contract(asset="USDT", network="ethereum", contract=token, now=timezone.now())
        signer.allow_token(token)
        house.scan("ethereum")
        old = house.hot("ethereum")
        deposit = house.address(ALICE, "ETH", "ethereum")
        node.send(old, 5 * ETHER)
        node.transact("TestToken", token, "mint", [old, 700 * DOLLAR])
        advance(house, node)
        rotate(signer, "ethereum")
        new = house.hot("ethereum")
        assert new != old
        assert house.address(ALICE, "ETH", "ethereum") == deposit
        node.send(deposit, 3 * ETHER)  # after the rotation, to the old deposit address
        advance(house, node)
        assert house.balance(ALICE, ETH) == 3 * ETHER
        sweep_all(house, node, lambda: node.balance(old) == 0 == node.balance(deposit))
        assert node.read("TestToken", token, "balanceOf", old) == 0
        assert node.read("TestToken", token, "balanceOf", new) == 700 * DOLLAR
        assert 7 * ETHER < node.balance(new) < 8 * ETHER
        view = withdrawals.request(
            user_id=ALICE, asset="ETH", network="ethereum", address="0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            amount="1", idempotency_key="after", now=timezone.now(),
        )  # fmt: skip
        house.advance(ALICE, view.id, "broadcast")
        advance(house, node)
        assert Payout.objects.get(pk=payout_of(view)).address.address == new
        report = reconciliation.run(now=timezone.now())
        assert (report.mismatches, report.surpluses) == ((), ())
        assert house.sums_to_zero()
    assert Address.objects.filter(network_id=3, address=old).exists()


def advance(house, node):
    node.mine(DEEP)
    house.scan("ethereum")


def sweep_all(house, node, done):
    deadline = time.monotonic() + SECONDS
    while True:
        sweeping.sweep_due(now=timezone.now())
        payouts.advance_all(now=timezone.now())
        if not Payout.objects.filter(state__in=("reserved", "signing", "signed")).exists():
            advance(house, node)
            if done() and not Sweep.objects.filter(closed_at=None).exists():
                return
        assert time.monotonic() < deadline, list(Sweep.objects.values()) + list(Payout.objects.values())
        time.sleep(0.05)
