"""What mobile apps meet under /_allauth/: a provider's token that is not theirs to give, the usual limits, readable errors."""

import hashlib
import json
import time

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.test import Client
from django.utils import timezone

from exchange.accounts import selectors
from exchange.accounts.models import User
from exchange.accounts.services import customers
from tests import factors
from tests.providers import ways

PASSWORD = "correct horse battery staple"
APP = "/_allauth/app/v1"

pytestmark = pytest.mark.django_db


class App:
    """A phone: it keeps a session token, and no cookie."""

    def __init__(self):
        self.token = None

    def call(self, method, path, body=None, **extra):
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        headers = {"x-session-token": self.token} if self.token else {}
        if body is not None:
            extra.update(data=json.dumps(body), content_type="application/json")
        answer = getattr(client, method)(f"{APP}/{path}", headers=headers, **extra)
        assert set(answer.cookies) <= {"device"}, "an app's log-in stands in no cookie"
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            self.token = (answer.json().get("meta") or {}).get("session_token", self.token)
        return answer

    def log_in(self, email="alice@example.org"):
        assert self.call("post", "auth/login", {"email": email, "password": PASSWORD}).status_code == 200
        return self

    def confirm(self):
        assert self.call("post", "auth/reauthenticate", {"password": PASSWORD}).status_code == 200
        return self

    def bring(self, provider, token, process="login"):
        body = {"provider": provider, "process": process, "token": {"client_id": "our-client", **token}}
        return self.call("post", "auth/provider/token", body)


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


@pytest.fixture(params=["google", "apple", "facebook"])
def provider(request, settings, monkeypatch):
    stand_in = ways.KINDS[request.param](person=dict(ways.PEOPLE[request.param]))
    if request.param == "facebook":  # Limited Login
        stand_in.person = {"sub": "10158", "name": "Bob Builder", "email": "bob@example.org"}
    ways.switch_on(stand_in, settings, monkeypatch)
    yield stand_in
    stand_in.close()


@pytest.fixture
def google(settings, monkeypatch):
    stand_in = ways.KINDS["google"](person=dict(ways.PEOPLE["google"]))
    ways.switch_on(stand_in, settings, monkeypatch)
    yield stand_in
    stand_in.close()


def error(answer):
    """The one code of a readable error."""
    body = answer.json()
    assert body["status"] == answer.status_code
    (only,) = body["errors"]
    assert only["message"] and only["code"]
    return only["code"]


class TestProviderTokens:
    def test_an_honest_token_makes_a_customer_or_asks_for_the_address(self, provider):
        answer = App().bring(provider.name, {"id_token": provider.id_token()})
        flows = {flow["id"]: flow for flow in answer.json()["data"].get("flows", [])}
        confirmed = provider.name != "facebook"
        assert answer.status_code == (200 if confirmed else 401)
        assert confirmed or flows["verify_email"]["is_pending"]
        assert SocialAccount.objects.get().provider == provider.name

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "another-app"},
            {"iss": "https://evil.example"},
            {"exp": int(time.time()) - 3600},
            {"exp": None},
            {"iat": None},
            {"sub": ""},
            {"nonce": "somebody's"},
            {"algorithm": "none"},
            {"algorithm": "HS256"},
            {"kid": "unknown"},
        ],
    )
    def test_a_forged_or_foreign_token_is_refused(self, provider, claims):
        answer = App().bring(provider.name, {"id_token": provider.id_token(**claims)})
        assert answer.status_code == 400 and error(answer) == "invalid_token"
        assert not User.objects.exists()

    def test_one_signed_by_a_stranger_is_refused(self, provider):
        provider.signed_by = "a stranger's"
        assert error(App().bring(provider.name, {"id_token": provider.id_token()})) == "invalid_token"

    def test_a_token_is_taken_once(self, provider):
        """Read out of a log or a backup, it opens nothing."""
        token = provider.id_token()
        App().bring(provider.name, {"id_token": token})
        assert error(App().bring(provider.name, {"id_token": token})) == "invalid_token"

    def test_a_nonce_of_the_app_is_asked_for_as_it_is_or_by_its_digest(self, provider):
        for claimed in ("of-the-app", hashlib.sha256(b"of-the-app").hexdigest()):
            token = provider.id_token(nonce=claimed)
            assert App().bring(provider.name, {"id_token": token, "nonce": "of-the-app"}).status_code in (200, 401)
        assert error(App().bring(provider.name, {"id_token": provider.id_token(nonce="x"), "nonce": "y"}))
        assert error(App().bring(provider.name, {"id_token": provider.id_token(), "nonce": "of-the-app"}))

    def test_an_access_token_of_another_facebook_app_is_refused(self, settings, monkeypatch):
        facebook = ways.KINDS["facebook"](person=dict(ways.PEOPLE["facebook"]))
        ways.switch_on(facebook, settings, monkeypatch)
        given = facebook.granted(ways.leave(Client(), facebook))
        grant = facebook.codes[given["code"]]
        ours = facebook.access_token(grant)
        assert App().bring("facebook", {"access_token": ours}).status_code == 401
        assert User.objects.count() == 1
        grant.client_id = "a-game-that-sells-its-users"
        assert error(App().bring("facebook", {"access_token": facebook.access_token(grant)})) == "invalid_token"
        facebook.close()

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"provider": "google", "process": "login", "token": "a text"},
            {"provider": "google", "process": "login", "token": {"client_id": "another", "id_token": "x"}},
            {"provider": "google", "process": "login", "token": {"client_id": "our-client", "id_token": ["x"]}},
            {
                "provider": "twitter_oauth2",
                "process": "login",
                "token": {"client_id": "our-client", "access_token": "x"},
            },
            {"provider": "nobody", "process": "login", "token": {"client_id": "our-client", "id_token": "x"}},
            {"provider": "google", "process": "redirect", "token": {"client_id": "our-client", "id_token": "x"}},
        ],
    )
    def test_nonsense_is_an_error_that_can_be_read(self, google, body):
        answer = App().call("post", "auth/provider/token", body)
        assert answer.status_code == 400 and all(each["message"] for each in answer.json()["errors"])

    def test_a_mobile_app_s_own_client_has_no_button(self, google, settings, monkeypatch):
        monkeypatch.setenv("GOOGLE_APP_CLIENT_IDS", "ios-app,android-app")
        ways.switch_on(google, settings, monkeypatch)
        assert Client().get("/accounts/login/").content.count(b"/accounts/google/login/") == 1
        token = {"client_id": "ios-app", "id_token": google.id_token(aud="ios-app")}
        assert App().bring("google", token).status_code == 200
        mixed = {"client_id": "ios-app", "id_token": google.id_token(aud="android-app")}
        assert error(App().bring("google", mixed)) == "invalid_token"

    def test_a_customer_s_address_opens_nothing_and_tells_nothing(self, google):
        google.person["email_verified"] = False
        customers.open(email="bob.builder@gmail.com", password=PASSWORD, email_verified=True, now=timezone.now())
        seen = []
        for email in ("bob.builder@gmail.com", "new@gmail.com"):
            google.person |= {"email": email, "sub": email}
            body = App().bring("google", {"id_token": google.id_token()}).json()
            assert body["meta"].pop("session_token")
            seen.append(body)
        assert seen[0] == seen[1]
        assert [(m.to[0], m.subject) for m in mail.outbox] == [
            ("bob.builder@gmail.com", "You already have an account"),
            ("new@gmail.com", "Confirm your e-mail address"),
        ]


class TestLinking:
    def test_a_confirmation_is_asked_for_and_withdrawals_pause(self, alice, google):
        app = App().log_in()
        answer = app.bring("google", {"id_token": google.id_token()}, process="connect")
        assert answer.status_code == 401 and answer.json()["meta"]["is_authenticated"]
        assert {"id": "reauthenticate"} in answer.json()["data"]["flows"]
        assert not SocialAccount.objects.exists() and selectors.paused_until(alice, timezone.now()) is None
        app.confirm()
        assert app.bring("google", {"id_token": google.id_token(jti="2")}, process="connect").status_code == 200
        assert SocialAccount.objects.get().user_id == alice
        assert selectors.paused_until(alice, timezone.now()) is not None

    def test_with_a_second_factor_the_password_does_not_do(self, alice, google):
        app = App().log_in().confirm()
        factors.give_factor(alice)
        app = App()
        assert app.call("post", "auth/login", {"email": "alice@example.org", "password": PASSWORD}).status_code == 401
        from exchange.accounts.second_factors import codes

        assert app.call("post", "auth/2fa/authenticate", {"code": codes.present(alice)}).status_code == 200
        answer = app.bring("google", {"id_token": google.id_token()}, process="connect")
        assert answer.status_code == 401 and not SocialAccount.objects.exists()
        assert "mfa_reauthenticate" in [flow["id"] for flow in answer.json()["data"]["flows"]]

    def test_nobody_who_is_not_logged_in_links(self, google):
        answer = App().bring("google", {"id_token": google.id_token()}, process="connect")
        assert answer.status_code in (401, 403) and not SocialAccount.objects.exists()

    def test_unlinking_asks_for_it_too(self, alice, google):
        SocialAccount.objects.create(user_id=alice, provider="google", uid="1001")
        app = App().log_in()
        body = {"provider": "google", "account": "1001"}
        assert app.call("delete", "account/providers", body).status_code == 401
        assert SocialAccount.objects.exists()
        app.confirm()
        assert app.call("delete", "account/providers", body).status_code == 200
        assert not SocialAccount.objects.exists()

    def test_a_stolen_token_of_who_has_no_password_gives_no_address_and_no_password(self, google):
        """Nor a first factor: what follows is an address and a password of the thief's."""
        app = App()
        assert app.bring("google", {"id_token": google.id_token()}).status_code == 200
        store = SessionStore(app.token)
        for record in store["account_authentication_methods"]:
            record["at"] -= 3600
        store.save()
        for path, body in (
            ("account/email", {"email": "thief@example.org"}),
            ("account/password/change", {"new_password": PASSWORD}),
        ):
            assert app.call("post", path, body).status_code == 401
        assert app.call("get", "account/authenticators/totp").status_code == 401
        assert not User.objects.get().has_usable_password()
        assert not EmailAddress.objects.filter(email="thief@example.org").exists()
        fresh = App()
        assert fresh.bring("google", {"id_token": google.id_token(jti="another")}).status_code == 200
        assert fresh.call("post", "account/password/change", {"new_password": PASSWORD}).status_code == 200
        assert User.objects.get().check_password(PASSWORD)


class TestErrorsAndLimits:
    @pytest.mark.parametrize(
        ("method", "path", "options", "status"),
        [
            ("get", "no/such/address", {}, 404),
            ("put", "auth/signup", {"data": "{}", "content_type": "application/json"}, 405),
            ("post", "auth/login", {"data": "{not json", "content_type": "application/json"}, 400),
            ("post", "auth/login", {"data": "[1]", "content_type": "application/json"}, 400),
            ("post", "auth/login", {"data": b"\xff\xfe", "content_type": "application/json"}, 400),
            (
                "post",
                "auth/login",
                {"data": '{"email": {"a": 1}, "password": []}', "content_type": "application/json"},
                400,
            ),
            ("post", "auth/login", {"data": "{" + "x" * 2_000_000, "content_type": "application/json"}, 400),
            ("get", "auth/session", {"headers": {"x-session-token": "unknown"}}, 410),
        ],
    )
    def test_every_error_is_json_with_words(self, method, path, options, status):
        client = Client(raise_request_exception=False)
        answer = getattr(client, method)(f"{APP}/{path}", **options)
        assert answer.status_code == status
        assert answer["Content-Type"].startswith("application/json")
        assert all(each["message"] for each in answer.json()["errors"])
        assert int(answer.get("Content-Length", len(answer.content))) == len(answer.content)

    def test_a_fault_of_ours_is_told_without_its_inside(self, alice, monkeypatch):
        def fails(*args, **kwargs):
            raise RuntimeError("the password is hunter2")

        monkeypatch.setattr("allauth.headless.account.views.SignupView.post", fails)
        answer = App().call("post", "auth/signup", {"email": "x@example.org", "password": PASSWORD})
        assert answer.status_code == 500 and error(answer) == "internal_error" and b"hunter2" not in answer.content

    def test_the_limit_by_address_holds_here_and_counts_with_the_api_s(self, settings, valkey):
        settings.API_LIMITS = {**settings.API_LIMITS, "address": (3, 3600)}
        app = App()
        answers = [app.call("get", "config") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert "RateLimit" in answers[0]
        assert Client().get("/api/v1/time").status_code == 200
        refused = app.call("get", "config")
        assert refused.status_code == 429 and int(refused["Retry-After"]) > 0 and error(refused) == "rate_limited"
        assert Client().get("/api/v1/time").status_code == 429

    def test_guessing_is_slowed_as_on_the_pages(self, alice):
        statuses = {
            App().call("post", "auth/signup", {"email": f"p{n}@example.org", "password": PASSWORD}).status_code
            for n in range(21)
        }
        refused = App().call("post", "auth/signup", {"email": "q@example.org", "password": PASSWORD})
        assert 429 in statuses and refused.status_code == 429 and error(refused) == "rate_limited"

    def test_a_token_that_was_logged_out_is_gone(self, alice):
        app = App().log_in()
        token = app.token
        assert app.call("get", "account/email").status_code == 200
        assert app.call("delete", "auth/session").status_code == 401
        app.token = token
        assert error(app.call("get", "account/email")) == "session_token_invalid"

    def test_a_log_in_gets_a_token_of_its_own(self, alice):
        """A token that somebody planted before the log-in is worth nothing after it."""
        app = App()
        app.call("post", "auth/signup", {"email": "new@example.org", "password": PASSWORD})
        planted = app.token
        app.log_in()
        assert planted and app.token != planted
        thief = App()
        thief.token = planted
        assert thief.call("get", "account/email").status_code in (401, 410)
        assert app.call("get", "account/email").status_code == 200

    def test_a_cookie_is_no_log_in_here(self, alice):
        """So that no form of another site can act."""
        client = Client()
        client.force_login(User.objects.get(), backend=factors.BACKEND)
        assert client.get(f"{APP}/account/email").status_code == 401


class TestNobodyElses:
    """What an app names in a body is looked for among its own person's things alone."""

    @pytest.fixture
    def mallory(self, alice):
        customers.open(email="mallory@example.org", password=PASSWORD, email_verified=True, now=timezone.now())
        return App().log_in("mallory@example.org").confirm()

    def test_a_session(self, mallory):
        theirs = App().log_in()
        session = theirs.call("get", "auth/sessions").json()["data"][0]["id"]
        assert mallory.call("delete", "auth/sessions", {"sessions": [session]}).status_code == 400
        assert theirs.call("get", "account/email").status_code == 200

    def test_a_linked_account(self, alice, mallory, google):
        SocialAccount.objects.create(user_id=alice, provider="google", uid="1001")
        answer = mallory.call("delete", "account/providers", {"provider": "google", "account": "1001"})
        assert answer.status_code == 400 and SocialAccount.objects.exists()
        taken = mallory.bring("google", {"id_token": google.id_token()}, process="connect")
        assert taken.status_code == 400 and SocialAccount.objects.get().user_id == alice

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_an_address(self, alice, mallory, method):
        answer = mallory.call(method, "account/email", {"email": "alice@example.org", "primary": True})
        assert answer.status_code == 400 and User.objects.get(id=alice).email == "alice@example.org"
        unknown = mallory.call(method, "account/email", {"email": "nobody@example.org", "primary": True})
        assert answer.json() == unknown.json()
