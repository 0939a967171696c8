"""What templates print again and again: icons, amounts, prices, times.

Amounts arrive as integers of base units (or as the decimal strings a selector made of them) and leave as text. Nothing here
computes money, and nothing marks a user's words as safe.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.forms import BoundField
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import get_text_list
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

from exchange.assets.selectors import AssetNetworkView
from exchange.core import amounts
from exchange.site import icons
from exchange.site.said import said as _said

register = template.Library()

_NARROW_NO_BREAK_SPACE = "\u202f"


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """The named line icon; decoration only, so it is hidden from screen readers: put the words beside it."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>',
        css,
        mark_safe(icons.ICONS[name]),  # noqa: S308 - constant of ours
    )


@register.simple_tag
def coin(code: str, css: str = "") -> SafeString:
    """An asset's mark; an asset without one gets its first letter."""
    drawing = icons.COINS.get(code)
    if drawing is None:
        return format_html(
            '<svg class="coin {}" viewBox="0 0 32 32" aria-hidden="true">'
            '<text x="16" y="21" text-anchor="middle" font-size="14" fill="#fff" stroke="none">{}</text></svg>',
            css,
            code[:1],
        )
    return format_html(
        '<svg class="coin coin-{} {}" viewBox="0 0 32 32" aria-hidden="true">{}</svg>',
        code.lower(),
        css,
        mark_safe(drawing),  # noqa: S308 - constant of ours
    )


@register.simple_tag
def logo() -> SafeString:
    return format_html(
        '<svg viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">{}</svg>',
        mark_safe(icons.LOGO),  # noqa: S308 - constant of ours
    )


@register.filter
def grouped(text: str | int | None) -> str:
    """A decimal string in groups of three: 1234567.5 → 1,234,567.5. The point is a point in every language."""
    if text is None or text == "":
        return "—"
    sign, digits = ("−", str(text)[1:]) if str(text).startswith("-") else ("", str(text))
    whole, point, fraction = digits.partition(".")
    return f"{sign}{_in_groups(int(whole))}{point}{fraction}"


def _in_groups(whole: int) -> str:
    """A comma groups in English alone, where nobody takes it for a decimal sign; elsewhere a thin space, which is one nowhere."""
    english = (get_language() or settings.LANGUAGE_CODE).startswith("en")
    return f"{whole:,}" if english else f"{whole:,}".replace(",", _NARROW_NO_BREAK_SPACE)


@register.filter
def rough(text: str | None) -> str | None:
    """A decimal string to about four digits, for volumes; the exact figure stands in the API."""
    if not text:
        return text
    digits, _, fraction = text.partition(".")
    kept = fraction[: max(0, 4 - len(digits))].rstrip("0")
    return f"{digits}.{kept}" if kept else digits


@register.filter
def column(text: str | None, places: int) -> str:
    """A decimal string padded (never cut) to so many places, grouped: what lines up below each other."""
    if not text or not places:
        return grouped(text)
    digits, _, fraction = text.partition(".")
    return grouped(f"{digits}.{fraction:0<{places}}")


@register.simple_tag
def amount(value: int | None, decimals: int, places: int | None = None) -> str:
    """Base units as a grouped decimal string; `places` pads the fraction with zeros for columns (and never cuts digits off)."""
    if value is None:
        return "—"
    text = amounts.format(value, decimals=decimals)
    if places is not None:
        whole, _, fraction = text.partition(".")
        text = f"{whole}.{fraction:0<{places}}" if places else text
    return grouped(text)


@register.simple_tag
def network(link: AssetNetworkView) -> str:
    """A network by its name; for a token with the standard that tells it from the same token elsewhere: Ethereum (ERC20)."""
    return f"{link.network_name} ({link.standard})" if link.standard else link.network_name


@register.filter
def shorten(text: str, ends: int = 8) -> str:
    """The two ends of an address or txid, for tables; the whole of it belongs in a title or a copy button beside it."""
    return text if len(text) <= 2 * ends + 3 else f"{text[:ends]}…{text[-ends:]}"


@register.filter
def age(seconds: float | int | timedelta | None) -> str:
    """How long ago, in one unit: 4 s, 3 min, 2 h, 5 d."""
    if seconds is None:
        return _("never")
    whole = max(0, int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= size:
            return f"{whole // size}{_NARROW_NO_BREAK_SPACE}{unit}"
    return f"{whole}{_NARROW_NO_BREAK_SPACE}s"


@register.filter
def without_placeholder(field: BoundField) -> SafeString:
    """A form field whose label already says what its placeholder would."""
    return field.as_widget(attrs={"placeholder": ""})


@register.simple_tag
def password_rule() -> str:
    """What a password must be, in one line, from the validators that judge it; their four sentences come when one objects."""
    lengths = (each.get("OPTIONS", {}).get("min_length", 8) for each in settings.AUTH_PASSWORD_VALIDATORS)
    return _("At least %(count)s characters. A few unrelated words make a good one.") % {
        "count": max(lengths, default=8)
    }


@register.simple_tag
def when(moment: datetime | None, css: str = "") -> SafeString:
    """A moment: printed in UTC, and turned into the reader's own zone by the page's script."""
    if moment is None:
        return mark_safe("<span>—</span>")
    return format_html('<time class="nowrap {}" datetime="{}">{} UTC</time>', css, moment.isoformat(), written(moment))


def written(moment: datetime) -> str:
    """A moment with its month as a word, so that nobody takes the day for the month: 20 Nov 2026, 18:19."""
    # Translators: a moment, in Django's letters for dates; the month stays a word
    return date_format(moment, _("d M Y, H:i"))


@register.filter
def said(text: str) -> str:
    """What the domain or the API said, in the reader's language."""
    return _said(text)


@register.filter
def in_words(names: Iterable[object]) -> str:
    """Several names as a sentence has them: A, B and C."""
    # Translators: between the last two of several names
    return get_text_list([str(name) for name in names], _("and"))


@register.filter
def networks_in_words(networks: Iterable[Any]) -> str:
    return in_words(each.network.title() for each in networks)


@register.filter
def providers_in_words(linked: Iterable[Any]) -> str:
    """The services through which an account logs in."""
    return in_words(each.get_provider().name for each in linked)


@register.simple_tag
def writing_direction() -> str:
    return "rtl" if get_language_bidi() else "ltr"


@register.simple_tag
def words_script() -> SafeString:
    """The catalogue of what scripts say. English needs none; where none was compiled, scripts speak English."""
    language = (get_language() or settings.LANGUAGE_CODE).partition("-")[0]
    if language == settings.LANGUAGE_CODE:
        return mark_safe("")
    try:
        url = staticfiles_storage.url(f"words/{language}.js")
    except ValueError:
        return mark_safe("")
    return format_html('<script defer src="{}"></script>', url)


@register.filter
def signed_class(text: str | None) -> str:
    """The colour class of a change: up, down, or neither when it is nothing."""
    if not text or not text.strip("+-0.%"):
        return "faint"
    return "down" if text.startswith("-") else "up"
