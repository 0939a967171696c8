"""Signing in through Facebook, against a local server that speaks its documented endpoints; no account can be taken over.

Endpoints and fields as in https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow (dialog,
/oauth/access_token) and https://developers.facebook.com/docs/graph-api/overview (/me).
"""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.facebook import flows, views
from django.core import mail
from django.test import Client
from django.urls import reverse

from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.assets import selectors as assets
from exchange.ledger import selectors as ledger
from exchange.outbox.models import Event

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class Facebook:
    """Facebook's place: one person, whose answer a test sets."""

    def __init__(self):
        self.person = {"id": "10158", "name": "Bob Builder", "email": "Bob@Example.org"}
        self.code = "a-code"
        facebook = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                status, answer = 200, facebook.person
                if url.path == "/oauth/access_token":
                    good = (query["client_id"], query["client_secret"], query["code"]) == (
                        "id",
                        "secret",
                        facebook.code,
                    )
                    status = 200 if good else 400
                    answer = {"access_token": "a-token", "token_type": "bearer", "expires_in": 5183944}
                elif url.path != "/me" or query.get("access_token") != "a-token":
                    status = 401
                if status != 200:
                    answer = {"error": {"message": "Invalid", "type": "OAuthException", "code": 100}}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def facebook(settings, monkeypatch):
    facebook = Facebook()
    settings.SOCIALACCOUNT_PROVIDERS = {"facebook": {"APPS": [{"client_id": "id", "secret": "secret"}]}}
    monkeypatch.setattr(flows, "GRAPH_API_URL", facebook.url)
    monkeypatch.setattr(views.FacebookOAuth2Adapter, "access_token_url", f"{facebook.url}/oauth/access_token")
    yield facebook
    facebook.server.shutdown()
    facebook.server.server_close()


def come_back(client, facebook, **query):
    """Presses the button, and returns from Facebook's dialog with a code."""
    dialog = client.post(reverse("facebook_login"))
    assert dialog.url.startswith("https://www.facebook.com/")
    state = parse_qs(urlsplit(dialog.url).query)["state"][0]
    return client.get(reverse("facebook_callback"), {"code": facebook.code, "state": state, **query})


def logged_in(client):
    return client.session.get("_auth_user_id")


def test_a_newcomer_becomes_a_customer_once_the_address_is_confirmed(facebook):
    client = Client()
    assert come_back(client, facebook).url == reverse("account_email_verification_sent")
    bob = User.objects.get()
    assert (bob.email, bob.display_name, bob.has_usable_password()) == ("bob@example.org", "Bob Builder", False)
    assert (
        set(ledger.account_ids(owner_id=bob.id))
        == {each.id for each in assets.assets(enabled_only=False)}
        >= {1, 2, 3, 4, 5}
    )
    assert Event.objects.filter(topic="accounts.customer_opened").count() == 1
    assert not logged_in(client) and mail.outbox[0].to == ["bob@example.org"]
    come_back(client, facebook)
    assert User.objects.count() == SocialAccount.objects.count() == 1


def test_somebody_else_s_address_is_not_taken_over(facebook):
    owner = customers.open(email="bob@example.org", password="x" * 12, email_verified=True, now=NOW)
    client = Client()
    come_back(client, facebook)
    assert not logged_in(client)
    assert not SocialAccount.objects.filter(user_id=owner).exists()
    assert list(User.objects.values_list("id", flat=True)) == [owner]


def test_a_person_without_an_address_is_asked_for_one_and_opened_once(facebook):
    facebook.person = {"id": "10159", "name": "No Mail"}
    client = Client()
    assert come_back(client, facebook).url == reverse("socialaccount_signup")
    assert not User.objects.exists()
    assert client.get(reverse("socialaccount_signup")).status_code == 200
    client.post(reverse("socialaccount_signup"), {"email": "Nomail@example.org"})
    assert User.objects.get().email == "nomail@example.org"
    assert Event.objects.filter(topic="accounts.customer_opened").count() == 1


@pytest.mark.parametrize("query", [{"state": "forged"}, {"code": "wrong"}, {"error": "access_denied", "code": ""}])
def test_a_return_that_is_forged_or_refused_lets_nobody_in(facebook, query):
    client = Client()
    answer = come_back(client, facebook, **query)
    assert answer.status_code in (200, 302, 401, 403)
    assert not logged_in(client) and not User.objects.exists()


def test_the_button_needs_a_post(facebook):
    """A link on another site must not start a log-in."""
    answer = Client().get(reverse("facebook_login"))
    assert answer.status_code == 200 and b"facebook.com" not in answer.content
