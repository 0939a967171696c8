"""Forged, foreign, late and unsigned id_tokens, straight from where the provider answers: none of them lets anybody in."""

import time

import pytest
from django.test import Client

from exchange.accounts.models import User
from tests.providers import ways

pytestmark = pytest.mark.django_db


BAD_CLAIMS = {
    "another client's": {"aud": "another-exchange"},
    "several clients'": {"aud": ["our-client", "another-exchange"]},
    "another issuer's": {"iss": "https://accounts.evil.example"},
    "another request's": {"nonce": "of-another-request"},
    "no request's": {"nonce": None},
    "expired": {"exp": int(time.time()) - 3600},
    "without an end": {"exp": None},
    "without a beginning": {"iat": None},
    "from the future": {"iat": 4_102_444_800, "exp": 4_102_448_400},
    "nobody's": {"sub": ""},
}


@pytest.mark.parametrize("name", ["google", "apple"])
class TestIdTokens:
    @pytest.fixture
    def provider(self, name, settings, monkeypatch):
        stand_in = ways.KINDS[name](person=dict(ways.PEOPLE[name]))
        ways.switch_on(stand_in, settings, monkeypatch)
        yield stand_in
        stand_in.close()

    def refused(self, provider):
        client = Client()
        answer = ways.log_in(client, provider)
        return answer.status_code == 401 and ways.user_of(client) is None and not User.objects.exists()

    @pytest.mark.parametrize("what", BAD_CLAIMS)
    def test_one_with_a_wrong_claim_is_refused(self, provider, what):
        provider.claims = BAD_CLAIMS[what]
        assert self.refused(provider)

    @pytest.mark.parametrize(
        "forgery",
        [
            {"algorithm": "none"},
            {"algorithm": "HS256"},
            {"signed_by": "a stranger's"},
            {"kid": "key-unknown"},
            {"text": "not.a.token"},
            {"text": ""},
            {"text": "x" * 10_000},
        ],
    )
    def test_one_that_is_not_signed_by_the_provider_is_refused(self, provider, forgery, monkeypatch):
        """Though it came straight from the provider's own address: whoever answers there in its place has not its key."""
        provider.signed_by = forgery.get("signed_by", provider.signed_by)
        honest = provider.id_token
        signing = {key: value for key, value in forgery.items() if key in ("algorithm", "kid")}
        monkeypatch.setattr(
            provider, "id_token", lambda **claims: forgery["text"] if "text" in forgery else honest(**claims, **signing)
        )
        assert self.refused(provider)

    def test_the_honest_one_is_taken(self, provider):
        assert not self.refused(provider)
