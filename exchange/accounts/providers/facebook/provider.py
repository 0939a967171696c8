"""Facebook's account: known by the id that it has for our app. Its address is never believed confirmed: Facebook does not
say so."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.base import ProviderAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.http import HttpRequest

from exchange.accounts.providers import id_tokens
from exchange.accounts.providers.facebook.views import FacebookAdapter, asked, me
from exchange.accounts.providers.redirects import StrictProvider, endpoint, subject


class Facebook(StrictProvider):
    id = "facebook"
    name = "Facebook"
    account_class = ProviderAccount
    oauth2_adapter_class = FacebookAdapter
    supports_token_authentication = True
    ask_again: ClassVar[dict[str, str]] = {"auth_type": "reauthenticate"}

    def extract_uid(self, data: dict[str, Any]) -> str:
        return subject(data, "id")

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: data[name] for name in ("name", "email") if name in data}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data.get("email"), "name": data.get("name")}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        return [EmailAddress(email=data["email"], verified=False, primary=True)] if data.get("email") else []

    def login_of_token(self, request: HttpRequest, token: dict[str, Any]) -> Any:
        """An access token of Facebook's SDK, or the id_token of its Limited Login."""
        if token.get("access_token"):
            return self.sociallogin_from_response(request, self._of_access_token(token["access_token"]))
        claims = id_tokens.verify(
            token.get("id_token"),
            keys_url=endpoint("facebook", "keys"),
            issuers=(endpoint("facebook", "issuer"),),
            audience=self.app.client_id,
            nonce=None,
        )
        id_tokens.nonce_of_app(claims, token.get("nonce"))
        id_tokens.once(token["id_token"], claims)
        return self.sociallogin_from_response(request, {**claims, "id": claims["sub"]})

    def _of_access_token(self, access_token: str) -> dict[str, Any]:
        """An access token says nothing of whom it was given to; another app's would do as well. So Facebook is asked."""
        app_token = f"{self.app.client_id}|{self.app.secret}"
        told = asked(endpoint("facebook", "debug"), input_token=access_token, access_token=app_token)["data"]
        if told.get("is_valid") is not True or str(told.get("app_id")) != self.app.client_id:
            raise OAuth2Error("The access token was not given to us.")
        person = me(self.app, access_token)
        if str(person["id"]) != str(told.get("user_id")):
            raise OAuth2Error("The access token belongs to somebody else.")
        return person


provider_classes = [Facebook]
