"""A customer applies, is looked at, and is told: the states of an application, and who may move it."""

import pytest
from django.db import connection
from django.db.utils import IntegrityError, ProgrammingError

from exchange.audit.models import Record
from exchange.outbox.models import Event
from kyc import registry, sealing, selectors
from kyc.models import Application, ApplicationApproval, Document
from kyc.services import applications, documents, expiring, levels, reviewing
from tests import verification
from tests.verification import ADDRESS, NOW, PERSON, approve, filled, picture, submitted

ALICE, BOB, CAROL, DAVE = 7, 8, 91, 92  # two customers, two members of staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


def seen(application):
    return Application.objects.get(id=application.id).version


def state(application):
    return Application.objects.get(id=application.id).state


def topics():
    return list(Event.objects.filter(topic__startswith="kyc.").order_by("id").values_list("topic", flat=True))


def test_from_draft_to_approved():
    application = filled(ALICE)
    assert application.state == "draft"
    applications.submit(user_id=ALICE, application_id=application.id, now=NOW)
    reviewing.take(application_id=application.id, actor_id=CAROL, now=NOW)
    assert state(application) == "in_review"
    assert approve(application.id, CAROL) == 0
    assert state(application) == "approved"
    assert selectors.level(ALICE).number == 2
    assert topics() == ["kyc.application_submitted", "kyc.application_approved"]
    steps = list(application.steps.values_list("state", "actor_id"))
    assert steps == [("draft", ALICE), ("submitted", ALICE), ("in_review", CAROL), ("approved", CAROL)]


def test_nothing_of_the_person_stands_in_the_clear():
    application = submitted(ALICE)
    with connection.cursor() as cursor:
        for table in ("kyc_application", "kyc_document", "kyc_applicationstep", "outbox_event", "audit_record"):
            cursor.execute(f"SELECT coalesce(string_agg(row::text, ''), '') FROM {table} row")
            text = cursor.fetchone()[0]
            for word in ("Lovelace", "Ada", "1990-12-10"):
                assert word not in text
                assert word.encode().hex() not in text
    assert sealing.words(application) == PERSON


def test_one_open_application_a_customer_and_level():
    first = applications.start(user_id=ALICE, level=2, now=NOW)
    assert applications.start(user_id=ALICE, level=2, now=NOW).id == first.id
    with pytest.raises(IntegrityError, match="kyc_one_open_application_a_level"):
        Application.objects.create(user_id=ALICE, level_id=2, created_at=NOW, changed_at=NOW)


def test_levels_come_one_after_the_other():
    for level in (1, 3, 4, 9):
        with pytest.raises(applications.LevelUnavailable):
            applications.start(user_id=ALICE, level=level, now=NOW)
    levels.assign(user_id=ALICE, level=2, reason="test", actor_id=1, now=NOW)
    with pytest.raises(applications.LevelUnavailable, match="You have"):
        applications.start(user_id=ALICE, level=2, now=NOW)
    assert applications.start(user_id=ALICE, level=3, now=NOW).level_id == 3


def test_another_customers_application_is_not_there():
    application = filled(ALICE)
    for deed in (
        lambda: applications.describe(user_id=BOB, application_id=application.id, told=PERSON, now=NOW),
        lambda: applications.submit(user_id=BOB, application_id=application.id, now=NOW),
        lambda: documents.upload(user_id=BOB, application_id=application.id, kind="selfie", data=picture(), now=NOW),
        lambda: documents.remove(
            user_id=BOB, application_id=application.id, document_id=application.documents.first().id, now=NOW
        ),
    ):
        with pytest.raises(applications.ApplicationNotFound):
            deed()


def test_another_customers_picture_cannot_be_taken_back_through_an_application_of_ones_own():
    hers, his = filled(ALICE), filled(BOB)
    with pytest.raises(documents.DocumentNotFound):
        documents.remove(user_id=BOB, application_id=his.id, document_id=hers.documents.first().id, now=NOW)
    assert hers.documents.count() == 2


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("family_names", "", "field_required"),
        ("family_names", "1234", "field_invalid"),
        ("given_names", "Ada\u202eevil", "field_invalid"),
        ("given_names", "A" * 121, "field_too_long"),
        ("given_names", " ".join(f"Name{letter}" for letter in "abcdefghijklm"), "name_too_long"),
        ("birth_date", "10.12.1990", "field_invalid"),
        ("birth_date", "2026-11-21", "field_invalid"),
        ("birth_date", "1890-01-01", "field_invalid"),
        ("birth_date", "2008-11-21", "too_young"),
        ("nationality", "XX", "choice_invalid"),
        ("country", "KP", "country_not_served"),
        ("document_type", "library_card", "choice_invalid"),
    ],
)
def test_words_that_cannot_be_taken(settings, field, value, code):
    settings.KYC_COUNTRIES_REFUSED = ["KP"]
    application = applications.start(user_id=ALICE, level=2, now=NOW)
    with pytest.raises(applications.DetailInvalid) as error:
        applications.describe(user_id=ALICE, application_id=application.id, told={**PERSON, field: value}, now=NOW)
    assert (error.value.param, error.value.code) == (field, code)
    assert Application.objects.get().sealed is None


def test_who_turns_eighteen_today_is_old_enough():
    application = applications.start(user_id=ALICE, level=2, now=NOW)
    told = {**PERSON, "birth_date": "2008-11-20"}
    applications.describe(user_id=ALICE, application_id=application.id, told=told, now=NOW)


def test_it_is_not_handed_in_with_something_missing():
    application = applications.start(user_id=ALICE, level=2, now=NOW)
    with pytest.raises(applications.Incomplete) as error:
        applications.submit(user_id=ALICE, application_id=application.id, now=NOW)
    assert error.value.param == "person"
    applications.describe(user_id=ALICE, application_id=application.id, told=PERSON, now=NOW)
    with pytest.raises(applications.Incomplete, match="Passport, the page with the photo, Photo of yourself"):
        applications.submit(user_id=ALICE, application_id=application.id, now=NOW)


def test_what_is_being_looked_at_cannot_be_changed():
    application = submitted(ALICE)
    for deed in (
        lambda: applications.describe(user_id=ALICE, application_id=application.id, told=PERSON, now=NOW),
        lambda: documents.upload(user_id=ALICE, application_id=application.id, kind="selfie", data=picture(), now=NOW),
        lambda: applications.submit(user_id=ALICE, application_id=application.id, now=NOW),
    ):
        with pytest.raises(applications.NotEditable):
            deed()


def test_a_picture_that_is_not_needed_is_refused():
    application = filled(ALICE)
    for kind, error in (("id_front", applications.NotAsked), ("../../etc/passwd", documents.KindUnknown)):
        with pytest.raises(error):
            documents.upload(user_id=ALICE, application_id=application.id, kind=kind, data=picture(), now=NOW)


def test_pictures_of_one_application_are_counted(monkeypatch):
    monkeypatch.setattr(documents, "VERSIONS_MAX", 2)
    application = filled(ALICE)
    with pytest.raises(documents.TooManyPictures):
        documents.upload(user_id=ALICE, application_id=application.id, kind="selfie", data=picture(), now=NOW)


def test_nobody_decides_about_himself():
    application = submitted(CAROL)
    with pytest.raises(reviewing.OwnApplication):
        approve(application.id, CAROL)
    for deed in (
        lambda: reviewing.take(application_id=application.id, actor_id=CAROL, now=NOW),
        lambda: reviewing.look(application_id=application.id, actor_id=CAROL, now=NOW),
        lambda: reviewing.reject(
            application_id=application.id, actor_id=CAROL, seen=seen(application), reasons=["cannot_verify"], now=NOW
        ),
        lambda: reviewing.view_document(
            application_id=application.id, document_id=application.documents.first().id, actor_id=CAROL, now=NOW
        ),
    ):
        with pytest.raises(reviewing.OwnApplication):
            deed()
    assert state(application) == "submitted"
    assert selectors.level(CAROL).number == 1


def test_four_eyes_from_enhanced_on():
    application = submitted(ALICE, 4)
    assert approve(application.id, CAROL) == 1
    assert (state(application), selectors.level(ALICE).number) == ("submitted", 3)
    with pytest.raises(reviewing.AlreadyApproved):
        approve(application.id, CAROL)
    assert approve(application.id, DAVE) == 0
    assert selectors.level(ALICE).number == 4
    assert list(Record.objects.filter(action="kyc.approve").order_by("id").values_list("actor_id", flat=True)) == [
        CAROL,
        DAVE,
    ]


def test_one_yes_to_an_earlier_version_does_not_count_for_a_later_one():
    application = submitted(ALICE, 4)
    approve(application.id, CAROL)
    reviewing.ask_again(
        application_id=application.id, actor_id=DAVE, seen=seen(application), items=["proof_of_funds"],
        reasons=["unreadable"], now=NOW,
    )  # fmt: skip
    later = NOW.replace(hour=7)
    documents.upload(user_id=ALICE, application_id=application.id, kind="proof_of_funds", data=picture(), now=later)
    applications.submit(user_id=ALICE, application_id=application.id, now=later)
    assert approve(application.id, DAVE, now=later) == 1
    assert selectors.level(ALICE).number == 3
    assert approve(application.id, CAROL, now=later) == 0


def test_a_review_of_what_has_changed_since_is_refused():
    application = submitted(ALICE)
    opened = reviewing.look(application_id=application.id, actor_id=CAROL, now=NOW).version
    reviewing.ask_again(
        application_id=application.id, actor_id=DAVE, seen=opened, items=["person"], reasons=["data_mismatch"], now=NOW
    )
    changed = {**PERSON, "family_names": "Byron"}
    applications.describe(user_id=ALICE, application_id=application.id, told=changed, now=NOW)
    applications.submit(user_id=ALICE, application_id=application.id, now=NOW)
    for deed in (
        lambda: reviewing.approve(application_id=application.id, actor_id=CAROL, seen=opened, now=NOW),
        lambda: reviewing.reject(
            application_id=application.id, actor_id=CAROL, seen=opened, reasons=["cannot_verify"], now=NOW
        ),
        lambda: reviewing.ask_again(
            application_id=application.id,
            actor_id=CAROL,
            seen=opened,
            items=["person"],
            reasons=["unreadable"],
            now=NOW,
        ),
    ):
        with pytest.raises(reviewing.StaleReview):
            deed()
    assert selectors.level(ALICE).number == 1


def test_turned_down_with_reasons_and_open_for_another_try():
    application = submitted(ALICE)
    with pytest.raises(reviewing.ReasonNeeded):
        reviewing.reject(application_id=application.id, actor_id=CAROL, seen=seen(application), reasons=[], now=NOW)
    with pytest.raises(reviewing.ReasonNeeded):
        reviewing.reject(application_id=application.id, actor_id=CAROL, seen=seen(application), reasons=["x"], now=NOW)
    reviewing.reject(
        application_id=application.id, actor_id=CAROL, seen=seen(application), reasons=["duplicate_person"],
        message="Please log in to your other account.", now=NOW,
    )  # fmt: skip
    row = Application.objects.get()
    assert (row.state, row.reasons, row.ended_at) == ("rejected", ["duplicate_person"], NOW)
    payload = Event.objects.get(topic="kyc.application_rejected").payload
    assert payload["reasons"] == ["duplicate_person"]
    with pytest.raises(reviewing.NotWaiting):
        approve(application.id, DAVE)
    assert applications.start(user_id=ALICE, level=2, now=NOW).id != application.id


def test_only_what_was_asked_for_again_can_be_sent_and_has_to_be():
    application = submitted(ALICE)
    with pytest.raises(reviewing.NothingAsked):
        reviewing.ask_again(
            application_id=application.id, actor_id=CAROL, seen=seen(application), items=["proof_of_funds"],
            reasons=["unreadable"], now=NOW,
        )  # fmt: skip
    reviewing.ask_again(
        application_id=application.id, actor_id=CAROL, seen=seen(application), items=["selfie"],
        reasons=["selfie_mismatch"], now=NOW,
    )  # fmt: skip
    later = NOW.replace(hour=7)
    with pytest.raises(applications.NotAsked):
        documents.upload(user_id=ALICE, application_id=application.id, kind="passport", data=picture(), now=later)
    with pytest.raises(applications.NotAsked):
        applications.describe(
            user_id=ALICE, application_id=application.id, told={**PERSON, "given_names": "Eve"}, now=later
        )
    with pytest.raises(applications.Incomplete, match="send anew: Photo of yourself"):
        applications.submit(user_id=ALICE, application_id=application.id, now=later)
    documents.upload(user_id=ALICE, application_id=application.id, kind="selfie", data=picture(), now=later)
    applications.submit(user_id=ALICE, application_id=application.id, now=later)
    assert state(application) == "submitted"
    # The first one is kept: somebody looked at it.
    assert Document.objects.filter(kind="selfie").count() == 2
    assert Document.objects.filter(kind="selfie", replaced_at=None).count() == 1


def test_who_may_name_another_document_may_show_it():
    application = submitted(ALICE)
    reviewing.ask_again(
        application_id=application.id, actor_id=CAROL, seen=seen(application), items=["person"],
        reasons=["wrong_document"], now=NOW,
    )  # fmt: skip
    told = {**PERSON, "document_type": "id_card"}
    applications.describe(user_id=ALICE, application_id=application.id, told=told, now=NOW)
    for kind in ("id_front", "id_back"):
        documents.upload(user_id=ALICE, application_id=application.id, kind=kind, data=picture(), now=NOW)
    applications.submit(user_id=ALICE, application_id=application.id, now=NOW)
    assert approve(application.id, CAROL) == 0


def test_a_level_beneath_that_ended_meanwhile_stops_the_one_above():
    application = submitted(ALICE, 3)
    levels.assign(user_id=ALICE, level=1, reason="test", actor_id=1, now=NOW)
    with pytest.raises(reviewing.PriorLevelMissing):
        approve(application.id, CAROL)
    assert ApplicationApproval.objects.count() == 0


def test_screening_hears_of_who_applies_and_may_stop_an_approval():
    heard = []

    class Withheld(reviewing.NotWaiting):
        code = "withheld"

    def stop(person, *, now):
        raise Withheld("A case is open.")

    registry.on_submitted("test")(lambda person, *, now: heard.append((person, now)))
    registry.before_approval("test")(stop)
    try:
        application = submitted(ALICE)
        with pytest.raises(Withheld):
            approve(application.id, CAROL)
    finally:
        registry.forget("test")
    assert [(each.user_id, each.names, each.birth_date, each.country) for each, _ in heard] == [
        (ALICE, "Ada Augusta Lovelace", "1990-12-10", "FR")
    ]
    assert selectors.level(ALICE).number == 1
    assert ApplicationApproval.objects.count() == 0


def test_higher_up_the_person_is_known_from_the_application_beneath():
    verification.approved(ALICE, 2)
    heard = []
    registry.on_submitted("test")(lambda person, *, now: heard.append(person.names))
    try:
        application = applications.start(user_id=ALICE, level=3, now=NOW)
        applications.describe(user_id=ALICE, application_id=application.id, told=ADDRESS, now=NOW)
        documents.upload(user_id=ALICE, application_id=application.id, kind="proof_of_address", data=picture(), now=NOW)
        applications.submit(user_id=ALICE, application_id=application.id, now=NOW)
    finally:
        registry.forget("test")
    assert heard == ["Ada Augusta Lovelace"]


def test_steps_and_approvals_cannot_be_rewritten():
    verification.approved(ALICE)
    for table in ("kyc_applicationstep", "kyc_applicationapproval"):
        for statement in (f"UPDATE {table} SET actor_id = 1", f"DELETE FROM {table}"):
            with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
                cursor.execute("SAVEPOINT before")
                try:
                    cursor.execute(statement)
                finally:
                    cursor.execute("ROLLBACK TO SAVEPOINT before")


def test_a_view_is_on_record_before_a_byte_is_read(monkeypatch):
    application = submitted(ALICE)
    document = application.documents.first()
    order = []
    monkeypatch.setattr(reviewing.audit, "record", lambda **fields: order.append(fields["action"]))
    monkeypatch.setattr(reviewing.sealing, "picture", lambda *args, **named: order.append("read") or b"")
    reviewing.view_document(application_id=application.id, document_id=document.id, actor_id=CAROL, now=NOW)
    assert order == ["kyc.view_document", "read"]


def test_drafts_that_nobody_touches_are_closed(settings):
    application = filled(ALICE)
    assert expiring.close_left_alone(now=NOW.replace(year=2027, month=2, day=10)) == 0
    assert expiring.close_left_alone(now=NOW.replace(year=2027, month=2, day=20)) == 1
    assert state(application) == "expired"
