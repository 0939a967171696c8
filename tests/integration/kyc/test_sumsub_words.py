"""What Sumsub's yes is worth: of the words of today alone, never where people have taken over or screening looks."""

import json

import pytest

from kyc import registry, sealing, selectors
from kyc.models import Application
from kyc.providers.sumsub import service
from kyc.services import providing, reviewing
from tests.integration.kyc.sumsub_kit import (
    ALICE,
    RED,
    after,
    asked_for_words,
    call,
    compared_with,
    news,
    sent,
    told_again,
)
from tests.verification import NOW, PERSON, approved, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


def test_changed_words_are_what_the_next_check_compares_with(sumsub):
    application = sent()
    sumsub.review(
        application.provider_reference, reviewAnswer="RED", reviewRejectType="RETRY",
        rejectLabels=["PROBLEMATIC_APPLICANT_DATA"],
    )  # fmt: skip
    providing.run(now=after(11))
    assert Application.objects.get().asked == ["person"]
    told_again(application, after(60), family_names="Byron", birth_date="1991-01-02", nationality="FR")
    providing.run(now=after(60))
    applicant = sumsub.applicants[application.provider_reference]
    assert applicant["fixedInfo"] == {
        "firstName": "Ada Augusta", "lastName": "Byron", "dob": "1991-01-02", "country": "FRA", "nationality": "FRA"
    }  # fmt: skip
    paths = [path.rpartition("/")[2] for _, path in sumsub.requests]
    assert paths.index("fixedInfo") < len(paths) - 1 and paths[-1] == "pending"  # the check after the words
    assert compared_with(sumsub, application) == ("Byron", "pending", 2)


def test_a_green_of_the_words_before_is_none(sumsub, pauses):
    """Staff ask for the words again while the service still checks the old ones, and it says yes to those."""
    application = sent()
    asked_for_words(application)
    told_again(application, after(60), family_names="Byron")
    providing.run(now=after(60))
    assert compared_with(sumsub, application) == ("Lovelace", "pending", 1)  # not changed under its hands
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    call(news(application))
    providing.run(now=after(70))
    assert compared_with(sumsub, application) == ("Byron", "pending", 2)
    assert (selectors.level(ALICE).number, Application.objects.get().provider_state) == (1, "sent")
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    providing.run(now=after(90))
    assert selectors.level(ALICE).number == 2


def test_no_check_is_asked_for_where_the_words_do_not_arrive(sumsub, pauses):
    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")  # of the words as they were
    asked_for_words(application)
    told_again(application, after(60), family_names="Byron")
    sumsub.script = [(500, {}, b"")] * 3
    providing.run(now=after(60))
    assert (selectors.level(ALICE).number, Application.objects.get().provider_state) == (1, "to_send")
    assert compared_with(sumsub, application)[2] == 1


def test_words_changed_while_the_old_ones_are_being_sent_are_sent_after_them(sumsub, monkeypatch):
    application = submitted(ALICE)
    real = service.Sumsub.request_check

    def meanwhile(self, reference):
        real(self, reference)
        monkeypatch.setattr(service.Sumsub, "request_check", real)
        asked_for_words(application)
        told_again(application, after(2), family_names="Byron")

    monkeypatch.setattr(service.Sumsub, "request_check", meanwhile)
    providing.run(now=NOW)
    row = Application.objects.get()
    assert (row.provider_state, compared_with(sumsub, application)) == ("to_send", ("Lovelace", "pending", 1))
    sumsub.review(row.provider_reference, reviewAnswer="GREEN")
    providing.run(now=after(20))
    assert compared_with(sumsub, application) == ("Byron", "pending", 2)
    assert selectors.level(ALICE).number == 1


def test_an_applicant_made_before_a_stop_learns_the_words_of_today(sumsub, monkeypatch):
    application = submitted(ALICE)
    client = service.configured()
    client.create_applicant(providing.Subject(application.id, 2, {**PERSON, "family_names": "Somebody Else"}))
    providing.run(now=NOW)
    assert sumsub.by_external_id(str(application.id))["fixedInfo"]["lastName"] == "Lovelace"


def test_what_people_have_taken_over_no_green_approves(sumsub):
    application = sent()
    sumsub.review(application.provider_reference, **RED["reviewResult"])
    call(news(application, reviewResult=RED["reviewResult"]))
    providing.run(now=after())
    assert Application.objects.get().provider_state == "handed_over"
    asked_for_words(application, actor_id=91)
    told_again(application, after(60), family_names="Byron")
    asked = len(sumsub.requests)
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    call(news(application, correlationId="req-9"))
    providing.run(now=after(60))
    providing.run(now=after(600))
    row = Application.objects.get()
    assert (row.state, row.provider_state, row.provider_due_at) == ("submitted", "handed_over", None)
    assert (selectors.level(ALICE).number, len(sumsub.requests)) == (1, asked)
    assert reviewing.approve(application_id=row.id, actor_id=91, seen=row.version, now=after(601)) == 0


def test_a_final_no_is_decided_by_a_person(sumsub):
    application = sent()
    sumsub.review(application.provider_reference, **RED["reviewResult"])
    call(news(application, reviewResult=RED["reviewResult"]))
    providing.run(now=after())
    row = Application.objects.get()
    assert (row.state, row.provider_state) == ("submitted", "handed_over")
    assert row.provider_answer["labels"] == ["UNSATISFACTORY_PHOTOS", "GRAPHIC_EDITOR", "FORGERY"]
    assert "fraudulent" not in json.dumps(row.provider_answer)  # the comment that is not for customers
    assert reviewing.approve(application_id=row.id, actor_id=91, seen=row.version, now=after()) == 0


def test_from_enhanced_on_the_services_yes_is_nobodys(sumsub):
    approved(ALICE)
    application = sent(level=4)
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    call(news(application))
    providing.run(now=after())
    row = Application.objects.get(id=application.id)
    assert (row.state, row.provider_state, selectors.level(ALICE).number) == ("submitted", "handed_over", 3)
    assert reviewing.approve(application_id=row.id, actor_id=91, seen=row.version, now=after()) == 1
    assert reviewing.approve(application_id=row.id, actor_id=92, seen=row.version, now=after()) == 0


def test_one_that_cannot_be_sent_holds_up_no_other(sumsub):
    """Its level was given by hand, so no country is known; another's picture is lost."""
    unknown, lost, good = submitted(5, 4), submitted(6), submitted(ALICE)
    sealing.remove_picture(lost.documents.first().id)
    providing.run(now=NOW)
    states = dict(Application.objects.values_list("id", "provider_state"))
    assert [states[each.id] for each in (unknown, lost, good)] == ["handed_over", "handed_over", "sent"]


def test_what_screening_withholds_goes_to_people(sumsub):
    class Withheld(reviewing.NotWaiting):
        code = "withheld"

    def stop(person, *, now):
        raise Withheld("A case is open.")

    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    registry.before_approval("test")(stop)
    try:
        providing.run(now=after(11))
    finally:
        registry.forget("test")
    assert (selectors.level(ALICE).number, Application.objects.get().provider_state) == (1, "handed_over")


def test_an_approval_that_screening_has_not_come_round_to_waits_a_minute(sumsub):
    class NotScreened(reviewing.NotWaiting):
        code = "not_screened"

    def not_yet(person, *, now):
        if now < after(12):
            raise NotScreened("Try again in a minute.")

    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    registry.before_approval("test")(not_yet)
    try:
        providing.run(now=after(11))
        assert (selectors.level(ALICE).number, Application.objects.get().provider_state) == (1, "sent")
        providing.run(now=after(12))
    finally:
        registry.forget("test")
    assert selectors.level(ALICE).number == 2
