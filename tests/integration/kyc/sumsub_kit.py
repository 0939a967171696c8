"""What tests of Sumsub share: its server set up, webhooks signed as its documentation says, applications handed over."""

import hashlib
import hmac
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from kyc.models import Application
from kyc.providers.sumsub import client as http
from kyc.services import applications, providing, reviewing
from tests.sumsub_server import SECRET, TOKEN, Sumsub
from tests.verification import NOW, PERSON, submitted

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


@pytest.fixture
def elapsed(monkeypatch):
    """The clock by which runs and tries are measured: the test moves it."""
    clock = [0.0]
    for module in (providing, http):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock
