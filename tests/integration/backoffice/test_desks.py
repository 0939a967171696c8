"""The back office's own pages: a customer's story by the rights of who reads it, the ledger from a sum to its cause, figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from unfold.paginator import InfinitePaginator

from exchange.accounts import admin_lists
from exchange.accounts.services import customers
from exchange.audit.models import Record
from exchange.backoffice import figures, plots
from exchange.backoffice.models import Figure
from exchange.ledger.journal import Entry, Kind, Transfer
from exchange.ledger.services import accounts, holds, transfers
from tests.factors import log_in_staff

pytestmark = pytest.mark.django_db
COIN = 10**8
# Made by people, a few a month.
FEW = ("auth.Group", "notifications.Announcement")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


@pytest.fixture
def alice() -> int:
    now = timezone.now()
    user_id = customers.open(email="alice@example.com", password="x" * 20, email_verified=True, now=now)
    own = accounts.open(kind=Kind.CUSTOMER, asset_id=1, owner_id=user_id, now=now)
    outside = accounts.open(kind=Kind.CHAIN_WALLET, asset_id=1, label="hot", now=now)
    entries = (Entry(outside, -1_234 * COIN), Entry(own, 1_234 * COIN))
    transfers.post(transfers=[Transfer(uuid4(), "deposit", entries, f"bitcoin:{'ab' * 32}:0")], now=now)
    holds.place(id=uuid4(), account_id=own, amount=COIN, now=now, reference="withdrawal")
    return user_id


def of(office: str) -> Client:
    person = get_user_model().objects.create_user(email=f"{office.lower()}@example.com", is_staff=True)
    if office != "Chief":
        person.groups.add(Group.objects.get(name=office))
    else:
        get_user_model().objects.filter(pk=person.pk).update(is_superuser=True)
    client = Client()
    log_in_staff(client, person.pk)
    return client


def test_a_customers_story_is_on_one_page_and_every_look_is_on_record(alice: int) -> None:
    client = of("Support")
    found = client.get(reverse("admin:backoffice_story_changelist"), {"q": "ALICE@example.com"})
    assert found.headers["Location"] == reverse("admin:backoffice_story_change", args=[alice])
    page = client.get(found.headers["Location"])
    shown = page.content.decode()
    assert "alice@example.com" in shown and "1,234 BTC" in shown and "1,233 BTC" in shown
    assert "no-store" in page.headers["Cache-Control"]
    look = Record.objects.get(action="customer.look")
    assert (
        look.subject == f"user:{alice}"
        and look.actor_id == get_user_model().objects.get(email="support@example.com").pk
    )


def test_each_office_reads_of_it_what_it_may(alice: int) -> None:
    page = reverse("admin:backoffice_story_change", args=[alice])
    support, compliance, treasury = (of(office).get(page) for office in ("Support", "Compliance", "Treasury"))
    titles = [panel.title for panel in compliance.context["story"].panels] + compliance.context["story"].empty
    assert "Screening cases" in titles and "Identity" in titles
    story = support.context["story"]
    assert "Screening cases" not in [panel.title for panel in story.panels] + story.empty
    story = treasury.context["story"]
    assert not {"Identity", "Orders", "Screening cases"} & {*(panel.title for panel in story.panels), *story.empty}
    assert of("Operator").get(page).status_code == 403
    assert [label for label, _page in support.context["story"].deeds if "e-mail" in label]
    assert not [label for label, _page in treasury.context["story"].deeds if "e-mail" in label]


def test_a_case_about_whoever_looks_is_not_shown_to_them() -> None:
    client = of("Chief")
    own = get_user_model().objects.get(email="chief@example.com").pk
    story = client.get(reverse("admin:backoffice_story_change", args=[own])).context["story"]
    assert "Screening cases" not in [panel.title for panel in story.panels] + story.empty


def test_from_a_sum_down_to_an_entry_and_its_cause_and_up_again(alice: int) -> None:
    client = of("Treasury")
    book = client.get(reverse("admin:backoffice_book_changelist")).content.decode()
    accounts_of_it = f"{reverse('admin:backoffice_book_accounts')}?kind=customer&amp;asset=1"
    assert accounts_of_it in book and "1,234 BTC" in book
    listed = client.get(accounts_of_it.replace("&amp;", "&")).context["rows"]
    ((row, balance, held, _kind),) = [each for each in listed if each[0].owner_id == alice]
    assert (balance, held) == ("1,234 BTC", "1 BTC")
    account = client.get(reverse("admin:backoffice_book_account", args=[row.id]))
    ((line, amount, cause, cause_page),) = account.context["lines"]
    assert amount == "+1,234 BTC" and cause == "Transaction on the chain" and "ab" * 32 in cause_page
    assert [text for _hold, text in account.context["holds"]] == ["1 BTC"]
    whole = client.get(reverse("admin:backoffice_book_transfer", args=[line.transfer_id]))
    assert whole.context["sums"] == ["0 BTC"] and len(whole.context["lines"]) == 2 and whole.context["transfer"].hash
    assert reverse("admin:backoffice_book_account", args=[row.id]) in whole.content.decode(), "and up again"
    by_id = client.get(reverse("admin:backoffice_book_changelist"), {"q": str(line.transfer_uuid)})
    assert by_id.headers["Location"] == reverse("admin:backoffice_book_transfer", args=[line.transfer_id])
    assert client.get(reverse("admin:backoffice_book_account", args=[10**9])).status_code == 404


def test_the_dashboard_shows_to_each_what_they_may_see() -> None:
    chief, auditor, support = (of(office).get(reverse("admin:index")) for office in ("Chief", "Auditor", "Support"))
    assert [plot.name for plot in chief.context["plots"]] == ["volume", "fees", "sign_ups", "coins"]
    assert [plot.name for plot in support.context["plots"]] == ["volume", "fees", "sign_ups", "coins"]
    assert support.context["engines"] == [] and auditor.context["engines"]
    names = {queue.name for queue, _page in support.context["queues"]}
    assert "applications" in names and not {"cases", "policy", "letters", "breaks"} & names
    assert b"style=" not in chief.content.partition(b'id="queues-heading"')[2].partition(b"</main>")[0]


def test_a_days_figures_are_counted_and_a_past_day_is_left_alone(alice: int) -> None:
    now = timezone.now().replace(hour=12)
    assert figures.count(now=now) == figures.DAYS + 1
    assert Figure.objects.get(day=now.date(), kind="sign_ups").units == 1
    Figure.objects.filter(day=now.date() - timedelta(days=1), kind="sign_ups").update(units=7)
    assert figures.count(now=now) == 1
    assert Figure.objects.get(day=now.date() - timedelta(days=1), kind="sign_ups").units == 7
    fees = accounts.open(kind=Kind.HOUSE_FEES, asset_id=1, label="a", now=now)
    own = accounts.open(kind=Kind.CUSTOMER, asset_id=1, owner_id=alice, now=now)
    transfers.post(transfers=[Transfer(uuid4(), "fee", (Entry(own, -COIN), Entry(fees, COIN)), "")], now=now)
    figures.count(now=now)
    assert Figure.objects.get(day=now.date(), kind="fees", asset_id=1).units == COIN


def test_bars_fill_their_box_and_begin_at_nothing() -> None:
    bars, top = plots.bars([0, 5, 10], [1, 0, 2])
    assert top == 10 and max(bar.height for bar in bars) == plots.HEIGHT
    assert [bar.height for bar in bars if bar.series == 0] == [0, 80, 160]
    assert all(bar.y + bar.height == plots.HEIGHT and bar.x + bar.width <= plots.WIDTH for bar in bars)
    assert plots.bars([0, 0])[1] == 0


# --- lists ------------------------------------------------------------------------------------------------------------


def pages() -> dict[str, Any]:
    return {model._meta.label: page for model, page in admin.site._registry.items()}


def test_no_list_counts_a_large_table_or_casts_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every table were large: what each list asks for, with a word searched for, and its filters drawn."""
    monkeypatch.setattr(admin_lists, "rows", lambda model: 10**6)
    client, slow = of("Chief"), []
    for label, page in pages().items():
        if label.startswith("backoffice") or label in ("wallets.Trace", *FEW):
            continue
        address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address, {"q": "4242"} if page.search_fields else {}).status_code == 200, label
        table = f'"{page.model._meta.db_table}"'
        for each in asked.captured_queries:
            sql = each["sql"]
            of_all = sql.startswith(("SELECT COUNT(*)", "SELECT DISTINCT")) and table in sql and "WHERE" not in sql
            # A beginning is looked up in the index of beginnings; any other cast keeps the index away.
            asked_for = sql.partition(" WHERE ")[2].partition("ORDER BY")[0].replace("::text LIKE", "")
            if of_all or "::text" in asked_for or "UPPER(" in sql:
                slow.append((label, sql[-300:]))
    assert slow == []


def test_a_small_list_is_counted_and_a_large_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    client = of("Chief")
    address = reverse("admin:accounts_user_changelist")
    assert not isinstance(client.get(address).context["cl"].paginator, InfinitePaginator)
    monkeypatch.setattr(admin_lists, "rows", lambda model: 10**6)
    assert isinstance(client.get(address).context["cl"].paginator, InfinitePaginator)


def test_a_search_finds_by_number_by_the_beginning_of_an_address_and_nothing_by_nonsense(alice: int) -> None:
    client = of("Chief")
    address = reverse("admin:accounts_user_changelist")

    def found(word: str) -> list[int]:
        return [row.pk for row in client.get(address, {"q": word}).context["cl"].result_list]

    assert found(str(alice)) == [alice] and found("Alice@") == [alice]
    assert found("lice") == [] and found("9" * 40) == [] and found("'") == []
