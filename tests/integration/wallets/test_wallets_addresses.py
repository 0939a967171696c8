"""Deposit addresses: derived from public keys, one a customer and network, without gaps under concurrency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import pytest
from django.db import connections
from django.utils import timezone

from wallets import selectors
from wallets.models import Address, Xpub
from wallets.services import addresses, watching, xpubs

ALICE, BOB = 101, 102


def ask(user_id, asset="BTC", network="bitcoin"):
    return addresses.deposit_address(user_id=user_id, asset=asset, network=network, now=timezone.now())


@pytest.mark.django_db
class TestOneCustomer:
    def test_the_same_address_comes_back(self, house):
        assert ask(ALICE) == ask(ALICE)
        assert ask(ALICE).address.startswith("bcrt1q")
        assert ask(ALICE).uri == f"bitcoin:{ask(ALICE).address}"

    def test_two_customers_never_share_one(self, house):
        assert ask(ALICE).address != ask(BOB).address

    def test_each_utxo_network_writes_the_same_key_in_its_own_way(self, house):
        bitcoin, litecoin = ask(ALICE), ask(ALICE, "LTC", "litecoin")
        assert litecoin.address.startswith("rltc1q")
        assert bitcoin.address != litecoin.address

    def test_ether_and_its_tokens_share_one(self, house, usdt):
        assert ask(ALICE, "ETH", "ethereum").address == ask(ALICE, "USDT", "ethereum").address
        assert Address.objects.filter(owner_id=ALICE).count() == 1
        assert [(view.asset, view.network) for view in selectors.deposit_addresses(ALICE)] == [
            ("ETH", "ethereum"),
            ("USDT", "ethereum"),
        ]

    def test_a_token_whose_contract_is_not_set_has_no_address(self, house):
        with pytest.raises(addresses.NetworkDisabled):
            ask(ALICE, "USDT", "ethereum")

    def test_a_fresh_address_is_another_one_and_the_same_for_its_reference(self, house):
        first, again, other = (
            addresses.fresh(user_id=ALICE, asset="BTC", network="bitcoin", reference=reference, now=timezone.now())
            for reference in ("invoice:1", "invoice:1", "invoice:2")
        )
        assert first == again
        assert len({first.address, other.address, ask(ALICE).address}) == 3

    def test_an_asset_that_does_not_move_over_a_network_is_refused_with_its_code(self, house):
        with pytest.raises(Exception, match="does not move") as refused:
            ask(ALICE, "BTC", "ethereum")
        assert (refused.value.code, refused.value.param) == ("network_not_found", "network")


@pytest.mark.django_db
def test_without_public_keys_deposits_are_unavailable(chains):
    with pytest.raises(addresses.DepositsUnavailable):
        ask(ALICE)


@pytest.mark.django_db
class TestPublicKeys:
    def test_importing_again_changes_nothing(self, house, keys):
        lines = xpubs.import_file(document=keys, now=timezone.now())
        assert all("stands already" in line for line in lines)
        assert Xpub.objects.count() == 6

    def test_a_private_key_is_refused(self, house, keys, private_key):
        keys["accounts"][0]["xpub"] = private_key
        with pytest.raises(xpubs.DocumentInvalid, match="private key"):
            xpubs.import_file(document=keys, now=timezone.now())

    def test_keys_of_another_chain_are_refused(self, house, keys):
        document = deepcopy(keys)
        document["chains"]["bitcoin"] = "mainnet"
        with pytest.raises(xpubs.DocumentInvalid, match="mainnet"):
            xpubs.import_file(document=document, now=timezone.now())

    def test_a_rotation_keeps_every_old_address_watched(self, house, other_keys):
        old = ask(ALICE)
        xpubs.import_file(document=other_keys, now=timezone.now())
        assert ask(ALICE) == old
        new = ask(BOB)
        network_id = Address.objects.get(address=old.address).network_id
        watched = watching.of(network_id).refresh()
        scripts = [bytes(Address.objects.get(address=view.address).script) for view in (old, new)]
        assert all(script in watched for script in scripts)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_indexes_without_gaps(house):
    def one(user_id):
        try:
            return ask(user_id).address
        finally:
            connections.close_all()

    users = [user for user in range(1000, 1024) for _ in range(2)]  # each asks twice at once
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(one, users))
    assert len(set(found)) == 24
    indexes = Address.objects.filter(purpose="deposit", network_id=1).order_by("index").values_list("index", flat=True)
    assert list(indexes) == list(range(24))
    assert len(watching.of(1).refresh()) >= 24 + 2
