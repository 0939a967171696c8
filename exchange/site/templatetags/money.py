"""Worth in a currency people think in, signed changes, and days. Amounts arrive as integers of base units and leave as text."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from exchange.core import amounts
from exchange.site.templatetags.bourse import grouped

register = template.Library()

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_NO_BREAK = "\u00a0"


@register.simple_tag
def worth(value: int | None, decimals: int, code: str) -> str:
    """Base units of a currency, to its last digit: $1,234.50, or 1,234.50 CHF where there is no sign that everybody knows."""
    if value is None:
        return "—"
    text = amounts.format(abs(value), decimals=decimals)
    whole, _point, fraction = text.partition(".")
    text = grouped(f"{whole}.{fraction:0<{decimals}}" if decimals else whole)
    sign = "−" if value < 0 else ""
    return f"{sign}{_SIGNS[code]}{text}" if code in _SIGNS else f"{sign}{text}{_NO_BREAK}{code}"


@register.simple_tag
def scale(value: int, decimals: int, code: str) -> str:
    """`worth` without digits that say nothing at the end of a scale: $1,500, and not $1,500.00; $0.25 stays."""
    text = amounts.format(value, decimals=decimals)
    return f"{_SIGNS[code]}{grouped(text)}" if code in _SIGNS else f"{grouped(text)}{_NO_BREAK}{code}"


@register.filter
def percent(fraction: str) -> str:
    """A fee as people read it: "0.001" → "0.1 %"; a rebate has its minus."""
    hundredths = Decimal(fraction) * 100
    text = f"{abs(hundredths):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{'−' if hundredths < 0 else ''}{text}{_NO_BREAK}%"


@register.filter
def signed(text: str) -> str:
    """A decimal string with its sign in front, also when it is a plus; the minus is one that is as wide."""
    if not text or not text.strip("+-0."):
        return text.lstrip("+-") if text else text
    return f"−{text[1:]}" if text.startswith("-") else f"+{text.removeprefix('+')}"


@register.simple_tag
def change(value: int, decimals: int, places: int | None = None) -> str:
    """An amount that came (+) or went (−)."""
    text = amounts.format(abs(value), decimals=decimals)
    if places:
        whole, _point, fraction = text.partition(".")
        text = f"{whole}.{fraction:0<{places}}"
    return f"{'−' if value < 0 else '+'}{grouped(text)}"


@register.filter
def day(moment: date | datetime | None) -> str:
    """A day in the words of the page's language: 20 Nov 2026."""
    return date_format(moment, _("j M Y")) if moment else "—"


@register.filter
def short_day(moment: date | None) -> str:
    """A day of a scale, without its year."""
    return date_format(moment, _("j M")) if moment else ""
