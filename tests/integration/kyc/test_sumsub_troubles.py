"""Sumsub silent, slow, wrong or cut off half-way: tried again, given to people, nothing done twice."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from exchange.outgoing import calls
from kyc import checks, sealing
from kyc.models import Application, Document
from kyc.providers.protocol import ProviderRefused
from kyc.providers.sumsub import client as http
from kyc.providers.sumsub import service
from kyc.services import providing, reviewing
from tests.integration.kyc.sumsub_kit import ALICE, after
from tests.sumsub_server import Sumsub
from tests.verification import NOW, PERSON, filled, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


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
