"""The forms in which staff open markets, set their rules and set fee tiers. They check shape; the services judge, and act.

What must never happen here: a row written. A form hands its figures to one service, and shows the error that comes back.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES

from exchange.core import amounts
from exchange.proposals.desk import why
from trading import presentation, selectors
from trading.engine.rules import PPM
from trading.models import FeeTier, Market

_PERCENT = "Percent, such as 0.1"


def ppm(percent: str) -> int:
    """Parts per million out of a percentage that a form's field has checked."""
    negative, digits = percent.startswith("-"), percent.lstrip("-")
    whole, _, fraction = digits.partition(".")
    units = int((whole or "0") + fraction.ljust(presentation.PERCENT_DECIMALS, "0"))
    return -units if negative else units


class PercentField(forms.CharField):
    """A percentage with at most four decimal places; it comes out as parts per million."""

    def __init__(self, *, negative: bool = False, **options: Any) -> None:
        super().__init__(max_length=10, help_text=options.pop("help_text", _PERCENT), **options)
        sign = "-?" if negative else ""
        places = presentation.PERCENT_DECIMALS
        self._form = forms.RegexField(rf"^{sign}[0-9]{{1,3}}(\.[0-9]{{1,{places}}})?\Z")

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return ppm(self._form.clean(text)) if text else None

    def prepare_value(self, value: Any) -> Any:
        return presentation.percent(value) if isinstance(value, int) else value


class HandedOn(forms.ModelForm):
    """A form whose figures go to a service."""

    # What is no figure: why, and on a tier's page that it is to go.
    WORDS = frozenset({"reason", "remove"})

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for each in self.fields.values():  # the theme styles its own widgets alone
            if isinstance(each.widget, forms.Select):
                each.widget.attrs["class"] = " ".join(SELECT_CLASSES)
            elif not isinstance(each.widget, forms.CheckboxInput):
                each.widget.attrs["class"] = " ".join(INPUT_CLASSES)

    def _post_clean(self) -> None:
        """No row is made or checked here: the service does that."""

    def figures(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.fields if name not in self.WORDS}


class RulesForm(HandedOn):
    """What may change of a market. Steps and assets may not: orders are written in them."""

    maker_fee_ppm = PercentField(label="Maker fee", negative=True, help_text="Percent; below zero: a rebate")
    taker_fee_ppm = PercentField(label="Taker fee")
    min_notional = forms.CharField(
        label="Least worth of an order", max_length=40, help_text="In the quote asset; 0: any"
    )
    band_ppm = PercentField(label="Price band", help_text="Percent from the last price; 0: none")
    slippage_ppm = PercentField(label="Slippage of market orders", help_text="Percent, where the order says none")
    max_open_orders = forms.IntegerField(label="Open orders a customer", min_value=0, help_text="0: any number")
    reason = why()

    class Meta:
        model = Market
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None:
            view = selectors.market(self.instance.symbol)
            self.initial |= {
                "maker_fee_ppm": view.maker_fee_ppm, "taker_fee_ppm": view.taker_fee_ppm,
                "min_notional": view.min_notional, "band_ppm": view.band_ppm, "slippage_ppm": view.slippage_ppm,
                "max_open_orders": view.max_open_orders,
            }  # fmt: skip


class OpenForm(RulesForm):
    """A new market."""

    symbol = forms.RegexField(r"^[A-Z0-9]{2,10}-[A-Z0-9]{2,10}\Z", help_text="Such as LTC-BTC")
    price_decimals = forms.IntegerField(min_value=0, max_value=18, help_text="Decimal places of a price")
    quantity_decimals = forms.IntegerField(min_value=0, max_value=18, help_text="Decimal places of a quantity")
    shard = forms.IntegerField(min_value=0, max_value=1023, initial=0)
    state = forms.ChoiceField(choices=[(name, name) for name in presentation.MARKET_STATES.values()])

    field_order = ("symbol", "price_decimals", "quantity_decimals", "shard", "state")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial = {
            "maker_fee_ppm": 1_000, "taker_fee_ppm": 2_000, "min_notional": "0", "band_ppm": 0,
            "slippage_ppm": PPM // 10, "max_open_orders": 1_000, "shard": 0, "state": "post_only",
        } | self.initial  # fmt: skip


class TierForm(HandedOn):
    """A fee tier."""

    name = forms.CharField(max_length=40)
    volume_from = forms.CharField(max_length=40, label="From a volume of", help_text="US dollars in thirty days")
    maker_fee_ppm = PercentField(label="Maker fee", negative=True, help_text="Percent; below zero: a rebate")
    taker_fee_ppm = PercentField(label="Taker fee")
    remove = forms.BooleanField(
        label=_("Remove this tier"), required=False, help_text=_("Its customers fall to the tier below.")
    )
    reason = why()

    class Meta:
        model = FeeTier
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None:
            dollars = amounts.format(int(self.instance.volume_from), decimals=selectors.USD_DECIMALS)
            self.initial |= {
                "name": self.instance.name, "volume_from": dollars, "maker_fee_ppm": self.instance.maker_fee_ppm,
                "taker_fee_ppm": self.instance.taker_fee_ppm,
            }  # fmt: skip
