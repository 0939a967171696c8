"""What stands in a control's place while it is switched off: functions that agree to everything."""

from __future__ import annotations

from typing import Any


def nothing(*args: Any, **kwargs: Any) -> None:
    """In place of a check that raises."""


def yes(*args: Any, **kwargs: Any) -> bool:
    """In place of a question whose yes lets somebody in."""
    return True


def no(*args: Any, **kwargs: Any) -> bool:
    """In place of a question whose yes keeps somebody out."""
    return False
