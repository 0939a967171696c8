"""What customers type about themselves. Only shape is checked here; the room beneath judges the rest.

What must never happen here: a customer's word in an address or a log line (the form is sent by POST alone).
"""

from __future__ import annotations

import unicodedata
from typing import Any

from babel import Locale
from django import forms
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from exchange.core.errors import DomainError
from exchange.site.said import said
from kyc import countries, requirements
from kyc.services.applications import DetailInvalid

_DOCUMENTS = [
    ("passport", gettext_lazy("Passport")),
    ("id_card", gettext_lazy("Identity card")),
    ("driving_licence", gettext_lazy("Driving licence")),
]


def _text(label: str, autocomplete: str, help_text: str = "", **options: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(
        label=label, max_length=requirements.LENGTH_MAX, required=False, help_text=help_text, widget=widget, **options
    )


def _countries() -> list[tuple[str, str]]:
    """Countries by their names in the reader's language, in its order."""
    language = get_language() or "en"
    if language.startswith("en"):
        return list(countries.CHOICES)
    names = Locale.parse(language, sep="-").territories
    return sorted(
        ((code, names.get(code, name)) for code, name in countries.CHOICES), key=lambda each: _folded(each[1])
    )


def _folded(name: str) -> str:
    """Without accents, so that Österreich stands beside Oman and not behind Zypern."""
    return "".join(each for each in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(each))


def _country(label: str, autocomplete: str = "country") -> forms.ChoiceField:
    choices = [("", _("Choose a country")), *_countries()]
    return forms.ChoiceField(
        label=label, choices=choices, required=False, widget=forms.Select(attrs={"autocomplete": autocomplete})
    )


def _field(name: str) -> forms.Field:
    """A fresh one each time: a form changes its own."""
    if name == "given_names":
        return _text(_("Given names"), "given-name", _("All of them, as they stand in your document."))
    if name == "family_names":
        return _text(_("Family names"), "family-name")
    if name == "birth_date":
        widget = forms.DateInput(attrs={"type": "date", "autocomplete": "bday"})
        return forms.CharField(label=_("Date of birth"), max_length=10, required=False, widget=widget)
    if name == "nationality":
        return _country(_("Nationality"), "off")
    if name == "country":
        return _country(_("Country you live in"))
    if name == "document_type":
        return forms.ChoiceField(
            label=_("Document you will show"), choices=_DOCUMENTS, required=False, widget=forms.RadioSelect
        )
    if name == "street":
        return _text(_("Street and number"), "street-address")
    if name == "city":
        return _text(_("City"), "address-level2")
    if name == "postal_code":
        return _text(_("Postal code"), "postal-code")
    if name == "address_country":
        return _country(_("Country"))
    if name == "occupation":
        return _text(_("What you do for a living"), "organization-title")
    assert name == "source_of_funds", name
    return forms.CharField(
        label=_("Where the money comes from that you move here"),
        max_length=requirements.FIELD_LENGTH_MAX[name],
        required=False,
        help_text=_("A few sentences. The document should show the same."),
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}),
    )


class WordsForm(forms.Form):
    """The fields of one level."""

    def __init__(self, level: str, data: Any = None, initial: dict[str, str] | None = None) -> None:
        super().__init__(data, initial=initial)
        for name in requirements.fields(level):
            self.fields[name] = _field(name)

    def blame(self, error: DomainError) -> None:
        """Puts every fault beside its field."""
        if isinstance(error, DetailInvalid):
            for fault in error.faults:
                self.add_error(fault.field, said(fault))
        else:
            self.add_error(error.param if error.param in self.fields else None, said(error))
