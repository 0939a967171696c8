"""The bell, the list, the settings, and announcements, as pages."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from exchange.accounts.models import User
from exchange.accounts.services import customers
from exchange.audit.models import Record
from exchange.notifications.models import Announcement, AnnouncementText, Delivery, Notification, Preference
from exchange.notifications.services import announcements, devices, preferences
from tests import mailing
from tests.factors import BACKEND, log_in_staff
from tests.integration.notifications.conftest import FCM_TOKEN, register, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(ann) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=ann), backend=BACKEND)
    return client


def announce(slug="news", *, published=timedelta(), banner=None, tell=False, **texts):
    now = timezone.now()
    made = Announcement.objects.create(
        slug=slug, kind="news", published_at=None if published is None else now + published, tell=tell, created_by=1,
        banner_until=banner and now + banner, created_at=now,
    )  # fmt: skip
    for language, title in (texts or {"en": "New market"}).items():
        AnnouncementText.objects.create(
            announcement=made,
            language=language,
            title=title,
            summary=f"{title}: summary",
            body="First.\n\nhttps://x.example/",
        )
    return made


class TestBell:
    def test_it_counts_what_is_unread_and_shows_the_newest(self, page, ann):
        tell(ann, pushes=False)
        tell(ann, pushes=False)
        text = page.get("/account/notifications/").content.decode()
        assert re.search(r"data-bell-count[^>]*>2<", text) and "Notifications, 2 unread" in text
        latest = page.get("/account/notifications/latest/").content.decode()
        assert latest.count("Deposit of 0.5 BTC credited") == 2

    def test_opening_one_marks_it_and_goes_where_it_leads(self, page, ann):
        tell(ann, pushes=False)
        line = Notification.objects.get()
        path = f"/account/notifications/{line.id}/open/"
        assert page.get(path).status_code == 405 and Notification.objects.get().read_at is None
        answer = page.post(path)
        assert (answer.status_code, answer["Location"]) == (302, "/wallet/history/")
        assert Notification.objects.get().read_at is not None

    def test_a_link_that_leads_elsewhere_leads_nowhere(self, page, ann):
        line = Notification.objects.create(
            user_id=ann, event_id=1, kind="x", title="x", link="//evil.example/", created_at=timezone.now()
        )
        assert page.post(f"/account/notifications/{line.id}/open/")["Location"] == "/account/notifications/"

    def test_all_are_read_at_once_and_only_ones_own(self, page, ann):
        other = customers.open(email="o@example.org", password="x" * 12, now=timezone.now())
        tell(ann, pushes=False)
        tell(other, pushes=False)
        page.post("/account/notifications/read/")
        assert list(Notification.objects.filter(read_at=None).values_list("user_id", flat=True)) == [other]

    def test_pages_go_on_behind_the_last_line(self, page, ann):
        for number in range(25):
            Notification.objects.create(
                user_id=ann, event_id=number, kind="x", title=f"Line {number:02d}", created_at=timezone.now()
            )
        first = page.get("/account/notifications/").content.decode()
        older = re.search(r'href="(\?before=\d+)"', first)[1]
        second = page.get(f"/account/notifications/{older}").content.decode()
        shown = [re.findall(r"Line \d\d", text) for text in (first, second)]
        assert shown == [[f"Line {n:02d}" for n in range(24, 4, -1)], [f"Line {n:02d}" for n in range(4, -1, -1)]]

    def test_an_empty_list_says_what_to_do(self, page):
        assert "Make a first deposit" in page.get("/account/notifications/").content.decode()


class TestSettings:
    PATH = "/account/notifications/settings/"

    def test_what_is_ticked_is_kept_and_what_is_not_is_off(self, page, ann):
        page.post(self.PATH, {"deposits.page": "on", "news.email": "on"})
        chosen = preferences.of(ann)
        assert chosen["deposits", "email"] is False and chosen["news", "email"] is True
        assert ("deposits", "page") not in chosen and chosen["news", "page"] is False
        page.post(self.PATH, {"deposits.page": "on", "deposits.email": "on"})
        assert ("deposits", "email") not in preferences.of(ann)

    def test_a_form_that_leaves_safety_out_switches_nothing_of_it_off(self, page, ann):
        page.post(self.PATH, {})
        tell(ann, "accounts.logged_in_from_new_device", pushes=False)
        assert Delivery.objects.get().channel == "email" and Notification.objects.count() == 1
        shown = page.get(self.PATH).content.decode()
        assert re.search(r'name="security.email" checked disabled', shown)

    def test_only_ways_that_are_offered_are_shown(self, page, ann):
        shown = page.get(self.PATH).content.decode()
        assert "security.email" in shown and "sms" not in shown and "web_push" not in shown

    def test_all_of_them_are_shown_where_they_are(self, page, ann, messengers):
        register(ann, "fcm", FCM_TOKEN, label="Pixel 9")
        shown = page.get(self.PATH).content.decode()
        for text in ("security.web_push", "security.app_push", "security.sms", "data-push", "Pixel 9", 'name="number"'):
            assert text in shown
        assert FCM_TOKEN not in shown

    def test_a_number_is_given_shown_to_be_ones_own_and_forgotten(self, page, ann, messengers):
        page.post(f"{self.PATH}phone/", {"action": "begin", "number": "+49 151 12345678"})
        code = re.search(r"\d{6}", messengers.texts[-1]["Body"])[0]
        wrong = page.post(f"{self.PATH}phone/", {"action": "confirm", "code": "x"})
        assert wrong.status_code == 400 and "This is not the code." in wrong.content.decode()
        page.post(f"{self.PATH}phone/", {"action": "confirm", "code": code})
        shown = page.get(self.PATH).content.decode()
        assert "5678" in shown and "15112345678" not in shown and "Confirmed" in shown
        page.post(f"{self.PATH}phone/", {"action": "forget"})
        assert "5678" not in page.get(self.PATH).content.decode()

    def test_a_test_goes_by_every_way_and_few_a_day(self, page, ann, messengers):
        register(ann, "fcm", FCM_TOKEN)
        for _ in range(7):
            page.post(f"{self.PATH}test/")
            mailing.deliver(now=timezone.now())
        assert len([m for m in mail.outbox if m.subject == "This is a test"]) == 5
        assert Delivery.objects.filter(channel="fcm").count() == 5

    def test_a_device_is_removed_by_its_owner(self, page, ann, messengers):
        device = register(ann, "fcm", FCM_TOKEN)
        page.post(f"{self.PATH}devices/{device.id}/remove/")
        assert devices.standing(ann) == []

    def test_the_worker_of_pushes_is_a_script_that_reaches_no_page(self, page):
        answer = page.get("/push/worker.js")
        assert answer["Content-Type"].startswith("text/javascript")
        assert "Service-Worker-Allowed" not in answer and 'addEventListener("fetch"' not in answer.content.decode()


class TestAnnouncements:
    def test_what_is_published_is_shown_in_the_readers_language(self, page):
        announce(en="New market", de="Neuer Markt")
        stranger = Client()
        assert "New market" in stranger.get("/announcements/").content.decode()
        german = stranger.get("/announcements/news/", HTTP_ACCEPT_LANGUAGE="de").content.decode()
        assert "Neuer Markt" in german
        assert '<a href="https://x.example/" rel="nofollow">' in stranger.get("/announcements/news/").content.decode()

    @pytest.mark.parametrize("published", [None, timedelta(hours=1)])
    def test_a_draft_is_shown_to_staff_who_may_see_it_and_to_nobody_else(self, page, published):
        announce(published=published, banner=timedelta(days=2), tell=True, en="Xenon is listed")
        for path in ("/announcements/", "/announcements/feed/", "/"):
            assert "Xenon is listed" not in page.get(path).content.decode()
        assert page.get("/announcements/news/").status_code == 404
        assert announcements.tell(now=timezone.now()) == 0
        boss = Client()
        user = customers.open(email="b@example.org", password="x" * 12, email_verified=True, now=timezone.now())
        User.objects.filter(pk=user).update(is_staff=True)
        boss.force_login(User.objects.get(pk=user), backend=BACKEND)
        assert boss.get("/announcements/news/").status_code == 404
        User.objects.filter(pk=user).update(is_superuser=True)
        boss.force_login(User.objects.get(pk=user), backend=BACKEND)
        assert "A draft" in boss.get("/announcements/news/").content.decode()

    def test_a_banner_stands_until_its_time_or_until_it_is_closed(self, page):
        made = announce(banner=timedelta(hours=1))
        assert 'data-banner="' in page.get("/").content.decode()
        page.cookies["banner"] = str(made.id)
        assert 'data-banner="' not in page.get("/").content.decode()
        del page.cookies["banner"]
        Announcement.objects.update(banner_until=timezone.now())
        assert 'data-banner="' not in page.get("/").content.decode()

    def test_what_staff_wrote_is_escaped(self):
        announce(en="<b>x</b><script>alert(1)</script>", banner=timedelta(hours=1))
        Announcement.objects.update(banner_until=timezone.now() + timedelta(hours=1))
        for path in ("/announcements/", "/announcements/news/", "/"):
            assert "<script>alert(1)" not in Client().get(path).content.decode()

    def test_the_feed_is_atom(self):
        announce()
        answer = Client().get("/announcements/feed/")
        assert answer["Content-Type"].startswith("application/atom+xml") and b"/announcements/news/" in answer.content

    def test_everybody_is_told_once_whatever_happens_in_between(self, ann, monkeypatch):
        people = [ann] + [
            customers.open(email=f"p{n}@example.org", password="x" * 12, now=timezone.now()) for n in range(4)
        ]
        monkeypatch.setattr(announcements, "BATCH", 2)
        preferences.choose(user_id=people[1], wanted={("news", "page"): False, ("news", "email"): True})
        made = announce(tell=True)
        now = timezone.now()
        assert announcements.tell_next(announcement_id=made.id, now=now) == 2  # and the worker dies here
        AnnouncementText.objects.update(title="Mended words")
        announcements.tell(now=now)
        announcements.tell(now=now)
        told = sorted(Notification.objects.filter(kind="announcement").values_list("user_id", flat=True))
        assert told == sorted(set(people) - {people[1]})
        assert set(Notification.objects.values_list("title", flat=True)) == {"New market"}
        mailing.deliver(now=now)
        assert [message.to for message in mail.outbox] == [["p0@example.org"]]
        assert Announcement.objects.get().told_at is not None

    def test_a_batch_that_fails_is_taken_back_whole(self, ann, monkeypatch):
        made = announce(tell=True)
        monkeypatch.setattr(announcements.planning, "plan_for", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            announcements.tell_next(announcement_id=made.id, now=timezone.now())
        assert not Notification.objects.exists() and Announcement.objects.get().told_up_to == 0


class TestStaff:
    def form(self, **more):
        return {
            "slug": "two-markets", "kind": "listing", "texts-TOTAL_FORMS": "1", "texts-INITIAL_FORMS": "0",
            "texts-MIN_NUM_FORMS": "1", "texts-MAX_NUM_FORMS": "1000", "texts-0-language": "en", "texts-0-title": "Two markets",
            "texts-0-summary": "They are open.", "texts-0-body": "Since today.", "published_at_0": "", "published_at_1": "",
            "banner_until_0": "", "banner_until_1": "", **more,
        }  # fmt: skip

    @pytest.fixture
    def boss(self) -> Client:
        user_id = customers.open(email="boss@example.org", password="x" * 12, email_verified=True, now=timezone.now())
        User.objects.filter(pk=user_id).update(is_staff=True, is_superuser=True)
        client = Client()
        log_in_staff(client, user_id)
        return client

    def test_an_announcement_is_written_and_recorded(self, boss):
        boss.post("/admin/notifications/announcement/add/", self.form())
        made = Announcement.objects.get()
        assert made.published_at is None and made.created_by == User.objects.get(email="boss@example.org").pk
        record = Record.objects.get(action="announcement.add")
        assert record.after["titles"] == {"en": "Two markets"} and record.subject == f"announcement:{made.id}"

    def test_one_without_english_is_refused(self, boss):
        answer = boss.post("/admin/notifications/announcement/add/", self.form(**{"texts-0-language": "de"}))
        assert answer.status_code == 200 and not Announcement.objects.exists()

    def test_what_was_given_up_is_tried_again_under_a_name(self, boss, ann):
        tell(ann, pushes=False)
        given_up = Delivery.objects.filter(user_id=ann)
        given_up.update(state="dead")
        ids = list(given_up.values_list("id", flat=True))
        boss.post("/admin/notifications/delivery/", {"action": "try_again", "_selected_action": ids})
        assert given_up.get().state == "waiting"
        assert Record.objects.get(action="notification.requeue").after["count"] == 1

    def test_a_device_is_dropped_under_a_name_and_its_token_is_shown_nowhere(self, boss, ann, messengers):
        device = register(ann, "fcm", FCM_TOKEN)
        shown = boss.get(f"/admin/notifications/pushdevice/{device.id}/change/").content.decode()
        assert FCM_TOKEN not in shown and Preference.objects.count() == 0
        boss.post("/admin/notifications/pushdevice/", {"action": "drop", "_selected_action": [device.id]})
        assert devices.standing(ann) == [] and Record.objects.filter(action="push_device.drop").exists()
