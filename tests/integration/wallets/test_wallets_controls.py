"""The database's own refusals: what must be unique is unique there, whatever the code above does."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import psycopg2
import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from wallets import nodes, routes
from wallets.chains.protocol import BlockRef
from wallets.models import Address, Block, Coin, Cursor, Nonce, Payout, PayoutVersion, Reservation, Withdrawal
from wallets.services import matching, reserving, scanning

pytestmark = pytest.mark.django_db


@pytest.fixture
def hot(house):
    return Address.objects.get(purpose="hot", network_id=3)


@pytest.fixture
def payout(hot):
    def make():
        return Payout.objects.create(
            network_id=3,
            asset_id=3,
            state="reserved",
            address=hot,
            confirmations_required=12,
            created_at=timezone.now(),
        )

    return make


def refuses(constraint):
    """The statement fails on this constraint and leaves the test's transaction usable."""

    class Refusal:
        def __enter__(self):
            self.savepoint = transaction.atomic()
            self.savepoint.__enter__()

        def __exit__(self, kind, error, trace):
            self.savepoint.__exit__(kind, error, trace)
            assert isinstance(error, IntegrityError), "it was not refused"
            assert error.__cause__.diag.constraint_name == constraint
            return True

    return Refusal()


def test_a_nonce_is_promised_once_while_it_lives(hot, payout):
    now = timezone.now()
    first = Nonce.objects.create(address=hot, nonce=7, payout=payout(), reserved_at=now)
    with refuses("wallets_nonce_one_live"):
        Nonce.objects.create(address=hot, nonce=7, payout=payout(), reserved_at=now)
    Nonce.objects.filter(pk=first.pk).update(released_at=now)
    Nonce.objects.create(address=hot, nonce=7, payout=payout(), reserved_at=now)


def test_the_next_nonce_is_above_every_live_and_every_mined_one(hot, payout):
    now = timezone.now()
    assert reserving.next_nonce(hot, mined_nonce=0) == 0
    Nonce.objects.create(address=hot, nonce=0, payout=payout(), reserved_at=now)
    last = Nonce.objects.create(address=hot, nonce=1, payout=payout(), reserved_at=now)
    assert reserving.next_nonce(hot, mined_nonce=1) == 2
    assert reserving.next_nonce(hot, mined_nonce=9) == 9  # somebody else used the key: never a nonce that is gone
    Nonce.objects.filter(pk=last.pk).update(released_at=now)
    assert reserving.next_nonce(hot, mined_nonce=1) == 1


def test_a_coin_is_promised_once_while_it_lives(hot, payout):
    coin = Coin.objects.create(network_id=1, txid="aa" * 32, vout=0, address=hot, amount=5)
    first = Reservation.objects.create(coin=coin, payout=payout(), reserved_at=timezone.now())
    with refuses("wallets_reservation_one_live"):
        Reservation.objects.create(coin=coin, payout=payout(), reserved_at=timezone.now())
    Reservation.objects.filter(pk=first.pk).update(released_at=timezone.now())
    Reservation.objects.create(coin=coin, payout=payout(), reserved_at=timezone.now())


def test_bytes_are_kept_before_they_are_sent(payout):
    now = timezone.now()
    version = PayoutVersion.objects.create(payout=payout(), unsigned={}, created_at=now)
    with refuses("wallets_version_kept_before_sent"):
        PayoutVersion.objects.filter(pk=version.pk).update(first_broadcast_at=now)
    PayoutVersion.objects.filter(pk=version.pk).update(raw=b"\x01", txid="0xaa", first_broadcast_at=now)


def test_a_deposit_is_one_row_and_a_credit_has_a_transfer(house, hot):
    row = {
        "network_id": 3, "asset_id": 3, "address": hot, "txid": "0xaa", "position": "native", "amount": 1,
        "confirmations_required": 1, "seen_at": timezone.now(),
    }  # fmt: skip
    Address.objects.get(pk=hot.pk).deposits.create(**{**row, "state": "seen"})
    with refuses("wallets_deposit_once"):
        hot.deposits.create(**{**row, "state": "seen"})
    with refuses("wallets_deposit_has_transfer"):
        hot.deposits.create(**{**row, "txid": "0xbb", "state": "credited", "block_height": 1})


class TestCursor:
    """Two scanners at once, or one that slept: only the block that follows the cursor is taken."""

    @pytest.fixture
    def found(self, house):
        Cursor.objects.create(network_id=1, height=10, hash="h10", started_height=10, updated_at=timezone.now())
        return matching.Found(BlockRef(11, "h11", "h10", 0), (), (), {})

    def test_the_next_block_is_taken_once(self, found):
        bitcoin = routes.of("bitcoin")
        assert scanning._commit(found, bitcoin, now=timezone.now())
        assert not scanning._commit(found, bitcoin, now=timezone.now())
        assert list(Block.objects.values_list("height", flat=True)) == [11]

    @pytest.mark.parametrize("ref", [BlockRef(11, "h11", "other", 0), BlockRef(12, "h12", "h10", 0)])
    def test_a_block_of_another_branch_or_with_a_gap_is_not(self, found, ref):
        assert not scanning._commit(replace(found, ref=ref), routes.of("bitcoin"), now=timezone.now())
        assert Cursor.objects.get().height == 10

    def test_a_halted_network_takes_none(self, found):
        Cursor.objects.update(halted="too deep")
        assert not scanning._commit(found, routes.of("bitcoin"), now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_a_second_scanner_of_a_network_goes_away_at_once(house, database_url):
    other = psycopg2.connect(database_url("app"))
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, hashtext('scan:bitcoin'))", [nodes.ADVISORY_CLASS])
    assert scanning.scan(network="bitcoin", now=timezone.now()).busy
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, hashtext('scan:bitcoin'))", [nodes.ADVISORY_CLASS])
    other.close()
    report = scanning.scan(network="bitcoin", now=timezone.now())
    assert not report.busy
    assert report.error  # no node is configured: said, not raised
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_the_signer_reads_withdrawals_and_nothing_else_here(house, database_url):
    Withdrawal.objects.create(
        id=uuid4(), owner_id=1, asset_id=1, network_id=1, address="a", amount=1, fee=0, state="requested",
        idempotency_key="k", account_id=1, requested_at=timezone.now(),
    )  # fmt: skip
    signer = psycopg2.connect(database_url("signer"))
    signer.autocommit = True
    with signer.cursor() as cursor:
        cursor.execute("SELECT asset_id, network_id, address, amount, state FROM wallets_withdrawal")
        assert cursor.fetchall() == [(1, 1, "a", 1, "requested")]
        for statement in (
            "UPDATE wallets_withdrawal SET address = 'thief'",
            "INSERT INTO wallets_coin DEFAULT VALUES",
            "SELECT * FROM wallets_address",
            "SELECT * FROM wallets_payout_version",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
    signer.close()
