"""The policy: ordered rules, the first that matches decides, every decision says why, and nothing moves without a rule."""

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody import rulebook
from custody.policy import (
    DAY_S,
    HOUR_S,
    WINDOWS,
    Destination,
    Effect,
    Initiator,
    Request,
    Rule,
    Scope,
    Window,
    WindowNotMeasured,
    evaluate,
)
from custody.rulebook import Known, RulesInvalid

BTC = frozenset({"BTC"})
KNOWN = Known({"BTC": 8, "USDT": 6}, frozenset({"bitcoin", "ethereum"}))


def request(amount, *, asset="BTC", fee=0, hour=0, day=0, house=0, **more):
    spent = {
        (Scope.CUSTOMER, HOUR_S): hour,
        (Scope.CUSTOMER, DAY_S): day,
        (Scope.HOUSE, HOUR_S): house,
        (Scope.HOUSE, DAY_S): house,
    }
    return Request(asset, "bitcoin", amount, amount + fee, spent, symbol="BTC", decimals=2, **more)


RULES = [
    Rule("each", Effect.BLOCK, "limit_each", BTC, amount_above=100),
    Rule("hour", Effect.BLOCK, "limit_hour", BTC, window=Window(Scope.CUSTOMER, HOUR_S, 150)),
    Rule("house", Effect.BLOCK, "", BTC, window=Window(Scope.HOUSE, DAY_S, 1_000)),
    Rule("unknown place", Effect.BLOCK, "", BTC, destinations=frozenset({Destination.ONE_TIME}), amount_above=90),
    Rule("by staff", Effect.REVIEW, "", BTC, initiators=frozenset({Initiator.STAFF}), approvers=3),
    Rule("large", Effect.REVIEW, "", BTC, amount_above=50, approvers=2),
    Rule("rest", Effect.ALLOW, "", BTC),
]


@pytest.mark.parametrize(
    ("asked", "effect", "rule", "code"),
    [
        (request(50), Effect.ALLOW, "rest", ""),
        (request(51), Effect.REVIEW, "large", ""),
        (request(90), Effect.REVIEW, "large", ""),
        (request(91), Effect.BLOCK, "unknown place", "policy_amount"),
        (request(91, destination=Destination.LISTED), Effect.REVIEW, "large", ""),
        (request(101), Effect.BLOCK, "each", "limit_each"),
        (request(50, hour=100), Effect.ALLOW, "rest", ""),
        (request(50, hour=101), Effect.BLOCK, "hour", "limit_hour"),
        (request(50, hour=100, fee=1), Effect.BLOCK, "hour", "limit_hour"),
        (request(50, house=951), Effect.BLOCK, "house", "policy_window"),
        (request(1, initiator=Initiator.STAFF), Effect.REVIEW, "by staff", ""),
        (request(1, asset="litecoin"), Effect.BLOCK, "", "asset_not_allowed"),
    ],
)
def test_the_first_matching_rule_decides(asked, effect, rule, code):
    decision = evaluate(RULES, asked)
    assert (decision.effect, decision.rule, decision.code) == (effect, rule, code)
    assert decision.approvers == {"large": 2, "by staff": 3}.get(rule, 0)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (request(50), "Allowed by the rule “rest”: 0.5 BTC on bitcoin."),
        (request(60), "Needs 2 approvals by the rule “large”: 0.6 BTC is more than 0.5 BTC."),
        (
            request(60, hour=100),
            "Refused by the rule “hour”: with this one, 1.6 BTC of this customer's within one hour is more than 1.5 BTC.",
        ),
        (
            request(10, house=995),
            "Refused by the rule “house”: with this one, 10.05 BTC of the whole house's within 24 hours is more than 10 BTC.",
        ),
        (
            request(95),
            "Refused by the rule “unknown place”: 0.95 BTC is more than 0.9 BTC, and the address is one-time.",
        ),
        (request(7, asset="LTC"), "Refused: no rule allows moving 0.07 BTC on bitcoin."),
    ],
)
def test_every_decision_is_explained_in_a_sentence_with_its_numbers(asked, sentence):
    assert evaluate(RULES, asked).explanation == sentence


def test_order_is_what_counts():
    assert evaluate([RULES[-1], *RULES[:-1]], request(10_000)).effect is Effect.ALLOW


def test_without_a_rule_nothing_moves():
    decision = evaluate([], request(1))
    assert (decision.effect, decision.code) == (Effect.BLOCK, "asset_not_allowed")


def test_a_window_that_was_not_measured_stops_everything():
    with pytest.raises(WindowNotMeasured):
        evaluate(RULES, Request("BTC", "bitcoin", 1, 1, {(Scope.CUSTOMER, DAY_S): 0}))


@pytest.mark.parametrize(("amount", "charge"), [(-1, 0), (5, 4)])
def test_a_request_that_makes_no_sense_is_no_request(amount, charge):
    with pytest.raises(ValueError, match="amount"):
        evaluate(RULES, Request("BTC", "bitcoin", amount, charge, {}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"effect": Effect.REVIEW},
        {"effect": Effect.ALLOW, "approvers": 1},
        {"effect": Effect.REVIEW, "approvers": -1},
        {"effect": Effect.ALLOW, "code": "no"},
        {"effect": Effect.BLOCK, "amount_above": -1},
    ],
)
def test_a_rule_that_contradicts_itself_cannot_be_made(wrong):
    with pytest.raises(ValueError, match=r"review|code|amount"):
        Rule("wrong", **wrong)


@pytest.mark.parametrize("window", [("customer", 60, 1), (Scope.HOUSE, DAY_S + 1, 1), (Scope.HOUSE, DAY_S, -1)])
def test_a_window_is_an_hour_or_a_day(window):
    with pytest.raises(ValueError, match="window"):
        Window(*window)


@given(st.lists(st.integers(1, 200), max_size=40))
def test_what_is_allowed_never_exceeds_the_window(sizes):
    spent = 0
    for amount in sizes:
        if evaluate(RULES, request(amount, hour=spent)).effect is not Effect.BLOCK:
            spent += amount
        assert spent <= 150


# --- as it is stored and read -----------------------------------------------------------------------------------------

GOOD = {
    "name": "large",
    "effect": "review",
    "assets": ["BTC"],
    "networks": ["bitcoin"],
    "destinations": ["one_time"],
    "initiators": ["customer", "staff"],
    "amount_above": "50000000",
    "window": {"scope": "customer", "seconds": 3600, "amount_max": "90000000"},
    "approvers": 2,
}


def test_a_stored_rule_comes_back_and_reads_as_a_sentence():
    (rule,) = rulebook.read([GOOD], known=KNOWN)
    assert rulebook.write([rule]) == [GOOD]
    assert rulebook.stored([GOOD]) == (rule,)
    assert rulebook.sentence(rule, known=KNOWN) == (
        "large: BTC, on bitcoin, to one-time addresses, asked by customer or staff, above 0.5 BTC,"
        " more than 0.9 BTC by one customer within one hour → 2 approvals"
    )


def without(*names):
    return {name: value for name, value in GOOD.items() if name not in names}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "rules"),
        ({}, "rules"),
        (None, "rules"),
        ([GOOD] * 301, "rules"),
        ([1], "rules.0"),
        ([GOOD, GOOD], "rules.1.name"),
        ([GOOD | {"name": ""}], "rules.0.name"),
        ([GOOD | {"name": "a\nb"}], "rules.0.name"),
        ([GOOD | {"name": "x" * 81}], "rules.0.name"),
        ([GOOD | {"effect": "maybe"}], "rules.0.effect"),
        ([without("effect")], "rules.0.effect"),
        ([GOOD | {"code": "stop_here"}], "rules.0.code"),
        ([without("approvers") | {"effect": "block", "code": "NO"}], "rules.0.code"),
        ([without("approvers")], "rules.0.approvers"),
        ([GOOD | {"approvers": 11}], "rules.0.approvers"),
        ([GOOD | {"approvers": True}], "rules.0.approvers"),
        ([GOOD | {"effect": "block"}], "rules.0.approvers"),
        ([GOOD | {"assets": []}], "rules.0.assets"),
        ([GOOD | {"assets": "BTC"}], "rules.0.assets"),
        ([GOOD | {"assets": ["DOGE"]}], "rules.0.assets"),
        ([GOOD | {"assets": ["BTC", "USDT"]}], "rules.0.assets"),
        ([without("assets")], "rules.0.assets"),
        ([GOOD | {"networks": ["dogecoin"]}], "rules.0.networks"),
        ([GOOD | {"destinations": ["moon"]}], "rules.0.destinations"),
        ([GOOD | {"initiators": [None]}], "rules.0.initiators"),
        ([GOOD | {"amount_above": 5}], "rules.0.amount_above"),
        ([GOOD | {"amount_above": "-5"}], "rules.0.amount_above"),
        ([GOOD | {"amount_above": "0.5"}], "rules.0.amount_above"),
        ([GOOD | {"window": {"scope": "customer", "seconds": 60, "amount_max": "1"}}], "rules.0.window.seconds"),
        ([GOOD | {"window": {"scope": "galaxy", "seconds": 3600, "amount_max": "1"}}], "rules.0.window.scope"),
        ([GOOD | {"window": {"scope": "house", "seconds": 3600, "amount_max": 1}}], "rules.0.window.amount_max"),
        ([GOOD | {"window": {"scope": "house"}}], "rules.0.window"),
        ([GOOD | {"amount": "1"}], "rules.0.amount"),
    ],
)
def test_a_mistake_is_named_by_its_place(body, param):
    with pytest.raises(RulesInvalid) as refused:
        rulebook.read(body, known=KNOWN)
    assert (refused.value.code, refused.value.param) == ("policy_invalid", param)
    assert refused.value.message


def test_a_difference_shows_what_goes_what_comes_and_what_moves():
    first, second, third = (Rule(name, Effect.ALLOW, "", frozenset({"BTC"})) for name in ("a", "b", "c"))
    lines = rulebook.difference([first, second], [second, first, third], known=KNOWN)
    assert [(line.change, line.text[0]) for line in lines] in (
        [("removed", "a"), ("same", "b"), ("added", "a"), ("added", "c")],
        [("added", "b"), ("same", "a"), ("removed", "b"), ("added", "c")],
    )


def test_the_first_rules_are_stored_in_the_form_they_are_read_in():
    seed = importlib.import_module("custody.migrations.0002_policies").first_rules()
    rules = rulebook.stored(seed)
    assert rulebook.write(rules) == seed
    assert {asset for rule in rules for asset in rule.assets} == {
        "BTC", "LTC", "ETH", "USDT", "BNB", "POL", "AVAX", "FTM",
    }  # fmt: skip
    assert all(rule.window is None or (rule.window.scope, rule.window.seconds) in WINDOWS for rule in rules)
