"""Pages by which a customer guards the account: the hub, log-ins and devices, the word in our e-mails; and the one page that
needs no log-in, "this was not me".

What must never happen here: a change by GET (mail scanners and browsers open links by themselves), the word in full before a
second factor was shown, or an answer that tells whether somebody is a customer.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from exchange.accounts import protection
from exchange.accounts.second_factors import stepping
from exchange.accounts.services import mail_words, sessions
from exchange.accounts.services import not_me as links
from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.site.said import said
from exchange.site.selectors import security as desk


@login_required
@require_safe
@never_cache
def hub(request: HttpRequest) -> HttpResponse:
    """How the account is protected, and where each part of that is changed."""
    board = desk.board(user_id=request.user.pk, session_key=request.session.session_key, now=timezone.now())
    return render(request, "site/security.html", {"board": board})


@login_required
@require_safe
@never_cache
def log_ins(request: HttpRequest) -> HttpResponse:
    """Who is logged in, from which devices, and the history of attempts."""
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None
    now = timezone.now()
    context = {
        "log_ins": protection.log_ins(request.user.pk, session_key=request.session.session_key, now=now),
        "devices": protection.devices(request.user.pk, current=request.session.get("device")),
        "attempts": protection.history(request.user.pk, before=before, limit=desk.ATTEMPTS_SHOWN),
        "attempts_shown": desk.ATTEMPTS_SHOWN,
    }
    return render(request, "site/security_log_ins.html", context)


@login_required
@require_POST
def end_log_in(request: HttpRequest, session_id: int) -> HttpResponse:
    return _change(
        request,
        lambda: sessions.end(
            user_id=request.user.pk, session_id=session_id, origin=audit.origin_of(request), now=timezone.now()
        ),
        _("That log-in has ended."),
    )


@login_required
@require_POST
def end_other_log_ins(request: HttpRequest) -> HttpResponse:
    return _change(
        request,
        lambda: sessions.end_others(
            user_id=request.user.pk,
            keep=request.session.session_key,
            origin=audit.origin_of(request),
            now=timezone.now(),
        ),
        _("Every other log-in has ended."),
    )


@login_required
@require_POST
def forget_device(request: HttpRequest, device_id: int) -> HttpResponse:
    return _change(
        request,
        lambda: sessions.forget_device(
            user_id=request.user.pk, device_id=device_id, origin=audit.origin_of(request), now=timezone.now()
        ),
        _("That device is off your list, and its log-ins have ended."),
    )


def _change(request: HttpRequest, change: Callable[[], object], done: str) -> HttpResponse:
    try:
        change()
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, done)
    return redirect("site:log_ins")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@stepping.required
def mail_word(request: HttpRequest) -> HttpResponse:
    """Chooses the word that our e-mails carry, changes it or takes it away."""
    refused = ""
    if request.method == "POST":
        now, origin = timezone.now(), audit.origin_of(request)
        try:
            if request.POST.get("action") == "forget":
                mail_words.forget(user_id=request.user.pk, origin=origin, now=now)
                messages.success(request, _("Our e-mails carry no code any more."))
            else:
                mail_words.choose(user_id=request.user.pk, word=request.POST.get("word", ""), origin=origin, now=now)
                messages.success(request, _("From now on every e-mail of ours carries it."))
            return redirect("site:mail_word")
        except mail_words.WordInvalid as error:
            refused = said(error)
    context = {"word": mail_words.of(request.user.pk), "refused": refused, "wanted": request.POST.get("word", "")}
    return render(request, "site/security_mail_word.html", context, status=400 if refused else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def not_me(request: HttpRequest, token: str) -> HttpResponse:
    """Where "this was not me" leads. Looking changes nothing; the button freezes the account of the mail it stood in.

    Nobody has to be logged in here: whoever has the link has the mailbox, and often on another device.
    """
    refused, done = "", False
    if request.method == "POST":
        try:
            links.use(token=token, origin=audit.origin_of(request), now=timezone.now())
            done = True
        except (links.LinkUsed, links.LinkOver) as error:
            refused = said(error)
    found = links.look(token=token, now=timezone.now())
    context = {"link": found, "done": done, "refused": refused}
    return render(request, "site/not_me.html", context, status=409 if refused else 200)
