"""Verification over REST: what a program sends, and what it never gets back."""

import pytest
from django.test import Client
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.services import customers
from kyc import images, sealing
from kyc.models import Application, Document
from tests.verification import ADDRESS, PERSON, approve, picture, submitted

pytestmark = pytest.mark.django_db(transaction=True)  # the API's views run in threads of their own


@pytest.fixture(autouse=True)
def desk(settings, tmp_path):
    settings.KYC_FIRST_LEVEL = 1
    settings.KYC_DOCUMENTS_DIR = str(tmp_path / "documents")
    settings.SUBJECT_KEYS_DIR = str(tmp_path / "keys")


def program(name):
    user_id = customers.open(email=f"{name}@example.org", password="x" * 14, email_verified=True, now=timezone.now())
    client = Client()
    client.force_login(User.objects.get(id=user_id), backend="django.contrib.auth.backends.ModelBackend")
    client.user_id = user_id
    return client


@pytest.fixture
def alice():
    return program("alice")


def post(client, path, body=None):
    return client.post(f"/api/v1/kyc{path}", body if body is not None else {}, content_type="application/json")


def put(client, path, body):
    return client.put(f"/api/v1/kyc{path}", body, content_type="application/json")


def send(client, application_id, kind, data=None, content_type="image/jpeg"):
    body = picture() if data is None else data
    path = f"/api/v1/kyc/applications/{application_id}/pictures?kind={kind}"
    return client.generic("POST", path, body, content_type=content_type)


def refusal(response):
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def begun(client):
    response = post(client, "/applications", {"level": 2})
    assert response.status_code == 201
    return response.json()["id"]


def test_the_whole_way(alice):
    standing = alice.get("/api/v1/kyc").json()
    assert (standing["level"], [each["level"] for each in standing["offered"]], standing["application"]) == (
        1,
        [2],
        None,
    )
    application_id = begun(alice)
    told = put(alice, f"/applications/{application_id}/words", PERSON).json()
    assert told["missing"] == ["passport", "selfie"]
    for kind, form in (("passport", "JPEG"), ("selfie", "WEBP")):
        response = send(alice, application_id, kind, picture(form), "application/octet-stream")
        assert response.status_code == 201
    assert response.json()["missing"] == []
    handed = post(alice, f"/applications/{application_id}/submit")
    assert (handed.status_code, handed.json()["state"]) == (200, "submitted")
    approve(application_id, 91, now=timezone.now())
    assert alice.get("/api/v1/kyc").json()["code"] == "identity"
    (row,) = alice.get("/api/v1/kyc/applications").json()["data"]
    assert (row["state"], row["level_code"]) == ("approved", "identity")


def test_no_word_and_no_picture_comes_back(alice):
    application = submitted(alice.user_id, now=timezone.now())
    for path in ("", "/applications", f"/applications/{application.id}"):
        text = alice.get(f"/api/v1/kyc{path}").content
        assert b"Lovelace" not in text and b"1990-12-10" not in text
    document = application.documents.first()
    assert alice.get(f"/api/v1/kyc/applications/{application.id}/pictures/{document.id}").status_code == 405


def test_every_refusal_has_the_one_shape(alice):
    application_id = begun(alice)
    path = f"/applications/{application_id}"
    assert refusal(post(alice, "/applications", {"level": 4})) == (409, "level_unavailable", "level")
    assert refusal(post(alice, "/applications", {"levle": 2}))[1:] == ("unknown_field", "levle")
    assert refusal(put(alice, f"{path}/words", {**PERSON, "birth_date": "2020-01-01"})) == (
        400,
        "too_young",
        "birth_date",
    )
    assert refusal(put(alice, f"{path}/words", {"given_names": "Ada"}))[1] == "field_required"
    assert refusal(put(alice, f"{path}/words", {**PERSON, "document_type": 7}))[1] == "choice_invalid"
    assert refusal(post(alice, f"{path}/submit")) == (400, "application_incomplete", "person")
    assert refusal(send(alice, application_id, "passport")) == (409, "not_asked_for", "kind")
    assert refusal(send(alice, application_id, "../../x")) == (400, "choice_invalid", "kind")
    assert refusal(send(alice, application_id, "selfie", b"%PDF-1.7")) == (400, "picture_type", "picture")
    assert refusal(send(alice, application_id, "selfie", b"")) == (400, "picture_type", "picture")
    assert refusal(send(alice, application_id, "selfie", picture(), "text/html"))[:2] == (415, "media_type_unsupported")
    large = picture() + b"\x00" * images.BYTES_MAX
    assert refusal(send(alice, application_id, "selfie", large)) == (413, "picture_too_large", "picture")


def test_other_fields_than_the_levels_are_not_kept(alice):
    application_id = begun(alice)
    put(alice, f"/applications/{application_id}/words", {**PERSON, **ADDRESS})
    assert sealing.words(Application.objects.get()) == PERSON


def test_a_picture_is_taken_back_from_a_draft_alone(alice):
    application_id = begun(alice)
    document_id = send(alice, application_id, "selfie").json()["pictures"][0]["id"]
    assert alice.delete(f"/api/v1/kyc/applications/{application_id}/pictures/{document_id}").status_code == 200
    assert Document.objects.count() == 0
    application = Application.objects.get()
    assert not any(file.is_file() for file in sealing.folder().rglob("*"))
    assert application.state == "draft"


def test_another_customer_reads_and_touches_nothing(alice):
    application = submitted(alice.user_id, now=timezone.now())
    document = application.documents.first()
    mallory = program("mallory")
    own = begun(mallory)
    path = f"/applications/{application.id}"
    for response in (
        mallory.get(f"/api/v1/kyc{path}"),
        put(mallory, f"{path}/words", PERSON),
        post(mallory, f"{path}/submit"),
        send(mallory, application.id, "selfie"),
        mallory.delete(f"/api/v1/kyc{path}/pictures/{document.id}"),
        mallory.delete(f"/api/v1/kyc/applications/{own}/pictures/{document.id}"),
    ):
        assert response.status_code == 404
    assert [row["id"] for row in mallory.get("/api/v1/kyc/applications").json()["data"]] == [own]
    assert mallory.get("/api/v1/kyc/applications", {"cursor": str(application.id)}).json()["data"] == []
    assert Document.objects.filter(id=document.id).exists()


def test_nobody_without_a_log_in_and_no_cookie_without_its_token(alice):
    application_id = begun(alice)
    assert Client().get("/api/v1/kyc").status_code == 401
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = alice.cookies
    assert refusal(send(forged, application_id, "selfie"))[:2] == (403, "csrf_failed")


def test_pictures_are_limited_by_the_hour(alice, settings):
    settings.API_LIMITS = {**settings.API_LIMITS, "pictures": (2, 3600)}
    application_id = begun(alice)
    assert [send(alice, application_id, "selfie").status_code for _ in range(3)] == [201, 201, 429]


def test_pages_follow_each_other_without_a_gap(alice):
    now = timezone.now()
    for number in range(5):
        Application.objects.create(
            user_id=alice.user_id, level_id=2, state="rejected", ended_at=now, reasons=["unreadable"],
            created_at=now - timezone.timedelta(days=number), changed_at=now,
        )  # fmt: skip
    seen, cursor = [], None
    while True:
        page = alice.get("/api/v1/kyc/applications", {"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
