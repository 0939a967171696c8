"""Staff look at coins on their way, and decide; nobody edits a row."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from wallets import selectors
from wallets.services import withdrawals

ALICE = 101
COIN = 10**8
PAGES = ["withdrawal", "deposit", "payout", "health", "address", "xpub", "block"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff():
    user = get_user_model().objects.create(email="staff@example.com", is_staff=True, is_active=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="wallets"))
    return user


@pytest.fixture
def view(house, fund, prices, settings):
    settings.WALLETS_REVIEW_ABOVE = {"BTC": "0.01"}
    fund(ALICE, 1, COIN)
    return withdrawals.request(
        user_id=ALICE, asset="BTC", network="bitcoin", address="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        amount="0.1", idempotency_key="admin", now=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def act(staff, view):
    """Runs an action of the list as the page would."""
    from django.contrib import admin
    from django.contrib.messages.storage.fallback import FallbackStorage

    from wallets.models import Withdrawal

    page = admin.site._registry[Withdrawal]

    def run(name, user=staff, **form):
        request = RequestFactory().post("/", form)
        request.user, request.session = user, {}
        request._messages = FallbackStorage(request)
        if name in page.get_actions(request):
            getattr(page, name)(request, Withdrawal.objects.all())
        return [str(message) for message in request._messages]

    return run


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_none_can_be_edited(client, admin_user_client, view, page):
    assert admin_user_client.get(reverse(f"admin:wallets_{page}_changelist")).status_code == 200
    assert admin_user_client.get(reverse(f"admin:wallets_{page}_add")).status_code == 403


@pytest.fixture
def admin_user_client(client, settings):
    user = get_user_model().objects.create(email="root@example.com", is_staff=True, is_superuser=True, is_active=True)
    settings.AXES_ENABLED = False
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_approving_lets_it_go_on(act, view):
    assert act("approve") == ["1 approved."]
    assert selectors.withdrawal(ALICE, view.id).state == "approved"


def test_rejecting_needs_a_reason(act, view):
    assert "reason" in act("reject")[0]
    assert selectors.withdrawal(ALICE, view.id).state == "review"
    assert act("reject", reason="not ours to send") == ["1 rejected."]
    after = selectors.withdrawal(ALICE, view.id)
    assert (after.state, after.reason) == ("rejected", "not ours to send")


def test_what_is_not_under_review_is_left_alone(act, view):
    act("approve")
    assert "not under review" in act("reject", reason="too late")[0]
    assert selectors.withdrawal(ALICE, view.id).state == "approved"


def test_staff_without_the_right_decide_nothing(act, view):
    other = get_user_model().objects.create(email="reader@example.com", is_staff=True, is_active=True)
    assert act("approve", user=other) == []
    assert selectors.withdrawal(ALICE, view.id).state == "review"
