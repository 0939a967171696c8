"""Staff write incidents for the status page, and look up the references that error pages show.

What must never happen here: news rewritten after customers have read it. A correction is another piece of news.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextareaWidget
from unfold.widgets import UnfoldAdminTextInputWidget as LineWidget

from exchange.core.errors import DomainError
from exchange.site import references
from exchange.site.models import Incident, IncidentNews
from exchange.site.services import incidents

HEADLINE, NEWS = "headline", "news"


class _Words(forms.ModelForm):
    """A text field for each language of the site. Only English has to be filled: the others fall back to it."""

    class Meta:
        model = Incident
        fields: tuple[str, ...] = ()

    def _post_clean(self) -> None:
        """The service judges the incident; nothing is written into the row here."""

    def given(self, name: str) -> dict[str, str]:
        return {code: self.cleaned_data.get(f"{name}_{code}", "") for code, _ in settings.LANGUAGES}


def _texts(name: str, label: str, most: int) -> dict[str, forms.Field]:
    widget = LineWidget if most < 500 else UnfoldAdminTextareaWidget
    return {
        f"{name}_{code}": forms.CharField(
            label=f"{label} ({own_name})", max_length=most, required=code == settings.LANGUAGE_CODE, widget=widget()
        )
        for code, own_name in settings.LANGUAGES
    }


_HEADLINES = _texts(HEADLINE, "Headline", incidents.HEADLINE_LENGTH_MAX)
_NEWS = _texts(NEWS, "What is known", incidents.NEWS_LENGTH_MAX)


class OpenForm(_Words):
    part = forms.ChoiceField(choices=Incident.Part.choices, widget=UnfoldAdminSelectWidget())
    started_at = forms.SplitDateTimeField(
        initial=timezone.now, widget=UnfoldAdminSplitDateTimeWidget(), label="Since (UTC)"
    )

    def clean_started_at(self) -> Any:
        if self.cleaned_data["started_at"] > timezone.now():
            raise forms.ValidationError("It has begun, or it is no incident.")
        return self.cleaned_data["started_at"]


class TellForm(_Words):
    state = forms.ChoiceField(choices=IncidentNews.State.choices, widget=UnfoldAdminSelectWidget())

    def clean(self) -> dict[str, Any]:
        if self.instance.ended_at is not None:
            raise forms.ValidationError("This incident is over. Open another one.")
        return super().clean() or {}


# One field for each language of the settings.
OpenForm.base_fields.update(_HEADLINES | _NEWS)
TellForm.base_fields.update(_NEWS)


@admin.register(Incident)
class IncidentAdmin(ModelAdmin):
    """The list; a page to open one, and a page to tell about one."""

    list_display = ("title", "part", "started_at", "ended_at")
    list_filter = ("part",)
    show_full_result_count = False
    list_per_page = 50
    list_before_template = "site/admin/incidents.html"

    def get_urls(self) -> list[Any]:
        page = path("references/", self.admin_site.admin_view(self.references), name="site_pages_incident_references")
        return [page, *super().get_urls()]

    def references(self, request: HttpRequest) -> HttpResponse:
        """What an error page's reference stands for; customers name it to support."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        word = request.GET.get("q", "")[:40]
        context = {
            **self.admin_site.each_context(request),
            "title": "References",
            "opts": self.opts,
            "word": word,
            "found": references.find(word) if word else None,
        }
        return TemplateResponse(request, "site/admin/references.html", context)

    def get_form(self, request: HttpRequest, obj: Incident | None = None, change: bool = False, **kwargs: Any) -> Any:
        return TellForm if obj is not None else OpenForm

    def get_fieldsets(self, request: HttpRequest, obj: Incident | None = None) -> Any:
        form = TellForm if obj is not None else OpenForm
        written = tuple(form.base_fields)
        if obj is None or not self.has_change_permission(request, obj):
            return ((None, {"fields": written if obj is None else ("so_far",)}),)
        news = ((None, {"fields": ("so_far",)}),)
        return news if obj.ended_at is not None else (*news, ("Tell what is new", {"fields": written}))

    def get_readonly_fields(self, request: HttpRequest, obj: Incident | None = None) -> Any:
        return ("so_far",) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Incident, form: Any, change: bool) -> None:
        now, actor_id = timezone.now(), request.user.pk
        if change:
            incidents.tell(
                incident_id=obj.pk,
                state=form.cleaned_data["state"],
                news=form.given(NEWS),
                actor_id=actor_id,
                now=now,
            )
            return
        obj.part, obj.words = form.cleaned_data["part"], form.given(HEADLINE)
        obj.started_at = form.cleaned_data["started_at"]
        obj.pk = incidents.open(
            part=form.cleaned_data["part"],
            words=form.given(HEADLINE),
            news=form.given(NEWS),
            started_at=form.cleaned_data["started_at"],
            actor_id=actor_id,
            now=now,
        )

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:  # somebody else ended it meanwhile
            self.message_user(request, error.message, level="ERROR")
            return self.response_post_save_change(request, None)

    def log_addition(self, *args: Any) -> None:
        """The audit has it."""

    def log_change(self, *args: Any) -> None:
        """The audit has it."""

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        return False

    @admin.display(description="Headline")
    def title(self, obj: Incident) -> str:
        return str(obj)

    @admin.display(description="News so far")
    def so_far(self, obj: Incident) -> SafeString:
        lines = (
            (each.at.strftime("%Y-%m-%d %H:%M UTC"), each.get_state_display(), language, text)
            for each in obj.news.order_by("-id")
            for language, text in sorted(each.words.items())
        )
        heads = format_html_join("", "<p><strong>{}</strong>: {}</p>", sorted(obj.words.items()))
        return format_html("{}{}", heads, format_html_join("", "<p>{} · {} · {}: {}</p>", lines))
