"""To X and back: authorization code with PKCE, our secret by HTTP Basic, then users/me."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import get_adapter
from django.http import HttpRequest

from exchange.accounts.providers.redirects import CallbackView, LoginView, StrictAdapter, endpoint


class XAdapter(StrictAdapter):
    provider_id = "twitter_oauth2"
    basic_auth = True

    def login(self, request: HttpRequest, app: Any, access_token: str, answer: dict[str, Any]) -> Any:
        with get_adapter().get_requests_session() as session:
            told = session.get(
                endpoint("twitter_oauth2", "me"),
                params={"user.fields": "id,name,username"},
                headers={"Authorization": f"Bearer {access_token}"},
            )
            told.raise_for_status()
            person = told.json()["data"]
        return self.get_provider().sociallogin_from_response(request, person)


oauth2_login = LoginView.adapter_view(XAdapter)
oauth2_callback = CallbackView.adapter_view(XAdapter)
