"""The policy: ordered rules, the first that matches decides, and nothing moves without one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.policy import Effect, Request, Rule, Window, evaluate

HOUR, DAY = 3_600, 86_400
BTC = frozenset({"bitcoin"})


def request(amount, *, asset="bitcoin", fee=0, hour=0, day=0):
    return Request(asset, amount, amount + fee, {HOUR: hour, DAY: day})


RULES = [
    Rule("each", Effect.BLOCK, "limit_each", BTC, amount_above=100),
    Rule("hour", Effect.BLOCK, "limit_hour", BTC, window=Window(HOUR, 150)),
    Rule("large", Effect.REVIEW, "", BTC, amount_above=50, approvers=2),
    Rule("rest", Effect.ALLOW, "", BTC),
]


@pytest.mark.parametrize(
    ("asked", "effect", "rule"),
    [
        (request(50), Effect.ALLOW, "rest"),
        (request(51), Effect.REVIEW, "large"),
        (request(100), Effect.REVIEW, "large"),
        (request(101), Effect.BLOCK, "each"),
        (request(50, hour=100), Effect.ALLOW, "rest"),
        (request(50, hour=101), Effect.BLOCK, "hour"),
        (request(50, hour=100, fee=1), Effect.BLOCK, "hour"),
        (request(1, asset="litecoin"), Effect.BLOCK, ""),
    ],
)
def test_the_first_matching_rule_decides(asked, effect, rule):
    decision = evaluate(RULES, asked)
    assert (decision.effect, decision.rule) == (effect, rule)
    assert decision.explanation
    assert decision.approvers == (2 if effect is Effect.REVIEW else 0)


def test_order_is_what_counts():
    decision = evaluate([RULES[-1], *RULES[:-1]], request(10_000))
    assert decision.effect is Effect.ALLOW


def test_without_a_rule_nothing_moves():
    decision = evaluate([], request(1))
    assert (decision.effect, decision.code) == (Effect.BLOCK, "asset_not_allowed")


def test_a_window_that_was_not_measured_stops_everything():
    with pytest.raises(KeyError):
        evaluate(RULES, Request("bitcoin", 1, 1, {DAY: 0}))


@given(st.lists(st.integers(1, 200), max_size=40))
def test_what_is_allowed_never_exceeds_the_window(amounts):
    spent = 0
    for amount in amounts:
        if evaluate(RULES, request(amount, hour=spent)).effect is not Effect.BLOCK:
            spent += amount
        assert spent <= 150
