"""The customer's pages of his verification, as a browser without scripts uses them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.services import customers
from kyc import sealing
from kyc.models import Application, Document
from kyc.services import reviewing
from tests.verification import PERSON, approve, picture, submitted

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def desk(settings, tmp_path):
    settings.KYC_FIRST_LEVEL = 1
    settings.KYC_DOCUMENTS_DIR = str(tmp_path / "documents")
    settings.SUBJECT_KEYS_DIR = str(tmp_path / "keys")


def browser(name):
    user_id = customers.open(email=f"{name}@example.org", password="x" * 14, email_verified=True, now=timezone.now())
    client = Client(enforce_csrf_checks=False)
    client.force_login(User.objects.get(id=user_id), backend="django.contrib.auth.backends.ModelBackend")
    client.user_id = user_id
    return client


@pytest.fixture
def alice():
    return browser("alice")


def begin(client):
    response = client.post(reverse("site:start_application"), {"level": "2"})
    application = Application.objects.get(user_id=client.user_id)
    assert response.url == reverse("site:application", args=[application.id])
    return application


def send(client, application, kind, data=None, name="photo.jpg", content_type="image/jpeg"):
    file = SimpleUploadedFile(name, picture() if data is None else data, content_type=content_type)
    url = reverse("site:application_picture", args=[application.id, kind])
    return client.post(url, {"picture": file}, follow=True)


def test_the_whole_way_without_a_script(alice):
    assert "Apply for “Identity”" in alice.get(reverse("site:verification")).content.decode()
    application = begin(alice)
    page = reverse("site:application", args=[application.id])
    assert "Something is still missing" in alice.get(page).content.decode()
    alice.post(reverse("site:application_words", args=[application.id]), PERSON)
    text = alice.get(page).content.decode()
    assert 'capture="user"' in text and 'capture="environment"' in text
    for kind in ("passport", "selfie"):
        assert "The picture is here." in send(alice, application, kind).content.decode()
    response = alice.post(reverse("site:submit_application", args=[application.id]), follow=True)
    assert "Waiting for a person to look at it" in response.content.decode()
    approve(application.id, 91, now=timezone.now())
    text = alice.get(reverse("site:verification")).content.decode()
    assert "You are at level <strong>Identity</strong>" in text and "Apply for “Address”" in text


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(alice):
    application = begin(alice)
    told = {**PERSON, "birth_date": "2020-01-01"}
    response = alice.post(reverse("site:application_words", args=[application.id]), told)
    text = response.content.decode()
    assert response.status_code == 400
    assert "You have to be 18 or older." in text and "Lovelace" in text
    assert Application.objects.get().sealed is None


def test_the_customers_words_are_in_no_cache_and_no_picture_is_shown_back(alice):
    application = submitted(alice.user_id, now=timezone.now())
    reviewing.ask_again(
        application_id=application.id, actor_id=91, seen=application.version, items=["person", "selfie"],
        reasons=["data_mismatch"], message="Mind the spelling", now=timezone.now(),
    )  # fmt: skip
    response = alice.get(reverse("site:application", args=[application.id]))
    assert "no-store" in response["Cache-Control"] and "private" in response["Cache-Control"]
    text = response.content.decode()
    assert "Lovelace" in text and "Mind the spelling" in text and "What you wrote differs" in text
    assert "<img" not in text


@pytest.mark.parametrize(
    ("data", "name", "content_type", "words"),
    [
        (b"%PDF-1.7 ...", "passport.jpg", "image/jpeg", "PDF files are not taken"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "a.jpg", "image/jpeg", "not a picture"),
        (b"<html><script>alert(1)</script>", "../../../etc/cron.d/x.jpg", "image/png", "not a picture"),
        (b"PK\x03\x04", "x.jpg", "image/jpeg", "archive"),
        (b"\xff\xd8\xff\xe0 and no more", "x.jpg", "image/jpeg", "damaged"),
    ],
)
def test_what_is_no_picture_is_refused_in_words_whatever_it_calls_itself(alice, data, name, content_type, words):
    application = begin(alice)
    response = send(alice, application, "selfie", data, name, content_type)
    assert words in response.content.decode()
    assert Document.objects.count() == 0


def test_a_picture_is_taken_whatever_its_name_and_type_say(alice):
    application = begin(alice)
    send(alice, application, "selfie", picture("PNG"), "../../evil.svg", "image/svg+xml")
    document = Document.objects.get()
    assert sealing.picture(document.id, user_id=alice.user_id).startswith(b"\xff\xd8\xff")
    files = [file for file in sealing.folder().rglob("*") if file.is_file()]
    assert [file.name for file in files] == [f"{document.id}.sealed"]


def test_the_upload_stays_in_memory(alice, monkeypatch):
    from django.core.files import uploadedfile

    monkeypatch.setattr(
        uploadedfile.TemporaryUploadedFile, "__init__", lambda *args, **named: pytest.fail("it went to a disk")
    )
    application = begin(alice)
    send(alice, application, "selfie", picture("PNG", size=(2000, 1500)) + b"\x00" * 6_000_000)
    assert Document.objects.count() == 1


def test_another_customers_application_is_not_there(alice):
    mallory = browser("mallory")
    application = submitted(alice.user_id, now=timezone.now())
    document = application.documents.first()
    assert mallory.get(reverse("site:application", args=[application.id])).status_code == 404
    for name, args in (
        ("application_words", [application.id]),
        ("submit_application", [application.id]),
        ("remove_picture", [application.id, document.id]),
    ):
        assert mallory.post(reverse(f"site:{name}", args=args), PERSON).status_code == 404
    assert send(mallory, application, "selfie").status_code == 404
    own = begin(mallory)
    mallory.post(reverse("site:remove_picture", args=[own.id, document.id]))
    assert Document.objects.filter(id=document.id).exists()


def test_nobody_without_a_log_in_and_nothing_by_get(alice):
    application = begin(alice)
    for name, args in (
        ("start_application", []),
        ("application_words", [application.id]),
        ("application_picture", [application.id, "selfie"]),
        ("submit_application", [application.id]),
    ):
        assert alice.get(reverse(f"site:{name}", args=args)).status_code == 405
    stranger = Client()
    for name, args in (("verification", []), ("application", [application.id])):
        assert stranger.get(reverse(f"site:{name}", args=args)).status_code == 302
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = alice.cookies
    assert forged.post(reverse("site:submit_application", args=[application.id])).status_code == 403


def test_a_long_history_costs_no_more_queries(alice, django_assert_max_num_queries):
    application = submitted(alice.user_id, now=timezone.now())
    for _ in range(8):
        Application.objects.create(
            user_id=alice.user_id, level_id=2, state="rejected", created_at=timezone.now(), changed_at=timezone.now(),
            ended_at=timezone.now(), reasons=["unreadable"], submitted_at=timezone.now(),
        )  # fmt: skip
    assert application.state == "submitted"
    with django_assert_max_num_queries(12):
        alice.get(reverse("site:verification"))
