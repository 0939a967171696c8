"""Pushes and SMS, by the services' own rules: what they are sent, what each of their answers does, and what stays unsaid."""

from datetime import timedelta

import pytest
from django.utils import timezone

from exchange.notifications.models import Delivery, Phone, Provider, PushDevice
from exchange.notifications.services import sending
from tests.integration.notifications.conftest import (
    APNS_TOKEN,
    FCM_TOKEN,
    give_phone,
    register,
    subscribe,
    tell,
)
from tests.providers.messengers import BAD_VALUE, NO_NUMBER, NO_TOKEN, UNREGISTERED, Said

pytestmark = pytest.mark.django_db


def row(channel):
    return Delivery.objects.get(channel=channel)


class TestBrowsers:
    def test_a_push_is_signed_by_us_and_read_by_the_browser_alone(self, ann, browser, messengers):
        subscribe(ann, browser, messengers)
        event_id = tell(ann)
        assert messengers.refused == []
        ((path, headers, body),) = messengers.pushes
        assert path == "/wpush/1" and headers["topic"] == f"n{event_id}" and b"0.5 BTC" not in body
        told = browser.reads(body)
        assert told["title"] == "Deposit of 0.5 BTC credited" and told["url"] == "/wallet/history/"
        assert told["tag"] == f"n{event_id}", "a browser that is told twice shows it once"
        assert row("web_push").state == "sent" and PushDevice.objects.get().last_sent_at is not None

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_subscription_that_is_no_more_is_dropped_and_its_keys_go(self, ann, browser, messengers, status):
        subscribe(ann, browser, messengers)
        messengers.said.append(Said(status))
        tell(ann)
        device = PushDevice.objects.get()
        assert device.dropped_at is not None and (device.token, device.p256dh, device.auth) == ("", "", "")
        assert row("web_push").state == "dropped"
        tell(ann)
        assert len(messengers.pushes) == 1, "nothing is sent there again"

    def test_a_service_that_is_too_busy_is_asked_again_when_it_says(self, ann, browser, messengers):
        subscribe(ann, browser, messengers)
        messengers.said.append(Said(429, headers={"Retry-After": "120"}))
        tell(ann)
        waiting = row("web_push")
        assert waiting.state == "waiting" and waiting.due_at >= timezone.now() + timedelta(seconds=100)
        assert sending.send(of=sending.PUSHES, now=timezone.now()) == 0
        assert sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(seconds=130)) == 1
        assert row("web_push").state == "sent" and len(messengers.pushes) == 2


class TestAndroid:
    def test_the_token_is_fetched_once_and_the_message_has_googles_form(self, ann, messengers):
        register(ann, "fcm", FCM_TOKEN, label="Pixel")
        first, second = tell(ann), tell(ann)
        assert messengers.refused == [] and messengers.tokens == 1
        message = messengers.messages[0]
        assert message["token"] == FCM_TOKEN
        assert message["notification"] == {
            "title": "Deposit of 0.5 BTC credited",
            "body": "0.5 BTC arrived over bitcoin and can be used now.",
        }
        assert message["data"] == {"link": "/wallet/history/", "kind": "deposit_credited", "event": str(first)}
        assert message["android"]["notification"]["tag"] == message["android"]["collapse_key"] == f"n{first}"
        assert messengers.messages[1]["android"]["collapse_key"] == f"n{second}"
        assert Delivery.objects.filter(channel="fcm", state="sent").count() == 2
        assert row_reference().startswith("projects/bourse-test/messages/")

    @pytest.mark.parametrize(("status", "body"), [(404, UNREGISTERED), (400, NO_TOKEN)])
    def test_a_token_that_is_no_more_is_dropped(self, ann, messengers, status, body):
        register(ann, "fcm", FCM_TOKEN)
        messengers.said.append(Said(status, body))
        tell(ann)
        assert PushDevice.objects.get().dropped_at is not None and row("fcm").state == "dropped"

    def test_a_message_of_ours_that_is_wrong_costs_no_device(self, ann, messengers):
        register(ann, "fcm", FCM_TOKEN)
        messengers.said.append(Said(400, BAD_VALUE))
        tell(ann)
        assert PushDevice.objects.get().dropped_at is None
        assert (row("fcm").state, row("fcm").error) == ("dead", "HTTP 400 INVALID_ARGUMENT")

    def test_a_token_of_ours_that_is_not_believed_is_fetched_anew(self, ann, messengers):
        register(ann, "fcm", FCM_TOKEN)
        messengers.said.append(Said(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}}))
        tell(ann)
        assert row("fcm").state == "waiting" and PushDevice.objects.get().dropped_at is None
        sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(seconds=5))
        assert row("fcm").state == "sent" and messengers.tokens == 2


class TestApple:
    def test_a_push_has_apples_headers_and_one_token_serves_many(self, ann, apple):
        register(ann, "apns", APNS_TOKEN)
        first = tell(ann)
        tell(ann)
        (token, headers, payload), (_, again, _) = apple.pushes
        assert token == APNS_TOKEN and headers["apns-collapse-id"] == f"n{first}"
        assert (
            payload["aps"]["alert"]["title"] == "Deposit of 0.5 BTC credited" and payload["link"] == "/wallet/history/"
        )
        assert headers["apns-id"] != again["apns-id"]
        assert len(apple.provider_tokens) == 1 and apple.connections == 1
        assert set(Delivery.objects.filter(channel="apns").values_list("state", flat=True)) == {"sent"}

    def test_the_same_news_tried_again_has_the_same_number(self, ann, apple):
        register(ann, "apns", APNS_TOKEN)
        apple.said.append((503, "ServiceUnavailable"))
        tell(ann)
        sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(seconds=5))
        assert len({headers["apns-id"] for _, headers, _ in apple.pushes}) == 1 and row("apns").state == "sent"

    @pytest.mark.parametrize(
        "answer",
        [(410, "Unregistered"), (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"), (410, "ExpiredToken")],
    )
    def test_a_phone_that_is_no_more_is_dropped(self, ann, apple, answer):
        register(ann, "apns", APNS_TOKEN)
        apple.said.append(answer)
        tell(ann)
        assert PushDevice.objects.get().dropped_at is not None and row("apns").state == "dropped"

    def test_a_connection_that_apple_closes_is_made_anew(self, ann, apple):
        register(ann, "apns", APNS_TOKEN)
        apple.goes_away = True
        tell(ann)
        tell(ann, now=timezone.now() + timedelta(seconds=10))
        sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(seconds=20))
        assert set(Delivery.objects.filter(channel="apns").values_list("state", flat=True)) == {"sent"}
        assert apple.connections == 2

    def test_a_key_that_is_not_believed_stops_the_provider_and_no_phone(self, ann, apple, settings):
        settings.APNS_TEAM_ID = "WRONG12345"
        register(ann, "apns", APNS_TOKEN)
        tell(ann)
        assert row("apns").error == "HTTP 403 InvalidProviderToken" and PushDevice.objects.get().dropped_at is None
        assert Provider.objects.get(name="apns").failures == 1


class TestSms:
    def test_what_is_about_safety_is_texted_and_nothing_else(self, ann, messengers):
        give_phone(ann)
        tell(ann)
        assert messengers.texts == []
        tell(ann, "accounts.logged_in_from_new_device")
        assert messengers.refused == []
        assert messengers.texts == [
            {"To": "+4915112345678", "From": "+15005550006", "Body": "Bourse: New log-in to your account"}
        ]
        assert row("sms").reference.startswith("SM")

    def test_a_number_that_takes_none_is_forgotten(self, ann, messengers):
        give_phone(ann)
        messengers.said.append(Said(400, NO_NUMBER))
        tell(ann, "accounts.logged_in_from_new_device")
        assert row("sms").state == "dropped"
        phone = Phone.objects.get()
        assert (bytes(phone.sealed), phone.ending, phone.confirmed_at) == (b"", "", None)

    def test_one_that_may_have_been_sent_is_not_sent_again(self, ann, messengers):
        give_phone(ann)
        messengers.said.append(Said(0))
        tell(ann, "accounts.logged_in_from_new_device")
        assert row("sms").state == "unknown"
        sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(hours=1))
        assert len(messengers.texts) == 1

    def test_one_that_never_left_is_tried_again(self, ann, messengers, settings):
        give_phone(ann)
        settings.TWILIO_URL = "https://localhost:9"  # nobody listens there
        tell(ann, "accounts.logged_in_from_new_device")
        assert row("sms").state == "waiting"
        settings.TWILIO_URL = messengers.url
        sending.send(of=sending.PUSHES, now=timezone.now() + timedelta(seconds=5))
        assert row("sms").state == "sent" and len(messengers.texts) == 1


def row_reference():
    return Delivery.objects.filter(channel="fcm").first().reference
