"""Levels by hand: high ones take two people, nobody sets his own, and down goes alone."""

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from exchange.accounts.services import staff
from exchange.audit.models import Record
from kyc import selectors
from kyc.models import LevelProposal
from kyc.services import levels, raising
from tests.factors import log_in_staff

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
ALICE, CAROL, DAVE = 7, 91, 92

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first_level(settings):
    settings.KYC_FIRST_LEVEL = 1


def give(level, actor_id=CAROL, user_id=ALICE, reason="Seen in person"):
    return raising.give(user_id=user_id, level=level, reason=reason, actor_id=actor_id, origin="ip=x", now=NOW)


def confirm(proposal, actor_id=DAVE):
    raising.confirm(proposal_id=proposal.id, actor_id=actor_id, origin="ip=y", now=NOW)


def has(user_id=ALICE):
    return selectors.level(user_id).number


def test_a_high_level_takes_two_people():
    proposal = give(4)
    assert has() == 1
    with pytest.raises(raising.SecondPersonNeeded):
        confirm(proposal, CAROL)
    assert has() == 1
    confirm(proposal)
    assert has() == 4
    with pytest.raises(raising.ProposalDecided):
        confirm(proposal, 93)
    told = list(Record.objects.order_by("id").values_list("action", "actor_id", "subject"))
    assert told == [
        ("kyc.propose_level", CAROL, "user:7"), ("kyc.confirm_level", DAVE, "user:7"), ("kyc.assign_level", DAVE, "user:7")
    ]  # fmt: skip
    assert Record.objects.get(action="kyc.propose_level").after == {
        "proposal": proposal.id,
        "level": 4,
        "reason": "Seen in person",
    }


@pytest.mark.parametrize("level", [1, 2, 4])
def test_nobody_sets_his_own_level(level):
    levels.assign(user_id=CAROL, level=2, reason="test", actor_id=1, now=NOW)
    with pytest.raises(raising.OwnLevel):
        give(level, CAROL, CAROL)
    assert (has(CAROL), LevelProposal.objects.count()) == (2, 0)


def test_nobody_confirms_his_own_though_another_proposed_it():
    proposal = give(4, user_id=DAVE)
    with pytest.raises(raising.OwnLevel):
        confirm(proposal, DAVE)
    assert has(DAVE) == 1


def test_down_and_below_enhanced_one_person_is_enough(settings):
    assert give(3) is None and has() == 3
    levels.assign(user_id=ALICE, level=4, reason="test", actor_id=1, now=NOW)
    assert give(3) is None and has() == 3
    settings.KYC_FOUR_EYES_FROM = 2
    assert give(1) is None and has() == 1
    assert give(2) is not None and has() == 1


def test_what_it_was_proposed_of_must_still_be_so():
    proposal = give(4)
    give(2)
    with pytest.raises(raising.ProposalStale):
        confirm(proposal)
    assert has() == 2
    raising.refuse(proposal_id=proposal.id, reason="Papers are missing", actor_id=CAROL, now=NOW)
    assert LevelProposal.objects.get().confirmed is False
    confirm(give(4))
    assert has() == 4


def test_one_waits_at_a_time_and_words_are_needed():
    give(4)
    with pytest.raises(raising.AlreadyProposed):
        give(4, DAVE)
    with pytest.raises(levels.ReasonMissing):
        give(2, reason="  ")
    with pytest.raises(levels.LevelNotFound):
        give(9)
    with pytest.raises(raising.ProposalNotFound):
        raising.confirm(proposal_id=10**6, actor_id=DAVE, now=NOW)


def test_the_database_takes_no_confirmation_by_the_same_person():
    proposal = give(4)
    for user_id, by in ((ALICE, CAROL), (DAVE, DAVE)):
        with pytest.raises(IntegrityError), transaction.atomic():
            LevelProposal.objects.filter(id=proposal.id).update(
                user_id=user_id, confirmed=True, decided_by=by, decided_at=NOW
            )


@pytest.mark.django_db(transaction=True)
def test_two_confirmations_at_once_are_one():
    proposal = give(4)
    start, outcomes = Barrier(4), []

    def work(actor_id):
        start.wait()
        try:
            confirm(proposal, actor_id)
            outcomes.append("confirmed")
        except raising.ProposalDecided:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [Thread(target=work, args=[actor_id]) for actor_id in (92, 93, 94, 95)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(outcomes) == ["confirmed", "late", "late", "late"]
    assert Record.objects.filter(action="kyc.assign_level").count() == 1


def office(name, *, superuser=True):
    user_id = staff.open(email=f"{name}@example.org", password="x" * 12, superuser=superuser, now=NOW)
    client = Client()
    log_in_staff(client, user_id)
    return user_id, client


def test_the_back_office_gives_a_high_level_by_two_people_alone():
    carol, one = office("carol")
    _, two = office("dave")
    add = reverse("admin:kyc_customer_add")
    own = one.post(add, {"user_id": carol, "level": 4, "reason": "I know myself"})
    assert own.status_code == 200 and b"This is your own level" in own.content
    asked = one.post(add, {"user_id": ALICE, "level": 4, "reason": "Visited"}, follow=True)
    assert asked.redirect_chain, asked.context["adminform"].form.errors
    assert b"needs two people" in asked.content
    assert (has(carol), has()) == (1, 1)
    proposal = LevelProposal.objects.get()
    page = reverse("admin:kyc_levelproposal_change", args=[proposal.id])
    alone = one.post(page, {"decision": "confirm"})
    assert alone.status_code == 200 and b"Somebody else has to confirm it" in alone.content
    assert b"Visited" in two.get(page).content
    assert b"Say why" in two.post(page, {"decision": "refuse"}).content
    assert two.post(page, {"decision": "confirm"}).status_code == 302
    assert has() == 4
    assert two.post(page, {"decision": "refuse", "why": "after all"}).status_code == 403
    assert two.get(page).status_code == 200
    one.post(reverse("admin:kyc_customer_change", args=[ALICE]), {"level": 2, "reason": "Papers over"})
    assert has() == 2


def test_the_right_to_give_levels_is_not_the_right_to_confirm_them():
    user_id, client = office("erin", superuser=False)
    proposal = give(4)
    staffed = proposal._meta.apps.get_model("accounts", "User").objects.get(id=user_id)
    staffed.user_permissions.add(*Permission.objects.filter(codename__in=["add_customer", "change_customer"]))
    page = reverse("admin:kyc_levelproposal_change", args=[proposal.id])
    assert client.post(page, {"decision": "confirm"}).status_code == 403
    assert has() == 1
