"""People, devices, and the services that carry messages, on this machine."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from exchange.accounts.services import customers
from exchange.notifications.channels import apns, fcm
from exchange.notifications.models import Phone
from exchange.notifications.services import devices, sending
from exchange.outbox import services as outbox
from exchange.secrets import services as secrets
from tests.providers.apple import Apple
from tests.providers.messengers import Browser, Messengers

SESSION = "s" * 32
APNS_TOKEN = "a1" * 32
FCM_TOKEN = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"


@pytest.fixture(scope="session")
def _messengers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Messengers]:
    found = Messengers(tmp_path_factory.mktemp("messengers"))
    yield found
    found.end()


@pytest.fixture
def messengers(_messengers: Messengers, settings) -> Messengers:
    """FCM, a push service and Twilio, switched on."""
    found = _messengers
    for kept in (found.said, found.messages, found.pushes, found.texts, found.refused):
        kept.clear()
    found.tokens = 0
    fcm._credentials.cache_clear()
    for name, value in found.settings().items():
        setattr(settings, name, value)
    return found


@pytest.fixture(scope="session")
def _apple(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apple]:
    found = Apple(tmp_path_factory.mktemp("apple"))
    yield found
    found.end()


@pytest.fixture
def apple(_apple: Apple, settings) -> Apple:
    found = _apple
    found.said.clear()
    found.pushes.clear()
    found.provider_tokens.clear()
    apns.forget_token()
    apns._connection.cache_clear()
    found.connections = 0
    for name, value in found.settings().items():
        setattr(settings, name, value)
    return found


@pytest.fixture
def ann() -> int:
    return customers.open(email="ann@example.org", password="x" * 12, email_verified=True, now=timezone.now())


@pytest.fixture
def browser() -> Browser:
    return Browser()


def register(user_id, platform, token, **more):
    return devices.register(
        user_id=user_id, session_key=SESSION, platform=platform, token=token, now=timezone.now(), **more
    )


def subscribe(user_id, browser, messengers, path="/wpush/1"):
    return register(user_id, "web_push", f"{messengers.url}{path}", p256dh=browser.p256dh, auth=browser.auth)


def give_phone(user_id, number="+4915112345678"):
    sealed = secrets.seal(purpose="phone", plaintext=number.encode(), context=f"phone:{user_id}")
    now = timezone.now()
    Phone.objects.create(user_id=user_id, sealed=sealed, ending=number[-4:], sent_since=now, confirmed_at=now)


def tell(user_id, topic="wallets.deposit_credited", *, pushes=True, now=None, **fields):
    """News comes, is planned, and what is due by push and SMS is sent."""
    now = now or timezone.now()
    payload = {
        "user_id": user_id, "asset": "BTC", "network": "bitcoin", "amount": "0.5", "fee": "0.0001", "address": "bc1q",
        "txid": "t", "withdrawal_id": "01900000-0000-7000-8000-000000000001", "reason": "", "at": "2026-11-20T06:00:00.000000Z",
        "browser": "Firefox on Linux", **fields,
    }  # fmt: skip
    with transaction.atomic():
        event_id = outbox.append(topic=topic, key=f"user:{user_id}", payload=payload, now=now)
    outbox.deliver(now=now)
    if pushes:
        sending.send(of=sending.PUSHES, now=now)
    return event_id


def later(**time):
    return timezone.now() + timedelta(**time)
