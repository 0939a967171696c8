"""Apple's account: known by `sub`.

What must never happen here: an address believed confirmed whose mailbox Apple does not run. Its relay and its own domains
it does; another address was confirmed to Apple some day, and may have changed hands since.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.base import ProviderAccount
from django.http import HttpRequest

from exchange.accounts.providers import id_tokens
from exchange.accounts.providers.apple.views import AppleAdapter, claims_of
from exchange.accounts.providers.redirects import StrictProvider, subject

_OWN_DOMAINS = ("@privaterelay.appleid.com", "@icloud.com", "@me.com", "@mac.com")


class Apple(StrictProvider):
    id = "apple"
    name = "Apple"
    account_class = ProviderAccount
    oauth2_adapter_class = AppleAdapter
    supports_token_authentication = True
    uses_nonce = True

    def extract_uid(self, data: dict[str, Any]) -> str:
        return subject(data, "sub")

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data["email"]} if data.get("email") else {}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data.get("email")}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        email = str(data.get("email") or "")
        if not email:
            return []
        # Apple writes this claim as a boolean or as a text.
        confirmed = data.get("email_verified") in (True, "true") and email.lower().endswith(_OWN_DOMAINS)
        return [EmailAddress(email=email, verified=confirmed, primary=True)]

    def login_of_token(self, request: HttpRequest, token: dict[str, Any]) -> Any:
        claims = claims_of(token.get("id_token"), client_id=self.app.client_id, nonce=None)
        id_tokens.nonce_of_app(claims, token.get("nonce"))
        id_tokens.once(token["id_token"], claims)
        return self.sociallogin_from_response(request, claims)


provider_classes = [Apple]
