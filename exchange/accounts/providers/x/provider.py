"""X's account: known by its id, for names there change hands. X tells no address, so the customer gives one and confirms it."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.providers.twitter_oauth2.provider import TwitterOAuth2Account

from exchange.accounts.providers.redirects import StrictProvider, subject
from exchange.accounts.providers.x.views import XAdapter


class X(StrictProvider):
    id = "twitter_oauth2"
    slug = "x"
    name = "X"
    account_class = TwitterOAuth2Account
    oauth2_adapter_class = XAdapter
    pkce_enabled_default = True

    def extract_uid(self, data: dict[str, Any]) -> str:
        return subject(data, "id")

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {name: data[name] for name in ("name", "username") if name in data}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"name": data.get("name")}


provider_classes = [X]
