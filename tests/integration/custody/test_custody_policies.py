"""The policy in the database: two people and a delay change it, every decision is kept, and nobody alters either."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from custody import rulebook, selectors
from custody.models import PolicyApproval, PolicyCancellation, PolicyEdit
from custody.policy import WindowNotMeasured
from custody.services import policies
from exchange.audit.models import Record

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANNA, BEN, CLEO = 11, 12, 13
NOTHING = dict.fromkeys(policies.WINDOWS, 0)
TIGHT = [{"name": "a little", "effect": "allow", "assets": ["BTC"]}]
pytestmark = pytest.mark.django_db


def decide(amount, *, now=NOW, asset_id=1, network_id=1, **more):
    asked = {
        "subject": "withdrawal:1",
        "asset_id": asset_id,
        "network_id": network_id,
        "amount": amount,
        "destination": "one_time",
        "initiator": "customer",
        "owner_id": 7,
        "spent": NOTHING,
    }
    return policies.decide(**(asked | more), now=now)


def propose(rules=TIGHT, *, actor_id=ANNA, now=NOW, note="Less of everything"):
    return policies.propose_edit(rules=rules, note=note, actor_id=actor_id, now=now)


def test_the_first_rules_let_small_ones_go_and_ask_people_about_large_ones():
    found = [decide(amount) for amount in (25_000_000, 25_000_001, 100_000_001)]
    assert [(each.effect, each.approvers) for each in found] == [("allow", 0), ("review", 1), ("review", 2)]
    day = NOTHING | {("customer", 86_400): 50_000_000}
    assert decide(1, spent=day).rule == "BTC, large within a day"
    assert decide(5, asset_id=4, network_id=3).effect == "allow"
    blocked = decide(5, asset_id=5)
    assert (blocked.effect, blocked.code) == ("block", "asset_not_allowed")


def test_every_decision_is_stored_with_what_it_looked_at():
    spent = NOTHING | {("house", 3600): 7}
    found = decide(30_000_000, spent=spent, destination="listed")
    assert selectors.decision(found.id) == found
    assert selectors.decisions("withdrawal:1") == [found]
    assert selectors.decision(None) is None
    assert "0.3 BTC is more than 0.25 BTC" in found.explanation
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT edit_id, owner_id, asset, network, amount, destination, spent->>'house:3600', rule, decided_at"
            " FROM custody_decision WHERE id = %s",
            [found.id],
        )
        row = cursor.fetchone()
    version = policies.current(now=NOW).version
    assert row == (version, 7, "BTC", "bitcoin", 30_000_000, "listed", "7", "BTC, large", NOW)


def test_a_window_that_nobody_measured_is_no_decision():
    with pytest.raises(WindowNotMeasured):
        decide(1, spent={("customer", 3600): 0})
    assert selectors.decisions("withdrawal:1") == []


def test_an_edit_needs_two_people_and_a_day(settings):
    settings.CUSTODY_POLICY_DELAY_H = 24
    edit = propose()
    with pytest.raises(policies.SecondPersonNeeded):
        policies.approve_edit(edit_id=edit, actor_id=ANNA, now=NOW)
    in_force_at = policies.approve_edit(edit_id=edit, actor_id=BEN, now=NOW + timedelta(hours=1))
    assert in_force_at == NOW + timedelta(hours=25)
    with pytest.raises(policies.EditSettled):
        policies.approve_edit(edit_id=edit, actor_id=CLEO, now=NOW + timedelta(hours=1))
    just_before, then = in_force_at - timedelta(microseconds=1), in_force_at
    assert decide(5, asset_id=3, network_id=3, now=just_before).effect == "allow"
    assert decide(5, asset_id=3, network_id=3, now=then).effect == "block"
    assert decide(10**9, now=then).version == edit == policies.current(now=then).version
    with pytest.raises(policies.EditSettled):
        policies.cancel_edit(edit_id=edit, actor_id=CLEO, reason="too late", now=then)
    recorded = Record.objects.filter(subject=f"policy_edit:{edit}").order_by("id")
    assert [(each.action, each.actor_id) for each in recorded] == [("policy.propose", ANNA), ("policy.approve", BEN)]


@pytest.mark.parametrize("approved", [False, True])
def test_an_edit_is_cancelled_until_it_is_in_force(approved):
    edit = propose()
    if approved:
        policies.approve_edit(edit_id=edit, actor_id=BEN, now=NOW)
    with pytest.raises(policies.NoteMissing):
        policies.cancel_edit(edit_id=edit, actor_id=CLEO, reason=" ", now=NOW)
    policies.cancel_edit(edit_id=edit, actor_id=CLEO, reason="A mistake", now=NOW)
    later = NOW + timedelta(days=9)
    assert policies.current(now=later).version != edit
    for act in (
        lambda: policies.approve_edit(edit_id=edit, actor_id=CLEO, now=NOW),
        lambda: policies.cancel_edit(edit_id=edit, actor_id=CLEO, reason="Again", now=NOW),
    ):
        with pytest.raises(policies.EditSettled):
            act()
    assert propose(now=later)
    assert Record.objects.filter(action="policy.cancel", actor_id=CLEO).count() == 1


def test_one_edit_is_open_at_a_time():
    first = propose()
    with pytest.raises(policies.EditOpen):
        propose([{"name": "another", "effect": "allow"}], actor_id=CLEO)
    policies.approve_edit(edit_id=first, actor_id=BEN, now=NOW)
    with pytest.raises(policies.EditOpen):
        propose([{"name": "another", "effect": "allow"}], actor_id=CLEO)
    assert propose([{"name": "another", "effect": "allow"}], actor_id=CLEO, now=NOW + timedelta(days=2))


def test_an_edit_that_says_nothing_is_refused():
    for rules, note, error in (
        ([], "why", rulebook.RulesInvalid),
        ([{"name": "x", "effect": "allow", "assets": ["DOGE"]}], "why", rulebook.RulesInvalid),
        (TIGHT, "", policies.NoteMissing),
        (rulebook.write(policies.current(now=NOW).rules), "why", policies.NothingChanged),
    ):
        with pytest.raises(error):
            propose(rules, note=note)
    with pytest.raises(policies.EditNotFound):
        policies.approve_edit(edit_id=10**9, actor_id=BEN, now=NOW)


# --- what the database itself refuses ---------------------------------------------------------------------------------


def refused(make):
    with pytest.raises(IntegrityError), transaction.atomic():
        make()


def test_the_database_refuses_what_the_services_would():
    base = policies.current(now=NOW).version
    edit = PolicyEdit.objects.get(pk=propose())
    row = {"rules": TIGHT, "digest": "x", "note": "x", "proposed_at": NOW}
    refused(lambda: PolicyEdit.objects.create(base_id=base, proposed_by=CLEO, **row))
    approval = {"edit": edit, "approved_at": NOW, "in_force_at": NOW}
    refused(lambda: PolicyApproval.objects.create(approved_by=ANNA, **approval))
    refused(lambda: PolicyApproval.objects.create(approved_by=None, **approval))
    refused(lambda: PolicyApproval.objects.create(approved_by=BEN, **approval | {"in_force_at": NOW - timedelta(1)}))
    PolicyCancellation.objects.create(edit=edit, cancelled_by=CLEO, cancelled_at=NOW, reason="no")
    refused(lambda: PolicyApproval.objects.create(approved_by=BEN, **approval))
    refused(lambda: PolicyEdit.objects.create(base=None, proposed_by=CLEO, **row))
    refused(lambda: PolicyEdit.objects.create(base_id=base, proposed_by=None, **row))


TABLES = ("custody_policy_edit", "custody_policy_approval", "custody_policy_cancellation", "custody_decision")


def test_nobody_alters_an_edit_or_a_decision(owner_connection, database_url):
    changes = [f"DELETE FROM {table}" for table in TABLES]
    changes += ["UPDATE custody_policy_edit SET rules = '[]'", "UPDATE custody_decision SET effect = 'allow'"]
    changes += [f"TRUNCATE {table} CASCADE" for table in TABLES]
    for url in (database_url("app"), database_url("owner")):
        session = psycopg2.connect(url)
        for statement in changes:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), session, session.cursor() as cursor:
                cursor.execute(statement)
        session.close()


@pytest.mark.django_db(transaction=True)
def test_two_decisions_on_one_asset_wait_for_each_other():
    """The second sees the sum that the first has added to: a window is not passed by two requests at once."""
    inside, seen, order = threading.Event(), threading.Event(), []

    def second():
        inside.wait(30)
        with transaction.atomic():
            seen.set()
            policies.serialize(asset_id=1)
            order.append("second")
        connection.close()

    other = threading.Thread(target=second)
    other.start()
    with transaction.atomic():
        policies.serialize(asset_id=1)
        inside.set()
        seen.wait(30)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not _count(waiting):
            assert other.is_alive()
        order.append("first")
    other.join(30)
    assert order == ["first", "second"]


def _count(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
