"""A copy of a book kept from differences is the book, or says that it is not."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading.marketdata import books as module
from trading.marketdata.books import Book, Verdict, merged


def diff(first: int, last: int, bids: dict[str, str] | None = None, asks: dict[str, str] | None = None) -> dict:
    return {
        "U": first,
        "u": last,
        "bids": list(map(list, (bids or {}).items())),
        "asks": list(map(list, (asks or {}).items())),
    }


def snapshot(u: int, bids: dict[str, str] | None = None, asks: dict[str, str] | None = None) -> dict:
    return {"u": u, "bids": list(map(list, (bids or {}).items())), "asks": list(map(list, (asks or {}).items()))}


def test_a_book_shows_the_best_price_of_each_side_first() -> None:
    book = Book()
    assert book.restore(snapshot(1, {"9": "1", "10": "2", "9.5": "3"}, {"12": "1", "11": "2", "100": "1"}))
    assert book.levels() == {
        "bids": [["10", "2"], ["9.5", "3"], ["9", "1"]],
        "asks": [["11", "2"], ["12", "1"], ["100", "1"]],
    }
    assert book.levels(depth=1) == {"bids": [["10", "2"]], "asks": [["11", "2"]]}


def test_a_quantity_of_zero_takes_the_level_away() -> None:
    book = Book()
    book.restore(snapshot(1, {"10": "2"}))
    assert book.apply(diff(2, 2, {"10": "0", "9": "1"})) is Verdict.APPLIED
    assert book.levels()["bids"] == [["9", "1"]]


def test_the_same_difference_again_changes_nothing() -> None:
    book = Book()
    book.restore(snapshot(4, {"10": "2"}))
    assert book.apply(diff(5, 5, {"10": "1"})) is Verdict.APPLIED
    assert book.apply(diff(5, 5, {"10": "7"})) is Verdict.REPEAT
    assert book.levels()["bids"] == [["10", "1"]]


def test_a_hole_is_seen_and_the_book_is_no_longer_shown() -> None:
    book = Book()
    book.restore(snapshot(4, {"10": "2"}))
    assert book.apply(diff(6, 6, {"10": "1"})) is Verdict.GAP
    assert not book.ready
    assert book.levels()["bids"] == []


def test_a_snapshot_older_than_the_hole_does_not_bring_the_book_back() -> None:
    book = Book()
    book.restore(snapshot(4))
    book.apply(diff(6, 6, {"10": "1"}))
    assert not book.restore(snapshot(4, {"10": "9"}))
    assert not book.ready
    assert book.restore(snapshot(5, {"10": "9", "8": "1"}))
    assert (book.u, book.levels()["bids"]) == (6, [["10", "1"], ["8", "1"]])


def test_differences_that_came_before_the_snapshot_are_applied_after_it() -> None:
    book = Book()
    for number in range(1, 6):
        assert book.apply(diff(number, number, {"10": str(number)})) is Verdict.WAITING
    assert book.restore(snapshot(3, {"10": "3"}))
    assert (book.u, book.levels()["bids"]) == (5, [["10", "5"]])


prices = st.sampled_from(["1", "2", "3", "4"])
quantities = st.sampled_from(["0", "1", "2.5"])
sides = st.dictionaries(prices, quantities, max_size=4)


@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=20))
def test_a_merged_difference_does_what_its_parts_did(changes: list[tuple[dict[str, str], dict[str, str]]]) -> None:
    one_by_one, at_once = Book(), Book()
    for book in (one_by_one, at_once):
        book.restore(snapshot(0, {"1": "5"}, {"4": "5"}))
    diffs = [diff(number, number, bids, asks) for number, (bids, asks) in enumerate(changes, start=1)]
    for each in diffs:
        assert one_by_one.apply(each) is Verdict.APPLIED
    assert at_once.apply(merged(diffs)) is Verdict.APPLIED
    assert (at_once.u, at_once.levels()) == (one_by_one.u, one_by_one.levels())


# --- A stored book that was cut off -------------------------------------------------------------------------------------


def cut_book(levels: int = module.STORED_MAX) -> Book:
    """Bids from 10,000 downwards, so many that the engine stored only the best."""
    book = Book()
    book.restore({"u": 0, "bids": [[str(10_000 - place), "1"] for place in range(levels)], "asks": []})
    return book


def bid(book: Book, price: int, quantity: str) -> None:
    u = (book.u or 0) + 1
    book.apply({"U": u, "u": u, "bids": [[str(price), quantity]], "asks": []})


def test_beyond_the_end_of_a_book_that_was_cut_off_nothing_is_shown() -> None:
    book = cut_book()
    bid(book, 8_000, "7")  # told of, but between it and the last known level there may be others
    shown = book.levels()["bids"]
    assert (len(shown), shown[-1]) == (1000, ["9001", "1"])
    bid(book, 9_500, "0")
    assert len(book.levels()["bids"]) == 999


def test_a_whole_book_shows_every_level() -> None:
    book = cut_book(levels=10)
    bid(book, 8_000, "7")
    assert book.levels()["bids"][-1] == ["8000", "7"]
    assert not book.thin


def test_a_cut_book_that_is_traded_away_is_deepened_from_a_stored_one_a_moment_old() -> None:
    book = cut_book()
    for place in range(module.STORED_MAX - module.KNOWN_MIN + 1):
        bid(book, 10_000 - place, "0")
    assert book.thin
    stored_at = book.u or 0
    more = [[str(9_000 - place), "2"] for place in range(600)]
    stored = {"u": stored_at, "bids": [*book.levels()["bids"], *more], "asks": []}
    bid(book, 8_990, "7")
    bid(book, 8_989, "0")
    assert not book.deepen({**stored, "u": stored_at - module.RECENT_MAX}), "what happened since is not kept any more"
    assert not book.deepen({**stored, "u": stored_at + 9}), "we have not come so far"
    assert book.deepen(stored)
    assert not book.thin
    shown = dict(book.levels()["bids"])
    assert (shown["8990"], shown["8991"], "8989" in shown, book.u) == ("7", "2", False, stored_at + 2)


def test_levels_stay_in_order_whatever_comes_and_goes() -> None:
    rng = random.Random(4)
    book, plain = Book(), dict[str, dict[str, str]](bids={}, asks={})
    book.restore({"u": 0, "bids": [], "asks": []})
    for u in range(1, 3_000):
        side, price = rng.choice(("bids", "asks")), f"{rng.randint(1, 400) / 100:.2f}".rstrip("0").rstrip(".")
        quantity = rng.choice(("0", "1", "2.5"))
        book.apply({"U": u, "u": u, "bids": [], "asks": [], side: [[price, quantity]]})
        plain[side][price] = quantity
        if quantity == "0":
            del plain[side][price]
    for side, levels in plain.items():
        ordered = sorted(levels, key=Decimal, reverse=side == "bids")
        assert book.levels()[side] == [[price, levels[price]] for price in ordered]
        assert book.levels(3)[side] == [[price, levels[price]] for price in ordered[:3]]
