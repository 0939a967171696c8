"""The link in the e-mail: what waits for it, what it confirms, and what happens when nobody follows it."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from custody import selectors as custody
from exchange.accounts.services import customers
from exchange.ledger import selectors as ledger
from exchange.ledger.services import freezes
from exchange.notifications.models import Delivery
from exchange.outbox.models import Event
from tests import mailing
from wallets import selectors, tasks
from wallets.models import Withdrawal, WithdrawalConfirmation
from wallets.services import address_book, confirming, withdrawals
from wallets.services.quoting import AccountFrozen

BTC, COIN = 1, 10**8
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
HALF_AN_HOUR = timedelta(minutes=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(house, fund, prices, settings):
    settings.WITHDRAWAL_EMAIL_CONFIRMATION = True
    user_id = customers.open(email="alice@example.com", password="x" * 12, email_verified=True, now=timezone.now())
    fund(user_id, BTC, COIN)
    return user_id


def ask(user_id, amount="0.1", **more):
    return withdrawals.request(
        user_id=user_id, asset="BTC", network="bitcoin", address=OUTSIDE, amount=amount, idempotency_key=f"k-{amount}",
        **{"now": timezone.now(), **more},
    )  # fmt: skip


def token():
    """From the newest mail that has one."""
    mailing.deliver(now=timezone.now())
    return re.findall(r"/wallet/withdrawals/confirm/(\S+)/", "\n".join(message.body for message in mail.outbox))[-1]


def held(user_id):
    return next(balance.held for balance in ledger.balances(owner_id=user_id) if balance.asset_id == BTC)


def test_a_request_waits_with_its_money_held_until_the_link_is_followed(alice):
    view = ask(alice)
    assert (view.state, view.waiting, view.cancellable) == ("requested", "email", True)
    assert view.confirm_until == view.requested_at + HALF_AN_HOUR
    assert held(alice) == view.total
    done = confirming.confirm(token=token(), now=timezone.now())
    assert (done.state, done.waiting, done.confirm_until) == ("approved", "", None)
    row = Withdrawal.objects.get()
    assert row.confirmed_by == "email" and row.confirmed_at == done.confirmed_at
    assert [step.state for step in done.steps] == ["requested", "approved"]


def test_the_mail_says_what_how_much_and_where_to_and_the_token_is_nowhere_else(alice):
    view = ask(alice)
    secret = token()
    (message,) = [each for each in mail.outbox if secret in each.body]
    assert message.to == ["alice@example.com"] and message.subject == "Confirm your withdrawal of 0.1 BTC"
    for text in (OUTSIDE, "0.1 BTC", "0.0001 BTC", "30 minutes", "Was this not you?"):
        assert text in message.body
    assert secret in message.alternatives[0].content
    row = WithdrawalConfirmation.objects.get()
    assert row.token_hash == hashlib.sha256(secret.encode()).hexdigest() and row.expires_at == view.confirm_until
    stored = [str(event.payload) for event in Event.objects.all()]
    assert stored and not any(secret in text for text in stored)


def test_a_mail_that_had_to_be_sent_again_has_a_new_link_and_the_old_one_is_void(alice):
    ask(alice)
    first = token()
    delivery = Delivery.objects.get(kind="withdrawal_requested", channel="email")
    Delivery.objects.filter(id=delivery.id).update(state="sending", sent_at=None, due_at=timezone.now())  # a crash
    mailing.deliver(now=timezone.now())
    with pytest.raises(confirming.ConfirmationInvalid):
        confirming.confirm(token=first, now=timezone.now())
    again = token()
    ids = {message.extra_headers["Message-ID"] for message in mail.outbox if "/confirm/" in message.body}
    assert len(ids) == 2, "a mail program shows two mails of one id once, and it would be the void one"
    assert confirming.confirm(token=again, now=timezone.now()).state == "approved"


def test_looking_changes_nothing_and_confirming_works_once(alice):
    ask(alice)
    secret = token()
    for _ in range(3):
        assert confirming.look(token=secret, now=timezone.now()).open
    assert Withdrawal.objects.get().state == "requested"
    confirming.confirm(token=secret, now=timezone.now())
    with pytest.raises(confirming.ConfirmationUsed):
        confirming.confirm(token=secret, now=timezone.now())
    seen = confirming.look(token=secret, now=timezone.now())
    assert seen.confirmed and not seen.open


@pytest.mark.parametrize("wrong", ["", "x", "A" * 43, "\x00", "Ü" * 43])
def test_a_guess_is_no_link(alice, wrong):
    ask(alice)
    for deed in (confirming.look, confirming.confirm):
        with pytest.raises(confirming.ConfirmationInvalid):
            deed(token=wrong, now=timezone.now())


def test_after_half_an_hour_it_is_too_late_even_before_the_task_ran(alice):
    view = ask(alice)
    secret = token()
    with pytest.raises(confirming.ConfirmationOver):
        confirming.confirm(token=secret, now=view.requested_at + HALF_AN_HOUR)
    assert not confirming.look(token=secret, now=view.requested_at + HALF_AN_HOUR).open
    assert confirming.confirm(token=secret, now=view.requested_at + HALF_AN_HOUR - timedelta(seconds=1))


def test_what_nobody_confirmed_is_cancelled_and_the_money_free_again(alice):
    ask(alice, "0.1", now=timezone.now() - HALF_AN_HOUR)
    later = ask(alice, "0.2")
    done = ask(alice, "0.05", now=timezone.now() - timedelta(minutes=29))
    confirming.confirm(token=token(), now=timezone.now())
    tasks.expire_confirmations()
    found = {view.amount: view for view in selectors.withdrawals(alice)}
    gone = found[COIN // 10]
    assert (gone.state, gone.reason) == ("cancelled", confirming.TOO_LATE)
    assert {found[later.amount].state, found[done.amount].state} == {"requested", "approved"}
    assert held(alice) == later.total + done.total
    assert confirming.expire(now=timezone.now()) == 0


def test_a_mail_that_comes_too_late_is_not_sent(alice):
    ask(alice, now=timezone.now() - HALF_AN_HOUR)
    mailing.deliver(now=timezone.now())
    assert not [message for message in mail.outbox if "/confirm/" in message.body]


def test_a_cancelled_one_cannot_be_confirmed(alice):
    view = ask(alice)
    secret = token()
    withdrawals.cancel(user_id=alice, withdrawal_id=view.id, now=timezone.now())
    with pytest.raises(confirming.ConfirmationOver):
        confirming.confirm(token=secret, now=timezone.now())
    assert held(alice) == 0


def test_a_frozen_customer_confirms_nothing(alice):
    ask(alice)
    secret = token()
    freezes.freeze(owner_id=alice, reason="a court asks", actor=None, now=timezone.now())
    with pytest.raises(AccountFrozen):
        confirming.confirm(token=secret, now=timezone.now())
    assert Withdrawal.objects.get().state == "requested"


def test_the_policy_is_asked_again_and_may_want_a_look_or_say_no_by_then(alice, rules):
    looked, refused = ask(alice, "0.1"), ask(alice, "0.2")
    mailing.deliver(now=timezone.now())
    tokens = re.findall(r"/confirm/(\S+)/\n", "\n".join(message.body for message in mail.outbox))
    rules(
        [
            {"name": "too much", "effect": "block", "assets": ["BTC"], "amount_above": str(COIN * 15 // 100),
             "code": "policy_amount"},
            {"name": "two look", "effect": "review", "approvers": 2, "assets": ["BTC"]},
        ]
    )  # fmt: skip
    for each in tokens:
        confirming.confirm(token=each, now=timezone.now())
    assert selectors.withdrawal(alice, looked.id).state == "review"
    assert Withdrawal.objects.get(pk=looked.id).approvals_needed == 2
    ended = selectors.withdrawal(alice, refused.id)
    assert ended.state == "rejected" and "more than can leave at once" in ended.reason
    assert held(alice) == looked.total
    effects = [decision.effect for decision in custody.decisions(f"withdrawal:{refused.id}")]
    assert effects == ["allow", "block"]


def test_a_list_that_was_tightened_meanwhile_holds(alice):
    ask(alice)
    secret = token()
    address_book.set_mode(user_id=alice, allow_list_only=True, now=timezone.now())
    ended = confirming.confirm(token=secret, now=timezone.now())
    assert ended.state == "rejected" and "your list alone" in ended.reason
    assert held(alice) == 0


def test_what_is_confirmed_otherwise_needs_no_mail(alice):
    """The place of an API key that may withdraw, and of a second factor."""
    view = ask(alice, confirmed_by="api_key:7")
    assert view.state == "approved"
    assert Withdrawal.objects.get().confirmed_by == "api_key:7"
    mailing.deliver(now=timezone.now())
    assert not [message for message in mail.outbox if "/confirm/" in message.body]


def test_every_step_is_told_by_mail_with_what_and_where_to(alice):
    view = ask(alice)
    confirming.confirm(token=token(), now=timezone.now())
    withdrawals.cancel(user_id=alice, withdrawal_id=view.id, now=timezone.now())
    mailing.deliver(now=timezone.now())
    subjects = [message.subject for message in mail.outbox]
    assert subjects == [
        "Confirm your withdrawal of 0.1 BTC",
        "Withdrawal of 0.1 BTC accepted",
        "Withdrawal of 0.1 BTC cancelled",
    ]
    for message in mail.outbox:
        assert OUTSIDE in message.body and "0.0001 BTC" in message.body and "Was this not you?" in message.body
