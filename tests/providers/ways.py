"""A customer's way through a provider and back, without a browser; for tests."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.test import Client
from django.urls import reverse

from config import identity
from exchange.accounts.models import User
from tests.providers import stand_ins

IDS = {"google": "google", "facebook": "facebook", "x": "twitter_oauth2", "apple": "apple"}
PEOPLE: dict[str, dict[str, Any]] = {
    "google": {"sub": "1001", "email": "Bob.Builder@gmail.com", "email_verified": True, "name": "Bob Builder"},
    "facebook": {"id": "10158", "name": "Bob Builder", "email": "Bob@Example.org"},
    "x": {"id": "2244994945", "name": "Bob Builder", "username": "bob"},
    "apple": {"sub": "001234.abc.0001", "email": "zq7@privaterelay.appleid.com", "email_verified": "true"},
}
KINDS = {
    "google": stand_ins.Google, "facebook": stand_ins.Facebook, "x": stand_ins.X, "apple": stand_ins.Apple,
}  # fmt: skip


def switch_on(stand_in: stand_ins.StandIn, settings: Any, monkeypatch: Any) -> None:
    """As an operator would: by the environment."""
    for name, value in stand_in.environment().items():
        monkeypatch.setenv(name, value)
    settings.SOCIALACCOUNT_PROVIDERS = identity.providers()
    settings.PROVIDER_ENDPOINTS = identity.endpoints()


def leave(client: Client, stand_in: stand_ins.StandIn, **query: str) -> str:
    """Presses the button; the address at the provider that it leads to."""
    path = reverse(f"{IDS[stand_in.name]}_login")
    answer = client.post(f"{path}?{urlencode(query)}" if query else path)
    assert answer.status_code == 302, answer.content
    assert answer.url.startswith(stand_in.url + "/"), answer.url
    return str(answer.url)


def come_back(client: Client, stand_in: stand_ins.StandIn, given: dict[str, str]) -> Any:
    """The provider sends the browser back. Apple posts from its own site, so our cookies stay at home for that one step."""
    path = reverse(f"{IDS[stand_in.name]}_callback")
    if stand_in.name != "apple":
        return client.get(path, given)
    posted = Client(enforce_csrf_checks=True).post(path, given, headers={"origin": stand_in.url})
    assert posted.status_code == 302 and not posted.cookies
    assert urlsplit(posted.url).path == reverse("apple_finish_callback")
    return client.get(posted.url)


def log_in(client: Client, stand_in: stand_ins.StandIn, **query: str) -> Any:
    return come_back(client, stand_in, stand_in.granted(leave(client, stand_in, **query)))


def user_of(client: Client) -> int | None:
    found = client.session.get("_auth_user_id")
    return int(found) if found else None


def as_customer(user_id: int, *, confirmed: str = "") -> Client:
    """Logged in; with `confirmed`, the password, just shown again."""
    client = Client()
    client.force_login(User.objects.get(id=user_id), backend="django.contrib.auth.backends.ModelBackend")
    if confirmed:
        answer = client.post(reverse("account_reauthenticate"), {"password": confirmed})
        assert answer.status_code == 302, answer.content
    return client


def long_after_its_log_in(client: Client) -> Client:
    """The same session, an hour later: as somebody finds it who steals it."""
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 3600
    session.save()
    return client
