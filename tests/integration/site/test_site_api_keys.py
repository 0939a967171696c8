"""The pages of API keys, in a browser without scripts."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core import mail
from django.utils import timezone

from exchange.accounts.keys import selectors, services
from exchange.accounts.models import ApiKey, User
from tests.factors import BACKEND, give_factor, step_up

PAGE, NEW = "/account/api-keys/", "/account/api-keys/new/"
FORM = {"label": "Grid bot", "kind": "hmac", "trade": "on", "networks": "", "ends": "90", "public_key": ""}


@pytest.fixture
def ann(person: Any) -> Any:
    """Has just confirmed with her app."""
    found = person("ann")
    confirmed(found)
    return found


def confirmed(person: Any) -> None:
    """Logged in with a factor, and just confirmed with it."""
    give_factor(person.user_id)
    person.browser.force_login(User.objects.get(pk=person.user_id), backend=BACKEND)
    step_up(person.browser, person.user_id)


def keys(person: Any) -> list[selectors.KeyView]:
    return selectors.keys(person.user_id, now=timezone.now())


def test_a_secret_is_shown_once_and_kept_sealed(ann: Any) -> None:
    page = ann.post(NEW, FORM)
    assert page.status_code == 200
    text = page.content.decode()
    secret = re.search(r">([0-9a-f]{64})<", text)
    assert secret is not None
    assert "no-store" in page["Cache-Control"]
    (key,) = keys(ann)
    assert (key.label, key.scopes, key.state) == ("Grid bot", ("read", "trade"), "live")
    assert selectors.material(key.key_id).secret.hex() == secret[1]
    assert bytes.fromhex(secret[1]) not in bytes(ApiKey.objects.get(key_id=key.key_id).sealed_secret)
    listed = ann.get(PAGE).content.decode()
    assert key.key_id in listed
    assert secret[1] not in listed


@pytest.mark.parametrize("form", ["pem", "base64"])
def test_of_ed25519_the_public_key_alone_is_asked_for(ann: Any, form: str) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    text = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "base64": base64.b64encode(public.public_bytes_raw()).decode(),
    }[form]
    page = ann.post(NEW, {**FORM, "kind": "ed25519", "public_key": text})
    assert "your public key alone" in page.content.decode()
    (key,) = keys(ann)
    assert key.public_key == public.public_bytes_raw()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"label": ""}, "a name you will know"),
        ({"kind": "ed25519", "public_key": "nonsense"}, "no Ed25519 public key"),
        ({"kind": "ed25519"}, "no Ed25519 public key"),
        ({"withdraw": "on"}, "name at least one"),
        ({"networks": "999.1.1.1"}, "is no address or network"),
        ({"networks": "0.0.0.0/0"}, "too wide"),
        ({"kind": "rsa"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(ann: Any, changed: dict[str, str], words: str) -> None:
    page = ann.post(NEW, {**FORM, **changed})
    assert page.status_code == 400
    assert words in page.content.decode()
    assert keys(ann) == []


def test_a_key_needs_a_fresh_second_factor(person: Any, second_factor_required: None) -> None:
    newcomer = person("newcomer")
    answer = newcomer.post(NEW, FORM)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/2fa/")
    give_factor(newcomer.user_id)
    newcomer.browser.force_login(User.objects.get(pk=newcomer.user_id), backend=BACKEND)
    answer = newcomer.post(NEW, FORM)
    assert answer.status_code == 302
    assert "reauthenticate" in answer["Location"]
    step_up(newcomer.browser, newcomer.user_id, ago_s=301)
    assert newcomer.post(NEW, FORM).status_code == 302
    assert keys(newcomer) == []
    step_up(newcomer.browser, newcomer.user_id)
    assert newcomer.post(NEW, FORM).status_code == 200
    assert len(keys(newcomer)) == 1


def test_a_new_key_pauses_withdrawals(ann: Any) -> None:
    from exchange.accounts.services import pauses

    ann.post(NEW, FORM)
    with pytest.raises(pauses.WithdrawalsPaused):
        pauses.check(user_id=ann.user_id, now=timezone.now())
    assert mail.outbox == []  # told by the outbox, after the commit


def test_revoke_and_rename(ann: Any) -> None:
    ann.post(NEW, FORM)
    (key,) = keys(ann)
    ann.post(f"{PAGE}{key.key_id}/label/", {"label": "Other"})
    assert keys(ann)[0].label == "Other"
    ann.post(f"{PAGE}{key.key_id}/label/", {"label": "\u202e"})
    assert keys(ann)[0].label == "Other"
    ann.post(f"{PAGE}{key.key_id}/revoke/")
    assert keys(ann)[0].state == "revoked"
    assert selectors.material(key.key_id) is None
    assert "Revoked" in ann.get(PAGE).content.decode()


def test_nobody_touches_anothers_key(ann: Any, person: Any) -> None:
    ann.post(NEW, FORM)
    (key,) = keys(ann)
    thief = person("thief")
    for path in ("label", "revoke"):
        thief.post(f"{PAGE}{key.key_id}/{path}/", {"label": "mine"})
        assert thief.get(f"{PAGE}{key.key_id}/{path}/").status_code == 405
    assert keys(ann)[0] == key
    assert key.key_id not in thief.get(PAGE).content.decode()


def test_there_are_at_most_twenty_that_live(ann: Any) -> None:
    for _ in range(services.KEYS_MAX):
        services.create(user_id=ann.user_id, label="x", kind="hmac", now=timezone.now())
    page = ann.post(NEW, FORM)
    assert page.status_code == 400
    assert "revoke one first" in page.content.decode()
    services.revoke(user_id=ann.user_id, key_id=keys(ann)[0].key_id, now=timezone.now())
    assert ann.post(NEW, FORM).status_code == 200
