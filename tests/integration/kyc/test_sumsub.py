"""Sumsub's client and webhooks, against a server that checks what the documentation asks for."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from kyc import selectors
from kyc.models import Application, ApplicationStep, ProviderEvent
from kyc.providers.protocol import SignatureWrong
from kyc.providers.sumsub import signing
from kyc.services import applications, documents, providing
from tests.integration.kyc.sumsub_kit import ALICE, GREEN, RED, after, call, news, sent, sign
from tests.sumsub_server import SECRET
from tests.verification import NOW, picture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


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
