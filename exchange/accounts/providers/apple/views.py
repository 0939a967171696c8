"""To Apple and back. Apple posts its answer from its own site, where our session's cookie does not come along; so that post
is turned into an ordinary return and nothing of it is kept.

What must never happen here: anything done by that post itself. It needs no CSRF token and proves nothing: what proves is the
state, which the return is looked up by in the visitor's session, and the id_token that Apple hands to us and not to the browser.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import jwt
from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.providers.apple.client import AppleOAuth2Client
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from exchange.accounts.providers import id_tokens
from exchange.accounts.providers.redirects import CallbackView, LoginView, StrictAdapter, endpoint

SECRET_LIVES_S = 300
_PASSED_ON = ("code", "state", "error")
_LENGTH_MAX = 2_000


def claims_of(token: Any, *, client_id: str, nonce: str | None) -> dict[str, Any]:
    return id_tokens.verify(
        token,
        keys_url=endpoint("apple", "keys"),
        issuers=(endpoint("apple", "issuer"),),
        audience=client_id,
        nonce=nonce,
    )


class AppleClient(AppleOAuth2Client):
    """The client secret is a token that we sign with the key that Apple gave the operator."""

    def generate_client_secret(self) -> str:
        from allauth.socialaccount.adapter import get_adapter

        app = get_adapter(self.request).get_app(self.request, "apple")
        now = int(time.time())
        claims = {
            "iss": app.key,
            "aud": endpoint("apple", "issuer"),
            "sub": self.get_client_id(),
            "iat": now,
            "exp": now + SECRET_LIVES_S,
        }
        return jwt.encode(claims, app.settings["certificate_key"], algorithm="ES256", headers={"kid": app.secret})

    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        params = {
            "client_id": self.get_client_id(),
            "redirect_uri": self.callback_url,
            "response_type": "code",
            "response_mode": "form_post",
            "scope": " ".join(scope),
            "state": self.state,
            **extra_params,
        }
        return f"{authorization_url}?{urlencode(params)}"


class AppleAdapter(StrictAdapter):
    provider_id = "apple"
    client_class = AppleClient

    def login(self, request: HttpRequest, app: Any, access_token: str, answer: dict[str, Any]) -> Any:
        claims = claims_of(answer["id_token"], client_id=app.client_id, nonce=self.nonce)
        return self.get_provider().sociallogin_from_response(request, claims)


@csrf_exempt
@login_not_required
@require_POST
def returned(request: HttpRequest) -> HttpResponse:
    """Apple's post, as a return that the browser makes by itself and so with our cookie."""
    given = {name: request.POST.get(name, "")[:_LENGTH_MAX] for name in _PASSED_ON}
    query = urlencode({name: value for name, value in given.items() if value})
    return HttpResponseRedirect(f"{reverse('apple_finish_callback')}?{query}")


oauth2_login = LoginView.adapter_view(AppleAdapter)
oauth2_callback = returned
oauth2_finish = CallbackView.adapter_view(AppleAdapter)
