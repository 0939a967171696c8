"""The page on which somebody without password and second factor shows that it is they: by a provider that is linked already."""

from __future__ import annotations

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from exchange.accounts.providers import linking


@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    following = get_next_redirect_url(request) or reverse("socialaccount_connections")
    ways = [
        (
            provider.name,
            provider.get_login_url(request, process=AuthProcess.REDIRECT, next=following),
        )
        for provider in {
            account.provider: account.get_provider() for account in linking.usable(request.user.pk)
        }.values()
    ]
    return render(request, "socialaccount/confirm.html", {"ways": ways})
