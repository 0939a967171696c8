"""Withdrawals wait after a changed credential, and come back when the owner freezes the account."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from exchange.accounts.services import credentials, customers, freezing, pauses
from exchange.ledger import selectors as ledger
from tests import mailing
from wallets import routes, selectors
from wallets.models import Withdrawal
from wallets.services import batching, confirming, quoting, screening, withdrawals

BTC, COIN = 1, 10**8
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(house, fund, prices):
    user_id = customers.open(email="alice@example.com", password="x" * 12, email_verified=True, now=timezone.now())
    fund(user_id, BTC, COIN)
    return user_id


def ask(user_id, *, key="k", now=None):
    return withdrawals.request(
        user_id=user_id, asset="BTC", network="bitcoin", address=OUTSIDE, amount="0.1", idempotency_key=key,
        now=now or timezone.now(),
    )  # fmt: skip


def change(user_id, now=None):
    credentials.changed(user_id=user_id, what="password", now=now or timezone.now())


def token():
    mailing.deliver(now=timezone.now())
    return re.findall(r"/wallet/withdrawals/confirm/(\S+)/", "\n".join(message.body for message in mail.outbox))[-1]


def held(user_id):
    return next(balance.held for balance in ledger.balances(owner_id=user_id) if balance.asset_id == BTC)


def test_none_can_be_asked_for_within_a_day_of_a_change(alice):
    now = timezone.now()
    change(alice, now)
    for moment in (now, now + timedelta(hours=23, minutes=59)):
        with pytest.raises(pauses.WithdrawalsPaused):
            ask(alice, now=moment)
        with pytest.raises(pauses.WithdrawalsPaused):
            quoting.quote(user_id=alice, asset="BTC", network="bitcoin", amount="0.1", address=OUTSIDE, now=moment)
    assert held(alice) == 0 and not Withdrawal.objects.exists()
    assert ask(alice, now=now + timedelta(hours=24, seconds=1)).state != "rejected"


def test_the_gate_inside_the_transaction_holds_by_itself(alice, monkeypatch):
    """A change that was committed after the first look and before the money is held."""
    looks = []

    def change_behind(*, user_id, now):
        looks.append(user_id)
        if len(looks) == 1:
            change(alice)  # the first look saw nothing yet
        else:
            look(user_id=user_id, now=now)

    look = pauses.check
    monkeypatch.setattr(pauses, "check", change_behind)
    with pytest.raises(pauses.WithdrawalsPaused):
        ask(alice)
    assert len(looks) == 2 and held(alice) == 0 and not Withdrawal.objects.exists()


def test_the_same_key_again_still_gives_the_first_answer(alice):
    first = ask(alice)
    change(alice)
    assert ask(alice).id == first.id


def test_one_asked_for_before_the_change_is_not_confirmed_after_it(alice, settings):
    settings.WITHDRAWAL_EMAIL_CONFIRMATION = True
    view = ask(alice)
    link = token()
    change(alice)
    with pytest.raises(pauses.WithdrawalsPaused):
        confirming.confirm(token=link, now=timezone.now())
    assert Withdrawal.objects.get(id=view.id).state == "requested"
    late = timezone.now() + timedelta(minutes=31)
    assert confirming.expire(now=late) == 1 and held(alice) == 0  # it waits no longer than its half hour


def test_the_page_of_the_link_says_why(alice, settings, client):
    settings.WITHDRAWAL_EMAIL_CONFIRMATION = True
    ask(alice)
    link = f"/wallet/withdrawals/confirm/{token()}/"
    change(alice)
    answer = client.post(link)
    assert answer.status_code == 409 and "Withdrawals are paused until" in answer.content.decode()


def test_a_freeze_takes_back_what_was_not_signed_yet(alice, settings):
    view = ask(alice)
    assert held(alice) > 0
    settings.WITHDRAWAL_EMAIL_CONFIRMATION = True
    waiting = ask(alice, key="second")
    freezing.freeze(user_id=alice, reason="test", now=timezone.now())
    mailing.deliver(now=timezone.now())
    assert {selectors.withdrawal(alice, each.id).state for each in (view, waiting)} == {"cancelled"}
    assert held(alice) == 0
    with pytest.raises(pauses.WithdrawalsPaused):
        ask(alice, key="third", now=timezone.now() + timedelta(days=365))


def test_a_freeze_leaves_what_the_signer_was_asked_for(alice):
    view = ask(alice)
    Withdrawal.objects.filter(id=view.id).update(state="signing")
    assert withdrawals.cancel_all(user_id=alice, now=timezone.now()) == 0
    assert Withdrawal.objects.get(id=view.id).state == "signing"


def approved(user_id, **named):
    return Withdrawal.objects.get(id=ask(user_id, **named).id)


def test_who_froze_himself_is_passed_over_before_anybody_reads_of_it(alice, fund):
    """The worker that takes his withdrawals back may be behind, or down."""
    others = customers.open(email="bob@example.com", password="x" * 12, email_verified=True, now=timezone.now())
    fund(others, BTC, COIN)
    hers, his = approved(alice), approved(others)
    freezing.freeze(user_id=alice, reason="test", now=timezone.now())
    late = timezone.now() + timedelta(minutes=1)
    assert [row.id for row in batching._queue(routes.of("bitcoin"), now=late)] == [his.id]
    hers.refresh_from_db()
    assert (hers.state, hers.waiting) == ("approved", "frozen")
    change(others)  # a pause that ends by itself holds back nothing that was approved before
    assert [row.id for row in batching._queue(routes.of("bitcoin"), now=late)] == [his.id]


def test_the_signer_is_not_asked_for_who_froze_himself(alice):
    row = approved(alice)
    assert not screening.frozen_or_held_back([row], now=timezone.now())
    freezing.freeze(user_id=alice, reason="test", now=timezone.now())
    assert screening.frozen_or_held_back([row], now=timezone.now())
    freezing.lift(user_id=alice, reason="test", actor_id=10**6, now=timezone.now())
    assert not screening.frozen_or_held_back([row], now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_no_freeze_falls_between_the_look_and_the_signer(alice):
    row = approved(alice)
    frozen = threading.Event()

    def freeze():
        try:
            freezing.freeze(user_id=alice, reason="test", now=timezone.now())
            frozen.set()
        finally:
            connection.close()

    owner = threading.Thread(target=freeze)
    with transaction.atomic():
        assert not screening.frozen_or_held_back([row], now=timezone.now())
        owner.start()
        assert not frozen.wait(1)  # it comes after what this transaction asks of the signer
    owner.join(20)
    assert frozen.is_set() and screening.frozen_among([alice]) == {alice}
