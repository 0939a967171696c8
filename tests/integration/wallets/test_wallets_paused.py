"""Withdrawals wait after a changed credential, and come back when the owner freezes the account."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from exchange.accounts.services import credentials, customers, freezing, pauses
from exchange.ledger import selectors as ledger
from exchange.outbox import services as outbox
from wallets import selectors
from wallets.models import Withdrawal
from wallets.services import confirming, quoting, withdrawals

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
    outbox.deliver(now=timezone.now())
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
    outbox.deliver(now=timezone.now())
    assert {selectors.withdrawal(alice, each.id).state for each in (view, waiting)} == {"cancelled"}
    assert held(alice) == 0
    with pytest.raises(pauses.WithdrawalsPaused):
        ask(alice, key="third", now=timezone.now() + timedelta(days=365))


def test_a_freeze_leaves_what_the_signer_was_asked_for(alice):
    view = ask(alice)
    Withdrawal.objects.filter(id=view.id).update(state="signing")
    assert withdrawals.cancel_all(user_id=alice, now=timezone.now()) == 0
    assert Withdrawal.objects.get(id=view.id).state == "signing"
