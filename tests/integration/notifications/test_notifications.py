"""What people are told: the right person, the right words, once in the inbox whatever the mail server does."""

import json
from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.db import transaction
from django.urls import Resolver404, resolve

from exchange.accounts.models import User
from exchange.accounts.services import customers, staff
from exchange.notifications import kinds, messages, registry, selectors
from exchange.notifications.models import Delivery
from exchange.notifications.services import inbox
from exchange.outbox import services as outbox
from exchange.outbox.models import Delivery as Reading
from tests import mailing

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
TXID = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
WITHDRAWAL_ID = "01900000-0000-7000-8000-000000000001"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return customers.open(email="alice@example.org", password="x" * 12, email_verified=True, now=NOW)


@pytest.fixture
def boss():
    return staff.open(email="boss@example.org", password="x" * 12, now=NOW)


def happened(topic, user_id=None, **fields):
    payload = {
        "user_id": user_id,
        "asset": "BTC",
        "network": "bitcoin",
        "amount": "0.5",
        "fee": "0.0001",
        "address": ADDRESS,
        "txid": TXID,
        "withdrawal_id": WITHDRAWAL_ID,
        "reason": "",
        "reference": "BOURSE-7",
        "held_for": "limit",
        "error": "timeout",
        "scope": "withdrawals",
        "what": "added",
        "label": "mine",
        "usable_at": "2026-11-21T06:00:00.000000Z",
        **dict.fromkeys(("wanted", "hot", "floor", "owed", "seen"), "0.5"),
        "payout_id": WITHDRAWAL_ID,
        "sources": ["bitcoin"],
        "at": "2026-11-20T06:00:00.000000Z",
        "level": "Identity",
        "expires_at": "2029-11-19",
        **{"list": "SDN", "case_id": 3, "kind": "person", "strong": True},
        **fields,
    }
    with transaction.atomic():
        outbox.append(topic=topic, key="k", payload=payload, now=NOW)
    mailing.deliver(now=NOW)


def test_a_credited_deposit_is_told_in_the_inbox_and_by_mail(alice):
    happened("wallets.deposit_credited", alice)
    (line,) = selectors.recent(alice)
    assert (line.kind, line.title) == ("deposit_credited", "Deposit of 0.5 BTC credited")
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["alice@example.org"], "Deposit of 0.5 BTC credited")
    html = message.alternatives[0].content
    for text in ("0.5 BTC", "bitcoin", ADDRESS, TXID):
        assert text in message.body and text in html
    assert "http://127.0.0.1:8000/wallet/history/" in message.body


def test_a_sent_withdrawal_names_where_to_and_the_transaction(alice):
    happened("wallets.withdrawal_sent", alice)
    assert selectors.recent(alice)[0].link == f"/wallet/withdrawals/{WITHDRAWAL_ID}/"
    for text in (ADDRESS, TXID, "0.0001 BTC"):
        assert text in mail.outbox[0].body


def test_a_refused_withdrawal_gives_the_reason(alice):
    happened("wallets.withdrawal_refused", alice, reason="Address on a list")
    assert "Address on a list" in mail.outbox[0].body


def test_an_orphaned_deposit_is_news_only_where_a_credit_was_taken_back(alice):
    happened("wallets.deposit_orphaned", alice, reversed=False)
    assert selectors.recent(alice) == [] and not mail.outbox
    happened("wallets.deposit_orphaned", alice, reversed=True)
    assert selectors.recent(alice)[0].kind == "deposit_reversed"


@pytest.mark.parametrize(
    "topic",
    [
        "ledger.mismatch",
        "ledger.stopped",
        "wallets.network_down",
        "wallets.network_halted",
        "wallets.network_payout_lost",
    ],
)
def test_trouble_is_told_to_all_staff_and_no_customer(alice, boss, topic):
    happened(topic)
    assert [m.to for m in mail.outbox] == [["boss@example.org"]]
    assert len(selectors.recent(boss)) == 1 and selectors.recent(alice) == []


def test_every_topic_has_words_and_a_page_that_exists(alice, boss):
    topics = messages.BY_TOPIC.keys() - messages.TO_EVERYBODY
    for topic in sorted(topics):
        happened(topic, alice, reversed=True, what="password" if topic.startswith("accounts.") else "added")
    lines = selectors.recent(alice, limit=50) + selectors.recent(boss, limit=50)
    assert len(lines) == len(topics)
    assert {line.kind for line in lines if not kinds.known(line.kind)} == set(), "a kind without a row in the settings"
    for line in lines:
        try:
            resolve(line.link)
        except Resolver404:
            pytest.fail(f"{line.kind} links to {line.link}, which is no page")
    assert len(mail.outbox) == len([topic for topic in topics if registry.maker(topic) is None])


def test_staff_alone_hear_of_a_screening_case_and_only_of_a_strong_one(alice, boss):
    happened("kyc.screening_case_opened", alice)
    assert selectors.recent(alice) == [] and [message.to for message in mail.outbox] == [["boss@example.org"]]
    assert "Do not tell the customer" in mail.outbox[0].body and "alice" not in mail.outbox[0].body
    happened("kyc.screening_case_opened", alice, strong=False)
    assert len(mail.outbox) == len(selectors.recent(boss)) == 1


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        ("review", "A person looks at this one"),
        ("approved", "signed and sent next"),
        ("sent", "on its way to"),
        ("final", "for good"),
        ("cancelled", "back in your balance"),
        ("refused", "back in your balance"),
    ],
)
def test_every_step_of_a_withdrawal_says_what_how_much_and_where_to(alice, topic, words):
    happened(f"wallets.withdrawal_{topic}", alice)
    (message,) = mail.outbox
    for text in (words, "0.5 BTC", "0.0001 BTC", "bitcoin", ADDRESS, "Was this not you?"):
        assert text in message.body and text in message.alternatives[0].content


def test_the_inbox_says_that_a_mail_was_sent_and_the_mail_is_left_to_whoever_makes_the_link(alice):
    happened("wallets.withdrawal_requested", alice)
    (line,) = selectors.recent(alice)
    assert "Look into your e-mail" in line.body and line.link == f"/wallet/withdrawals/{WITHDRAWAL_ID}/"
    assert not mail.outbox


@pytest.mark.parametrize("what", ["added", "relabelled", "removed", "tightened", "loosened"])
def test_every_change_of_the_address_book_is_told(alice, what):
    happened("wallets.address_book_changed", alice, what=what)
    assert ADDRESS in mail.outbox[0].body and "/wallet/addresses/" in mail.outbox[0].body


def test_what_others_wrote_is_escaped_in_the_html_mail(alice):
    happened("wallets.withdrawal_refused", alice, reason="<script>alert(1)</script>")
    assert "<script>" not in mail.outbox[0].alternatives[0].content
    assert "<script>" in mail.outbox[0].body


def test_a_mail_server_that_is_down_delays_the_mail_and_not_the_inbox(alice, monkeypatch):
    from django.core.mail.backends import locmem

    def down(self, batch):
        raise SMTPServerDisconnected("Connection unexpectedly closed")

    with monkeypatch.context() as patch:
        patch.setattr(locmem.EmailBackend, "send_messages", down)
        happened("wallets.deposit_credited", alice)
    assert len(selectors.recent(alice)) == 1 and not mail.outbox
    assert not Reading.objects.exclude(state="delivered").exists(), "no reader of the outbox waits for a mail server"
    waiting = Delivery.objects.get(state="waiting")
    assert (waiting.attempts, waiting.error) == (1, "SMTPServerDisconnected")
    mailing.deliver(now=NOW + timedelta(seconds=2))
    assert len(mail.outbox) == 1 and len(selectors.recent(alice)) == 1


def test_an_event_that_is_read_twice_is_told_and_sent_once(alice):
    happened("wallets.deposit_credited", alice)
    Reading.objects.filter(reader__startswith="notifications.").update(state="pending", delivered_at=None)
    mailing.deliver(now=NOW)
    assert len(mail.outbox) == len(selectors.recent(alice)) == Delivery.objects.count() == 1


def test_nobody_who_was_switched_off_or_is_unknown_is_written_to(alice):
    User.objects.filter(id=alice).update(is_active=False)
    happened("wallets.deposit_credited", alice)
    happened("wallets.deposit_credited", 10**9)
    assert not mail.outbox and not Delivery.objects.exists()
    assert not Reading.objects.exclude(state="delivered").exists()


def test_reading_marks_only_ones_own(alice, boss):
    happened("wallets.deposit_credited", alice)
    happened("wallets.deposit_credited", alice)
    ids = [line.id for line in selectors.recent(alice)]
    assert selectors.unread_count(alice) == 2
    assert inbox.mark_read(user_id=boss, ids=ids, now=NOW) == 0
    assert inbox.mark_read(user_id=alice, ids=ids[:1], now=NOW) == 1
    assert selectors.unread_count(alice) == 1
    assert inbox.mark_read(user_id=alice, now=NOW) == 1
    assert [line.id for line in selectors.recent(alice, before=ids[0])] == ids[1:]


@pytest.mark.django_db(transaction=True)
def test_open_pages_hear_of_it(alice, valkey):
    listener = valkey.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"user:{alice}")
    listener.get_message(timeout=5)
    happened("wallets.deposit_credited", alice)
    message = None
    while message is None:
        message = listener.get_message(timeout=5)
    told = json.loads(message["data"])
    assert (told["type"], told["notification"]["kind"]) == ("notification", "deposit_credited")


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("Password reset, API keys ended", "Passwort zurückgesetzt, API-Schlüssel beendet"),
        ("Passkey added", "Passkey hinzugefügt"),
        ("Google linked", "Google verknüpft"),
        ("Something new", "Something new"),
    ],
)
def test_what_changed_is_said_in_the_readers_language(alice, detail, said):
    customers.set_language(user_id=alice, language="de")
    happened("accounts.credential_changed", alice, what="password", detail=detail)
    assert said in mail.outbox[0].body
