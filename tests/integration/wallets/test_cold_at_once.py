"""Two members of staff and one cold wallet in the same moment."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from embit.bip32 import HDKey

from tests import cold_wallets as descriptors_of
from tests.integration.wallets.cold_house import ANNA, BERT
from wallets.models import ColdWallet
from wallets.services import cold_wallets

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = descriptors_of.descriptor("wpkh", [descriptors_of.key(HDKey.from_seed(b"\x05" * 32), "wpkh")])


def propose(actor_id):
    return cold_wallets.propose(network="bitcoin", name="Drawer", text=TEXT, actor_id=actor_id, now=timezone.now())


def somebody_waits():
    with connection.cursor() as cursor:
        # Who waits for a row waits for the transaction that holds it. (pg_stat_activity stands still within a transaction.)
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone()[0] > 0


def test_a_discarded_wallet_that_another_proposes_at_this_moment_is_not_taken_from_him(house):
    wallet_id = propose(ANNA)
    cold_wallets.discard(wallet_id=wallet_id, actor_id=BERT, now=timezone.now())
    outcome = []

    def second():
        try:
            outcome.append(propose(BERT))
        except cold_wallets.ColdWalletKnown as known:
            outcome.append(known.code)
        finally:
            connections.close_all()

    with transaction.atomic():
        # Proposed and approved at once, so that the second would put a wallet in use back to a proposal of his own.
        propose(ANNA)
        typed = cold_wallets.first_address(ColdWallet.objects.get())[-8:]
        cold_wallets.approve(wallet_id=wallet_id, typed=typed, actor_id=BERT, now=timezone.now())
        other = threading.Thread(target=second)
        other.start()
        deadline = time.monotonic() + 60
        while not somebody_waits():
            assert time.monotonic() < deadline and not outcome, outcome
            time.sleep(0.02)
    other.join(60)
    assert outcome == ["cold_wallet_known"]
    row = ColdWallet.objects.get()
    assert (row.created_by, row.approved_by) == (ANNA, BERT) and row.approved_at is not None
