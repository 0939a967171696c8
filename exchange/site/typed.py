"""Amounts as people type them. A comma is a decimal sign in half of the world and groups thousands in the other half.

What must never happen here: a comma thrown away, so that 0,5 becomes 5; or an amount that two readers would read as two. What is
not unmistakable is refused, with the way to write it.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

_SPACES = re.compile(r"(?<=\d)[\s\u00a0\u202f'](?=\d{3}(?!\d))")
_ENGLISH_GROUPS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_POINT_GROUPS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d*")  # 1.234,56
_DECIMAL_COMMA = re.compile(r"\d*,\d*")
_TWO_READINGS = re.compile(r"[1-9]\d{0,2},\d{3}")  # 1,500: one and a half thousand, or one and a half


class AmountUnclear(ValueError):
    """What was typed could be two amounts, or is none. Its text is for the person who typed it."""


def amount(text: str) -> str:
    """The amount with a point for decimals and nothing else: "1,234.5" → "1234.5", "0,5" → "0.5". Raises AmountUnclear."""
    typed = _SPACES.sub("", text.strip())
    english = (get_language() or settings.LANGUAGE_CODE).startswith("en")
    if "," not in typed:
        return typed  # an amount, or nothing that a comma made of it: the parser of amounts judges
    if _ENGLISH_GROUPS.fullmatch(typed) and (english or not _TWO_READINGS.fullmatch(typed)):
        return typed.replace(",", "")
    if _POINT_GROUPS.fullmatch(typed):
        return typed.replace(".", "").replace(",", ".")
    if _DECIMAL_COMMA.fullmatch(typed) and not _TWO_READINGS.fullmatch(typed):
        return typed.replace(",", ".")
    raise AmountUnclear(_("Write the amount with a point for decimals and without thousands signs, such as 1234.56."))
