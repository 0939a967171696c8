"""Sumsub's client and webhooks, against a server that checks what the documentation asks for."""

import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.urls import reverse

from exchange.outgoing import calls
from kyc import checks, registry, sealing, selectors
from kyc.models import Application, ApplicationStep, Document, ProviderEvent
from kyc.providers.protocol import ProviderRefused, SignatureWrong
from kyc.providers.sumsub import client as http
from kyc.providers.sumsub import service, signing
from kyc.services import applications, documents, providing, reviewing
from tests.sumsub_server import SECRET, TOKEN, Sumsub
from tests.verification import NOW, PERSON, approved, filled, picture, submitted

ALICE = 7
HOOK_SECRET = "a secret of the webhook's own"
LEVELS = {2: "id-and-liveness", 3: "proof-of-address", 4: "source-of-funds"}
# The payloads that docs.sumsub.com/docs/user-verification-webhooks prints for applicantReviewed.
GREEN = {
    "applicantId": "5cb56e8e0a975a35f333cb83",
    "inspectionId": "5cb56e8e0a975a35f333cb84",
    "correlationId": "req-a260b669-4f14-4bb5-a4c5-ac0218acb9a4",
    "externalUserId": "externalUserId",
    "levelName": "id-and-liveness",
    "type": "applicantReviewed",
    "reviewResult": {"reviewAnswer": "GREEN"},
    "reviewStatus": "completed",
    "createdAtMs": "2020-02-21 13:23:19.321",
}
RED = {
    "applicantId": "5cb744200a975a67ed1798a4",
    "inspectionId": "5cb744200a975a67ed1798a5",
    "correlationId": "req-fa94263f-0b23-42d7-9393-ab10b28ef42d",
    "externalUserId": "externalUserId",
    "levelName": "id-and-liveness",
    "type": "applicantReviewed",
    "reviewResult": {
        "moderationComment": "We could not verify your profile. If you have any questions, please contact us.",
        "clientComment": "Suspected fraudulent account.",
        "reviewAnswer": "RED",
        "rejectLabels": ["UNSATISFACTORY_PHOTOS", "GRAPHIC_EDITOR", "FORGERY"],
        "reviewRejectType": "FINAL",
    },
    "reviewStatus": "completed",
    "createdAtMs": "2020-02-21 13:23:19.001",
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


@pytest.fixture
def sumsub(settings):
    with Sumsub() as server:
        settings.KYC_PROVIDER = "sumsub"
        settings.SUMSUB_BASE_URL = server.url
        settings.SUMSUB_APP_TOKEN, settings.SUMSUB_SECRET_KEY = TOKEN, SECRET
        settings.SUMSUB_WEBHOOK_SECRET = HOOK_SECRET
        settings.SUMSUB_LEVELS = LEVELS
        yield server


@pytest.fixture
def pauses(monkeypatch):
    """What the client waited, without the waiting."""
    waited = []
    real = http.Client.__init__
    monkeypatch.setattr(http.Client, "__init__", lambda self, **named: real(self, **{**named, "sleep": waited.append}))
    return waited


def sign(body, secret=HOOK_SECRET, algorithm="sha256"):
    digest = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
    return {"X-Payload-Digest": digest, "X-Payload-Digest-Alg": f"HMAC_{algorithm.upper()}_HEX"}


def call(payload, headers=None, provider="sumsub"):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    found = sign(body) if headers is None else headers
    return Client(enforce_csrf_checks=True).post(
        reverse("kyc:webhook", args=[provider]), body, content_type="application/json", headers=found
    )


def news(application, at="2026-11-20 07:00:00.000", **changed):
    return {**GREEN, "applicantId": application.provider_reference, "createdAtMs": at, **changed}


def sent(user_id=ALICE, level=2):
    application = submitted(user_id, level)
    providing.run(now=NOW)
    return Application.objects.get(id=application.id)


def after(minutes=1):
    return NOW + timedelta(minutes=minutes)


def test_the_signature_is_the_one_that_openssl_makes():
    """echo -n '1700000000POST/resources/applicants?levelName=basic{"externalUserId":"x"}' | openssl dgst -sha256 -hmac SECRET"""
    made = signing.of_request(
        SECRET, timestamp=1700000000, method="post", path="/resources/applicants?levelName=basic",
        body=b'{"externalUserId":"x"}',
    )  # fmt: skip
    assert made == "6dae72e85002644d6f28d882b4b9df3dbef5a622e337dd9178271db5b7323333"


def test_an_application_goes_there_whole_and_signed(sumsub):
    application = sent()
    assert sumsub.refused == []
    applicant = sumsub.by_external_id(str(application.id))
    assert applicant["id"] == application.provider_reference
    assert applicant["fixedInfo"] == {
        "firstName": "Ada Augusta", "lastName": "Lovelace", "dob": "1990-12-10", "country": "FRA", "nationality": "GBR"
    }  # fmt: skip
    assert [each["metadata"] for each in applicant["documents"]] == [
        {"idDocType": "PASSPORT", "country": "GBR"},
        {"idDocType": "SELFIE", "country": "GBR"},
    ]
    assert all(each["jpeg"] for each in applicant["documents"])
    assert applicant["review"]["reviewStatus"] == "pending"
    assert application.provider_state == "sent"


def test_green_gives_the_level_after_it_was_fetched(sumsub):
    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    assert call(news(application)).status_code == 200
    assert selectors.level(ALICE).number == 1  # a webhook alone does nothing
    providing.run(now=after())
    assert selectors.level(ALICE).number == 2
    assert Application.objects.get().state == "approved"


def test_a_webhook_that_says_green_where_the_service_does_not_raises_nothing(sumsub):
    application = sent()
    assert call(news(application)).status_code == 200
    providing.run(now=after())
    assert (selectors.level(ALICE).number, Application.objects.get().state) == (1, "submitted")
    sumsub.review(application.provider_reference, reviewAnswer="RED", reviewRejectType="FINAL")
    call(news(application, correlationId="req-2"))
    providing.run(now=after(2))
    assert selectors.level(ALICE).number == 1


def test_a_result_of_another_level_is_none(sumsub):
    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    sumsub.applicants[application.provider_reference]["review"]["levelName"] = "phone-only"
    call(news(application))
    providing.run(now=after())
    row = Application.objects.get()
    assert (selectors.level(ALICE).number, row.provider_state) == (1, "handed_over")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Payload-Digest": "00" * 32, "X-Payload-Digest-Alg": "HMAC_SHA256_HEX"},
        {"X-Payload-Digest": "", "X-Payload-Digest-Alg": "HMAC_SHA256_HEX"},
        {"X-Payload-Digest-Alg": "HMAC_SHA256_HEX"},
        {"X-Payload-Digest": "\xff", "X-Payload-Digest-Alg": "HMAC_SHA256_HEX"},
    ],
)
def test_a_forged_webhook_is_refused_and_leaves_nothing(sumsub, headers):
    assert call(GREEN, headers).status_code == 401
    assert not ProviderEvent.objects.exists()


def test_the_digest_is_of_the_raw_body_the_right_secret_and_an_algorithm_of_ours(sumsub):
    body = json.dumps(GREEN).encode()
    assert call(body + b" ", sign(body)).status_code == 401
    assert call(body, sign(body, "another secret")).status_code == 401
    assert call(body, sign(body, SECRET)).status_code == 401  # the API's secret is not the webhook's
    assert call(body, sign(body, algorithm="sha1")).status_code == 401
    assert call(body, {**sign(body), "X-Payload-Digest-Alg": "none"}).status_code == 401
    assert call(body, sign(body, algorithm="sha512")).status_code == 200
    assert call(b"not json", sign(b"not json")).status_code == 401
    event = ProviderEvent.objects.get()
    assert bytes(event.raw) == body
    assert event.occurred_at == datetime(2020, 2, 21, 13, 23, 19, 321000, tzinfo=UTC)


def test_without_a_secret_no_webhook_is_good():
    with pytest.raises(SignatureWrong):
        signing.check_webhook("", b"{}", sign(b"{}", ""))


def test_a_provider_that_is_not_set_up_is_not_there(settings):
    assert call(GREEN).status_code == 404
    assert call(GREEN, provider="nobody").status_code == 404


def test_a_webhook_sent_again_is_taken_once_and_answered_alike(sumsub):
    application = sent()
    for _ in range(3):
        assert call(news(application)).status_code == 200
    assert ProviderEvent.objects.count() == 1
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    providing.run(now=after())
    asked = len(sumsub.requests)
    # The service tries again for a day (5 min, 1 h, 5 h, 18 h); a replay years later is the same.
    assert call(news(application)).status_code == 200
    providing.run(now=NOW + timedelta(days=900))
    assert len(sumsub.requests) == asked
    assert ApplicationStep.objects.filter(state="approved").count() == 1


def test_late_and_out_of_order_changes_nothing(sumsub):
    """GREEN is decided; then an older "pending" and an older RED arrive."""
    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    call(news(application))
    providing.run(now=after())
    for at, changed in (
        ("2026-11-20 06:00:01.000", {"type": "applicantPending", "reviewStatus": "pending"}),
        ("2026-11-20 06:00:02.000", {"reviewResult": RED["reviewResult"]}),
    ):
        assert call(news(application, at=at, **changed)).status_code == 200
    providing.run(now=after(2))
    assert selectors.level(ALICE).number == 2
    assert list(ProviderEvent.objects.order_by("id").values_list("outcome", flat=True)) == [
        "look_due", "nothing_waits", "nothing_waits"
    ]  # fmt: skip


def test_a_webhook_about_nobody_we_know_is_kept_and_does_nothing(sumsub):
    assert call(GREEN).status_code == 200
    assert call(RED).status_code == 200
    providing.run(now=NOW)
    assert ProviderEvent.objects.filter(outcome="nothing_waits").count() == 2
    assert sumsub.requests == []


def test_a_webhook_before_we_noted_the_applicant_is_made_up_for_by_looking(sumsub):
    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    providing.run(now=after(11))  # no webhook came at all
    assert selectors.level(ALICE).number == 2


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_one_event_and_one_decision(sumsub):
    application = sent()
    sumsub.review(application.provider_reference, reviewAnswer="GREEN")
    start, answers = threading.Barrier(6), []

    def work():
        start.wait()
        try:
            answers.append(call(news(application)).status_code)
            providing.run(now=after())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert answers == [200] * 6
    assert ProviderEvent.objects.count() == 1
    assert ApplicationStep.objects.filter(state="approved").count() == 1
    assert selectors.level(ALICE).number == 2


def test_retry_asks_for_what_the_labels_say(sumsub):
    application = sent()
    sumsub.review(
        application.provider_reference, reviewAnswer="RED", reviewRejectType="RETRY", rejectLabels=["BAD_SELFIE"],
        moderationComment="Enter your name correctly.",
    )  # fmt: skip
    call(news(application, reviewResult=RED["reviewResult"]))
    providing.run(now=after())
    row = Application.objects.get()
    assert (row.state, row.asked, row.reasons) == ("resubmit", ["selfie"], ["selfie_mismatch"])
    assert row.message == "Enter your name correctly."
    later = after(60)
    documents.upload(user_id=ALICE, application_id=row.id, kind="selfie", data=picture(size=(700, 700)), now=later)
    applications.submit(user_id=ALICE, application_id=row.id, now=later)
    providing.run(now=later)
    applicant = sumsub.applicants[application.provider_reference]
    assert len(sumsub.applicants) == 1 and len(applicant["documents"]) == 3
    assert (applicant["review"]["attemptCnt"], applicant["review"]["reviewStatus"]) == (2, "pending")


def asked_for_words(application, actor_id=None):
    """Names and birth date are to be told again."""
    row = Application.objects.get(id=application.id)
    reviewing.ask_again(
        application_id=row.id,
        actor_id=actor_id,
        seen=row.version,
        items=["person"],
        reasons=["data_mismatch"],
        now=after(),
    )


def told_again(application, now, **changed):
    told = {**PERSON, **changed}
    applications.describe(user_id=ALICE, application_id=application.id, told=told, now=now)
    applications.submit(user_id=ALICE, application_id=application.id, now=now)


def compared_with(sumsub, application):
    applicant = sumsub.by_external_id(str(application.id))
    return applicant["fixedInfo"]["lastName"], applicant["review"]["reviewStatus"], applicant["review"]["attemptCnt"]


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


def test_silence_and_errors_are_tried_again_with_growing_pauses(sumsub, pauses):
    sumsub.script = [(500, {}, b""), (502, {}, b"<html>"), (429, {"Retry-After": "3"}, b"{}")]
    application = submitted(ALICE)
    providing.run(now=NOW)
    row = Application.objects.get()
    assert (row.provider_state, row.provider_failures) == ("to_send", 1)
    assert row.provider_due_at == NOW + timedelta(seconds=30)
    assert len(pauses) == 2 and 0.5 <= pauses[0] < 1.0 <= pauses[1] < 2.0
    sumsub.script = [(429, {"Retry-After": "3"}, b"{}")]
    providing.run(now=after())
    assert pauses[-1] >= 3
    assert Application.objects.get().provider_state == "sent"
    assert str(application.id) == sumsub.applicants[Application.objects.get().provider_reference]["externalUserId"]


def test_a_long_wait_that_it_asks_for_is_kept_without_a_worker_sleeping(sumsub, pauses):
    sumsub.script = [(429, {"Retry-After": "900"}, b"{}")]
    submitted(ALICE)
    providing.run(now=NOW)
    assert pauses == []
    assert Application.objects.get().provider_due_at == NOW + timedelta(seconds=900)
    providing.run(now=after(14))
    assert len(sumsub.requests) == 1


def test_no_redirect_is_followed(sumsub, pauses):
    with Sumsub() as elsewhere:
        sumsub.script = [(307, {"Location": f"{elsewhere.url}/resources/applicants?levelName=x"}, b"")]
        submitted(ALICE)
        providing.run(now=NOW)
        assert elsewhere.requests == []
    assert Application.objects.get().provider_state == "handed_over"


@pytest.mark.parametrize("answer", [b"<html>maintenance</html>", b"[1]", b'"x"', b"{" * 10, b"x" * (1024 * 1024 + 1)])
def test_an_answer_that_is_no_answer_is_silence(sumsub, pauses, answer):
    sumsub.script = [(200, {}, answer)] * 3
    submitted(ALICE)
    providing.run(now=NOW)
    assert Application.objects.get().provider_failures == 1


@pytest.mark.parametrize("name", ["../../../admin", "5cb5/../../x", "", None, "a" * 100])
def test_an_applicants_name_that_is_none_comes_into_no_path(sumsub, pauses, name):
    sumsub.script = [(201, {}, json.dumps({"id": name}).encode())] * 3
    submitted(ALICE)
    providing.run(now=NOW)
    assert {path.partition("?")[0] for _, path in sumsub.requests} == {"/resources/applicants"}


def test_stopped_after_each_step_it_goes_on_and_does_nothing_twice(sumsub, monkeypatch):
    """Killed after the applicant was made, after a document, after the check was asked for, and before each was noted."""
    submitted(ALICE)

    class Killed(BaseException):
        pass

    now = NOW
    for name in ("create_applicant", "submit_document", "request_check"):
        real = getattr(service.Sumsub, name)

        def done_and_killed(self, *args, real=real, **named):
            real(self, *args, **named)
            raise Killed

        monkeypatch.setattr(service.Sumsub, name, done_and_killed)
        with pytest.raises(Killed):
            providing.run(now=now)
        monkeypatch.setattr(service.Sumsub, name, real)
        now += timedelta(minutes=11)  # the claim of the process that died is over
    providing.run(now=now)
    row = Application.objects.get()
    applicant = sumsub.applicants[row.provider_reference]
    assert (row.provider_state, len(sumsub.applicants), len(applicant["documents"])) == ("sent", 1, 2)
    assert applicant["review"]["attemptCnt"] == 1


def test_nothing_listens_there(settings, pauses, sumsub):
    settings.SUMSUB_BASE_URL = "http://127.0.0.1:9"
    submitted(ALICE)
    providing.run(now=NOW)
    row = Application.objects.get()
    assert (row.state, row.provider_failures) == ("submitted", 1)
    # People may decide all the same.
    assert reviewing.approve(application_id=row.id, actor_id=91, seen=row.version, now=NOW) == 0
    providing.run(now=after(600))
    assert Application.objects.get().state == "approved"


def test_it_gives_up_in_the_end_and_people_go_on(settings, pauses, sumsub, monkeypatch):
    settings.SUMSUB_BASE_URL = "http://127.0.0.1:9"
    monkeypatch.setattr(providing, "FAILURES_MAX", 2)
    submitted(ALICE)
    for hours in range(0, 60, 12):
        providing.run(now=NOW + timedelta(hours=hours))
    assert Application.objects.get().provider_state == "handed_over"


def test_plain_http_and_half_a_set_up_are_refused(settings, sumsub):
    settings.SUMSUB_BASE_URL = "http://api.sumsub.com"
    with pytest.raises(ImproperlyConfigured):
        service.configured()
    assert [each.id for each in checks.provider_stands()] == ["kyc.E002"]
    settings.SUMSUB_BASE_URL, settings.SUMSUB_WEBHOOK_SECRET = "https://api.sumsub.com", ""
    assert [each.id for each in checks.provider_stands()] == ["kyc.E003"]
    settings.KYC_PROVIDER = "manual"
    assert checks.provider_stands() == []


def test_a_level_that_the_service_does_not_know_is_looked_at_by_people(settings, sumsub):
    settings.SUMSUB_LEVELS = {3: "proof-of-address"}
    assert filled(ALICE).provider == "manual"


def test_a_refusal_tells_neither_words_nor_secrets(sumsub, pauses):
    sumsub.script = [(400, {}, json.dumps({"code": 400, "description": "Lovelace is no name"}).encode())]
    submitted(ALICE)
    with pytest.raises(ProviderRefused) as error:
        client = service.configured().client
        client.post("/resources/applicants?levelName=x", {"fixedInfo": PERSON})
    assert str(error.value) == "status 400, error code None"


@pytest.fixture
def elapsed(monkeypatch):
    """The clock by which runs and tries are measured: the test moves it."""
    clock = [0.0]
    for module in (providing, http):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def test_a_provider_that_hangs_is_asked_once_and_takes_one_worker_for_a_while(sumsub, pauses, elapsed, monkeypatch):
    asked = []

    def hanging(self, request):
        elapsed[0] += http.ANSWER_S
        asked.append(request.path_url)
        raise calls.Failed("silence")

    monkeypatch.setattr(calls.Session, "send", hanging)
    for user_id in (ALICE, ALICE + 1, ALICE + 2):
        submitted(user_id)
    assert providing.run(now=NOW) == 1
    assert len(asked) == 1 and pauses == []
    assert Application.objects.filter(provider_due_at__lte=NOW).count() == 2
    providing.run(now=NOW)
    assert len(asked) == 2 and Application.objects.filter(provider_due_at__lte=NOW).count() == 1


def test_what_a_slow_provider_did_not_get_is_the_next_run_s(sumsub, elapsed, monkeypatch):
    submitted(ALICE)
    real = sealing.picture

    def slow(*args, **named):
        elapsed[0] += 30
        return real(*args, **named)

    monkeypatch.setattr(sealing, "picture", slow)
    there = []
    for _ in range(3):
        providing.run(now=NOW)
        there.append(Document.objects.exclude(provider_reference="").count())
    assert there == [1, 2, 2] and Application.objects.get().provider_state == "sent"


def test_one_run_at_a_time(sumsub):
    submitted(ALICE)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [providing._LOCK])
            assert providing.run(now=NOW) == 0 and sumsub.requests == []
            cursor.execute(
                "SELECT pg_advisory_unlock(%s)", [providing._LOCK]
            )  # whoever only leaves has it some moments more
    finally:
        other.close()
    assert providing.run(now=NOW) == 1 and sumsub.requests


def test_a_wake_that_nobody_took_is_dropped(monkeypatch):
    sent_tasks = []
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda self, name, **how: sent_tasks.append((name, how)))
    providing._wake()
    ((name, how),) = sent_tasks
    assert name == "kyc.ask_providers" and 0 < how["expires"] <= 30
