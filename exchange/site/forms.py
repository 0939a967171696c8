"""What people type into the pages' own forms. Only shape is checked here; the rooms beneath judge the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from exchange.assets.selectors import NetworkView
from exchange.core import ids
from exchange.core.errors import DomainError
from exchange.site import typed
from exchange.site.said import said
from exchange.site.selectors.withdrawals import Terms


class WithdrawForm(forms.Form):
    """Where to, and how much should arrive. The key makes a form sent twice one withdrawal."""

    address = forms.CharField(
        max_length=128,
        label=gettext_lazy("Send to"),
        error_messages={"required": gettext_lazy("Paste the address the coins should go to.")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "spellcheck": "false",
                "autocapitalize": "off",
                "class": "mono",
                "list": "address-book",
            }
        ),
    )
    amount = forms.CharField(
        max_length=100,
        label=gettext_lazy("Amount that should arrive"),
        error_messages={"required": gettext_lazy("Enter an amount.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal", "placeholder": "0.00"}),
    )
    idempotency_key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    # The fee that was looked over; the request is refused when it is another by then.
    fee = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)

    def __init__(self, terms: Terms, data: dict[str, str] | None = None) -> None:
        super().__init__(data, initial={"network": terms.links[0].network, "idempotency_key": str(ids.uuid7())})
        # Choices are known only now: the asset's networks that are switched on.
        self.fields["network"] = forms.ChoiceField(
            choices=[(link.network, link.network) for link in terms.links],
            widget=forms.RadioSelect,
            error_messages={"invalid_choice": gettext_lazy("Choose one of the networks.")},
        )

    def clean_amount(self) -> str:
        """As people write amounts; what could be read as two amounts is refused. The rest is the amount parser's business."""
        try:
            return typed.amount(self.cleaned_data["amount"])
        except typed.AmountUnclear as error:
            raise forms.ValidationError(str(error)) from None

    def blame(self, error: DomainError) -> None:
        """Puts an error of the domain beside the field that caused it; at the top where that one is hidden."""
        shown = [field.name for field in self.visible_fields()]
        self.add_error(error.param if error.param in shown else None, said(error))


class ListedAddressForm(forms.Form):
    """One more address for the list."""

    address = forms.CharField(
        max_length=128,
        label=gettext_lazy("Address"),
        error_messages={"required": gettext_lazy("Paste the address.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "class": "mono"}
        ),
    )
    label = forms.CharField(
        max_length=60,
        label=gettext_lazy("Label"),
        error_messages={"required": gettext_lazy("Give it a name you will know it by.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, networks: Sequence[NetworkView], data: dict[str, str] | None = None) -> None:
        super().__init__(data)
        self.fields["network"] = forms.ChoiceField(
            label=gettext_lazy("Network"),
            choices=[(network.code, network.name) for network in networks],
            error_messages={"invalid_choice": gettext_lazy("Choose one of the networks.")},
        )

    def blame(self, error: DomainError) -> None:
        """Puts an error of the domain beside the field that caused it."""
        self.add_error(error.param if error.param in self.fields else None, said(error))


class ApiKeyForm(forms.Form):
    """A new API key. What is shown beside each field is said in the template."""

    ENDS = (
        ("30", gettext_lazy("30 days")),
        ("90", gettext_lazy("90 days")),
        ("365", gettext_lazy("A year")),
        ("0", gettext_lazy("Never")),
    )

    label = forms.CharField(
        max_length=60,
        label=gettext_lazy("Name"),
        error_messages={"required": gettext_lazy("Give it a name you will know it by.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": gettext_lazy("Grid bot on my server")}),
    )
    kind = forms.ChoiceField(
        choices=[("ed25519", "Ed25519"), ("hmac", "HMAC-SHA256")], initial="ed25519", widget=forms.RadioSelect
    )
    public_key = forms.CharField(
        max_length=1000,
        required=False,
        label=gettext_lazy("Public key"),
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "mono", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    trade = forms.BooleanField(required=False)
    withdraw = forms.BooleanField(required=False)
    networks = forms.CharField(
        max_length=1500,
        required=False,
        label=gettext_lazy("Allowed addresses"),
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "mono", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    ends = forms.ChoiceField(choices=ENDS, initial="90", label=gettext_lazy("Expires after"))

    def wanted(self, *, now: datetime) -> dict[str, Any]:
        """The arguments of `accounts.keys.services.create`."""
        given = dict(self.cleaned_data)
        days = int(given.pop("ends"))
        if given["kind"] == "hmac":
            given["public_key"] = ""  # typed before the kind was changed
        return {
            **given,
            "networks": given["networks"].replace(",", " ").split(),
            "expires_at": now + timedelta(days=days) if days else None,
        }

    def blame(self, error: DomainError) -> None:
        """Puts an error of the domain beside the field that caused it."""
        self.add_error(error.param if error.param in self.fields else None, said(error))
