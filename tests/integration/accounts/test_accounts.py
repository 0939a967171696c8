"""People, through the site's own forms: sign-up, confirmation, log-in, log-out, reset; and nothing tells who exists."""

import re
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from exchange.accounts import registry, selectors
from exchange.accounts.models import User
from exchange.accounts.services import customers, staff
from exchange.assets import selectors as assets
from exchange.audit.models import Record
from exchange.ledger import selectors as ledger
from exchange.outbox.models import Event
from exchange.proposals.models import Proposal
from tests.factors import log_in_staff

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=NOW)


def sign_up(client, email="bob@example.org", password=PASSWORD):
    return client.post(reverse("account_signup"), {"email": email, "password1": password})


def log_in(client, email="alice@example.org", password=PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def logged_in(client):
    return "_auth_user_id" in client.session


def link_in(message, name):
    """The path of a link in an e-mail."""
    pattern = reverse(name, args=["KEY"]) if name == "account_confirm_email" else "/accounts/password/reset/key/KEY/"
    return re.search(r"https?://[^/\s]+(" + re.escape(pattern).replace("KEY", r"[^/\s]+") + ")", message.body)[1]


def deeds(action):
    return list(Record.objects.filter(action=action).order_by("id").values_list("subject", flat=True))


def test_a_customer_signs_up_confirms_logs_in_and_out(client):
    assert sign_up(client, "Bob@Example.org").url == reverse("account_email_verification_sent")
    assert not logged_in(client)
    bob = User.objects.get()
    assert bob.email == "bob@example.org" and isinstance(bob.id, int)
    assert log_in(client, "bob@example.org").url == reverse("account_email_verification_sent")
    assert not logged_in(client)

    (message, *_) = mail.outbox
    assert message.to == ["bob@example.org"]
    confirmation = link_in(message, "account_confirm_email")
    assert client.get(confirmation).status_code == 200
    assert not selectors.person(bob.id).email_verified  # a mail scanner that opens the link confirms nothing
    client.post(confirmation)
    assert selectors.person(bob.id).email_verified

    fresh = Client()
    assert log_in(fresh, "BOB@example.org").status_code == 302
    assert logged_in(fresh)
    fresh.post(reverse("account_logout"))
    assert not logged_in(fresh)
    assert f"user:{bob.id}" in deeds("login") and f"user:{bob.id}" in deeds("logout")


def test_a_sign_up_opens_an_account_in_the_ledger_for_each_asset(client):
    sign_up(client)
    bob = User.objects.get()
    assert (
        set(ledger.account_ids(owner_id=bob.id))
        == {each.id for each in assets.assets(enabled_only=False)}
        >= {1, 2, 3, 4, 5}
    )
    assert all(b.balance == b.held == 0 for b in ledger.balances(owner_id=bob.id))
    assert deeds("customer.open") == [f"user:{bob.id}"]
    event = Event.objects.get(topic="accounts.customer_opened")
    assert (event.key, event.payload) == (f"user:{bob.id}", {"user_id": bob.id})


@pytest.mark.django_db(transaction=True)
def test_a_sign_up_that_cannot_open_accounts_leaves_nobody(client, monkeypatch):
    def fails(user_id, now):
        raise RuntimeError("the ledger is away")

    monkeypatch.setattr(registry, "_opened", [*registry._opened, fails])
    with pytest.raises(RuntimeError):
        sign_up(client)
    assert (User.objects.count(), EmailAddress.objects.count(), Event.objects.count()) == (0, 0, 0)
    monkeypatch.undo()
    sign_up(client)
    assert User.objects.count() == 1


def test_signing_up_with_a_known_address_looks_the_same_and_tells_its_owner(alice):
    known, unknown = Client(), Client()
    answers = [sign_up(known, "alice@example.org"), sign_up(unknown, "carol@example.org")]
    assert len({(a.status_code, a.url) for a in answers}) == 1
    pages = [c.get(a.url).content for c, a in zip((known, unknown), answers, strict=True)]
    assert strip(pages[0]) == strip(pages[1])
    assert User.objects.filter(email="alice@example.org").count() == 1
    assert {m.to[0] for m in mail.outbox} == {"alice@example.org", "carol@example.org"}
    to_alice = next(m for m in mail.outbox if m.to == ["alice@example.org"])
    assert "confirm-email" not in to_alice.body


def strip(page):
    """A page without what differs on every load."""
    text = re.sub(r'(csrfmiddlewaretoken" value=|hx-headers=)\S+', "", page.decode())
    return re.sub(r"(alice|carol)@example\.org", "", text)


def test_a_wrong_password_and_an_unknown_address_look_the_same(alice):
    wrong, unknown = Client(), Client()
    answers = [log_in(wrong, password="not this one"), log_in(unknown, "nobody@example.org")]
    assert [a.status_code for a in answers] == [200, 200]
    texts = [strip(a.content).replace("nobody@example.org", "") for a in answers]
    assert texts[0] == texts[1]
    assert deeds("login.failed") == [f"user:{alice}", "user:unknown"]


def test_no_record_of_a_failure_names_an_address_or_a_password(alice):
    log_in(Client(), "nobody@example.org", "secret-guess")
    log_in(Client(), "alice@example.org", "secret-guess")
    for record in Record.objects.filter(action="login.failed").values():
        assert "example.org" not in str(record) and "secret-guess" not in str(record)


def test_asking_for_a_reset_looks_the_same_whoever_exists(alice):
    answers = [
        Client().post(reverse("account_reset_password"), {"email": email})
        for email in ("alice@example.org", "nobody@example.org")
    ]
    assert len({(a.status_code, a.url) for a in answers}) == 1
    assert {m.to[0] for m in mail.outbox} == {"alice@example.org", "nobody@example.org"}
    unknown = next(m for m in mail.outbox if m.to == ["nobody@example.org"])
    assert "/password/reset/key/" not in unknown.body


def test_a_reset_sets_a_new_password_once(client, alice):
    client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
    link = link_in(mail.outbox[0], "reset")
    form = client.get(link, follow=True)
    new = "entirely another secret"
    answer = client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert answer.url == reverse("account_reset_password_from_key_done")
    fresh = Client()
    log_in(fresh)
    assert not logged_in(fresh)
    log_in(fresh, password=new)
    assert logged_in(fresh)
    assert b"password1" not in Client().get(link, follow=True).content  # the link is used up


@pytest.mark.parametrize("password", ["short", "password123", "1234567890123", "bob@example.org"])
def test_a_weak_password_is_refused(client, password):
    assert sign_up(client, password=password).status_code == 200
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "email", ["", "bob", "bob@", "bob@example.org\nBcc: x@example.org", "a" * 250 + "@example.org"]
)
def test_what_is_no_address_is_refused(client, email):
    assert sign_up(client, email).status_code == 200
    assert not User.objects.exists() and not mail.outbox


def test_ten_failures_lock_the_address_for_that_peer_and_nobody_else(alice):
    attacker, owner = Client(REMOTE_ADDR="192.0.2.66"), Client(REMOTE_ADDR="192.0.2.10")
    for _ in range(10):
        log_in(attacker, password="guess")
    log_in(attacker)
    assert not logged_in(attacker)  # even the right password does not help that peer now
    log_in(owner)
    assert logged_in(owner)


def test_somebody_switched_off_cannot_log_in(client, alice):
    User.objects.filter(id=alice).update(is_active=False)
    log_in(client)
    assert not logged_in(client)


@pytest.mark.parametrize("email", ["alice@example.org", "ALICE@Example.org"])
def test_an_address_belongs_to_one_person_whatever_its_case(alice, email):
    with pytest.raises(customers.EmailTaken):
        customers.open(email=email, password=PASSWORD, now=NOW)
    with pytest.raises(customers.EmailTaken):
        staff.open(email=email, password=PASSWORD, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(id=alice).update(email="Alice@example.org")


@pytest.mark.django_db(transaction=True)
def test_opening_one_address_many_times_at_once_makes_one_customer():
    start, outcomes = Barrier(6), []

    def run():
        start.wait()
        try:
            outcomes.append(customers.open(email="dave@example.org", password=PASSWORD, now=NOW))
        except customers.EmailTaken:
            outcomes.append(None)
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(outcomes) == 6 and len([o for o in outcomes if o]) == 1
    assert Event.objects.count() == 1


def test_a_person_is_known_by_id_without_credentials(alice):
    person = selectors.person(alice)
    assert (person.email, person.email_verified, person.is_staff) == ("alice@example.org", True, False)
    assert not any("pass" in name for name in person.__slots__)
    assert selectors.by_email(" Alice@EXAMPLE.org").id == alice
    assert selectors.by_email("nobody@example.org") is None
    with pytest.raises(selectors.PersonNotFound):
        selectors.person(10**9)


def test_people_are_found_in_one_query(alice, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert list(selectors.people([alice, 10**9])) == [alice]


@pytest.mark.parametrize("provider", ["google", "facebook"])
def test_a_provider_s_button_stands_only_where_it_is_configured(client, settings, provider):
    start = reverse(f"{provider}_login").encode()
    assert start not in client.get(reverse("account_login")).content
    settings.SOCIALACCOUNT_PROVIDERS = {provider: {"APPS": [{"client_id": "an-id", "secret": "a-secret"}]}}
    for page in ("account_login", "account_signup"):
        assert start in client.get(reverse(page)).content


def test_headless_log_in_gives_a_token_for_apps(alice):
    answer = Client().post(
        "/_allauth/app/v1/auth/login",
        {"email": "alice@example.org", "password": PASSWORD},
        content_type="application/json",
    )
    assert answer.status_code == 200
    assert answer.json()["meta"]["session_token"]


class TestStaff:
    @pytest.fixture
    def boss(self):
        return staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=NOW)

    @pytest.fixture
    def clerk(self):
        from django.contrib.auth.models import Permission

        user_id = staff.open(email="clerk@example.org", password=PASSWORD, now=NOW)
        permissions = Permission.objects.filter(content_type__app_label="accounts")
        User.objects.get(id=user_id).user_permissions.set(permissions)
        return user_id

    def as_(self, user_id):
        client = Client()
        log_in_staff(client, user_id)
        return client

    def change(self, client, user_id, **fields):
        user = User.objects.get(id=user_id)
        data = {"email": user.email, "display_name": user.display_name, "language": "en", "is_active": "on", **fields}
        return client.post(reverse("admin:accounts_user_change", args=[user_id]), data)

    def test_support_ends_the_log_ins_of_customers_and_not_of_superusers(self, boss, clerk, alice):
        chosen = {"action": "end_access", "_selected_action": [alice, boss]}
        page = reverse("admin:accounts_user_changelist")
        commanding = self.as_(boss)
        assert self.as_(clerk).post(page, chosen).status_code == 403
        assert commanding.get(reverse("admin:index")).status_code == 200
        assert not Record.objects.filter(action="session.end_all").exists()  # of nobody: it is all or none
        assert self.as_(clerk).post(page, chosen | {"_selected_action": [alice]}).status_code == 302
        assert Record.objects.get(action="session.end_all").subject == f"user:{alice}"

    def test_staff_enter_the_back_office_and_customers_do_not(self, boss, alice):
        assert self.as_(boss).get(reverse("admin:index")).status_code == 200
        assert self.as_(alice).get(reverse("admin:index")).status_code == 302

    def test_every_page_of_the_low_rooms_opens(self, boss, alice):
        client = self.as_(boss)
        for name in (
            "accounts_user", "auth_group", "audit_record", "outbox_event", "outbox_delivery", "assets_asset",
            "assets_network", "assets_assetnetwork", "assets_rate", "assets_ratehistory", "kyc_level", "kyc_customer",
        ):  # fmt: skip
            assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200, name
        assert client.get(reverse("admin:accounts_user_change", args=[alice])).status_code == 200
        assert client.get(reverse("admin:accounts_user_changelist")).status_code == 200

    def test_a_change_is_audited_with_what_was_there_before(self, boss, alice):
        assert self.change(self.as_(boss), alice, is_active="").status_code == 302
        assert not User.objects.get(id=alice).is_active
        record = Record.objects.get(action="user.change")
        assert (record.actor_id, record.subject) == (boss, f"user:{alice}")
        assert (record.before, record.after) == ({"is_active": "True"}, {"is_active": "False"})

    def test_an_address_written_into_the_persons_form_changes_nothing(self, boss, alice):
        self.change(self.as_(boss), alice, email="alice2@example.org", display_name="Al")
        assert User.objects.get(id=alice).email == "alice@example.org"
        record = Record.objects.get(action="user.change")
        assert (record.before, record.after) == ({}, {"display_name": "changed"})

    def test_an_address_that_is_proposed_stands_nowhere_in_the_clear(self, boss, clerk, alice, owner_connection):
        page = reverse("admin:accounts_user_change_email", args=[alice])
        given = {"email": "secret@example.org", "reason": "Seen in person"}
        assert self.as_(clerk).post(page, given).status_code == 302
        row = Proposal.objects.get()
        assert "example.org" not in f"{row.before}{row.after}{Record.objects.latest('id').after}"
        shown = self.as_(boss).get(reverse("admin:proposals_proposal_change", args=[row.pk])).content.decode()
        assert "secret@example.org" in shown and "alice@example.org" in shown

    def test_an_address_in_use_and_one_of_staffs_own_are_refused(self, boss, clerk, alice):
        page = reverse("admin:accounts_user_change_email", args=[alice])
        answer = self.as_(clerk).post(page, {"email": "BOSS@example.org", "reason": "x"})
        assert answer.status_code == 200 and b"Somebody else logs in" in answer.content
        own = reverse("admin:accounts_user_change_email", args=[boss])
        assert self.as_(clerk).post(own, {"email": "mine@example.org", "reason": "x"}).status_code == 403
        answer = self.as_(boss).post(own, {"email": "mine@example.org", "reason": "x"})
        assert b"This is about you" in answer.content and not Proposal.objects.exists()

    def test_a_clerk_cannot_hand_out_power_nor_touch_staff(self, boss, clerk, alice):
        client = self.as_(clerk)
        self.change(client, alice, is_staff="on", is_superuser="on")
        assert not User.objects.get(id=alice).is_staff
        assert self.change(client, boss, email="mine@example.org").status_code == 403
        assert client.post(reverse("admin:auth_user_password_change", args=[boss]), {}).status_code == 403

    def test_nobody_is_deleted(self, boss, alice):
        answer = self.as_(boss).post(reverse("admin:accounts_user_delete", args=[alice]), {"post": "yes"})
        assert answer.status_code == 403
        assert User.objects.filter(id=alice).exists()

    def test_the_audit_cannot_be_written_from_the_back_office(self, boss):
        client = self.as_(boss)
        record = Record.objects.earliest("id")
        assert client.get(reverse("admin:audit_record_add")).status_code == 403
        assert client.post(reverse("admin:audit_record_change", args=[record.id]), {"action": "x"}).status_code == 403
        assert client.post(reverse("admin:audit_record_delete", args=[record.id]), {"post": "yes"}).status_code == 403
