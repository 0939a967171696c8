"""What holds of every policy, and of the first rules: and that each of these properties notices a policy that breaks it."""

import importlib
import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from custody import rulebook, rulelines
from custody.policy import (
    DAY_S,
    HOUR_S,
    WINDOWS,
    Decision,
    Destination,
    Effect,
    Initiator,
    Request,
    Rule,
    Scope,
    Window,
    evaluate,
)
from custody.rulebook import Known

ASSETS = ("BTC", "ETH", "USDT")
NETWORKS = ("bitcoin", "ethereum", "bsc")
KNOWN = Known({"BTC": 8, "ETH": 18, "USDT": 6}, frozenset(NETWORKS))
AMOUNTS = st.integers(0, 40)
SEVERITY = {Effect.ALLOW: 0, Effect.REVIEW: 1, Effect.BLOCK: 2}


def some(values):
    return st.none() | st.frozensets(st.sampled_from(list(values)), min_size=1)


@st.composite
def rule(draw, effects=tuple(Effect)):
    effect = draw(st.sampled_from(effects))
    window = st.builds(Window, st.sampled_from(list(Scope)), st.sampled_from([HOUR_S, DAY_S]), AMOUNTS)
    amount_above, looks_back = draw(st.none() | AMOUNTS), draw(st.none() | window)
    needs_one = amount_above is not None or looks_back is not None
    return Rule(
        name=draw(st.text("abcdefgh", min_size=1, max_size=8)),
        effect=effect,
        code=draw(st.sampled_from(["", "own_code"])) if effect is Effect.BLOCK else "",
        assets=frozenset({draw(st.sampled_from(ASSETS))}) if needs_one else draw(some(ASSETS)),
        networks=draw(some(NETWORKS)),
        destinations=draw(some(Destination)),
        initiators=draw(some(Initiator)),
        amount_above=amount_above,
        window=looks_back,
        approvers=draw(st.integers(1, 3)) if effect is Effect.REVIEW else 0,
    )


@st.composite
def request(draw):
    amount = draw(AMOUNTS)
    return Request(
        asset=draw(st.sampled_from(ASSETS)),
        network=draw(st.sampled_from(NETWORKS)),
        amount=amount,
        charge=amount + draw(st.integers(0, 3)),
        spent={window: draw(AMOUNTS) for window in WINDOWS},
        destination=draw(st.sampled_from(list(Destination))),
        initiator=draw(st.sampled_from(list(Initiator))),
    )


rules = st.lists(rule(), max_size=7)


def naive_match(rule, asked):
    """The conditions said once more, in another way."""
    checks = [
        not rule.assets or asked.asset in rule.assets,
        not rule.networks or asked.network in rule.networks,
        not rule.destinations or asked.destination in rule.destinations,
        not rule.initiators or asked.initiator in rule.initiators,
    ]
    if rule.amount_above is not None:
        checks.append(asked.amount - rule.amount_above > 0)
    if rule.window:
        before = asked.spent[rule.window.scope, rule.window.seconds]
        checks.append(before + asked.charge - rule.window.amount_max > 0)
    return all(checks)


def outcome(decision):
    return decision.effect, decision.rule, decision.approvers


def first_match(judge, given_rules, asked):
    expected = next((each for each in given_rules if naive_match(each, asked)), None)
    wanted = (expected.effect, expected.name, expected.approvers) if expected else (Effect.BLOCK, "", 0)
    assert outcome(judge(given_rules, asked)) == wanted


def unreachable_changes_nothing(judge, given_rules, asked, extra, at):
    """Below a rule that matches, nothing is looked at; and a rule that does not match may stand anywhere."""
    decided = outcome(judge(given_rules, asked))
    hit = next((place for place, each in enumerate(given_rules) if naive_match(each, asked)), None)
    if naive_match(extra, asked):
        if hit is None:
            return
        at = hit + 1 + at % (len(given_rules) - hit)
    else:
        at %= len(given_rules) + 1
    assert outcome(judge([*given_rules[:at], extra, *given_rules[at:]], asked)) == decided


def windows_in_any_order(judge, blocks, rest, asked, seed):
    """Rules that block, whatever order they stand in, block the same requests."""
    shuffled = random.Random(seed).sample(blocks, len(blocks))
    before, after = judge([*blocks, *rest], asked), judge([*shuffled, *rest], asked)
    if any(naive_match(each, asked) for each in blocks):
        assert before.effect is after.effect is Effect.BLOCK
    else:
        assert outcome(before) == outcome(after)


@settings(max_examples=150, deadline=None)
@given(rules, request())
def test_the_first_match_wins(given_rules, asked):
    first_match(evaluate, given_rules, asked)


@settings(max_examples=100, deadline=None)
@given(rules, request(), rule(), st.integers(0, 20))
def test_a_rule_that_is_not_reached_changes_nothing(given_rules, asked, extra, at):
    unreachable_changes_nothing(evaluate, given_rules, asked, extra, at)


@settings(max_examples=100, deadline=None)
@given(st.lists(rule(effects=(Effect.BLOCK,)), max_size=5), rules, request(), st.integers())
def test_no_order_of_windows_gets_round_a_block(blocks, rest, asked, seed):
    windows_in_any_order(evaluate, blocks, rest, asked, seed)


@settings(max_examples=100, deadline=None)
@given(rules, request())
def test_a_decision_names_its_numbers(given_rules, asked):
    decision = evaluate(given_rules, asked)
    assert decision.explanation.endswith(".")
    assert bool(decision.code) == (decision.effect is Effect.BLOCK)
    hit = next((each for each in given_rules if naive_match(each, asked)), None)
    if hit is not None and hit.amount_above is not None:
        assert f"{asked.amount} {asked.asset} is more than {hit.amount_above} {asked.asset}" in decision.explanation
    if hit is not None and hit.window is not None:
        total = asked.spent[hit.window.scope, hit.window.seconds] + asked.charge
        assert f"{total} {asked.asset} of" in decision.explanation


@settings(max_examples=100, deadline=None)
@given(rules)
def test_rules_survive_being_stored(given_rules):
    named = {each.name: each for each in given_rules}
    if named:
        assert rulebook.read(rulebook.write(named.values()), known=KNOWN) == tuple(named.values())


@settings(max_examples=100, deadline=None)
@given(rules)
def test_rules_survive_being_written_as_lines(given_rules):
    """What staff are shown in words is read back as the same rules."""
    named = {each.name: each for each in given_rules}
    if named:
        text = "\n".join(rulebook.sentence(each, known=KNOWN) for each in named.values())
        assert rulebook.read(rulelines.read(text, known=KNOWN), known=KNOWN) == tuple(named.values())


FIRST = rulebook.stored(importlib.import_module("custody.migrations.0002_policies").first_rules())


def severity(decision):
    return SEVERITY[decision.effect], decision.approvers


def grows_with_the_amount(judge, small, more, day):
    def asked(amount, spent):
        return Request("BTC", "bitcoin", amount, amount, dict.fromkeys(WINDOWS, spent))

    assert severity(judge(FIRST, asked(small, day))) <= severity(judge(FIRST, asked(small + more, day)))
    assert severity(judge(FIRST, asked(small, day))) <= severity(judge(FIRST, asked(small, day + more)))


units = st.integers(0, 5 * 10**8)


@settings(max_examples=150, deadline=None)
@given(units, units, units)
def test_under_the_first_rules_more_never_needs_less(small, more, day):
    grows_with_the_amount(evaluate, small, more, day)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 3 * 10**7), min_size=1, max_size=30))
def test_under_the_first_rules_many_small_ones_need_the_approval_of_a_large_one(amounts):
    """What a customer can move within a day without anybody looking is twice what he can move at once, however he cuts it."""
    alone = 0
    for amount in amounts:
        spent = dict.fromkeys(WINDOWS, alone)
        if evaluate(FIRST, Request("BTC", "bitcoin", amount, amount, spent)).effect is Effect.ALLOW:
            alone += amount
    assert alone <= 2 * 25_000_000


# --- the properties bite ----------------------------------------------------------------------------------------------


# One counterexample is enough: nobody reads it, so none is made small.
BITING = settings(max_examples=1_000, deadline=None, database=None, phases=[Phase.generate])


def last_match(given_rules, asked):
    return evaluate(list(reversed(given_rules)), asked)


def severest(given_rules, asked):
    found = [evaluate([each], asked) for each in given_rules if naive_match(each, asked)]
    return max(found, key=severity) if found else evaluate([], asked)


def allow_when_none(given_rules, asked):
    if any(naive_match(each, asked) for each in given_rules):
        return evaluate(given_rules, asked)
    return Decision(Effect.ALLOW, "", "", "")


def windows_last(given_rules, asked):
    return evaluate(sorted(given_rules, key=lambda each: each.window is not None), asked)


def windows_unheard(given_rules, asked):
    return evaluate([each for each in given_rules if each.window is None], asked)


def at_least(given_rules, asked):
    raised = Request(
        asked.asset, asked.network, asked.amount + 1, asked.charge + 1, asked.spent, asked.destination, asked.initiator
    )
    return evaluate(given_rules, raised)


def everything_goes_above(given_rules, asked):
    return Decision(Effect.ALLOW, "", "", "") if asked.amount > 10**8 else evaluate(given_rules, asked)


@pytest.mark.parametrize("mutant", [last_match, severest, allow_when_none, windows_last, windows_unheard, at_least])
def test_first_match_bites(mutant):
    @BITING
    @given(rules, request())
    def holds(given_rules, asked):
        first_match(mutant, given_rules, asked)

    with pytest.raises(AssertionError):
        holds()


@pytest.mark.parametrize("mutant", [last_match, severest])
def test_unreachable_bites(mutant):
    @BITING
    @given(rules, request(), rule(), st.integers(0, 20))
    def holds(given_rules, asked, extra, at):
        unreachable_changes_nothing(mutant, given_rules, asked, extra, at)

    with pytest.raises(AssertionError):
        holds()


@pytest.mark.parametrize("mutant", [windows_unheard, last_match])
def test_order_of_windows_bites(mutant):
    @BITING
    @given(st.lists(rule(effects=(Effect.BLOCK,)), max_size=5), rules, request(), st.integers())
    def holds(blocks, rest, asked, seed):
        windows_in_any_order(mutant, blocks, rest, asked, seed)

    with pytest.raises(AssertionError):
        holds()


def test_growth_bites():
    @BITING
    @given(units, units, units)
    def holds(small, more, day):
        grows_with_the_amount(everything_goes_above, small, more, day)

    with pytest.raises(AssertionError):
        holds()
