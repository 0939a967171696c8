"""No page of the staff site edits money: a walk over all of them, by what their forms could write and by trying.

What a raw save may write is listed here, page by page, and none of it is an amount. Everything else goes through a service, and
money rooms have no form that writes a row. Whoever may everything posts figures into every form there is, and the books stay
what they were, to the last byte.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.services import customers
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts, holds, transfers
from tests.factors import log_in_staff
from wallets.models import Address, Deposit, Withdrawal, Xpub

pytestmark = pytest.mark.django_db
COIN = 10**8
# What a form of the staff site may write into its row by itself. Nothing here is money, or decides about it.
RAW: dict[str, set[str]] = {
    "accounts.User": {
        "display_name",
        "groups",
        "is_active",
        "is_staff",
        "is_superuser",
        "language",
        "user_permissions",
    },
    "auth.Group": {"name", "permissions"},
    "notifications.Announcement": {"slug", "kind", "published_at", "banner_until", "tell"},
}
# Rows that a person may take away.
REMOVABLE = {"auth.Group", "notifications.Announcement"}
MONEY = (
    "ledger_account", "ledger_entry", "ledger_transfer", "ledger_hold", "wallets_deposit", "wallets_withdrawal",
    "wallets_payout", "trading_order", "trading_trade", "fiat_bank_deposit", "invoices_invoice",
)  # fmt: skip


def pages() -> dict[str, Any]:
    return {model._meta.label: page for model, page in admin.site._registry.items()}


@pytest.fixture
def chief() -> Any:
    return get_user_model().objects.create_superuser(email="chief@example.com", password="w" * 20)


@pytest.fixture
def client(chief: Any) -> Client:
    found = Client()
    log_in_staff(found, chief)
    return found


@pytest.fixture
def rich() -> int:
    """A customer with coins, a hold, a deposit and a withdrawal."""
    now = timezone.now()
    user_id = customers.open(email="alice@example.com", password="x" * 20, email_verified=True, now=now)
    own = accounts.open(kind=Kind.CUSTOMER, asset_id=1, owner_id=user_id, now=now)
    outside = accounts.open(kind=Kind.CHAIN_WALLET, asset_id=1, label="hot", now=now)
    transfers.post(
        transfers=[Transfer(uuid4(), "deposit", (Entry(outside, -COIN), Entry(own, COIN)), "by a test")], now=now
    )
    holds.place(id=uuid4(), account_id=own, amount=COIN // 4, now=now, reference="withdrawal")
    xpub = Xpub.objects.create(network_id=1, purpose="deposit", xpub="tpubtest", path="m/84", created_at=now)
    address = Address.objects.create(
        xpub=xpub, network_id=1, address="bcrt1qtest", purpose="deposit", owner_id=user_id, index=0, created_at=now
    )
    Deposit.objects.create(
        network_id=1, asset_id=1, address=address, owner_id=user_id, txid="ab" * 32, position="0", amount=COIN,
        state="credited", confirmations_required=1, block_height=7, seen_at=now, credited_at=now, transfer_id=uuid4(),
    )  # fmt: skip
    Withdrawal.objects.create(
        owner_id=user_id, asset_id=1, network_id=1, address="bcrt1qaway", amount=COIN // 4, fee=0, state="review",
        idempotency_key="one", account_id=own, requested_at=now, approvals_needed=1,
    )  # fmt: skip
    return user_id


def written_by_hand(page: Any, request: Any) -> set[str]:
    """The columns that the page's own saving would write: none where its saving does nothing, or where no form is offered."""
    may = page.has_add_permission(request) or page.has_change_permission(request)
    saves = type(page).save_model
    if not may or not _writes(saves):
        return set()
    adds = page.has_add_permission(request)
    form = page.get_form(request, None if adds else page.model._default_manager.first(), change=not adds)
    columns = {each.name for each in (*page.model._meta.fields, *page.model._meta.many_to_many) if each.editable}
    return columns & {name for name, each in form.base_fields.items() if not each.disabled}


def _writes(saves: Any) -> bool:
    """Whether a page's save_model writes a row: Django's own does, and whatever calls it; an empty one does not."""
    if saves is admin.ModelAdmin.save_model:
        return True
    return "save" in saves.__code__.co_names or "save_model" in saves.__code__.co_names


def test_what_a_form_may_write_is_listed_and_no_amount(chief: Any) -> None:
    request = RequestFactory().get("/admin/")
    request.user, request.session = chief, {}
    found = {label: written_by_hand(page, request) for label, page in pages().items()}
    assert {label: names for label, names in found.items() if names} == RAW
    for label, names in RAW.items():
        fields = {each.name: each for each in pages()[label].model._meta.fields}
        assert not [name for name in names if isinstance(fields.get(name), models.DecimalField)], label


def test_no_list_is_edited_in_place_and_nothing_else_is_removed(chief: Any) -> None:
    request = RequestFactory().get("/admin/")
    request.user, request.session = chief, {}
    for label, page in pages().items():
        assert not page.list_editable, label
        assert page.has_delete_permission(request) == (label in REMOVABLE), label
        for inline in page.get_inline_instances(request):
            writes = inline.has_add_permission(request, None) or inline.has_change_permission(request, None)
            # The saving of the one is a proposal, of the other words to customers.
            assert not writes or label in ("assets.AssetNetwork", "notifications.Announcement"), label


def books() -> dict[str, Any]:
    """Every row of money, as one number a table."""
    with connection.cursor() as cursor:
        found = {}
        for table in MONEY:
            cursor.execute(
                f"SELECT count(*), md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {table} t"
            )
            found[table] = cursor.fetchone()
    return found


def figures(page: Any) -> dict[str, str]:
    """A million for everything that has a name, and a reason."""
    names = {each.name for each in page.model._meta.fields}
    return dict.fromkeys(names, "1000000") | {"reason": "by a test", "why": "by a test", "post": "yes"}


def test_figures_posted_into_every_form_leave_the_books_as_they_were(client: Client, rich: int) -> None:
    before = books()
    assert before["ledger_account"][0] and before["ledger_entry"][0] == 2 and before["ledger_hold"][0] == 1
    tried = 0
    for label, page in pages().items():
        base, sent = f"admin:{page.opts.app_label}_{page.opts.model_name}", figures(page)
        client.post(reverse(f"{base}_add"), sent)
        row = (
            None
            if page.model._meta.managed is False and label.startswith("backoffice")
            else page.model._default_manager.first()
        )
        pk = "1" if row is None else row.pk
        if (
            row is not None and label != "accounts.User"
        ):  # the chief's own row stays as it is: these are the chief's deeds
            client.post(reverse(f"{base}_change", args=[pk]), sent)
        client.post(reverse(f"{base}_delete", args=[pk]), sent)
        chosen = {"action": "delete_selected", "_selected_action": [str(pk)], "post": "yes"}
        client.post(reverse(f"{base}_changelist"), chosen)
        tried += 1
    assert tried == len(pages())
    assert books() == before
