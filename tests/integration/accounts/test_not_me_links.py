"""“This was not me”: the link in a mail that freezes the account, and how staff open it again."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import registry, selectors
from exchange.accounts.models import Freeze, NotMeLink, User
from exchange.accounts.services import emails, freezing, not_me, pauses, staff
from exchange.audit.models import Record
from exchange.outbox import services as outbox
from tests.factors import give_factor, log_in_staff
from tests.log_ins import CHROME, PASSWORD, browser, delivered, link_in, log_in, new_device_mail, opened

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return opened("alice")


class TestNotMe:
    def test_looking_at_the_link_changes_nothing(self, alice):
        link = link_in(new_device_mail())
        for method in ("get", "head"):
            assert getattr(Client(), method)(link).status_code == 200
        assert User.objects.get(id=alice).is_active and not Freeze.objects.exists()

    def test_its_button_ends_everything_and_stays_shut_until_staff_lift_it(self, alice, monkeypatch):
        ended = []
        monkeypatch.setattr(registry, "_ended", [lambda user_id, now: ended.append(user_id)])
        mine, thief = browser(), browser(CHROME)
        log_in(mine)
        log_in(thief)
        (message,) = delivered()
        page = Client().post(link_in(message))
        assert page.status_code == 200 and "frozen" in page.content.decode()
        assert ended == [alice]
        for client in (mine, thief):
            assert client.get(reverse("site:wallet")).status_code == 302
        assert not log_in(browser()) and not log_in(thief)
        with pytest.raises(pauses.WithdrawalsPaused) as refused:
            pauses.check(user_id=alice, now=timezone.now() + timedelta(days=400))
        assert refused.value.until is None
        (frozen_mail,) = delivered()
        assert frozen_mail.subject == "Your account is frozen" and frozen_mail.to == ["alice@example.org"]
        record = Record.objects.get(action="account.freeze")
        assert record.subject == f"user:{alice}" and "example.org" not in str(vars(record))

    def test_it_works_once(self, alice):
        link = link_in(new_device_mail())
        assert Client().post(link).status_code == 200
        again = Client().post(link)
        assert again.status_code == 409 and "used already" in again.content.decode()
        assert Freeze.objects.count() == 1 and Record.objects.filter(action="account.freeze").count() == 1

    def test_it_cannot_be_used_again_after_staff_lifted_the_freeze(self, alice):
        message = new_device_mail()
        log_in(browser("Other/1.0"))
        (second,) = delivered()
        Client().post(link_in(message))
        freezing.lift(user_id=alice, reason="Spoke on the phone.", actor_id=10**6, now=timezone.now())
        for old in (message, second):
            assert Client().post(link_in(old)).status_code == 409
        assert User.objects.get(id=alice).is_active

    @pytest.mark.parametrize("token", ["x", "A" * 43, "%00", "../security"])
    def test_a_forged_one_is_none(self, alice, token):
        new_device_mail()
        path = f"/account/not-me/{token}/"
        assert Client().post(path).status_code == Client().get(path).status_code == 404
        assert User.objects.get(id=alice).is_active

    def test_it_freezes_the_owner_of_the_mail_whoever_is_logged_in(self, alice):
        mallory = opened("mallory")
        link = link_in(new_device_mail())
        thief = browser("Thief/1.0")
        log_in(thief, "mallory")
        thief.post(link)
        assert not User.objects.get(id=alice).is_active and User.objects.get(id=mallory).is_active

    def test_an_old_one_is_over(self, alice):
        message = new_device_mail()
        NotMeLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert Client().post(link_in(message)).status_code == 409
        assert User.objects.get(id=alice).is_active
        not_me.forget_old(now=timezone.now() + timedelta(days=40))
        assert Client().post(link_in(message)).status_code == 404

    def test_the_database_holds_no_token(self, alice):
        token = link_in(new_device_mail()).split("/")[-2]
        assert token not in str(list(NotMeLink.objects.values()))

    def test_lifting_needs_somebody_else_and_a_reason_and_the_old_password_stays_void(self, alice):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        Client().post(link_in(new_device_mail()))
        row = Freeze.objects.get()
        client = Client()
        log_in_staff(client, boss)
        page = reverse("admin:accounts_freeze_change", args=[row.id])
        assert client.get(page).status_code == 200
        assert client.post(page, {"lift_reason": " "}).status_code == 200
        assert not User.objects.get(id=alice).is_active
        assert client.post(page, {"lift_reason": "Spoke on the phone."}).status_code == 302
        row.refresh_from_db()
        assert (row.lifted_by, row.lift_reason) == (boss, "Spoke on the phone.") and User.objects.get(
            id=alice
        ).is_active
        record = Record.objects.get(action="account.lift_freeze")
        assert (record.actor_id, record.after["reason"]) == (boss, "Spoke on the phone.")
        until = selectors.paused_until(alice, timezone.now())  # of the lifting itself, and not until somebody lifts it
        assert until is not None and timedelta(hours=23) < until - timezone.now() <= timedelta(hours=24)
        assert not log_in(browser())  # whoever knew the password must not come in again
        assert client.post(page, {"lift_reason": "Again."}).status_code == 403
        assert [m.subject for m in delivered() if m.to == ["alice@example.org"]][-1] == "Your account is open again"

    def test_a_member_of_staff_does_not_lift_his_own(self):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        freezing.freeze(user_id=boss, reason="test", now=timezone.now())
        with pytest.raises(freezing.OwnFreeze):
            freezing.lift(user_id=boss, reason="me again", actor_id=boss, now=timezone.now())

    def test_the_machine_itself_lifts_it_when_nobody_else_is_left(self):
        from django.core.management import CommandError, call_command

        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        freezing.freeze(user_id=boss, reason="test", now=timezone.now())
        with pytest.raises(CommandError, match="reason_missing"):
            call_command("accounts", "lift", user=boss, reason=" ")
        call_command("accounts", "lift", user=boss, reason="The only superuser pressed it.")
        assert User.objects.get(id=boss).is_active
        assert Record.objects.get(action="account.lift_freeze").actor_id is None

    def test_staff_cannot_open_a_frozen_account_past_the_freeze(self, alice):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        client = Client()
        log_in_staff(client, boss)
        data = {"email": "alice@example.org", "display_name": "", "language": "en", "is_active": "on"}
        client.post(reverse("admin:accounts_user_change", args=[alice]), data)
        assert not User.objects.get(id=alice).is_active

    def test_a_log_in_that_staff_had_switched_off_stays_off_after_lifting(self, alice):
        User.objects.filter(id=alice).update(is_active=False)
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        freezing.lift(user_id=alice, reason="known", actor_id=10**6, now=timezone.now())
        assert not User.objects.get(id=alice).is_active

    def test_after_lifting_a_new_password_by_mail_opens_it_and_pauses_withdrawals(self, alice):
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        freezing.lift(user_id=alice, reason="known", actor_id=10**6, now=timezone.now())
        mail.outbox.clear()
        client = browser()
        client.post(reverse("account_reset_password"), {"email": "alice@example.org"})
        link = re.search(r"https?://[^/\s]+(/accounts/password/reset/key/\S+/)", mail.outbox[0].body)[1]
        form = client.get(link, follow=True)
        new = "entirely another secret"
        client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
        assert log_in(browser(), password=new)
        assert selectors.paused_until(alice, timezone.now()) is not None

    @pytest.mark.parametrize(("age_days", "stays"), [(0, False), (29, False), (31, True)])
    def test_what_a_thief_added_does_not_open_it_after_the_lifting(self, alice, age_days, stays):
        give_factor(alice)
        Authenticator.objects.update(created_at=timezone.now() - timedelta(days=age_days))
        SocialAccount.objects.create(user_id=alice, provider="google", uid="thief")
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        freezing.lift(user_id=alice, reason="known", actor_id=10**6, now=timezone.now())
        assert not SocialAccount.objects.exists()
        assert (
            Authenticator.objects.exists() is stays
        )  # recovery codes go with the last factor, and stay with an old one
        assert User.objects.get(id=alice).is_active

    def test_a_link_to_an_address_that_staff_took_away_freezes_nothing(self, alice):
        message = new_device_mail()
        emails.put_by_staff(
            user_id=alice, old="alice@example.org", new="found@example.org", actor_id=10**6, now=timezone.now()
        )
        assert Client().post(link_in(message)).status_code == 409
        assert User.objects.get(id=alice).is_active

    @pytest.mark.parametrize("name", ["alice", "nobody"])
    def test_a_shut_account_is_told_apart_from_none_by_nobody(self, alice, name):
        freezing.freeze(user_id=alice, reason="test", now=timezone.now())
        page = browser().post(reverse("account_login"), {"login": f"{name}@example.org", "password": PASSWORD})
        assert page.status_code == 200 and "frozen" not in page.content.decode()
        assert "are not correct" in page.content.decode()


def test_a_withdrawals_mail_carries_the_link_too(alice):
    from django.db import transaction

    payload = {
        "user_id": alice, "asset": "BTC", "network": "bitcoin", "amount": "0.5", "fee": "0.0001", "address": "bc1q",
        "withdrawal_id": "01900000-0000-7000-8000-000000000001",
    }  # fmt: skip
    with transaction.atomic():
        outbox.append(topic="wallets.withdrawal_sent", key="k", payload=payload, now=timezone.now())
    (message,) = delivered()
    assert Client().post(link_in(message)).status_code == 200
    assert not User.objects.get(id=alice).is_active
