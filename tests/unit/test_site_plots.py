"""The geometry of plots: nothing of a line outside its box, round scales around every value, shares that come to a whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.site import plots

AMOUNTS = st.integers(min_value=0, max_value=10**30)


@given(st.lists(AMOUNTS, min_size=2, max_size=130))
def test_a_line_stays_in_its_box_and_its_scale_holds_every_value(values: list[int]) -> None:
    line = plots.line(values)
    assert len(line.marks) == len(values)
    assert all(0 <= x <= plots.WIDTH and 0 <= y <= plots.HEIGHT for x, y in line.marks)
    assert line.marks[0][0] == 0 and line.marks[-1][0] == plots.WIDTH
    assert line.ticks[-1] <= min(values) and max(values) <= line.ticks[0]
    steps = {high - low for high, low in zip(line.ticks, line.ticks[1:], strict=False)}
    assert len(steps) == 1 and re.fullmatch(r"[125]0*", str(steps.pop()))
    assert 2 <= len(line.ticks) <= plots.TICKS + 2
    highest, lowest = (values.index(each(values)) for each in (max, min))
    assert line.marks[highest][1] <= line.marks[lowest][1]  # up is up


def test_a_line_that_does_not_move_has_a_scale_all_the_same() -> None:
    assert plots.line([0, 0]).ticks == (1, 0)
    line = plots.line([500, 500, 500])
    assert {y for _, y in line.marks} == {line.marks[0][1]}


def test_a_scale_begins_at_nothing_where_the_values_come_near_it() -> None:
    assert plots.line([10, 100]).ticks[-1] == 0
    assert plots.line([90, 100]).ticks[-1] == 90


@given(st.lists(AMOUNTS, min_size=1, max_size=8))
def test_shares_come_to_a_thousand_and_none_is_off_by_more_than_one(amounts: list[int]) -> None:
    cut = plots.shares(amounts)
    if sum(amounts) == 0:
        assert set(cut) == {0}
        return
    assert sum(cut) == 1_000
    assert all(
        abs(share * sum(amounts) - amount * 1_000) < sum(amounts) for share, amount in zip(cut, amounts, strict=True)
    )


@pytest.mark.parametrize("cut", [[1_000], [999, 1], [500, 500], [334, 333, 333], [600, 400, 0]])
def test_a_ring_has_an_arc_for_each_share(cut: list[int]) -> None:
    arcs = plots.ring(cut)
    assert len(arcs) == len(cut)
    assert [arc.whole for arc in arcs] == [share == 1_000 for share in cut]
    large = [re.search(r"A80 80 0 (\d) 1", arc.path)[1] for arc in arcs if not arc.whole]  # type: ignore[index]
    assert large == [str(int(share - plots.GAP > 500)) for share in cut if share < 1_000]
