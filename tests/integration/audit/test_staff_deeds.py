"""What staff do stands in the audit, whichever page they do it on: every registered model and action is found by itself.

One line of the house's own for each request that would change something (`staff.request`), and for each refusal; and of what was
decided a record with before and after, by whichever room it belongs to: `WRITTEN` names for each page that can change something
the test that reads its record. A page that is new and not named there fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.test import Client, RequestFactory
from django.urls import reverse

from exchange.assets.models import Asset, AssetNetwork, Network
from exchange.audit import selectors
from exchange.audit.models import Record
from exchange.proposals.desk import ProposedAdmin
from tests.factors import log_in_staff
from tests.second_person import approve, second_person

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]
# Addresses that only show: whatever else is sent there is refused.
LOOKS = {"backoffice_book_account", "backoffice_book_accounts", "backoffice_book_transfer"}
PLAIN = ("changelist", "add", "history", "delete", "change")
HERE = "tests/integration/audit/test_staff_deeds.py::"

# Which test sees the record of what is decided on a page that can add, change, delete or act.
WRITTEN: dict[str, str] = {
    "site_pages.Incident": "tests/integration/site/test_site_languages.py::TestIncidents::"
    "test_staff_open_tell_and_end_one_in_the_back_office",
    "accounts.Closure": "tests/integration/accounts/test_leaving.py::TestClosing::test_staff_open_it_again_with_a_reason",
    "accounts.FactorReset": "tests/integration/accounts/test_staff_site.py::TestResets::"
    "test_two_of_staff_take_every_factor_away_and_all_access_with_it",
    "accounts.Freeze": "tests/integration/accounts/test_not_me_links.py::TestNotMe::"
    "test_lifting_needs_somebody_else_and_a_reason_and_the_old_password_stays_void",
    "accounts.User": "tests/integration/accounts/test_accounts.py::TestStaff::"
    "test_a_change_is_audited_with_what_was_there_before",
    "assets.Asset": HERE + "test_an_asset_is_changed_with_what_was_there_before",
    "assets.AssetNetwork": "tests/integration/assets/test_prices.py::"
    "test_a_token_contract_is_checked_kept_checksummed_and_audited",
    "assets.Network": HERE + "test_an_asset_is_changed_with_what_was_there_before",
    "auth.Group": HERE + "test_what_an_office_may_do_is_recorded_as_it_was_and_as_it_is",
    "custody.PolicyEdit": "tests/integration/custody/test_custody_policies.py::test_an_edit_needs_two_people_and_a_day",
    "fiat.BankDeposit": "tests/integration/fiat/test_bank_deposits.py::test_what_arrives_is_credited_and_told",
    "fiat.BankStatement": HERE + "test_a_banks_statement_is_recorded",
    "flows.Freeze": "tests/integration/ledger/test_freezes_and_stops.py::test_freezing_is_told_and_recorded",
    "kyc.Application": "tests/integration/kyc/test_reviewing_pages.py::test_a_picture_is_served_so_that_it_can_only_be_looked_at",
    "kyc.Customer": "tests/integration/kyc/test_levels.py::test_a_change_of_level_is_audited_with_its_reason",
    "kyc.Level": "tests/integration/kyc/test_levels.py::test_staff_set_levels_and_limits_in_the_back_office",
    "kyc.LevelProposal": "tests/integration/kyc/test_raising.py::test_a_high_level_takes_two_people",
    "kyc.ScreeningCase": "tests/integration/kyc/test_screening_desk.py::"
    "test_the_case_shows_the_entry_beside_the_customer_and_notes_who_looked",
    "ledger.Stop": "tests/integration/ledger/test_ledger_reading.py::test_staff_stop_and_lift_with_reasons",
    "notifications.Announcement": "tests/integration/notifications/test_notification_pages.py::TestStaff::"
    "test_an_announcement_is_written_and_recorded",
    "notifications.Delivery": "tests/integration/notifications/test_notification_pages.py::TestStaff::"
    "test_what_was_given_up_is_tried_again_under_a_name",
    "notifications.PushDevice": "tests/integration/notifications/test_notification_pages.py::TestStaff::"
    "test_a_device_is_dropped_under_a_name_and_its_token_is_shown_nowhere",
    "outbox.Delivery": HERE + "test_dead_letters_are_tried_again_under_a_name",
    "proposals.Proposal": "tests/integration/trading/test_trading_admin.py::test_a_market_is_opened_from_a_form",
    "trading.FeeTier": "tests/integration/trading/test_trading_admin.py::test_a_tier_is_added_changed_and_removed_by_services",
    "trading.Market": "tests/integration/trading/test_trading_admin.py::test_a_market_is_opened_from_a_form",
    "trading.Order": "tests/integration/trading/test_many_orders.py::test_staff_take_back_a_markets_and_a_customers_orders",
    "wallets.ColdProposal": "tests/integration/wallets/test_cold_admin.py::"
    "test_a_share_a_wallet_and_a_proposal_through_the_pages",
    "wallets.ColdWallet": "tests/integration/wallets/test_cold_admin.py::"
    "test_a_share_a_wallet_and_a_proposal_through_the_pages",
    "wallets.Deposit": "tests/integration/wallets/test_wallets_limits.py::test_staff_credit_it_with_a_reason_once",
    "wallets.HotShare": "tests/integration/wallets/test_cold_admin.py::"
    "test_a_share_a_wallet_and_a_proposal_through_the_pages",
    "wallets.Withdrawal": "tests/integration/wallets/test_wallets_admin.py::TestACase::test_one_of_two_agrees_and_then_the_other",
}


def pages() -> dict[str, Any]:
    """Every model of the staff site by its name."""
    return {model._meta.label: page for model, page in admin.site._registry.items()}


@pytest.fixture
def chief(db: None) -> Any:
    return get_user_model().objects.create_superuser(email="chief@example.com", password="w" * 20)


@pytest.fixture
def client(chief: Any) -> Client:
    found = Client()
    log_in_staff(found, chief)
    return found


def powers(page: Any, chief: Any) -> set[str]:
    """What the most powerful person may do on a page."""
    request = RequestFactory().get("/admin/")
    request.user = chief
    request.session = {}
    found = {what for what in ("add", "change", "delete") if getattr(page, f"has_{what}_permission")(request)}
    found |= {f"action {name}" for name in page.get_actions(request)}
    found |= {f"deed {name}" for name in getattr(page, "deeds", {})}
    plain = {
        f"{page.opts.app_label}_{page.opts.model_name}_{each}"
        for each in ("changelist", "add", "history", "delete", "change")
    }
    return found | {f"view {url.name}" for url in page.get_urls() if url.name and url.name not in plain | LOOKS}


def made_by_staff() -> list[tuple[str, str, dict[str, Any]]]:
    rows = Record.objects.filter(action__startswith="staff.").order_by("id")
    return [(row.action, row.subject, row.after) for row in rows]


def test_each_page_is_for_looking_or_is_named_with_the_test_that_sees_its_record(chief: Any) -> None:
    unnamed = {name: sorted(powers(page, chief)) for name, page in pages().items() if powers(page, chief)}
    assert {name: can for name, can in unnamed.items() if name not in WRITTEN} == {}
    assert sorted(set(WRITTEN) - set(unnamed)) == []


@pytest.mark.parametrize("node", sorted(set(WRITTEN.values())))
def test_the_named_tests_are_there_and_read_the_audit(node: str) -> None:
    path, _, inside = node.partition("::")
    text = (ROOT / path).read_text()
    assert f"def {inside.rpartition('::')[2]}(" in text
    assert "Record" in text or "audit" in text


def test_a_request_that_would_change_something_leaves_a_line_on_every_page(client: Client, chief: Any) -> None:
    for name, page in pages().items():
        before = len(made_by_staff())
        base = f"admin:{page.opts.app_label}_{page.opts.model_name}"
        client.post(reverse(f"{base}_changelist"), {"action": "delete_selected", "_selected_action": ["1", "2"]})
        client.post(reverse(f"{base}_add"), {})
        client.post(reverse(f"{base}_change", args=["1"]), {"reason": "a person's words"})
        client.post(reverse(f"{base}_delete", args=["1"]), {"post": "yes"})
        lines = made_by_staff()[before:]
        assert len(lines) == 4, (name, lines)
        assert "a person's words" not in str(lines)
        assert lines[0][2]["chosen"] == ["1", "2"] and lines[2][2]["object_id"] == "1"
    assert set(Record.objects.filter(action__startswith="staff.").values_list("actor_id", flat=True)) == {chief.pk}
    assert all(
        "ip=" in origin
        for origin in Record.objects.filter(action__startswith="staff.").values_list("origin", flat=True)
    )


def test_every_further_view_of_a_page_leaves_one_too(client: Client) -> None:
    """Deeds, decisions and pictures: what a page adds to Django's own addresses."""
    tried = 0
    for page in pages().values():
        for url in page.get_urls():
            if url.name is None or url.name.rpartition("_")[2] in PLAIN:
                continue
            arguments = {name: _filler(converter) for name, converter in url.pattern.converters.items()}
            before = len(made_by_staff())
            answer = client.post(reverse(f"admin:{url.name}", kwargs=arguments), {"deed": "anything"})
            assert answer.status_code == 405 or url.name not in LOOKS, url.name
            assert len(made_by_staff()) == before + 1, url.name
            tried += 1
    assert tried > 8


def _filler(converter: Any) -> Any:
    kind = type(converter).__name__
    return {"IntConverter": 1, "UUIDConverter": "0198c0de-7a1b-7c00-8000-000000000001"}.get(kind, "1")


def test_a_refusal_is_on_record_also_where_somebody_only_looked(client: Client) -> None:
    clerk = get_user_model().objects.create_user(email="clerk@example.com", password="w" * 20, is_staff=True)
    found = Client()
    log_in_staff(found, clerk)
    for name in ("admin:ledger_transfer_changelist", "admin:wallets_withdrawal_changelist", "admin:auth_group_add"):
        assert found.get(reverse(name)).status_code == 403
    assert [(action, subject) for action, subject, _ in made_by_staff()] == [
        ("staff.refused", "page:ledger_transfer_changelist"), ("staff.refused", "page:wallets_withdrawal_changelist"),
        ("staff.refused", "page:auth_group_add"),
    ]  # fmt: skip
    assert set(Record.objects.filter(action="staff.refused").values_list("actor_id", flat=True)) == {clerk.pk}


def test_who_is_not_staff_fills_no_audit() -> None:
    person = get_user_model().objects.create_user(email="ann@example.com", password="w" * 20)
    for client in (Client(), Client()):
        for name in ("admin:index", "admin:ledger_transfer_changelist"):
            client.post(reverse(name), {})
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    assert made_by_staff() == []
    assert AnonymousUser().pk is None


# --- the pages that are nobody's room but this house's own --------------------------------------------------------------


def record(action: str) -> Record:
    return Record.objects.get(action=action)


def test_what_an_office_may_do_is_recorded_as_it_was_and_as_it_is(client: Client, chief: Any) -> None:
    right = Permission.objects.get(codename="view_transfer", content_type__app_label="ledger")
    assert (
        client.post(reverse("admin:auth_group_add"), {"name": "Finance", "permissions": [right.pk]}).status_code == 302
    )
    group = Group.objects.get(name="Finance")
    assert record("group.add").after == {"name": "Finance", "rights": ["ledger.view_transfer"]}
    client.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "Money"})
    changed = record("group.change")
    assert changed.before == {"name": "Finance", "rights": ["ledger.view_transfer"]}
    assert changed.after == {"name": "Money", "rights": []} and changed.actor_id == chief.pk
    client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert record("group.delete").before == {"name": "Money", "rights": []}


def test_dead_letters_are_tried_again_under_a_name(client: Client) -> None:
    client.post(reverse("admin:outbox_delivery_changelist"), {"action": "try_again", "_selected_action": ["7"]})
    ((_, subject, after),) = made_by_staff()
    assert subject == "page:outbox_delivery_changelist" and (after["action"], after["chosen"]) == ("try_again", ["7"])


def test_nobody_sets_anothers_password_or_makes_people(client: Client, mailoutbox: Any) -> None:
    person = get_user_model().objects.create_user(email="ann@example.com", password="w" * 20)
    page = reverse("admin:auth_user_password_change", args=[person.pk])
    assert client.post(page, {"password1": "n" * 20, "password2": "n" * 20}).status_code == 403
    assert client.get(reverse("admin:accounts_user_add")).status_code == 403
    person.refresh_from_db()
    assert person.check_password("w" * 20)
    chosen = {"action": "send_reset", "_selected_action": [person.pk]}
    client.post(reverse("admin:accounts_user_changelist"), chosen)
    assert record("user.send_reset").subject == f"user:{person.pk}"
    assert [mail.to for mail in mailoutbox] == [["ann@example.com"]] and "/password/reset/key/" in mailoutbox[0].body


def test_what_is_changed_of_a_person_is_recorded_without_words(client: Client, chief: Any) -> None:
    person = get_user_model().objects.create_user(email="ann@example.com", password="w" * 20)
    page = reverse("admin:accounts_user_change", args=[person.pk])
    answer = client.post(
        page,
        {"email": person.email, "display_name": "Ann Other", "language": "en", "is_active": "on", "is_staff": "on"},
    )
    assert answer.status_code == 302
    found = record("user.change")
    assert found.before["is_staff"] == "False" and found.after["is_staff"] == "True" and found.actor_id == chief.pk
    assert "Ann Other" not in str(found.after) and "ip=" in found.origin


def test_an_asset_is_changed_with_what_was_there_before(client: Client, chief: Any) -> None:
    """The one way for all three: assets, networks, and how one moves over the other."""
    page = admin.site._registry
    assert {type(page[each]).save_related for each in (Asset, Network, AssetNetwork)} == {ProposedAdmin.save_related}
    asset = Asset.objects.get(code="LTC")
    page_of_it = reverse("admin:assets_asset_change", args=[asset.pk])
    shown = client.get(page_of_it).context["adminform"].form.initial
    entered = {name: value for name, value in shown.items() if value not in (None, False)}
    entered |= {"name": "Lite", "reason": "Its own name for itself"}
    assert client.post(page_of_it, entered).status_code == 302
    asset.refresh_from_db()
    assert asset.name == "Litecoin", "proposed, and no more than that"
    approve()
    found = record("asset.change")
    assert (found.before["name"], found.after["name"]) == ("Litecoin", "Lite") and found.actor_id == second_person()
    assert record("proposal.propose").actor_id == chief.pk and "ip=" in record("proposal.propose").origin


def test_a_banks_statement_is_recorded(client: Client, chief: Any) -> None:
    entered = {"stated": "12.50", "as_of_0": "2026-01-02", "as_of_1": "03:04:05"}
    assert client.post(reverse("admin:fiat_bankstatement_add"), entered).status_code == 302
    found = record("bank_statement.record")
    assert found.actor_id == chief.pk and found.after["balance"] == "1250"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["actor_id = 999", "after = '{}'", "action = 'staff.nothing'", "origin = ''"])
def test_a_deed_rewritten_by_sql_is_found(change: str, owner_connection: Any) -> None:
    chief = get_user_model().objects.create_superuser(email="chief2@example.com", password="w" * 20)
    client = Client()
    log_in_staff(client, chief)
    client.post(reverse("admin:auth_group_add"), {"name": "Finance"})
    assert selectors.verify().problem is None
    victim = Record.objects.get(action="staff.request")
    with owner_connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_record DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE audit_record SET {change} WHERE id = %s", [victim.pk])
        cursor.execute("ALTER TABLE audit_record ENABLE TRIGGER USER")
    problem = selectors.verify().problem
    assert problem is not None and problem.record_id == victim.pk
