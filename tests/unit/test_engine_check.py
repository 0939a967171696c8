"""The check that everybody calls after every command sees each thing that could be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine_desk import Desk
from trading.engine.book import DONE
from trading.engine.check import violations


def desk() -> Desk:
    made = Desk(last=100)
    made.buy(1, 5, 90, client="mine")
    made.buy(2, 5, 90)
    made.sell(3, 5, 110, tif="GTD", expires_at=500)
    made.tell(made.place(4, "sell", 5, kind="trailing_stop", trail_ticks=5))
    made.oco(5, "sell", 5, price=120, stop=80)
    return made


def test_a_sound_state_has_nothing_to_say() -> None:
    assert violations(desk().engine) == []


BREAKS: dict[str, Any] = {
    "is crossed": lambda d: setattr(d.order(3), "price", 90) or d.book.asks.add(d.order(3), 90),
    "takes another price for the best": lambda d: setattr(d.book.asks, "_top", d.order(5).level),
    "is not where it thinks it is": lambda d: setattr(d.order(2), "preceding", None),
    "at another price than its own": lambda d: setattr(d.order(1), "price", 91),
    "behind one of higher rank": lambda d: setattr(d.order(1), "rank", 50),
    "has another tail, or other lots": lambda d: setattr(d.order(1).level, "lots", 3),
    "waits for a price that was there": lambda d: setattr(d.book, "last_price", 95),
    "would miss a new best price": lambda d: setattr(d.book, "lowest_high", 200),
    "watched as a trailing stop": lambda d: d.book.trailing.clear(),
    "both open and done": lambda d: setattr(d.order(1), "reason", "filled"),
    "or standing, but not both": lambda d: setattr(d.order(1), "phase", DONE),
    "or an account's, but not both": lambda d: setattr(d.order(1).account, "last", None),
    "names for their orders": lambda d: d.order(1).account.named.clear(),
    "holds 5, and can cost": lambda d: setattr(d.order(1), "held", 5),
    "open with nothing open": lambda d: setattr(d.order(1), "filled_lots", 5),
    "shows 9 of 5": lambda d: setattr(d.order(1), "shown", 9),
    "would not expire": lambda d: d.book.expiries.clear(),
    "a partner that is gone": lambda d: setattr(d.order(5), "partner", 1),
    "queue out of order": lambda d: d.book.waiting.extend([d.order(2), d.order(1)]),
    "who does not wait": lambda d: d.book.waiting.append(d.order(1)),
    "stands in two places": lambda d: d.book.waiting.append(d.order(1)),
}


@pytest.mark.parametrize("sentence", BREAKS)
def test_each_thing_that_is_broken_is_seen(sentence: str) -> None:
    broken = desk()
    BREAKS[sentence](broken)
    assert sentence in "; ".join(violations(broken.engine))
