"""What the page of notification settings shows: topics by ways, devices, the telephone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from exchange.notifications import channels, kinds
from exchange.notifications.channels import web_push
from exchange.notifications.services import devices, phones, preferences

_NAMES = {
    kinds.PAGE: _("On this site"),
    kinds.EMAIL: _("E-mail"),
    kinds.WEB_PUSH: _("Browser"),
    kinds.APP_PUSH: _("Phone app"),
    kinds.SMS: _("SMS"),
}


@dataclass(frozen=True, slots=True)
class Way:
    code: str
    name: str | Promise


@dataclass(frozen=True, slots=True)
class Choice:
    """A box of the table; `field` is its name in the form."""

    field: str
    way: str | Promise
    on: bool
    always: bool


@dataclass(frozen=True, slots=True)
class Row:
    code: str
    name: str | Promise
    about: str | Promise
    choices: list[Choice]


@dataclass(frozen=True, slots=True)
class Board:
    ways: list[Way]
    rows: list[Row]
    devices: list[devices.DeviceView]
    phone: phones.PhoneView | None
    vapid_key: str
    offers_sms: bool
    offers_app: bool


def board(*, user_id: int, staff: bool, session_key: str) -> Board:
    """Three queries."""
    ways = _ways()
    chosen = preferences.of(user_id)
    return Board(
        ways=ways,
        rows=[_row(topic, ways, chosen) for topic in _topics(staff)],
        devices=devices.standing(user_id, session_key=session_key),
        phone=phones.of(user_id),
        vapid_key=web_push.public_key() if web_push.switched_on() else "",
        offers_sms=channels.switched_on(channels.Channel.SMS),
        offers_app=any(way.code == kinds.APP_PUSH for way in ways),
    )


def choices_of(form: Mapping[str, object], *, staff: bool) -> dict[tuple[str, str], bool]:
    """What a sent form says: a box that is not there was not ticked. Ways that are not offered keep what they were."""
    return {
        (topic.code, way.code): f"{topic.code}.{way.code}" in form
        for topic in _topics(staff)
        for way in _ways()
        if way.code not in topic.always
    }


def _topics(staff: bool) -> list[kinds.Topic]:
    return [topic for topic in kinds.TOPICS.values() if staff or not topic.staff]


def _ways() -> list[Way]:
    app = channels.switched_on(channels.Channel.FCM) or channels.switched_on(channels.Channel.APNS)
    offered = {
        kinds.PAGE: True,
        kinds.EMAIL: True,
        kinds.WEB_PUSH: web_push.switched_on(),
        kinds.APP_PUSH: app,
        kinds.SMS: channels.switched_on(channels.Channel.SMS),
    }
    return [Way(code=code, name=_NAMES[code]) for code in kinds.CHANNELS if offered[code]]


def _row(topic: kinds.Topic, ways: list[Way], chosen: preferences.Choices) -> Row:
    return Row(
        code=topic.code,
        name=topic.name,
        about=topic.about,
        choices=[
            Choice(
                field=f"{topic.code}.{way.code}",
                way=way.name,
                on=kinds.wants(topic, way.code, chosen),
                always=way.code in topic.always,
            )
            for way in ways
        ],
    )
