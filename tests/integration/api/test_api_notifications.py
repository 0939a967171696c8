"""Notifications and devices over REST and the websocket, on a running exchange."""

from __future__ import annotations

from django.utils import timezone

from exchange.notifications.models import Notification, PushDevice
from exchange.notifications.services import inbox
from tests.integration.api.bots import bot, remembering
from tests.integration.api.conftest import Exchange
from tests.integration.api.test_api_websocket import opened


def told(user_id: int, number: int) -> Notification:
    return Notification.objects.create(
        user_id=user_id,
        event_id=number,
        kind="test",
        title=f"News {number}",
        link="/wallet/",
        created_at=timezone.now(),
    )


def test_the_inbox_is_read_by_pages_and_marked(exchange: Exchange) -> None:
    ann = exchange.customer("inbox")
    lines = [told(ann.user_id, number) for number in range(1, 4)]
    first = ann.get("notifications?limit=2").json()
    second = ann.get(f"notifications?cursor={first['next_cursor']}").json()
    assert [line["title"] for line in first["data"] + second["data"]] == ["News 3", "News 2", "News 1"]
    assert second["next_cursor"] is None and not first["data"][0]["read"]
    assert ann.post("notifications/read", {"ids": [lines[0].id, 10**12]}).json() == {"marked": 1}
    assert [line["title"] for line in ann.get("notifications?unread=true").json()["data"]] == ["News 3", "News 2"]
    assert ann.post("notifications/read", {"ids": None}).json() == {"marked": 2}
    assert ann.get("notifications?unread=maybe").json()["error"]["code"] == "unread_invalid"


def test_a_device_is_a_persons_and_not_a_programs(exchange: Exchange) -> None:
    remembering(exchange)
    ann = exchange.customer("devices")
    program = bot(ann, trade=True)
    body = {"platform": "fcm", "token": "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"}
    refused = program.call("POST", "push-devices", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "key_not_allowed")
    assert program.call("GET", "push-devices").status_code == 403
    assert ann.post("push-devices", body).json()["error"]["code"] == "push_not_offered"
    wrong = ann.post("push-devices", {**body, "platform": "web_push", "token": "https://127.0.0.1/"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "push_device_invalid")
    assert (
        ann.get("push-devices").json() == {"data": []} and not PushDevice.objects.filter(user_id=ann.user_id).exists()
    )


def test_an_open_page_hears_of_news_and_of_what_was_read(exchange: Exchange) -> None:
    ann, bob = exchange.customer("hears"), exchange.customer("deaf")
    with opened(exchange, token=ann.token) as mine, opened(exchange, token=bob.token) as his:
        for reader in (mine, his):
            reader.read()
            reader.subscribe("notifications")
            assert reader.of("notifications", "snapshot") == {"unread": 0, "notifications": []}
        inbox.tell_open_pages(told(ann.user_id, 77))
        news = mine.of("notifications", "update")
        assert news["unread"] == 1 and news["notifications"][0]["title"] == "News 77"
        inbox.mark_read(user_id=ann.user_id, now=timezone.now())
        assert mine.of("notifications", "snapshot")["unread"] == 0
        inbox.tell_open_pages(told(bob.user_id, 78))
        assert his.of("notifications", "update")["notifications"][0]["title"] == "News 78", (
            "and of nobody else's before"
        )
