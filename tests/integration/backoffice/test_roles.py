"""Every page of the staff site, every office, every method: who is let in stands here, line by line, and nobody else is.

The table is written by hand and not read from the code it checks. A page that is new and stands in no line fails, and so does an
office that gets more, or less, than its line says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.messages.storage.base import BaseStorage
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, reverse

from exchange.backoffice import seeding, sidebar
from exchange.backoffice.roles import NAMES, ROLES
from exchange.core.errors import DomainError
from tests.factors import log_in_staff

pytestmark = pytest.mark.django_db

# Support, Compliance, Treasury, Operator, Auditor. Page: who sees it, who begins something there, who changes or decides.
PAGES: dict[str, tuple[str, str, str]] = {
    "accounts.Closure": ("SCA", "", "SC"),
    "accounts.FactorReset": ("SCA", "S", "S"),
    "accounts.Freeze": ("SCA", "", "SC"),
    "accounts.Pause": ("SCA", "", ""),
    "accounts.User": ("SCTA", "", "S"),
    "assets.Asset": ("TOA", "O", "O"),
    "assets.AssetNetwork": ("TOA", "O", "O"),
    "assets.Network": ("TOA", "O", "O"),
    "assets.Rate": ("TOA", "", ""),
    "assets.RateHistory": ("TOA", "", ""),
    "audit.Record": ("CTA", "", ""),
    "auth.Group": ("", "", ""),
    "backoffice.Book": ("CTA", "", ""),
    "backoffice.Story": ("SCTA", "", ""),
    "compliance.SolvencyLook": ("CTOA", "", ""),
    "custody.PolicyDecision": ("CTOA", "", ""),
    "custody.PolicyEdit": ("CTOA", "T", ""),
    "custody.Refusal": ("TOA", "", ""),
    "custody.Signature": ("TOA", "", ""),
    "custody.SigningJob": ("TOA", "", ""),
    "fiat.BankDeposit": ("SCTA", "", "T"),
    "fiat.BankStatement": ("TA", "T", ""),
    "flows.Freeze": ("SCTA", "SC", ""),
    "invoices.Invoice": ("SCA", "", ""),
    "kyc.Application": ("SCA", "", ""),
    "kyc.Customer": ("SCA", "C", "C"),
    "kyc.Level": ("CA", "", "C"),
    "kyc.LevelProposal": ("CA", "", "C"),
    "kyc.ListVersion": ("CA", "", ""),
    "kyc.ScreeningCase": ("CA", "", ""),
    "ledger.Account": ("CTA", "", ""),
    "ledger.Batch": ("CTA", "", ""),
    "ledger.Entry": ("CTA", "", ""),
    "ledger.Freeze": ("CTA", "", ""),
    "ledger.Hold": ("CTA", "", ""),
    "ledger.Stop": ("CTOA", "TO", "TO"),
    "ledger.Transfer": ("CTA", "", ""),
    "notifications.Announcement": ("SCTOA", "O", "O"),
    "notifications.Delivery": ("OA", "", ""),
    "notifications.Notification": ("SCA", "", ""),
    "notifications.Provider": ("OA", "", ""),
    "notifications.PushDevice": ("SCA", "", ""),
    "outbox.Delivery": ("OA", "", ""),
    "outbox.Event": ("OA", "", ""),
    "proposals.Proposal": ("SCTOA", "", ""),
    "site_pages.Incident": ("SCTOA", "O", "O"),
    "trading.AccountFee": ("OA", "", ""),
    "trading.FeeTier": ("OA", "O", "O"),
    "trading.Market": ("SCTOA", "O", "O"),
    "trading.Order": ("SCOA", "", ""),
    "trading.Shard": ("OA", "", ""),
    "trading.Trade": ("SCOA", "", ""),
    "trading.Volume": ("OA", "", ""),
    "wallets.Address": ("SCTA", "", ""),
    "wallets.Block": ("TOA", "", ""),
    "wallets.ColdProposal": ("TOA", "T", ""),
    "wallets.ColdWallet": ("TOA", "T", ""),
    "wallets.Deposit": ("SCTOA", "", ""),
    "wallets.Health": ("STOA", "", ""),
    "wallets.HotLevel": ("TOA", "", ""),
    "wallets.HotShare": ("TOA", "T", ""),
    "wallets.Payout": ("SCTOA", "", ""),
    "wallets.Sweep": ("SCTOA", "", ""),
    "wallets.Trace": ("SCTOA", "", ""),
    "wallets.Withdrawal": ("SCTOA", "", ""),
    "wallets.Xpub": ("TOA", "", ""),
}
# Who may take a row away: a draft of an announcement, no more.
REMOVES = {"notifications.Announcement": "O"}
# Addresses beside Django's own five of each page, by name: who may send something there, and who may look.
FURTHER: dict[str, tuple[str, str]] = {
    "accounts_user_change_email": ("S", "S"),
    "backoffice_book_account": ("", "CTA"),
    "backoffice_book_accounts": ("", "CTA"),
    "backoffice_book_transfer": ("", "CTA"),
    "custody_policyedit_decide": ("T", ""),
    "kyc_application_decide": ("C", ""),
    "kyc_application_document": ("", "C"),
    "kyc_screeningcase_decide": ("C", ""),
    "proposals_proposal_decide": ("SCTO", ""),
    "site_pages_incident_references": ("", "SCTOA"),
    "wallets_coldproposal_deed": ("T", ""),
    "wallets_coldwallet_deed": ("T", ""),
    "wallets_deposit_deed": ("CT", ""),
    "wallets_hotshare_deed": ("T", ""),
    "wallets_withdrawal_decide": ("CT", ""),
}
# What every member of staff has: the first page, the way out, the words of its scripts.
COMMON = {
    "index", "search", "login", "logout", "password_change", "password_change_done", "jsi18n", "view_on_site", "app_list",
    "autocomplete", "auth_user_password_change",
}  # fmt: skip
# What an action may not be chosen without, by page: the actions a page offers to whom.
ACTIONS: dict[str, dict[str, str]] = {
    "accounts.User": {"end_access": "S", "send_reset": "S"},
    "flows.Freeze": {"lift": "SC"},
    "notifications.Delivery": {"try_again": "O"},
    "notifications.PushDevice": {"drop": "S"},
    "outbox.Delivery": {"try_again": "O"},
    "trading.Market": dict.fromkeys(
        ("open_markets", "rest_only_markets", "narrow_markets", "halt_markets", "cancel_orders"), "O"
    ),
    "trading.Order": {"cancel_customers": "O"},
    "wallets.Withdrawal": dict.fromkeys(("approve", "reject", "hold", "bump", "cancel_on_chain"), "CT"),
}
LETTERS = {"S": "Support", "C": "Compliance", "T": "Treasury", "O": "Operator", "A": "Auditor"}
SAFE = ("GET", "HEAD")
UNSAFE = ("POST",)


class Dropped(BaseStorage):
    """Messages to nobody."""

    def _get(self, *args: Any, **kwargs: Any) -> Any:
        return [], True

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        return []


@pytest.fixture
def people() -> dict[str, Any]:
    """One of each office, and somebody of the staff without any."""
    found = {}
    for letter, name in {**LETTERS, "-": ""}.items():
        person = get_user_model().objects.create_user(email=f"{name or 'nobody'}@example.com".lower(), is_staff=True)
        if name:
            person.groups.add(Group.objects.get(name=name))
        person.is_verified = lambda: True  # what the middleware adds once a factor was shown
        found[letter] = person
    return found


def pages() -> dict[str, Any]:
    return {model._meta.label: page for model, page in admin.site._registry.items()}


def asked(person: Any, method: str, path: str = "/admin/", data: dict[str, Any] | None = None) -> Any:
    request = RequestFactory().generic(method, path) if method != "POST" else RequestFactory().post(path, data or {})
    request.user, request.session = person, {}
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    request._messages = Dropped(request)  # type: ignore[attr-defined]
    return request


def turned_away(
    view: Any, person: Any, method: str, kwargs: dict[str, Any], data: dict[str, Any] | None = None
) -> bool:
    """Whether the site says no. The view runs as the site mounts it; what it would show is not drawn."""
    try:
        response: HttpResponse = view(asked(person, method, data=data), **kwargs)
    except PermissionDenied:
        return True
    except (Http404, DomainError):
        return False
    return response.status_code == 403


def urls(patterns: list[Any]) -> Iterator[URLPattern]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from urls(each.url_patterns)
        else:
            yield each


def filled(pattern: URLPattern) -> dict[str, Any]:
    """Arguments that fit, of a row that is not there: the right is asked for before the row."""
    known = {"IntConverter": 999_999_999, "UUIDConverter": "0198c0de-7a1b-7c00-8000-000000000001"}
    return {name: known.get(type(kind).__name__, "999999999") for name, kind in pattern.pattern.converters.items()}


def test_every_page_stands_in_the_table_and_no_other() -> None:
    assert sorted(PAGES) == sorted(pages())
    assert {letter: name for letter, name in LETTERS.items() if name not in NAMES} == {}


def test_every_address_of_the_site_is_known() -> None:
    plain = {
        f"{page.opts.app_label}_{page.opts.model_name}_{each}"
        for page in pages().values()
        for each in ("changelist", "add", "history", "delete", "change")
    }
    named = {each.name for each in urls(admin.site.get_urls()) if each.name}
    assert sorted(named - plain - COMMON) == sorted(FURTHER)


def test_each_office_opens_what_its_line_says_and_nothing_else(people: dict[str, Any]) -> None:
    """Every page × every office × looking, adding, changing, deleting, by every method that could."""
    wrong = []
    for label, page in sorted(pages().items()):
        sees, begins, changes = PAGES[label]
        for letter, person in people.items():
            for each in page.get_urls():
                verb = (each.name or "").rpartition("_")[2]
                if each.name in FURTHER or each.name in COMMON or verb not in ("changelist", "add", "change", "delete"):
                    continue
                for method in (*SAFE, *UNSAFE):
                    may = {
                        "changelist": letter in sees,
                        "add": letter in begins,
                        "change": letter in (changes if method in UNSAFE else sees),
                        "delete": letter in REMOVES.get(label, ""),
                    }[verb]
                    if turned_away(each.callback, person, method, filled(each)) == may:
                        wrong.append(
                            (label, LETTERS.get(letter, "nobody"), verb, method, "let in" if not may else "kept out")
                        )
    assert wrong == []


def test_each_further_address_is_for_whom_its_line_says(people: dict[str, Any]) -> None:
    wrong = []
    verbs = {"custody_policyedit_decide": ("approve", "cancel"), "proposals_proposal_decide": ("approve", "refuse")}
    for each in urls(admin.site.get_urls()):
        if each.name not in FURTHER:
            continue
        sends, looks = FURTHER[each.name]
        for letter, person in people.items():
            tries = [("POST", verb, sends) for verb in verbs.get(each.name, ("",)) if sends]
            tries += [("GET", "", looks)] if looks else []
            wrong += [
                (each.name, letter, method, verb)
                for method, verb, lets in tries
                if turned_away(each.callback, person, method, filled(each), {"verb": verb}) == (letter in lets)
            ]
    assert wrong == []


def test_each_action_is_offered_to_whom_its_line_says(people: dict[str, Any]) -> None:
    found: dict[str, dict[str, str]] = {}
    for label, page in pages().items():
        for letter, person in people.items():
            for name in page.get_actions(asked(person, "GET")):
                found.setdefault(label, {})[name] = found.get(label, {}).get(name, "") + letter
    assert {label: names for label, names in found.items() if label != "auth.Group"} == ACTIONS


def test_the_auditor_only_looks(people: dict[str, Any]) -> None:
    rights = people["A"].get_all_permissions()
    assert rights and {right for right in rights if ".view_" not in right} == set()
    seen = {label for label, (sees, _begins, _changes) in PAGES.items() if "A" in sees}
    assert set(PAGES) - seen == {"auth.Group"}


def test_whoever_is_of_no_office_sees_the_first_page_and_nothing_else(people: dict[str, Any]) -> None:
    assert people["-"].get_all_permissions() == set()
    assert sidebar.navigation(asked(people["-"], "GET")) == sidebar.navigation(asked(people["-"], "GET"))[:1]


def test_every_page_stands_in_the_side_for_who_may_see_it(people: dict[str, Any]) -> None:
    listed = {model for _title, _folded, items in sidebar.GROUPS for _t, _icon, model, _queue in items}
    assert {label for label in PAGES if label.lower() not in listed} == set()
    for letter in LETTERS:
        links = {item["link"] for group in sidebar.navigation(asked(people[letter], "GET")) for item in group["items"]}
        seen = {label for label, (sees, _begins, _changes) in PAGES.items() if letter in sees}
        due = {reverse(f"admin:{label.lower().replace('.', '_')}_changelist") for label in seen} | {
            reverse("admin:index")
        }
        assert links == due, LETTERS[letter]


def test_what_somebody_adds_to_an_office_by_hand_is_gone_after_the_next_migrate() -> None:
    group = Group.objects.get(name="Auditor")
    before = set(group.permissions.values_list("pk", flat=True))
    group.permissions.add(Permission.objects.get(codename="change_withdrawal"))
    group.permissions.remove(Permission.objects.get(codename="view_withdrawal"))
    seeding.seed(using="default")
    assert set(group.permissions.values_list("pk", flat=True)) == before
    assert {role.name for role in ROLES} <= set(Group.objects.values_list("name", flat=True))


def test_an_office_of_the_house_is_not_edited_on_its_page() -> None:
    chief = get_user_model().objects.create_superuser(email="chief@example.com", password="w" * 20)
    client = Client()
    log_in_staff(client, chief)
    group = Group.objects.get(name="Auditor")
    page = reverse("admin:auth_group_change", args=[group.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "Auditor", "permissions": []}).status_code == 403
    assert client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 403
    assert group.permissions.exists()
