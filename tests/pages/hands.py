"""Hands that have a keyboard and nothing else: Tab until it is there, then type. What has the focus must show it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator
from playwright.sync_api import Page as Tab

STEPS_MAX = 220
# The outline or shadow of what has the focus, or of the box around it, differs from that of the same thing without it.
SHOWS = """
element => {
  const look = each => { const s = getComputedStyle(each); return [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow,
    s.borderColor, s.backgroundColor, s.textDecorationLine].join() };
  const chain = [element, element.parentElement, element.nextElementSibling].filter(Boolean);
  const focused = chain.map(look);
  element.blur();
  const plain = chain.map(look);
  element.focus({ focusVisible: true });
  return focused.join() !== plain.join();
}
"""


class Hands:
    """On one window's keyboard."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def to(self, target: Locator, *, shows: bool = True) -> None:
        """Moves the focus there by Tab alone."""
        target.first.wait_for()
        handle = target.first.element_handle()
        for _ in range(STEPS_MAX):
            if self._has(handle):
                break
            self.tab.keyboard.press("Tab")
        assert self._has(handle), f"no way there by Tab: {target}"
        assert not shows or handle.evaluate(SHOWS), f"the focus is not seen on {target}"

    def press(self, target: Locator, key: str = "Enter") -> None:
        self.to(target)
        self.tab.keyboard.press(key)

    def type(self, target: Locator, text: str) -> None:
        """In place of what stands there."""
        self.to(target, shows=False)
        self.tab.keyboard.press("ControlOrMeta+a")
        self.tab.keyboard.type(text)

    def _has(self, handle: Any) -> bool:
        return bool(handle.evaluate("element => document.activeElement === element"))
