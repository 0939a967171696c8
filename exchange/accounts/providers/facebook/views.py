"""To Facebook and back: authorization code; who it is stands at /me, asked with a proof that we know the app's secret."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from django.http import HttpRequest

from exchange.accounts.providers.redirects import CallbackView, LoginView, StrictAdapter, endpoint


def asked(url: str, **params: str) -> dict[str, Any]:
    with get_adapter().get_requests_session() as session:
        answer = session.get(url, params=params)
        answer.raise_for_status()
        return dict(answer.json())


def me(app: Any, access_token: str) -> dict[str, Any]:
    """https://developers.facebook.com/docs/graph-api/guides/secure-requests for the proof."""
    proof = hmac.new(app.secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()
    return asked(endpoint("facebook", "me"), fields="id,name,email", access_token=access_token, appsecret_proof=proof)


class FacebookAdapter(StrictAdapter):
    provider_id = "facebook"
    scope_delimiter = ","
    access_token_method = "GET"  # noqa: S105 - as documented

    def login(self, request: HttpRequest, app: Any, access_token: str, answer: dict[str, Any]) -> Any:
        return self.get_provider().sociallogin_from_response(request, me(app, access_token))


oauth2_login = LoginView.adapter_view(FacebookAdapter)
oauth2_callback = CallbackView.adapter_view(FacebookAdapter)
