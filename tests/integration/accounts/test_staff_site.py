"""Who gets into the staff pages: staff whose log-in had a TOTP step or a passkey, and nobody by any other way."""

from __future__ import annotations

import time
from threading import Thread

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp import devices_for_user
from django_otp.admin import OTPAdminSite
from unfold.sites import UnfoldAdminSite

from exchange.accounts.models import FactorReset, User
from exchange.accounts.second_factors import codes, resets, selectors
from exchange.accounts.selectors import paused_until
from exchange.accounts.services import customers, freezing, sessions, staff
from exchange.audit.models import Record
from exchange.backoffice.roles import NAMES
from exchange.outbox.models import Event
from tests.factors import BACKEND, give_factor, log_in_staff, step_up

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
NOW = timezone.now()
INDEX = reverse("admin:index")
LOGIN = reverse("admin:login")


@pytest.fixture
def boss() -> int:
    return staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=NOW)


def with_password(user_id: int) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=user_id), backend=BACKEND)
    return client


def test_one_site_of_unfold_and_django_otp_has_every_model():
    assert isinstance(admin.site._wrapped if hasattr(admin.site, "_wrapped") else admin.site, UnfoldAdminSite)
    assert isinstance(admin.site._wrapped if hasattr(admin.site, "_wrapped") else admin.site, OTPAdminSite)
    assert len(admin.site._registry) > 30


def test_factors_themselves_are_on_no_staff_page():
    assert not {model._meta.label for model in admin.site._registry} & {"mfa.Authenticator", "accounts.FactorDevice"}


def test_a_password_alone_opens_no_staff_page(boss):
    give_factor(boss)
    client = with_password(boss)
    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(page).status_code == 302, page
    for page in (INDEX, "/admin/search/?s=a", "/admin/jsi18n/", "/admin/autocomplete/", "/admin/no-such-page/"):
        assert client.get(page).status_code in (302, 404), page
    assert client.get(INDEX, follow=True).redirect_chain[-1][0].startswith(reverse("mfa_reauthenticate"))


def test_a_log_in_with_a_code_does(boss):
    give_factor(boss)
    client = with_password(boss)
    step_up(client, boss, again=False, ago_s=3600)
    assert client.get(INDEX).status_code == 200


def test_a_log_in_opens_them_for_half_a_day(boss):
    give_factor(boss)
    client = with_password(boss)
    step_up(client, boss, ago_s=12 * 3600 + 60)
    assert client.get(INDEX).status_code == 302
    assert client.get(INDEX, follow=True).redirect_chain[-1][0].startswith(reverse("mfa_reauthenticate"))
    step_up(client, boss, ago_s=12 * 3600 - 60)
    assert client.get(INDEX).status_code == 200


def test_a_recovery_code_does_not(boss):
    give_factor(boss)
    client = with_password(boss)
    session = client.session
    row = Authenticator.objects.get(user_id=boss, type=selectors.RECOVERY_CODES)
    session["account_authentication_methods"] = [
        {"method": "mfa", "id": row.pk, "type": row.type, "at": time.time(), "reauthenticated": True}
    ]
    session["account_authentication_methods_user"] = str(boss)
    session.save()
    assert client.get(INDEX).status_code == 302


def test_a_step_of_somebody_else_in_the_session_does_not(boss):
    other = staff.open(email="other@example.org", password=PASSWORD, superuser=True, now=NOW)
    give_factor(boss)
    give_factor(other)
    client = with_password(boss)
    step_up(client, other)
    assert client.get(INDEX).status_code == 302


def test_a_verified_session_ends_with_its_factor(boss):
    client = Client()
    log_in_staff(client, boss)
    assert client.get(INDEX).status_code == 200
    Authenticator.objects.filter(user_id=boss).delete()
    give_factor(boss)
    assert client.get(INDEX).status_code == 302


def test_staff_without_a_factor_are_led_to_set_one_up_and_get_nothing_else(boss):
    client = with_password(boss)
    led = client.get(INDEX, follow=True)
    assert led.redirect_chain[-1][0].startswith(reverse("mfa_index"))
    assert "The staff pages open only with one." in led.content.decode()
    assert client.post(reverse("admin:accounts_user_add"), {}).status_code == 302


def test_there_is_no_log_in_form_of_the_staff_pages_own(boss):
    client = Client()
    for answer in (
        client.get(LOGIN),
        client.post(LOGIN, {"username": "boss@example.org", "password": PASSWORD, "next": INDEX}),
    ):
        assert answer.status_code == 302 and answer.url.startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session
    assert client.get(f"{LOGIN}?next=https://evil.example/").url.endswith("next=%2Fadmin%2F")


def test_a_password_is_changed_on_the_one_page_for_it(boss):
    client = Client()
    log_in_staff(client, boss)
    assert client.post(reverse("admin:password_change"), {}).url == reverse("account_change_password")


def test_customers_are_turned_away(boss):
    alice = customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=NOW)
    client = Client()
    log_in_staff(client, alice)
    assert client.get(INDEX).status_code == 302
    assert client.get(LOGIN).status_code == 403


def test_otp_devices_hold_no_secret(boss):
    secret = give_factor(boss)
    client = Client()
    log_in_staff(client, boss)
    client.post(reverse("mfa_reauthenticate"), {"code": codes.of_secret(secret)})
    devices = list(devices_for_user(User.objects.get(pk=boss)))
    assert len(devices) == 1
    assert secret not in str(vars(devices[0]))


class TestDeeds:
    """Whatever staff change, they have just shown a factor again: a stolen session reads, and changes nothing."""

    ADD = reverse("admin:auth_group_add")

    def entered(self, boss: int, *, again: bool = True, ago_s: float = 0) -> Client:
        give_factor(boss)
        client = with_password(boss)
        step_up(client, boss, again=again, ago_s=ago_s)
        return client

    def test_an_old_confirmation_changes_nothing_and_nothing_is_carried_out_later(self, boss):
        client = self.entered(boss, ago_s=301)
        assert client.get(self.ADD).status_code == 200
        answer = client.post(self.ADD, {"name": "Thieves"}, follow=True)
        page, _ = answer.redirect_chain[-1]
        assert page == f"{reverse('mfa_reauthenticate')}?next=%2Fadmin%2Fauth%2Fgroup%2Fadd%2F"
        assert "Nothing was changed." in answer.content.decode()
        assert Record.objects.get(action="staff.request").after["unconfirmed"] is True
        back = client.post(reverse("mfa_reauthenticate"), {"code": codes.present(boss), "next": self.ADD}, follow=True)
        assert back.redirect_chain[-1][0] == self.ADD and back.status_code == 200
        assert not Group.objects.exclude(name__in=NAMES).exists() and "Thieves" not in back.content.decode()
        assert client.post(self.ADD, {"name": "Helpers"}).status_code == 302
        assert Group.objects.exclude(name__in=NAMES).get().name == "Helpers"

    def test_the_log_in_is_no_confirmation(self, boss):
        client = self.entered(boss, again=False)
        assert client.post(self.ADD, {"name": "Thieves"}).url.startswith(reverse("mfa_reauthenticate"))
        assert not Group.objects.exclude(name__in=NAMES).exists()

    def test_no_page_of_staff_is_without_it(self, boss):
        """Every address of the site, found by itself."""
        client = self.entered(boss, ago_s=301)
        tried = 0
        for pattern in admin.site.urls[0]:
            for each in getattr(pattern, "url_patterns", [pattern]):
                if each.name is None or each.name in ("login", "logout", "password_change"):
                    continue
                kinds = {name: type(converter).__name__ for name, converter in each.pattern.converters.items()}
                filled = {
                    name: "0198c0de-7a1b-7c00-8000-000000000001" if kind == "UUIDConverter" else "1"
                    for name, kind in kinds.items()
                }
                if each.name == "app_list":
                    filled = {"app_label": "auth"}  # a regular expression, which has no converters
                for method in (client.post, client.put, client.patch, client.delete):
                    answer = method(reverse(f"admin:{each.name}", kwargs=filled))
                    assert answer.status_code == 302, each.name
                    assert answer.url.startswith(reverse("mfa_reauthenticate")), each.name
                tried += 1
        assert tried > 150

    def test_whoever_sent_a_button_s_form_is_led_back_to_the_page_with_the_button(self, boss):
        client = self.entered(boss, ago_s=301)
        deed = reverse("admin:auth_group_changelist")
        shown = f"http://testserver{reverse('admin:auth_group_changelist')}?q=a"
        answer = client.post(deed, {"action": "x"}, headers={"referer": shown})
        assert answer.url.endswith("next=%2Fadmin%2Fauth%2Fgroup%2F%3Fq%3Da")
        answer = client.post(deed, {"action": "x"}, headers={"referer": "https://evil.example/admin/"})
        assert answer.url.endswith("next=%2Fadmin%2Fauth%2Fgroup%2F") and "evil" not in answer.url

    def test_they_log_out_without(self, boss):
        client = self.entered(boss, ago_s=301)
        assert client.post(reverse("admin:logout")).status_code in (200, 302)
        assert "_auth_user_id" not in client.session


class TestResets:
    """A lost factor: one asks, another carries it out."""

    @pytest.fixture
    def clerks(self) -> list[int]:
        found = [staff.open(email=f"{name}@example.org", password=PASSWORD, now=NOW) for name in ("uma", "vera")]
        for user_id in found:
            rights = Permission.objects.filter(content_type__app_label="accounts", codename__endswith="_factorreset")
            User.objects.get(pk=user_id).user_permissions.set(rights)
        return found

    @pytest.fixture
    def alice(self) -> int:
        user_id = customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=NOW)
        give_factor(user_id)
        return user_id

    def ask(self, alice: int, actor: int) -> int:
        return resets.ask(user_id=alice, reason="Video call, same face as on file", actor_id=actor, now=NOW)

    def test_two_of_staff_take_every_factor_away_and_all_access_with_it(self, alice, clerks):
        session = Client()
        session.post(reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD})
        session.post(reverse("mfa_authenticate"), {"code": codes.present(alice)})
        assert session.get(reverse("mfa_index")).status_code == 200
        reset = self.ask(alice, clerks[0])
        assert selectors.has_factor(alice)
        resets.carry_out(reset_id=reset, actor_id=clerks[1], now=timezone.now())
        assert not Authenticator.objects.filter(user_id=alice).exists()
        assert session.get(reverse("mfa_index")).status_code == 302
        assert paused_until(alice, now=timezone.now()) is not None
        told = Event.objects.filter(topic="accounts.credential_changed").latest("id").payload
        assert (told["user_id"], told["what"]) == (alice, "factor") and "by our staff" in told["detail"]
        deeds = list(Record.objects.filter(action__startswith="factor.reset").order_by("id"))
        assert [(deed.action, deed.actor_id) for deed in deeds] == [
            ("factor.reset_ask", clerks[0]), ("factor.reset", clerks[1])
        ]  # fmt: skip

    def test_nobody_does_both_or_resets_their_own(self, alice, clerks, boss):
        reset = self.ask(alice, clerks[0])
        with pytest.raises(resets.NotByYou):
            resets.carry_out(reset_id=reset, actor_id=clerks[0], now=NOW)
        with pytest.raises(resets.NotByYou):
            resets.carry_out(reset_id=reset, actor_id=alice, now=NOW)
        give_factor(boss)
        with pytest.raises(resets.NotByYou):
            self.ask(boss, boss)
        with pytest.raises(resets.NotByYou):
            self.ask(boss, clerks[0])  # staff are reset by superusers alone
        assert selectors.has_factor(alice)

    def test_the_database_refuses_one_person_too(self, alice, clerks):
        reset = self.ask(alice, clerks[0])
        row = FactorReset.objects.filter(pk=reset)
        for by in (clerks[0], alice):
            with pytest.raises(IntegrityError), transaction.atomic():
                row.update(done=True, decided_by=by, decided_at=NOW)

    def test_one_waits_at_a_time_three_days_at_most_and_is_decided_once(self, alice, clerks):
        reset = self.ask(alice, clerks[0])
        with pytest.raises(resets.ResetOpen):
            self.ask(alice, clerks[1])
        late = NOW + resets.WAITS * 2
        with pytest.raises(resets.ResetOver):
            resets.carry_out(reset_id=reset, actor_id=clerks[1], now=late)
        second = resets.ask(user_id=alice, reason="Again", actor_id=clerks[0], now=late)
        resets.refuse(reset_id=second, reason="Voice did not fit", actor_id=clerks[1], now=late)
        with pytest.raises(resets.ResetOver):
            resets.carry_out(reset_id=second, actor_id=clerks[1], now=late)
        assert selectors.has_factor(alice)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("deed", ["reset", "end_by_staff"])
    def test_it_waits_for_an_owner_who_freezes_and_holds_nothing_meanwhile(self, deed, alice, clerks):
        """The owner's "this was not me" has the person's row and takes the sessions next: nobody else has those by then."""
        session = Client()
        session.post(reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD})
        session.post(reverse("mfa_authenticate"), {"code": codes.present(alice)})
        reset = self.ask(alice, clerks[0])
        pid, wrong = [], []

        def staff_act() -> None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    pid.append(cursor.fetchone()[0])
                if deed == "reset":
                    resets.carry_out(reset_id=reset, actor_id=clerks[1], now=timezone.now())
                else:
                    sessions.end_by_staff(user_id=alice, actor_id=clerks[1], now=timezone.now())
            except Exception as error:
                wrong.append(error)
            finally:
                connection.close()

        def waits() -> bool:
            with connection.cursor() as cursor:
                cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", pid[:1] or [0])
                return bool(cursor.fetchone()[0])

        thread = Thread(target=staff_act)
        with transaction.atomic():
            freezing._locked(alice)
            thread.start()
            until = time.monotonic() + 60
            while thread.is_alive() and not waits() and time.monotonic() < until:
                time.sleep(0.02)
            assert thread.is_alive() and waits()
            assert len(UserSession.objects.select_for_update(nowait=True).filter(user_id=alice)) == 1
            freezing.freeze(user_id=alice, reason="not me", now=timezone.now())
        thread.join(60)
        assert not wrong and not thread.is_alive() and not UserSession.objects.filter(user_id=alice).exists()

    def test_the_staff_page_asks_and_decides(self, alice, clerks):
        first, second = Client(), Client()
        log_in_staff(first, clerks[0])
        log_in_staff(second, clerks[1])
        add = reverse("admin:accounts_factorreset_add")
        assert "at most 500" in first.post(add, {"customer": alice, "why": " " * 3 + "x" * 501}).content.decode()
        assert first.post(add, {"customer": alice, "why": "Video call"}).status_code == 302
        row = FactorReset.objects.get()
        page = reverse("admin:accounts_factorreset_change", args=[row.pk])
        assert "somebody else has to" in first.post(page, {"decision": "reset"}).content.decode()
        assert "Video call" in second.get(page).content.decode()
        assert second.post(page, {"decision": "reset"}).status_code == 302
        assert not selectors.has_factor(alice)
        assert second.get(page).status_code == 200
        assert second.post(page, {"decision": "refuse", "why": "x"}).status_code == 403
        assert second.get(reverse("admin:accounts_factorreset_changelist")).status_code == 200
