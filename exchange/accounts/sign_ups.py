"""Signing up does not tell who exists: neither by the answer, nor by the work behind it, nor to two who sign up at once.

What must never happen here: a branch for a known address that is cheaper, or another answer, than that for an unknown one.
"""

from __future__ import annotations

from allauth.account.internal.flows.signup import prevent_enumeration
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import is_headless_request
from allauth.headless.base.response import AuthenticationResponse
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from exchange.accounts.models import User


def providers_of(email: str) -> list[str]:
    """Through whom the customer with this address logs in, in words; for a mail to that address alone."""
    switched_on = list(settings.SOCIALACCOUNT_PROVIDERS)
    linked = SocialAccount.objects.filter(user__email=User.objects.normalize_email(email), provider__in=switched_on)
    return sorted({account.get_provider().name for account in linked})


def overtaken(request: HttpRequest, email: str) -> ImmediateHttpResponse | None:
    """For a sign-up that the database refused: where another one with this address came first, what is to be raised. It
    carries the very answer that a form gets whose address is known before. None: it was refused for another reason."""
    if not User.objects.filter(email=User.objects.normalize_email(email)).exists():
        return None
    answer: HttpResponseBase = prevent_enumeration(request, email=email)
    if is_headless_request(request):
        answer = AuthenticationResponse.from_response(request, answer)
    return ImmediateHttpResponse(answer)
