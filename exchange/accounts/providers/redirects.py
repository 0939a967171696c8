"""The way to a provider and back, the same for all four: allauth's, made stricter.

What must never happen here: a parameter of the authorization request that the visitor's address bar chose (allauth takes
`scope` and `auth_params` from it, so a link could put in another redirect_uri or state); an answer taken that belongs to
another session, another account or another request.
"""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider
from allauth.socialaccount.providers.oauth2.views import OAuth2Adapter, OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone

from exchange.accounts.providers import linking
from exchange.outgoing import calls

ID_LENGTH_MAX = 191  # of allauth's column
PROCESSES = (AuthProcess.LOGIN, AuthProcess.CONNECT, AuthProcess.REDIRECT)


def endpoint(provider: str, what: str) -> str:
    """Where this provider answers."""
    return str(settings.PROVIDER_ENDPOINTS[provider][what])


def subject(data: dict[str, Any], name: str) -> str:
    """The provider's own id for somebody. Raises KeyError, ValueError: whoever has none must not become one with others."""
    found = data[name]
    if not isinstance(found, str) or not 0 < len(found) <= ID_LENGTH_MAX:
        raise ValueError("The provider names nobody.")
    return found


class StrictProvider(OAuth2Provider):
    """The request to a provider is made of our settings alone, and remembers who made it."""

    uses_nonce: ClassVar[bool] = False
    ask_again: ClassVar[dict[str, str]] = {}  # parameters that have the provider ask its visitor anew

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return self.get_scope()

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        return self.get_auth_params()

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        kwargs = super().get_redirect_from_request_kwargs(request)
        if kwargs["process"] not in PROCESSES:
            kwargs["process"] = AuthProcess.LOGIN
        return kwargs

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponseBase:
        """Who links an account shows first that it is they; who only confirms that has to log in there once more."""
        params = dict(kwargs.pop("auth_params", None) or self.get_auth_params())
        if process == AuthProcess.CONNECT:
            linking.demand(request, now=timezone.now())
        elif process == AuthProcess.REDIRECT:
            params.update(self.ask_again)
        if self.uses_nonce:
            kwargs["nonce"] = params["nonce"] = secrets.token_urlsafe(24)
        kwargs["asked_by"] = request.user.pk if request.user.is_authenticated else None
        return super().redirect(request, process, next_url=next_url, data=data, auth_params=params, **kwargs)

    def verify_token(self, request: HttpRequest, token: dict[str, Any]) -> Any:
        """What a mobile app brings. Every reason to refuse it is the same answer."""
        try:
            return self.login_of_token(request, token)
        except (OAuth2Error, calls.Failed, KeyError, TypeError, ValueError) as error:
            if isinstance(error, ValidationError):
                raise
            raise get_adapter().validation_error("invalid_token") from error

    def login_of_token(self, request: HttpRequest, token: dict[str, Any]) -> Any:
        raise OAuth2Error("This provider's tokens are not taken.")


class StrictAdapter(OAuth2Adapter):
    """Endpoints from the settings; an answer of the wrong form is a failed log-in, not a fault of ours."""

    nonce: str | None = None

    @property
    def authorize_url(self) -> str:
        return endpoint(self.provider_id, "authorize")

    @property
    def access_token_url(self) -> str:  # type: ignore[override]
        return endpoint(self.provider_id, "token")

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        try:
            return self.login(request, app, token.token, kwargs["response"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, calls.Failed):
                raise
            raise OAuth2Error("The provider's answer cannot be read.") from error

    def login(self, request: HttpRequest, app: Any, access_token: str, answer: dict[str, Any]) -> Any:
        """The SocialLogin of who is behind the answer of the token endpoint."""
        raise NotImplementedError

    def known(self) -> OAuth2Provider:
        """The provider, if the operator has switched it on; a 404 otherwise."""
        provider = self.get_provider()
        if provider.app.settings.get("switched_off"):
            raise Http404
        return provider


class LoginView(OAuth2LoginView):
    adapter: StrictAdapter

    def get_provider(self) -> OAuth2Provider:
        return self.adapter.known()


class CallbackView(OAuth2CallbackView):
    """The state is looked up in this session alone, once, and only for this provider; it says which nonce was sent, and
    for whom."""

    adapter: StrictAdapter

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.adapter.known()
        return super().dispatch(request, *args, **kwargs)

    def _get_state(self, request: HttpRequest, provider: OAuth2Provider) -> tuple[Any, HttpResponseBase | None]:
        state, answer = super()._get_state(request, provider)
        if state is not None:
            self.adapter.nonce = state.get("nonce") or ""
        return state, answer
