"""Pages by which a customer guards the account: the hub, log-ins and devices, the word in our e-mails, the copy of the data,
closing; and the one page that needs no log-in, "this was not me".

What must never happen here: a change by GET (mail scanners and browsers open links by themselves), the word in full before a
second factor was shown, or an answer that tells whether somebody is a customer.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from exchange.accounts.services import not_me as links
from exchange.audit import services as audit


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def not_me(request: HttpRequest, token: str) -> HttpResponse:
    """Where "this was not me" leads. Looking changes nothing; the button freezes the account of the mail it stood in."""
    refused = ""
    done = False
    if request.method == "POST":
        try:
            links.use(token=token, origin=audit.origin_of(request), now=timezone.now())
            done = True
        except (links.LinkUsed, links.LinkOver) as error:
            refused = error.message
    found = links.look(token=token, now=timezone.now())
    return render(
        request, "site/not_me.html", {"link": found, "done": done, "refused": refused}, status=409 if refused else 200
    )
