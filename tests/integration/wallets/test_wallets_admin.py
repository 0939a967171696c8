"""Staff look at the queue and at one case with its story, and decide; nobody edits a row."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.services import customers
from exchange.audit.models import Record
from tests.factors import log_in_staff
from wallets import desk, selectors
from wallets.lifecycle import State
from wallets.models import Address, Payout, PayoutVersion, Withdrawal
from wallets.services import address_book, withdrawals

COIN = 10**8
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PAGES = ["withdrawal", "deposit", "payout", "health", "address", "xpub", "block"]
LIST = reverse("admin:wallets_withdrawal_changelist")
KEYS = itertools.count()
pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(house, fund, prices, settings):
    settings.AXES_ENABLED = False
    user_id = customers.open(email="alice@example.com", password="x" * 12, email_verified=True, now=timezone.now())
    fund(user_id, 1, 10 * COIN)
    return user_id


def ask(user_id, amount="0.3", address=OUTSIDE):
    return withdrawals.request(
        user_id=user_id, asset="BTC", network="bitcoin", address=address, amount=amount,
        idempotency_key=f"admin-{next(KEYS)}", now=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def staff(alice):
    """Somebody of staff with the right to decide, in a browser."""

    def make(name, *, may=True):
        user = get_user_model().objects.create(email=f"{name}@example.com", is_staff=True, is_active=True)
        rights = Permission.objects.filter(content_type__app_label="wallets")
        user.user_permissions.set(rights if may else rights.filter(codename__startswith="view_"))
        browser = Client()
        log_in_staff(browser, user)
        browser.user = user
        return browser

    return make


def case_page(view):
    return reverse("admin:wallets_withdrawal_change", args=[view.id])


def decide(browser, view, verb, reason=""):
    page = reverse("admin:wallets_withdrawal_decide", args=[view.id])
    answer = browser.post(page, {"verb": verb, "reason": reason}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def state(alice, view):
    return selectors.withdrawal(alice, view.id).state


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_none_can_be_edited(alice, client, page):
    root = get_user_model().objects.create(email="root@example.com", is_staff=True, is_superuser=True, is_active=True)
    log_in_staff(client, root)
    view = ask(alice)
    assert client.get(reverse(f"admin:wallets_{page}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:wallets_{page}_add")).status_code == 403
    if page == "withdrawal":
        assert client.post(case_page(view), {"state": "final"}).status_code == 403


class TestTheQueue:
    def test_it_counts_what_waits_and_for_what(self, alice, staff):
        now = timezone.now()
        for _ in range(2):
            ask(alice)
        for number, to in enumerate((State.SIGNING, State.BROADCAST, State.BROADCAST, State.FAILED)):
            view = ask(alice, "0.001")
            closed = now if to == State.FAILED else None
            Withdrawal.objects.filter(pk=view.id).update(state=to, closed_at=closed)
            if to == State.BROADCAST:
                sent(view, first_broadcast_at=now - timedelta(hours=3 if number == 1 else 0))
        old = ask(alice, "0.001")
        Withdrawal.objects.filter(pk=old.id).update(state=State.FAILED, closed_at=now - timedelta(days=31))
        counts = desk.counts(now=now)
        assert (counts.review, counts.signer, counts.stuck, counts.failed, counts.moving) == (2, 1, 1, 1, 2)
        text = staff("ann").get(LIST).content.decode()
        for words in ("Under review", "Waiting for the signer", "Stuck in the mempool", "Failed in 30 days"):
            assert words in text
        stuck = staff("ben").get(f"{LIST}?stuck=yes").context["cl"].queryset
        assert [row.state for row in stuck] == ["broadcast"]

    def test_several_are_decided_at_once_and_one_that_cannot_be_holds_up_no_other(self, alice, staff):
        first, other, third = ask(alice), ask(alice, "0.001"), ask(alice)
        ids = [str(view.id) for view in (first, other, third)]
        form = {"action": "reject", "_selected_action": ids, "reason": "not ours to send"}
        answer = staff("ann").post(LIST, form, follow=True)
        said = [str(message) for message in answer.context["messages"]]
        assert said[-1] == "2 rejected." and "not under review" in said[0]
        assert [state(alice, view) for view in (first, other, third)] == ["rejected", "approved", "rejected"]
        assert selectors.withdrawal(alice, first.id).reason == "not ours to send"


class TestACase:
    def test_it_shows_the_policys_reason_the_customers_story_and_where_it_goes(self, alice, staff):
        before = ask(alice, "0.01")
        Withdrawal.objects.filter(pk=before.id).update(state=State.FINAL, closed_at=timezone.now())
        address_book.add(
            user_id=alice, network="bitcoin", address=OUTSIDE, label="cousin", now=timezone.now() - timedelta(days=3)
        )
        view = ask(alice)
        text = staff("ann").get(case_page(view)).content.decode()
        for words in (
            "0.3 BTC", OUTSIDE, "alice@example.com", "REVIEW, 1 must agree", "BTC, large", "0 of 1 agreed",
            "This customer sent there 1 time before", "In the customer's address book as “cousin”", "0.01 BTC",
        ):  # fmt: skip
            assert words in text, words

    def test_an_address_that_other_customers_named_too_is_said_to_be_one(self, alice, fund):
        fund(102, 1, COIN)
        ask(102, "0.01")
        view = ask(alice)
        found = desk.case(withdrawal_id=view.id, now=timezone.now()).destination
        assert (found.others, found.times_used, found.ours) == (1, 0, "")

    def test_an_address_of_another_customer_of_ours_is_said_to_be_one(self, alice, house):
        view = ask(alice, address=house.address(103, "BTC", "bitcoin"))
        found = desk.case(withdrawal_id=view.id, now=timezone.now()).destination
        assert found.ours == "deposit address of customer 103"

    def test_one_of_two_agrees_and_then_the_other(self, alice, staff):
        view, ann, ben = ask(alice, "1.5"), staff("ann"), staff("ben")
        assert decide(ann, view, "approve") == ["1 noted: 1 more must agree."]
        assert "agreed to this one already" in decide(ann, view, "approve")[0]
        assert "1 of 2 agreed" in ben.get(case_page(view)).content.decode()
        assert decide(ben, view, "approve", "called him") == ["1 approved."]
        assert state(alice, view) == "approved"
        actors = Record.objects.filter(action="withdrawal.approve").order_by("id").values_list("actor_id", flat=True)
        assert list(actors) == [ann.user.pk, ben.user.pk]

    def test_what_may_be_done_follows_the_state(self, alice, staff):
        ann, view = staff("ann"), ask(alice)
        assert [verb for verb, _ in ann.get(case_page(view)).context["deeds"]] == ["approve", "reject"]
        decide(ann, view, "approve")
        assert [verb for verb, _ in ann.get(case_page(view)).context["deeds"]] == ["hold"]
        assert decide(ann, view, "hold", "wait a moment") == ["1 held."]
        assert state(alice, view) == "review"
        Withdrawal.objects.filter(pk=view.id).update(state=State.BROADCAST)
        sent(view)
        assert [verb for verb, _ in ann.get(case_page(view)).context["deeds"]] == ["bump", "cancel_on_chain"]

    @pytest.mark.parametrize("verb", ["reject", "hold", "bump", "cancel_on_chain"])
    def test_a_deed_without_a_reason_is_none(self, alice, staff, verb):
        view = ask(alice)
        assert "Give a reason" in decide(staff("ann"), view, verb)[0]
        assert state(alice, view) == "review"

    def test_a_member_of_staff_does_not_decide_about_his_own(self, alice, staff):
        ann = staff("ann")
        Withdrawal.objects.filter(pk=(view := ask(alice)).id).update(owner_id=ann.user.pk)
        assert "of his own" in decide(ann, view, "approve")[0]

    def test_without_the_right_there_is_no_button_and_no_door(self, alice, staff):
        reader, view = staff("reader", may=False), ask(alice)
        page = reader.get(case_page(view))
        assert page.status_code == 200 and page.context["deeds"] == []
        url = reverse("admin:wallets_withdrawal_decide", args=[view.id])
        assert reader.post(url, {"verb": "approve"}).status_code == 403
        assert Client().post(url, {"verb": "approve"}).status_code == 302
        reader.post(LIST, {"action": "approve", "_selected_action": [str(view.id)]})
        assert state(alice, view) == "review"

    def test_a_link_alone_does_nothing_and_an_unknown_verb_is_not_found(self, alice, staff):
        ann, view = staff("ann"), ask(alice)
        url = reverse("admin:wallets_withdrawal_decide", args=[view.id])
        assert ann.get(url, {"verb": "approve"}).status_code == 405
        assert ann.post(url, {"verb": "final"}).status_code == 404
        assert state(alice, view) == "review"


def sent(view, first_broadcast_at=None):
    """As if its transaction waited in the network's queue since then."""
    now = timezone.now()
    hot = Address.objects.filter(network_id=1, purpose=Address.Purpose.HOT, branch=0).get()
    payout = Payout.objects.create(
        network_id=1, asset_id=1, state=Payout.State.BROADCAST, address=hot, confirmations_required=2, created_at=now
    )
    PayoutVersion.objects.create(
        payout=payout, unsigned={}, raw=b"x", txid=view.id.hex * 2, signed_at=now, created_at=now,
        first_broadcast_at=first_broadcast_at or now,
    )  # fmt: skip
    Withdrawal.objects.filter(pk=view.id).update(payout=payout)
