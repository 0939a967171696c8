"""Two of staff: what one proposes another approves, and nobody else; then it is done, once, and on record under both names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.audit.models import Record
from exchange.core.errors import DomainError, InvalidRequest, OutcomeUnknown
from exchange.proposals import registry, selectors, services
from exchange.proposals.models import Proposal
from exchange.proposals.registry import Kind, Wish
from tests.factors import log_in_staff

pytestmark = pytest.mark.django_db
RIGHT = "trading.change_market"


class Refused(InvalidRequest):
    code = "lamp_refused"


class Lamp:
    """Something that stands one way or another, changed by proposals alone."""

    def __init__(self) -> None:
        self.stands: dict[str, Any] = {"colour": "red", "height": 2}
        self.done: list[Wish] = []
        self.fails: Exception | None = None

    def apply(self, wish: Wish) -> None:
        if wish.proposal_id == 0:  # the rehearsal
            if wish.after.get("colour") == "black":
                raise Refused("A lamp is not black.", param="colour")
            return
        if self.fails is not None:
            raise self.fails
        self.stands = {**self.stands, **wish.after}
        self.done.append(wish)


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    made = Lamp()
    kind = Kind(
        "test.lamp", "Change the lamp", RIGHT, lambda subject, after: {k: v for k, v in made.stands.items() if k in after},
        made.apply, about=lambda subject: int(subject.partition(":")[2]) or None,
    )  # fmt: skip
    registry.register(kind)
    yield made
    registry._kinds.pop("test.lamp")


@pytest.fixture
def two() -> tuple[int, int]:
    """Two operators."""
    found = []
    for name in ("ann", "bob"):
        person = get_user_model().objects.create_user(email=f"{name}@example.com", password="w" * 20, is_staff=True)
        person.groups.add(Group.objects.get(name="Operator"))
        found.append(person.pk)
    return found[0], found[1]


def wish(by: int, *, subject: str = "lamp:0", **after: Any) -> int:
    return services.propose(
        kind="test.lamp", subject=subject, after=after, reason="Too dark.", actor_id=by, now=timezone.now()
    )


def agree(proposal_id: int, by: int, *, now: Any = None) -> None:
    services.approve(proposal_id=proposal_id, actor_id=by, origin="ip=1", now=now or timezone.now())


def test_what_one_proposes_another_approves_and_then_it_stands(lamp: Lamp, two: tuple[int, int]) -> None:
    ann, bob = two
    made = wish(ann, colour="green", height=2)
    row = Proposal.objects.get(pk=made)
    assert (row.before, row.after) == ({"colour": "red"}, {"colour": "green"}), "what stays is left out"
    assert lamp.stands["colour"] == "red" and not lamp.done
    agree(made, bob)
    assert lamp.stands == {"colour": "green", "height": 2}
    (done,) = lamp.done
    assert (done.proposed_by, done.actor_id) == (ann, bob)
    assert list(Record.objects.filter(subject="lamp:0").order_by("id").values_list("action", "actor_id")) == [
        ("proposal.propose", ann), ("proposal.approve", bob),
    ]  # fmt: skip
    with pytest.raises(services.ProposalOver):
        agree(made, bob)
    assert len(lamp.done) == 1


def test_nobody_approves_what_they_proposed(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    with pytest.raises(services.NotByYou):
        agree(made, two[0])
    assert not lamp.done and Proposal.objects.get(pk=made).outcome == ""


def test_the_database_refuses_one_person_who_is_both(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=made).update(outcome="applied", decided_by=two[0], decided_at=timezone.now())


def test_the_database_keeps_what_was_proposed_and_what_was_decided(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    for change in ({"after": {"colour": "blue"}}, {"proposed_by": two[1]}, {"reason": "x"}, {"kind": "other"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Proposal.objects.filter(pk=made).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Proposal.objects.filter(pk=made).delete()
    agree(made, two[1])
    with pytest.raises(DatabaseError), transaction.atomic():
        Proposal.objects.filter(pk=made).update(outcome="refused")


def test_who_has_no_right_neither_proposes_nor_approves_nor_refuses(lamp: Lamp, two: tuple[int, int]) -> None:
    other = get_user_model().objects.create_user(email="eve@example.com", is_staff=True)
    other.groups.add(Group.objects.get(name="Support"))
    with pytest.raises(services.NotByYou):
        wish(other.pk, colour="green")
    made = wish(two[0], colour="green")
    with pytest.raises(services.NotByYou):
        agree(made, other.pk)
    with pytest.raises(services.NotByYou):
        services.refuse(proposal_id=made, reason="no", actor_id=other.pk, now=timezone.now())
    assert not lamp.done


def test_a_wish_of_somebody_who_left_is_not_approved(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    get_user_model().objects.filter(pk=two[0]).update(is_active=False)
    with pytest.raises(services.NotByYou):
        agree(made, two[1])
    assert not lamp.done


def test_whom_it_is_about_has_no_say(lamp: Lamp, two: tuple[int, int]) -> None:
    with pytest.raises(services.NotByYou):
        wish(two[0], subject=f"lamp:{two[0]}", colour="green")
    made = wish(two[0], subject=f"lamp:{two[1]}", colour="green")
    with pytest.raises(services.NotByYou):
        agree(made, two[1])
    assert not lamp.done


def test_what_changed_meanwhile_is_not_written_over(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    lamp.stands["colour"] = "blue"
    with pytest.raises(services.ProposalStale):
        agree(made, two[1])
    assert lamp.stands["colour"] == "blue"


def test_it_lapses_after_a_week_and_makes_room_for_another(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    with pytest.raises(services.ProposalOpen):
        wish(two[1], colour="blue")
    late = timezone.now() + selectors.WAITS + timedelta(seconds=1)
    with pytest.raises(services.ProposalOver):
        agree(made, two[1], now=late)
    assert selectors.waiting_count(now=late) == 0
    services.propose(
        kind="test.lamp", subject="lamp:0", after={"colour": "blue"}, reason="Anew.", actor_id=two[0], now=late
    )
    assert Proposal.objects.get(pk=made).refusal == services.LAPSED


def test_what_cannot_be_done_is_refused_before_anybody_is_asked(lamp: Lamp, two: tuple[int, int]) -> None:
    for after, error in (({"colour": "black"}, Refused), ({"colour": "red"}, services.NothingChanges)):
        with pytest.raises(error):
            wish(two[0], **after)
    with pytest.raises(services.ReasonMissing):
        services.propose(
            kind="test.lamp",
            subject="lamp:0",
            after={"colour": "green"},
            reason=" ",
            actor_id=two[0],
            now=timezone.now(),
        )
    assert not Proposal.objects.exists()


def test_a_change_that_fails_leaves_the_proposal_waiting(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    lamp.fails = Refused("The engine refused it.")
    with pytest.raises(DomainError):
        agree(made, two[1])
    assert Proposal.objects.get(pk=made).outcome == ""
    lamp.fails = OutcomeUnknown("Nobody answered.")
    with pytest.raises(OutcomeUnknown):
        agree(made, two[1])
    assert Proposal.objects.get(pk=made).outcome == "unknown", "that is what stands, and it is not tried twice"


def test_the_page_shows_the_difference_and_its_buttons_to_whom_they_are_for(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    page = reverse("admin:proposals_proposal_change", args=[made])
    decide = reverse("admin:proposals_proposal_decide", args=[made])
    ann, bob = Client(), Client()
    log_in_staff(ann, two[0])
    log_in_staff(bob, two[1])
    own, others = ann.get(page).content.decode(), bob.get(page).content.decode()
    assert 'value="approve"' not in own and "Somebody else must approve it" in own and 'value="refuse"' in own
    assert 'value="approve"' in others and "green" in others and "Too dark." in others
    assert bob.get(decide).status_code == 405
    ann.post(decide, {"verb": "approve"})
    assert not lamp.done
    bob.post(decide, {"verb": "approve"})
    assert lamp.stands["colour"] == "green"
    assert "green" in bob.get(page).content.decode()


def test_somebody_refuses_with_a_reason(lamp: Lamp, two: tuple[int, int]) -> None:
    made = wish(two[0], colour="green")
    with pytest.raises(services.ReasonMissing):
        services.refuse(proposal_id=made, reason="", actor_id=two[1], now=timezone.now())
    services.refuse(proposal_id=made, reason="Red is better.", actor_id=two[1], now=timezone.now())
    row = Proposal.objects.get(pk=made)
    assert (row.outcome, row.decided_by, row.refusal) == ("refused", two[1], "Red is better.")
    assert not lamp.done
