"""The colour tokens meet WCAG AA in light and in dark: 4.5 to 1 for text, 3 to 1 for what only outlines."""

import re
from pathlib import Path

import pytest

SHEET = (Path(__file__).resolve().parents[2] / "static" / "src" / "css" / "tokens.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", SHEET)
}
SURFACES = ("desk", "surface", "sunken", "raised", "hover")
TEXT_PAIRS = [
    *((text, surface) for text in ("text", "text-soft", "text-faint") for surface in SURFACES),
    *((text, surface) for text in ("accent", "up", "down") for surface in ("desk", "surface", "raised", "hover")),
    *((word, f"{word}-soft") for word in ("up", "down", "warn", "accent")),
    *(("text", f"{word}-soft") for word in ("up", "down", "warn", "accent")),
    *(("accent", f"{word}-soft") for word in ("warn", "down")),
    ("up", "up-depth"), ("down", "down-depth"), ("text", "up-depth"), ("text", "down-depth"),
    ("text-soft", "up-depth"), ("text-soft", "down-depth"),
    ("on-accent", "accent"), ("on-accent", "accent-strong"),
    ("on-up", "up"), ("on-up", "up-strong"), ("on-down", "down"), ("on-down", "down-strong"),
]  # fmt: skip
EDGE_PAIRS = [("line-strong", "surface"), ("line-strong", "desk"), ("accent", "surface"), ("accent", "sunken")]


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT_PAIRS)
def test_text_can_be_read(front: str, back: str, theme: int) -> None:
    assert contrast(TOKENS[front][theme], TOKENS[back][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), EDGE_PAIRS)
def test_edges_of_inputs_and_the_focus_ring_can_be_seen(front: str, back: str, theme: int) -> None:
    assert contrast(TOKENS[front][theme], TOKENS[back][theme]) >= 3
