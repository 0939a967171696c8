"""The customer's pages of his verification: where he stands, what is asked, what he sends, what happens next. All of them work
without a script; with one, an upload shows how far it is.

What must never happen here: a picture shown back (only reviewers see those), a change by GET, or a page of his words that a
browser keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from exchange.audit import services as audit
from exchange.core.errors import DomainError
from exchange.site import verification_progress as progress
from exchange.site.api import limits
from exchange.site.said import said
from exchange.site.verification_forms import WordsForm
from kyc import application_selectors as selectors
from kyc import requirements
from kyc.services import applications, documents


@login_required
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Where the customer stands."""
    standing = selectors.standing(request.user.pk, now=timezone.now())
    context = {"standing": standing, "rungs": progress.ladder(standing), "closed": progress.closed(standing)}
    return render(request, "site/verification.html", context)


@login_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Begins an application, or leads to the one that is open."""
    text = request.POST.get("level", "")
    level = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0
    try:
        made = applications.start(
            user_id=request.user.pk, level=level, origin=audit.origin_of(request), now=timezone.now()
        )
    except DomainError as error:
        messages.error(request, said(error))
        return redirect("site:verification")
    return redirect("site:application", made.id)


@login_required
@never_cache
@require_safe
def application(request: HttpRequest, application_id: UUID) -> HttpResponse:
    """One application: what is still to be done, or what happens next."""
    view = selectors.application(request.user.pk, application_id)
    form = None
    if view.editable:
        form = WordsForm(view.level_code, initial=selectors.told(request.user.pk, application_id))
    return _page(request, view, form)


def _page(request: HttpRequest, view: selectors.ApplicationView, form: WordsForm | None) -> HttpResponse:
    bad = form is not None and form.is_bound and bool(form.errors)
    context = {
        "application": view,
        "form": form,
        "words_asked": progress.words_asked(view),
        "slots": progress.slots(view),
        "stages": progress.stages(view),
        "asked": [said(requirements.NAMES[item]) for item in view.asked],
        "two_people": selectors.four_eyes(view.level),
    }
    return render(request, "site/verification_application.html", context, status=400 if bad else 200)


@login_required
@never_cache
@require_POST
def words(request: HttpRequest, application_id: UUID) -> HttpResponse:
    """Takes what was typed; shows the page again with what is wrong beside it."""
    view = selectors.application(request.user.pk, application_id)
    form = WordsForm(view.level_code, data=request.POST)
    if form.is_valid():
        try:
            applications.describe(
                user_id=request.user.pk, application_id=application_id, told=form.cleaned_data, now=timezone.now()
            )
        except DomainError as error:
            form.blame(error)
    if form.errors:
        return _page(request, view, form)
    messages.success(request, _("Saved."))
    return redirect("site:application", application_id)


@login_required
@require_POST
def picture(request: HttpRequest, application_id: UUID, kind: str) -> HttpResponse:
    """Takes one picture from a form."""
    limits.spend(request, "pictures", request.user.pk)
    sent = request.FILES.get("picture")
    data = sent.read() if sent is not None else b""
    if not data:
        messages.error(request, _("Choose a picture first."))
        return redirect("site:application", application_id)
    return _change(
        request,
        application_id,
        lambda: documents.upload(
            user_id=request.user.pk, application_id=application_id, kind=kind, data=data, now=timezone.now()
        ),
        _("The picture is here."),
    )


@login_required
@require_POST
def remove(request: HttpRequest, application_id: UUID, document_id: UUID) -> HttpResponse:
    return _change(
        request,
        application_id,
        lambda: documents.remove(
            user_id=request.user.pk, application_id=application_id, document_id=document_id, now=timezone.now()
        ),
        _("The picture is gone."),
    )


@login_required
@require_POST
def submit(request: HttpRequest, application_id: UUID) -> HttpResponse:
    return _change(
        request,
        application_id,
        lambda: applications.submit(
            user_id=request.user.pk,
            application_id=application_id,
            origin=audit.origin_of(request),
            now=timezone.now(),
        ),
        _("Handed in. We have told you by e-mail."),
    )


def _change(request: HttpRequest, application_id: UUID, change: Callable[[], object], done: str) -> HttpResponse:
    try:
        change()
    except applications.ApplicationNotFound:
        raise
    except DomainError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, done)
    return redirect("site:application", application_id)
