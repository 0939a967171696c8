"""What guards second factors: against guessing, against whoever writes to the database, against nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from exchange.accounts.models import FactorDevice, User
from exchange.accounts.second_factors import codes, guard, sealing, selectors
from exchange.audit.models import Record
from exchange.secrets.services import SecretTampered
from tests.factors import give_factor
from tests.integration.accounts.factor_people import (
    CONFIRM,
    SECOND_STEP,
    app_shows,
    log_in,
    logged_in,
    open_customer,
    through,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> int:
    return open_customer("alice")


class TestGuessing:
    def test_ten_wrong_codes_stop_that_network_and_nobody_else(self, alice):
        secret = give_factor(alice)
        bob = open_customer("bob")
        bobs = give_factor(bob)
        thief = Client(REMOTE_ADDR="192.0.2.66")
        log_in(thief)
        for _ in range(guard.NEAR):
            assert "wrong, or was used" in thief.post(SECOND_STEP, {"code": "000000"}).content.decode()
        assert "Too many" in thief.post(SECOND_STEP, {"code": app_shows(secret)}).content.decode()
        assert not logged_in(thief)
        owner, neighbour = Client(REMOTE_ADDR="192.0.2.10"), Client(REMOTE_ADDR="192.0.2.66")
        through(owner, app_shows(secret))
        assert logged_in(owner)
        log_in(neighbour, "bob")
        neighbour.post(SECOND_STEP, {"code": app_shows(bobs)})
        assert logged_in(neighbour)

    def test_guessing_from_many_networks_ends_with_the_password_that_leaked(self, alice, rf, monkeypatch):
        """The owner's new password begins anew, however long the thief went on with the old one."""
        monkeypatch.setattr(guard, "FAR", 5)
        monkeypatch.setattr(guard, "EVER", 10)
        secret = give_factor(alice)
        for number in range(15):
            thief = Client(REMOTE_ADDR=f"198.51.100.{number}")
            log_in(thief)
            thief.post(SECOND_STEP, {"code": "000000"})
        late = Client(REMOTE_ADDR="198.51.100.99")
        through(late, app_shows(secret))
        assert not logged_in(late)
        user = User.objects.get(pk=alice)
        user.set_password("entirely another secret")
        user.save()
        owner = Client(REMOTE_ADDR="192.0.2.10")
        log_in(owner, password="entirely another secret")
        owner.post(SECOND_STEP, {"code": app_shows(secret)})
        assert logged_in(owner)

    def test_new_passwords_from_the_mailbox_bring_no_new_guesses_for_ever(self, alice, monkeypatch):
        monkeypatch.setattr(guard, "FAR", 5)
        monkeypatch.setattr(guard, "EVER", 10)
        secret = give_factor(alice)
        bobs = give_factor(open_customer("bob"))

        def guess(number: int, password: str, code: str) -> Client:
            thief = Client(REMOTE_ADDR=f"198.51.100.{number}")
            log_in(thief, password=password)
            thief.post(SECOND_STEP, {"code": code})
            return thief

        def choose(password: str) -> str:
            user = User.objects.get(pk=alice)
            user.set_password(password)  # hashed anew each time
            user.save()
            return password

        for number in range(12):
            password = choose(f"the mailbox chose number {number // 4}")
            guess(number, password, "000000")
        assert not logged_in(guess(50, password, app_shows(secret)))
        assert not logged_in(guess(51, choose("once more from the mailbox"), app_shows(secret)))
        neighbour = Client(REMOTE_ADDR="198.51.100.51")
        log_in(neighbour, "bob")
        neighbour.post(SECOND_STEP, {"code": app_shows(bobs)})
        assert logged_in(neighbour)

    def test_right_codes_are_not_counted(self, alice, monkeypatch):
        monkeypatch.setattr(guard, "EVER", 2)
        secret = give_factor(alice)
        for steps in (-1, 0, 1):
            client = Client(REMOTE_ADDR="192.0.2.10")
            through(client, app_shows(secret, steps=steps))
            assert logged_in(client)

    def test_a_session_that_keeps_guessing_waits_longer_each_time(self, alice):
        secret = give_factor(alice)
        client = Client()
        through(client, app_shows(secret, steps=-1))
        assert "wrong" in client.post(CONFIRM, {"code": "000000"}).content.decode()
        assert "Too many" in client.post(CONFIRM, {"code": app_shows(secret)}).content.decode()
        device = FactorDevice.objects.get(user_id=alice)
        assert device.throttling_failure_count == 1
        FactorDevice.objects.update(throttling_failure_timestamp=None)
        assert client.post(CONFIRM, {"code": app_shows(secret)}).status_code == 302
        assert FactorDevice.objects.get(user_id=alice).throttling_failure_count == 0

    def test_a_session_that_is_wrong_ten_times_in_a_row_is_ended(self, alice):
        secret = give_factor(alice)
        client = Client()
        through(client, app_shows(secret))
        for _ in range(guard.SESSION):
            assert logged_in(client)
            FactorDevice.objects.update(throttling_failure_timestamp=None)
            client.post(CONFIRM, {"code": "000000"})
        assert not logged_in(client)

    def test_django_otp_is_answered_by_allauth_s_check_and_slowed_down(self, alice):
        secret = give_factor(alice)
        device = FactorDevice.objects.create(user_id=alice, name="Second factors")
        assert not device.verify_token("000000")
        assert not device.verify_token(app_shows(secret))  # a wait is on
        FactorDevice.objects.update(throttling_failure_timestamp=None)
        code = app_shows(secret)
        assert device.verify_token(code)
        assert not device.verify_token(code)

    def test_failures_are_in_the_audit_without_the_code(self, alice):
        give_factor(alice)
        client = Client()
        through(client, "246813")
        record = Record.objects.get(action="factor.failed")
        assert record.subject == f"user:{alice}"
        assert "246813" not in str(Record.objects.values())


class TestSealing:
    def test_a_secret_is_sealed_and_opens_for_its_user_alone(self, alice):
        secret = give_factor(alice)
        stored = Authenticator.objects.get(type=selectors.TOTP).data["secret"]
        assert secret not in stored and sealing.unseal(stored) == secret
        bob = open_customer("bob")
        lent = stored.replace(f"{alice}:", f"{bob}:", 1)
        with pytest.raises(SecretTampered):
            sealing.unseal(lent)

    def test_a_row_with_somebody_else_s_secret_is_refused_as_it_is_read(self, alice, owner_connection):
        """Whoever may write to the database gives Alice a secret that he knows: his own."""
        bob = open_customer("bob")
        give_factor(alice)
        give_factor(bob)
        own = Authenticator.objects.get(user_id=bob, type=selectors.TOTP).data["secret"]
        Authenticator.objects.filter(user_id=alice, type=selectors.TOTP).update(data={"secret": own})
        with pytest.raises(SecretTampered):
            codes.check(user_id=alice, code="123456")
        with pytest.raises(SecretTampered):
            Authenticator.objects.get(user_id=alice, type=selectors.TOTP)

    def test_nothing_is_sealed_for_nobody(self):
        with pytest.raises(ImproperlyConfigured):
            sealing.seal("secret")

    def test_old_rows_are_sealed_anew_for_their_users(self, alice):
        import base64
        from importlib import import_module

        from django.apps import apps
        from django.db import connection

        from exchange.secrets import services as secrets

        shared = base64.b64encode(secrets.seal(purpose="mfa", plaintext=b"JBSWY3DPEHPK3PXP", context="mfa")).decode()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO mfa_authenticator (user_id, type, data, created_at) VALUES (%s, 'totp', %s, now())",
                [alice, f'{{"secret": "{shared}"}}'],
            )
        migration = import_module("exchange.accounts.migrations.0005_own_seals")

        class Historical:
            """Models as a migration sees them: no signal of ours listens to them."""

            def get_model(self, app: str, name: str) -> Any:
                from django.db.migrations.state import ProjectState

                return ProjectState.from_apps(apps).apps.get_model(app, name)

        class Editor:
            pass

        editor = Editor()
        editor.connection = connection
        migration.seal_for_own_user(Historical(), editor)
        assert sealing.unseal(Authenticator.objects.get(user_id=alice).data["secret"]) == "JBSWY3DPEHPK3PXP"


class TestPasskeys:
    """Their forms without a key; tests/journeys/test_passkeys.py has one."""

    def test_they_belong_to_the_site_s_own_name_and_verify_their_person(self, alice, settings):
        settings.PRODUCTION, settings.SITE_URL = True, "https://exchange.example"
        settings.ALLOWED_HOSTS = ["exchange.example", "www.exchange.example"]
        client = Client(headers={"host": "www.exchange.example", "accept": "application/json"})
        offered = client.get(reverse("mfa_login_webauthn")).json()["request_options"]["publicKey"]
        assert (offered["rpId"], offered["userVerification"]) == ("exchange.example", "required")
        assert not offered.get("allowCredentials")  # it tells nobody who has one

    @pytest.mark.parametrize(
        "sent", ["", "null", "{}", "[]", '{"response": {}}', '{"response": {"userHandle": "MQ"}}', "x" * 300]
    )
    def test_nonsense_logs_nobody_in(self, alice, sent):
        client = Client()
        client.get(reverse("mfa_login_webauthn"), headers={"accept": "application/json"})
        assert client.post(reverse("mfa_login_webauthn"), {"credential": sent}).status_code == 302
        assert not logged_in(client)
