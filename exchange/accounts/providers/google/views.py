"""To Google and back: authorization code with PKCE and a nonce; the id_token's signature is checked though it came by TLS."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from exchange.accounts.providers import id_tokens
from exchange.accounts.providers.redirects import CallbackView, LoginView, StrictAdapter, endpoint


def claims_of(token: Any, *, client_id: str, nonce: str | None) -> dict[str, Any]:
    """Google signs with either form of its name: with the scheme or without."""
    issuer = endpoint("google", "issuer")
    return id_tokens.verify(
        token,
        keys_url=endpoint("google", "keys"),
        issuers=(issuer, issuer.removeprefix("https://")),
        audience=client_id,
        nonce=nonce,
    )


class GoogleAdapter(StrictAdapter):
    provider_id = "google"

    def login(self, request: HttpRequest, app: Any, access_token: str, answer: dict[str, Any]) -> Any:
        claims = claims_of(answer["id_token"], client_id=app.client_id, nonce=self.nonce)
        return self.get_provider().sociallogin_from_response(request, claims)


oauth2_login = LoginView.adapter_view(GoogleAdapter)
oauth2_callback = CallbackView.adapter_view(GoogleAdapter)
