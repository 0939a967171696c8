"""Log-in through Google, Facebook, X and Apple, against local servers that check what they are sent; what a thief would try."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config import identity
from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.ledger import selectors as ledger
from exchange.outbox.models import Event
from tests.providers import ways

PASSWORD = "correct horse battery staple"

pytestmark = pytest.mark.django_db


@pytest.fixture(params=list(ways.KINDS))
def provider(request, settings, monkeypatch):
    stand_in = ways.KINDS[request.param](person=dict(ways.PEOPLE[request.param]))
    ways.switch_on(stand_in, settings, monkeypatch)
    yield stand_in
    stand_in.close()


@pytest.fixture
def google(settings, monkeypatch):
    stand_in = ways.KINDS["google"](person=dict(ways.PEOPLE["google"]))
    ways.switch_on(stand_in, settings, monkeypatch)
    yield stand_in
    stand_in.close()


def customer(email="alice@example.org", **fields):
    return customers.open(email=email, password=PASSWORD, email_verified=True, now=timezone.now(), **fields)


def signed_up(client, provider):
    """Through the provider, all the way: with an address where it gives none, and confirmed where it must be."""
    answer = ways.log_in(client, provider)
    if answer.status_code == 302 and answer.url == reverse("socialaccount_signup"):
        answer = client.post(answer.url, {"email": "bob@example.org"})
    if answer.url == reverse("account_email_verification_sent"):
        (link,) = re.findall(r"http://\S+(/accounts/confirm-email/\S+)", mail.outbox[-1].body)
        client.post(link)
        ways.log_in(client, provider)
    return ways.user_of(client)


class TestNewcomers:
    def test_somebody_becomes_a_customer_and_comes_back_as_the_same_one(self, provider):
        user_id = signed_up(Client(), provider)
        user = User.objects.get()
        assert user.id == user_id and not user.has_usable_password()
        assert len(ledger.account_ids(owner_id=user_id)) >= 5
        assert Event.objects.filter(topic="accounts.customer_opened").count() == 1
        # By the provider's own id for him: addresses and names change hands.
        provider.person |= {"email": "other@example.org", "name": "Somebody Else", "username": "else"}
        again = Client()
        ways.log_in(again, provider)
        assert ways.user_of(again) == user_id
        assert User.objects.count() == SocialAccount.objects.count() == 1
        assert provider.refused == []

    def test_nothing_of_the_provider_s_tokens_is_kept(self, provider):
        client = Client()
        signed_up(client, provider)
        assert not SocialToken.objects.exists()
        kept = str([session.get_decoded() for session in Session.objects.all()]) + str(
            list(SocialAccount.objects.values_list("extra_data", flat=True))
        )
        assert provider.tokens and not any(token in kept for token in provider.tokens)

    def test_the_request_carries_what_the_provider_documents_and_no_secret(self, provider):
        asked = dict(parse_qsl(urlsplit(ways.leave(Client(), provider)).query))
        assert asked["response_type"] == "code" and len(asked["state"]) >= 16
        assert ("nonce" in asked) == (provider.name in ("google", "apple"))
        assert ("code_challenge" in asked) == (provider.name in ("google", "x"))
        assert provider.secret not in str(asked)

    @pytest.mark.parametrize(
        ("person", "confirmed"),
        [
            ({}, True),
            ({"email_verified": False}, False),
            ({"email_verified": "true"}, False),  # Google's is a boolean
            ({"email": "bob@old-employer.example", "email_verified": True}, False),
            ({"email": "bob@firm.example", "email_verified": True, "hd": "firm.example"}, True),
            ({"email": "bob@other.example", "email_verified": True, "hd": "firm.example"}, False),
        ],
    )
    def test_google_s_word_is_enough_only_for_mailboxes_that_google_runs(self, google, person, confirmed):
        google.person |= person
        client = Client()
        ways.log_in(client, google)
        assert EmailAddress.objects.get().verified is confirmed
        assert (ways.user_of(client) is not None) is confirmed

    @pytest.mark.parametrize("name", ["x", "facebook"])
    def test_who_gives_no_address_is_asked_for_one_and_opened_once(self, name, settings, monkeypatch):
        nameless = {key: value for key, value in ways.PEOPLE[name].items() if key != "email"}
        stand_in = ways.KINDS[name](person=nameless)
        ways.switch_on(stand_in, settings, monkeypatch)
        client = Client()
        assert ways.log_in(client, stand_in).url == reverse("socialaccount_signup")
        assert not User.objects.exists()
        assert b"confirmed who you are" in client.get(reverse("socialaccount_signup")).content
        client.post(reverse("socialaccount_signup"), {"email": "Bob@example.org"})
        assert User.objects.get().email == "bob@example.org" and not EmailAddress.objects.get().verified
        stand_in.close()


class TestNoTakeOver:
    @pytest.mark.parametrize("confirmed", [True, False])
    def test_a_customer_s_address_at_a_provider_opens_nothing(self, provider, confirmed):
        """Confirmed at the provider or not: the customer's account stays his, and he is told."""
        email = str(provider.person.get("email", "bob@example.org")).lower()
        if "email_verified" in provider.person:
            provider.person["email_verified"] = confirmed
        owner = customer(email)
        client = Client()
        answer = ways.log_in(client, provider)
        if answer.url == reverse("socialaccount_signup"):
            answer = client.post(answer.url, {"email": email})
        assert answer.url == reverse("account_email_verification_sent")
        assert ways.user_of(client) is None
        assert not SocialAccount.objects.exists()
        assert list(User.objects.values_list("id", flat=True)) == [owner]
        assert [(m.to, m.subject) for m in mail.outbox] == [([email], "You already have an account")]

    def test_it_looks_the_same_whether_the_address_is_known(self, provider):
        """For what the provider does not vouch for, as anybody may have typed it in there."""
        if "email_verified" in provider.person:
            provider.person["email_verified"] = False
        known = str(provider.person.get("email", "bob@example.org")).lower()
        seen = []
        for email in ("new@example.org", known):
            if email == known:
                customer(known)
            client = Client()
            provider.person |= {"id": email, "sub": email}
            if "email" in provider.person:
                provider.person["email"] = email
            answer = ways.log_in(client, provider)
            if answer.url == reverse("socialaccount_signup"):
                answer = client.post(answer.url, {"email": email})
            page = client.get(answer.url).content.decode()
            page = re.sub(r'(csrfmiddlewaretoken" value=|hx-headers=)\S+', "", page)
            seen.append([answer.status_code, answer.url, *page.replace(email, "").splitlines()])
        assert seen[0] == seen[1]
        assert len(mail.outbox) == 2

    @pytest.mark.parametrize("clicked", [False, True], ids=["unconfirmed", "its owner clicked the mail's link"])
    def test_a_stranger_s_link_goes_when_the_owner_of_the_address_takes_the_account_over(
        self, clicked, settings, monkeypatch
    ):
        """The stranger signed up with an address that is not his, and waits."""
        facebook = ways.KINDS["facebook"](person=dict(ways.PEOPLE["facebook"]))
        ways.switch_on(facebook, settings, monkeypatch)
        stranger = Client()
        ways.log_in(stranger, facebook)
        assert "logs in through Facebook" in mail.outbox[-1].body  # so that nobody confirms what he did not begin
        owner = Client()
        if clicked:
            confirm = re.findall(r"http://[^/\s]+(/accounts/confirm-email/\S+)", mail.outbox[-1].body)[0]
            owner.post(confirm)
            ways.log_in(stranger, facebook)
            assert ways.user_of(stranger) is not None
            stranger.logout()
        owner.post(reverse("account_reset_password"), {"email": "bob@example.org"})
        link = re.findall(r"http://[^/\s]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)[0]
        form = owner.get(link, follow=True).redirect_chain[-1][0]
        owner.post(form, {"password1": PASSWORD, "password2": PASSWORD})
        assert User.objects.get().check_password(PASSWORD)
        ways.log_in(stranger, facebook)
        assert ways.user_of(stranger) is None
        assert not SocialAccount.objects.exists()
        facebook.close()


class TestForgedReturns:
    @pytest.mark.parametrize("change", [{"state": "forged-forged-16"}, {"state": ""}, {"code": "wrong"}, {"code": ""}])
    def test_a_state_or_code_that_is_forged_or_missing_lets_nobody_in(self, provider, change):
        client = Client()
        given = provider.granted(ways.leave(client, provider)) | change
        answer = ways.come_back(client, provider, {name: value for name, value in given.items() if value})
        assert answer.status_code == 401
        assert ways.user_of(client) is None and not User.objects.exists()

    def test_log_in_csrf_the_return_of_another_s_flow_is_worth_nothing_here(self, provider):
        """An attacker logs in at the provider, keeps the return to himself and has his victim's browser open it."""
        attacker, victim = Client(), Client()
        victim.get(reverse("account_login"))
        given = provider.granted(ways.leave(attacker, provider))
        assert ways.come_back(victim, provider, given).status_code == 401
        assert ways.user_of(victim) is None and not User.objects.exists()

    def test_a_state_is_good_once(self, provider):
        client = Client()
        given = provider.granted(ways.leave(client, provider))
        ways.come_back(client, provider, given)
        provider.codes[given["code"]] = provider.codes.get(given["code"]) or next(iter(provider.tokens.values()))
        assert ways.come_back(client, provider, given).status_code == 401

    def test_a_state_of_one_provider_is_worth_nothing_at_another(self, settings, monkeypatch):
        """So a provider that turned bad cannot have another's code handed to it."""
        both = [ways.KINDS[name](person=dict(ways.PEOPLE[name])) for name in ("google", "x")]
        for stand_in in both:
            ways.switch_on(stand_in, settings, monkeypatch)
        client = Client()
        given = both[0].granted(ways.leave(client, both[0]))
        assert ways.come_back(client, both[1], given).status_code == 401
        assert both[1].refused == []  # it was not even asked
        [stand_in.close() for stand_in in both]

    def test_a_code_that_was_given_to_another_client_is_worth_nothing(self, provider):
        client = Client()
        given = provider.granted(ways.leave(client, provider), client_id="another-exchange")
        answer = ways.come_back(client, provider, given)
        assert answer.status_code == 401 and provider.refused == ["invalid_grant: code of another client"]
        assert not User.objects.exists()

    def test_a_stolen_code_is_worth_nothing_in_another_flow(self, provider):
        """PKCE or nonce: the code belongs to the request that it was asked with. (Facebook knows neither.)"""
        if provider.name == "facebook":
            pytest.skip("Facebook documents neither PKCE with a secret nor a nonce")
        victim, thief = Client(), Client()
        stolen = provider.granted(ways.leave(victim, provider))["code"]
        own = provider.granted(ways.leave(thief, provider))
        assert ways.come_back(thief, provider, {"code": stolen, "state": own["state"]}).status_code == 401
        assert ways.user_of(thief) is None and not User.objects.exists()

    def test_who_stops_at_the_provider_is_told_that_nothing_happened(self, provider):
        client = Client()
        state = provider.granted(ways.leave(client, provider))["state"]
        answer = ways.come_back(client, provider, {"error": "access_denied", "state": state})
        assert answer.url == reverse("socialaccount_login_cancelled")
        assert b"Nothing was changed" in client.get(answer.url).content

    @pytest.mark.parametrize("person", [{}, {"id": None, "sub": None}, {"id": "", "sub": ""}])
    def test_an_answer_without_a_person_is_a_failed_log_in_and_no_fault_of_ours(self, provider, person):
        provider.person = person
        client = Client()
        assert ways.log_in(client, provider).status_code == 401
        assert not User.objects.exists()

    def test_a_provider_that_is_down_is_a_failed_log_in(self, provider):
        client = Client()
        given = provider.granted(ways.leave(client, provider))
        provider.close()
        assert ways.come_back(client, provider, given).status_code == 401


class TestTheAddressBar:
    @pytest.mark.parametrize(
        "query",
        [
            {"auth_params": "redirect_uri=https://evil.example/&client_id=theirs&state=known&prompt=none"},
            {"scope": "https://www.googleapis.com/auth/gmail.readonly"},
            {"action": "reauthenticate"},
        ],
    )
    def test_a_link_cannot_change_what_is_asked_of_the_provider(self, provider, query):
        plain = dict(parse_qsl(urlsplit(ways.leave(Client(), provider)).query))
        changed = dict(parse_qsl(urlsplit(ways.leave(Client(), provider, **query)).query))
        new_each_time = {"state", "nonce", "code_challenge", "scope"}
        assert {k: v for k, v in changed.items() if k not in new_each_time} == {
            k: v for k, v in plain.items() if k not in new_each_time
        }
        assert set(re.split(r"[ ,]", changed["scope"])) == set(re.split(r"[ ,]", plain["scope"]))
        assert changed["state"] != "known"

    @pytest.mark.parametrize(
        "following",
        [
            "https://evil.example/",
            "//evil.example/",
            "///evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "http:evil.example",
            "\thttps://evil.example",
        ],
    )
    def test_a_log_in_leads_nowhere_else(self, google, following):
        assert ways.log_in(Client(), google, next=following).url == reverse("site:wallet")

    def test_a_log_in_leads_back_to_a_page_of_ours(self, google):
        assert ways.log_in(Client(), google, next="/wallet/history/").url == "/wallet/history/"

    def test_a_link_starts_nothing(self, provider):
        path = reverse(f"{ways.IDS[provider.name]}_login")
        answer = Client().get(path)
        assert answer.status_code == 200 and provider.url.encode() not in answer.content
        assert Client(enforce_csrf_checks=True).post(path).status_code == 403


class TestSwitches:
    def test_a_button_stands_where_the_provider_is_switched_on_and_its_addresses_are_gone_where_not(
        self, provider, settings
    ):
        name = ways.IDS[provider.name]
        start = f'action="{reverse(f"{name}_login")}'.encode()
        for page in ("account_login", "account_signup"):
            assert start in Client().get(reverse(page)).content
        settings.SOCIALACCOUNT_PROVIDERS = {}
        for page in ("account_login", "account_signup"):
            assert start not in Client().get(reverse(page)).content
        assert Client().post(reverse(f"{name}_login")).status_code == 404
        callback = reverse("apple_finish_callback" if name == "apple" else f"{name}_callback")
        assert Client().get(callback, {"code": "a", "state": "b"}).status_code == 404

    def test_a_row_in_the_database_switches_nothing_on(self, client):
        SocialApp.objects.create(provider="google", name="Google", client_id="theirs", secret="theirs")
        assert reverse("google_login").encode() not in client.get(reverse("account_login")).content
        assert client.post(reverse("google_login")).status_code == 404

    def test_half_a_configuration_stops_the_start(self, monkeypatch):
        for switch in ("GOOGLE_CLIENT_ID", "FACEBOOK_CLIENT_ID", "X_CLIENT_ID", "APPLE_CLIENT_ID"):
            with monkeypatch.context() as patch:
                patch.setenv(switch, "an-id")
                with pytest.raises(ImproperlyConfigured, match=switch):
                    identity.providers()

    def test_a_secret_may_stand_in_a_file(self, monkeypatch, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("from-a-file\n")
        monkeypatch.setenv("X_CLIENT_ID", "an-id")
        monkeypatch.setenv("X_CLIENT_SECRET_FILE", str(secret))
        assert identity.providers()["twitter_oauth2"]["APPS"][0]["secret"] == "from-a-file"

    def test_the_policy_lets_forms_lead_to_the_providers_that_are_switched_on_alone(self):
        on = {"google": {}, "facebook": {}}
        origins = identity.form_origins(on, identity.ENDPOINTS)
        assert origins == ["https://accounts.google.com", "https://www.facebook.com", "https://m.facebook.com"]

    @pytest.mark.parametrize("name", identity.STAND_INS)
    def test_production_refuses_a_stand_in(self, name):
        """Whatever else it lacks: this is said before it asks for its secrets."""
        known = {"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql:///none", "REDIS_URL": "unix:///none"}
        ran = subprocess.run(
            [sys.executable, "-c", "import config.settings.prod"], cwd=Path(__file__).resolve().parents[3],
            env={**known, name: "http://127.0.0.1:1"}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert ran.returncode != 0 and f"{name} is for tests" in ran.stderr

    def test_without_a_stand_in_the_providers_own_addresses_are_called(self, monkeypatch):
        for name in identity.STAND_INS:
            monkeypatch.delenv(name, raising=False)
        assert identity.endpoints() == identity.ENDPOINTS
        assert all(url.startswith("https://") for known in identity.ENDPOINTS.values() for url in known.values())


def test_a_call_to_a_provider_is_not_sent_on_elsewhere(google):
    """The token endpoint answers with a redirect: whoever stands there would be given our secret."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    from exchange.accounts.providers.adapter import NoRedirects

    class Redirects(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(307)
            self.send_header("Location", f"{google.url}/token")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Redirects)
    Thread(target=server.serve_forever, daemon=True).start()
    answer = NoRedirects().post(f"http://127.0.0.1:{server.server_port}/token", data={"client_secret": "ours"})
    assert answer.status_code == 307 and google.refused == []
    server.shutdown()
    server.server_close()


def test_parameters_are_encoded_for_the_provider(google):
    """A state or address with special characters cannot add a parameter of its own."""
    location = ways.leave(Client(), google)
    assert parse_qs(urlsplit(location).query, strict_parsing=True)["redirect_uri"] == [
        "http://testserver" + reverse("google_callback")
    ]
    assert urlencode({"a": "b"}) == "a=b"
