"""Pages to read: help with a search of its own, and the legal pages that the operator fills in."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from exchange.site.selectors import articles


@require_safe
def help_index(request: HttpRequest) -> HttpResponse:
    """All topics, or those that hold what is looked for."""
    wanted = request.GET.get("q", "").strip()[: articles.WORDS_MAX]
    found = articles.search(wanted) if wanted else articles.topics()
    return render(request, "site/help.html", {"articles": found, "wanted": wanted})


@require_safe
def help_topic(request: HttpRequest, topic: str) -> HttpResponse:
    return _article(request, articles.HELP, topic)


@require_safe
def legal(request: HttpRequest, topic: str) -> HttpResponse:
    return _article(request, articles.LEGAL, topic)


def _article(request: HttpRequest, shelf: str, topic: str) -> HttpResponse:
    found = articles.find(shelf, topic)
    if found is None:
        raise Http404
    others = articles.titles(shelf)
    return render(request, f"site/{shelf}_page.html", {"article": found, "others": others})
