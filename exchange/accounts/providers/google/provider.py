"""Google's account: known by `sub`, for its address may change hands.

What must never happen here: an address believed confirmed that Google does not run. Google itself says that `email_verified`
is lasting proof only for its own mailboxes (…@gmail.com) and for those of a Workspace (`hd`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.google.provider import GoogleAccount, GoogleProvider
from django.http import HttpRequest

from exchange.accounts.providers import id_tokens
from exchange.accounts.providers.google.views import GoogleAdapter, claims_of
from exchange.accounts.providers.redirects import StrictProvider, subject

_OWN_DOMAINS = ("@gmail.com", "@googlemail.com")


class Google(StrictProvider, GoogleProvider):
    oauth2_adapter_class = GoogleAdapter
    account_class = GoogleAccount
    uses_nonce = True
    ask_again: ClassVar[dict[str, str]] = {"prompt": "select_account"}

    def extract_uid(self, data: dict[str, Any]) -> str:
        return subject(data, "sub")

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: data[name] for name in ("name", "email") if name in data}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data.get("email"), "name": data.get("name")}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        email = str(data.get("email") or "")
        if not email:
            return []
        lasting = email.lower().endswith(_OWN_DOMAINS) or (
            bool(data.get("hd")) and email.lower().endswith("@" + str(data["hd"]).lower())
        )
        return [EmailAddress(email=email, verified=data.get("email_verified") is True and lasting, primary=True)]

    def login_of_token(self, request: HttpRequest, token: dict[str, Any]) -> Any:
        claims = claims_of(token.get("id_token"), client_id=self.app.client_id, nonce=None)
        id_tokens.nonce_of_app(claims, token.get("nonce"))
        id_tokens.once(token["id_token"], claims)
        return self.sociallogin_from_response(request, claims)


provider_classes = [Google]
