"""The reviewer's pages: the queue, one case side by side, its pictures and what each look leaves in the audit."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.services import staff
from exchange.audit.models import Record
from kyc import sealing, selectors
from kyc.models import Application
from kyc.services import applications, documents, reviewing
from tests.factors import log_in_staff
from tests.verification import PERSON, approve, picture, submitted

ALICE = 70001

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


def member(name, superuser=True):
    user_id = staff.open(email=f"{name}@example.org", password="x" * 12, superuser=superuser, now=timezone.now())
    client = Client()
    log_in_staff(client, User.objects.get(id=user_id))
    client.user_id = user_id
    return client


@pytest.fixture
def carol():
    return member("carol")


def waiting(level=2, user_id=ALICE):
    return submitted(user_id, level, now=timezone.now())


def case(application):
    return reverse("admin:kyc_application_change", args=[application.id])


def decide(client, application, verb, **fields):
    seen = fields.pop("seen", Application.objects.get(id=application.id).version)
    url = reverse("admin:kyc_application_decide", args=[application.id])
    return client.post(url, {"verb": verb, "seen": seen, **fields}, follow=True).content.decode()


def picture_url(application, document=None):
    document = document or application.documents.first()
    return reverse("admin:kyc_application_document", args=[application.id, document.id])


def test_the_queue_is_sorted_by_age_and_counted(carol):
    now = timezone.now()
    older = submitted(ALICE, now=now - timezone.timedelta(hours=50))
    newer = submitted(ALICE + 1, now=now - timezone.timedelta(hours=1))
    applications.start(user_id=ALICE + 2, level=2, now=now)
    text = carol.get(reverse("admin:kyc_application_changelist")).content.decode()
    assert text.index(str(older.id)) < text.index(str(newer.id))
    assert text.count("/admin/kyc/application/") and "Waiting over two days" in text
    late = carol.get(reverse("admin:kyc_application_changelist"), {"queue": "late"}).content.decode()
    assert str(older.id) in late and str(newer.id) not in late
    assert "Lovelace" not in text
    for word in ("nonsense", str(ALICE), str(older.id), "' OR 1=1"):
        assert carol.get(reverse("admin:kyc_application_changelist"), {"q": word}).status_code == 200


def test_words_beside_pictures_and_both_looks_on_record(carol):
    application = waiting()
    text = carol.get(case(application)).content.decode()
    assert "Lovelace" in text and "United Kingdom" in text
    for document in application.documents.all():
        assert f'<img class="rounded-default w-full" src="{picture_url(application, document)}"' in text
    view = Record.objects.get(action="kyc.view_application")
    assert (view.actor_id, view.subject) == (carol.user_id, f"application:{application.id}")
    assert "ip=" in view.origin
    assert not Record.objects.filter(action="kyc.view_document").exists()  # the browser asks for each on its own


def test_a_picture_is_served_so_that_it_can_only_be_looked_at(carol):
    application = waiting()
    document = application.documents.first()
    response = carol.get(picture_url(application, document))
    assert response.content.startswith(b"\xff\xd8\xff")
    assert response["Content-Type"] == "image/jpeg"
    assert "no-store" in response["Cache-Control"]
    assert response["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Content-Disposition"] == f'inline; filename="{document.kind}.jpg"'
    record = Record.objects.get(action="kyc.view_document")
    assert (record.actor_id, record.subject) == (carol.user_id, f"document:{document.id}")


def test_no_byte_leaves_where_the_audit_cannot_be_written(carol, monkeypatch):
    application = waiting()
    monkeypatch.setattr(sealing, "picture", lambda *args, **named: pytest.fail("it was read"))
    monkeypatch.setattr(reviewing.audit, "record", lambda **fields: (_ for _ in ()).throw(RuntimeError("no audit")))
    with pytest.raises(RuntimeError, match="no audit"):
        carol.get(picture_url(application))


def test_only_reviewers_get_in(carol):
    application = waiting()
    outsider = member("oscar", superuser=False)
    customer = Client()
    customer.force_login(
        User.objects.create_user("mallory@example.org", "x" * 12), backend="django.contrib.auth.backends.ModelBackend"
    )
    for client in (outsider, customer, Client()):
        for url in (case(application), picture_url(application), reverse("admin:kyc_application_changelist")):
            response = client.get(url)
            assert response.status_code in (302, 403)
            assert b"Lovelace" not in response.content and not response.content.startswith(b"\xff\xd8")
        assert client.post(reverse("admin:kyc_application_decide", args=[application.id])).status_code in (302, 403)
    assert not Record.objects.filter(action__startswith="kyc.view").exists()


def test_who_may_look_at_the_list_sees_no_word_and_no_picture():
    from django.contrib.auth.models import Permission

    viewer = member("vera", superuser=False)
    viewer_user = User.objects.get(id=viewer.user_id)
    viewer_user.user_permissions.add(Permission.objects.get(codename="view_application"))
    application = waiting()
    text = viewer.get(case(application)).content.decode()
    assert "Only reviewers see" in text and "Lovelace" not in text and '<img class="rounded' not in text
    assert viewer.get(picture_url(application)).status_code == 403
    assert viewer.post(reverse("admin:kyc_application_decide", args=[application.id])).status_code == 403


def test_a_picture_of_another_application_is_not_found(carol):
    mine, other = waiting(), waiting(user_id=ALICE + 1)
    url = reverse("admin:kyc_application_document", args=[mine.id, other.documents.first().id])
    assert carol.get(url).status_code == 404
    assert carol.get(f"/admin/kyc/application/{mine.id}/picture/..%2f..%2fetc%2fpasswd/").status_code in (302, 404)


def test_deeds_are_posts_with_a_token(carol):
    application = waiting()
    url = reverse("admin:kyc_application_decide", args=[application.id])
    assert carol.get(url, {"verb": "approve", "seen": application.version}).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = carol.cookies
    assert strict.post(url, {"verb": "approve", "seen": application.version}).status_code == 403
    assert carol.post(url, {"verb": "promote"}).status_code == 404
    assert selectors.level(ALICE).number == 1


def test_approve_take_and_the_two_people_of_a_high_level(carol):
    application = waiting()
    assert "yours to look at" in decide(carol, application, "take")
    assert Application.objects.get().reviewer_id == carol.user_id
    assert "The customer has the level now" in decide(carol, application, "approve", note="fine")
    assert selectors.level(ALICE).number == 2
    high = waiting(4)
    assert "1 more must approve" in decide(carol, high, "approve")
    assert "Somebody else has to look at it" in decide(carol, high, "approve")
    assert "The customer has the level now" in decide(member("dave"), high, "approve")


def test_a_stale_page_decides_nothing(carol):
    application = waiting()
    opened = application.version
    reviewing.ask_again(
        application_id=application.id, actor_id=1, seen=opened, items=["selfie"], reasons=["unreadable"],
        now=timezone.now(),
    )  # fmt: skip
    documents.upload(user_id=ALICE, application_id=application.id, kind="selfie", data=picture(), now=timezone.now())
    applications.submit(user_id=ALICE, application_id=application.id, now=timezone.now())
    for verb in ("approve", "reject", "ask_again"):
        text = decide(carol, application, verb, seen=opened, reasons=["unreadable"], items=["selfie"])
        assert "changed after you opened it" in text
    assert "changed after you opened it" in decide(carol, application, "approve", seen="")
    assert Application.objects.get().state == "submitted"


def test_reasons_reach_the_customer(carol):
    application = waiting()
    assert "Choose why" in decide(carol, application, "reject")
    text = decide(carol, application, "ask_again", items=["passport"], reasons=["document_expired"], message="Renew it")
    assert "asked to send it again" in text
    row = Application.objects.get()
    assert (row.state, row.asked, row.reasons, row.message) == (
        "resubmit",
        ["passport"],
        ["document_expired"],
        "Renew it",
    )


def test_staff_see_nothing_of_their_own_application_and_decide_nothing(carol):
    application = waiting(user_id=carol.user_id)
    text = carol.get(case(application)).content.decode()
    assert "This is your own application" in text and PERSON["family_names"] not in text
    assert carol.get(picture_url(application)).status_code == 403
    for verb in ("take", "approve", "reject", "ask_again"):
        assert "your own application" in decide(carol, application, verb, reasons=["unreadable"], items=["selfie"])
    assert Application.objects.get().state == "submitted"


def test_an_erased_application_still_tells_its_story(carol):
    from kyc.services import erasing

    application = waiting()
    reviewing.reject(
        application_id=application.id, actor_id=carol.user_id, seen=application.version, reasons=["unreadable"],
        now=timezone.now(),
    )  # fmt: skip
    erasing.erase(
        user_id=ALICE, reason="court order", actor_id=carol.user_id, despite_retention=True, now=timezone.now()
    )
    text = carol.get(case(application)).content.decode()
    assert "customer&#x27;s key was destroyed" in text or "key was destroyed" in text
    assert "Lovelace" not in text and "rejected by staff" in text


def test_the_list_costs_the_same_however_long_it_is(carol, django_assert_max_num_queries):
    for number in range(3):
        waiting(user_id=ALICE + number)
    approve(Application.objects.first().id, 91, now=timezone.now())
    page = reverse("admin:kyc_application_changelist")
    carol.get(page, {"queue": "all"})  # what the side shows is counted, and remembered for some seconds
    with django_assert_max_num_queries(20):
        carol.get(page, {"queue": "all"})
