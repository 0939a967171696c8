"""Devices that end with their log-in, telephones that are shown to be somebody's, and mails to addresses of before."""

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.utils import timezone

from exchange.accounts.models import NotMeLink, User
from exchange.accounts.services import customers, email_changes, emails, freezing, mail_words, not_me
from exchange.notifications.models import Delivery, Phone, PushDevice
from exchange.notifications.services import devices, phones, sending
from tests import mailing
from tests.integration.notifications.conftest import FCM_TOKEN, register, subscribe, tell
from tests.providers.messengers import Said
from tests.second_person import approve

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> int:
    return customers.open(email="bob@example.org", password="x" * 12, email_verified=True, now=timezone.now())


class TestDevices:
    def test_a_device_goes_with_its_log_in(self, ann, messengers):
        session = SessionStore()
        session["x"] = 1
        session.create()
        devices.register(
            user_id=ann, session_key=session.session_key, platform="fcm", token=FCM_TOKEN, now=timezone.now()
        )
        session.flush()  # as a log-out does
        device = PushDevice.objects.get()
        assert (device.drop_reason, device.token) == ("log-in ended", "")
        tell(ann)
        assert messengers.messages == []

    def test_a_token_that_another_registers_is_theirs_from_then_on(self, ann, bob, messengers):
        register(ann, "fcm", FCM_TOKEN)
        register(bob, "fcm", FCM_TOKEN)
        tell(ann)
        assert messengers.messages == []
        tell(bob)
        assert len(messengers.messages) == 1

    def test_registered_again_it_is_one_device(self, ann, messengers):
        first = register(ann, "fcm", FCM_TOKEN, label="Old name")
        again = register(ann, "fcm", FCM_TOKEN, label="New name")
        assert first.id == again.id and [each.label for each in devices.standing(ann)] == ["New name"]

    def test_the_oldest_goes_where_there_are_too_many(self, ann, messengers):
        for number in range(devices.DEVICES_MAX + 2):
            register(ann, "fcm", f"{FCM_TOKEN}{number}", label=str(number))
        assert [each.label for each in devices.standing(ann)] == [str(number) for number in range(11, 1, -1)]

    def test_another_ends_none_of_them(self, ann, bob, messengers):
        device = register(ann, "fcm", FCM_TOKEN)
        with pytest.raises(devices.DeviceNotFound):
            devices.remove(user_id=bob, device_id=device.id, now=timezone.now())
        devices.remove(user_id=ann, device_id=device.id, now=timezone.now())
        assert devices.standing(ann) == []

    @pytest.mark.parametrize(
        ("platform", "token"),
        [
            ("fcm", "short"),
            ("fcm", "x" * 600),
            ("apns", "not-hexadecimal" * 4),
            ("apns", "AB" * 32),
            ("pager", FCM_TOKEN),
        ],
    )
    def test_what_is_no_token_is_refused(self, ann, messengers, apple, platform, token):
        with pytest.raises(devices.DeviceInvalid):
            register(ann, platform, token)

    @pytest.mark.parametrize("keys", [("", ""), ("AAAA", "c2l4dGVlbiBieXRlcyBvaw"), (None, "short"), (None, "!" * 22)])
    def test_what_is_no_key_of_a_browser_is_refused(self, ann, browser, messengers, keys):
        browser.p256dh, browser.auth = keys[0] if keys[0] is not None else browser.p256dh, keys[1]
        with pytest.raises(devices.DeviceInvalid):
            subscribe(ann, browser, messengers)

    def test_what_the_operator_does_not_offer_is_refused(self, ann):
        with pytest.raises(devices.ChannelOff):
            register(ann, "fcm", FCM_TOKEN)


class TestPhones:
    NUMBER = "+49 151 1234-5678"

    def code(self, messengers):
        return re.search(r"\d{6}", messengers.texts[-1]["Body"])[0]

    def test_a_code_shows_that_the_number_is_theirs_and_the_number_is_sealed(self, ann, messengers):
        phones.begin(user_id=ann, number=self.NUMBER, now=timezone.now())
        assert messengers.texts[-1]["To"] == "+4915112345678" and phones.number_of(ann) == ""
        phones.confirm(user_id=ann, code=self.code(messengers), now=timezone.now())
        assert phones.number_of(ann) == "+4915112345678"
        row = Phone.objects.get()
        assert b"15112345678" not in bytes(row.sealed) and (row.ending, row.code_hash) == ("5678", "")
        phones.forget(user_id=ann, now=timezone.now())
        assert phones.number_of(ann) == "" and bytes(Phone.objects.get().sealed) == b""

    def test_five_wrong_codes_end_it_and_the_right_one_comes_too_late(self, ann, messengers):
        phones.begin(user_id=ann, number=self.NUMBER, now=timezone.now())
        right = self.code(messengers)
        for number in range(phones.TRIES):
            with pytest.raises(phones.CodeInvalid):
                phones.confirm(user_id=ann, code=f"{(int(right) + number + 1) % 10**6:06d}", now=timezone.now())
        with pytest.raises(phones.CodeOver):
            phones.confirm(user_id=ann, code=right, now=timezone.now())

    def test_a_code_is_good_for_ten_minutes(self, ann, messengers):
        phones.begin(user_id=ann, number=self.NUMBER, now=timezone.now())
        with pytest.raises(phones.CodeOver):
            phones.confirm(user_id=ann, code=self.code(messengers), now=timezone.now() + phones.VALID_FOR)

    def test_codes_are_few(self, ann, messengers):
        now = timezone.now()
        phones.begin(user_id=ann, number=self.NUMBER, now=now)
        with pytest.raises(phones.TooManyCodes):
            phones.begin(user_id=ann, number=self.NUMBER, now=now + timedelta(seconds=59))
        for number in range(1, phones.CODES_A_DAY):
            phones.begin(user_id=ann, number=self.NUMBER, now=now + timedelta(minutes=2 * number))
        phones.forget(user_id=ann, now=now)
        with pytest.raises(phones.TooManyCodes):
            phones.begin(user_id=ann, number="+15005550009", now=now + timedelta(hours=3))
        assert len(messengers.texts) == phones.CODES_A_DAY

    @pytest.mark.parametrize("number", ["", "12345", "+0123456789", "+49x151", "+" + "1" * 16])
    def test_what_is_no_number_is_refused_and_nothing_sent(self, ann, messengers, number):
        with pytest.raises(phones.NumberInvalid):
            phones.begin(user_id=ann, number=number, now=timezone.now())
        assert messengers.texts == []

    def test_a_provider_that_is_down_is_said(self, ann, messengers):
        messengers.said.append(Said(503))
        with pytest.raises(phones.NotSent):
            phones.begin(user_id=ann, number=self.NUMBER, now=timezone.now())


def changed_by_customer(user_id, old, new):
    """As the confirmation of a new address does it."""
    User.objects.filter(id=user_id).update(email=new)
    emails.EmailAddress.objects.filter(user_id=user_id).update(email=new, verified=True)
    emails.changed(user_id=user_id, old=old, keep_session=None, now=timezone.now())


def links(message):
    return re.findall(r"/account/not-me/([\w-]+)/", message.body)


class TestAddressesOfBefore:
    OLD, NEW = "ann@example.org", "new@example.org"

    def test_the_change_is_told_to_both_each_with_a_link_of_its_own(self, ann):
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        by_address = {message.to[0]: message for message in mail.outbox}
        assert set(by_address) == {self.OLD, self.NEW}
        tokens = {address: links(message)[0] for address, message in by_address.items()}
        assert len(set(tokens.values())) == 2
        assert {NotMeLink.objects.get(token_hash=not_me._hash(token)).sent_to for token in tokens.values()} == {
            self.OLD, self.NEW,
        }  # fmt: skip
        not_me.use(token=tokens[self.OLD], now=timezone.now())
        assert not User.objects.get(id=ann).is_active, (
            "whoever has the old mailbox can stop a change that was not theirs"
        )

    def test_what_happens_after_it_is_told_to_the_new_address_alone(self, ann):
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        mail.outbox.clear()
        tell(ann, "accounts.logged_in_from_new_device")
        mailing.deliver(now=timezone.now())
        assert [message.to for message in mail.outbox] == [[self.NEW]]

    def test_what_happened_before_it_goes_to_whoever_had_the_account_then_and_has_no_link(self, ann):
        """The mail server was down; meanwhile the address was replaced."""
        tell(ann, "accounts.logged_in_from_new_device")
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        log_in = [message for message in mail.outbox if message.subject == "New log-in to your account"]
        assert [message.to for message in log_in] == [[self.OLD]]
        assert links(log_in[0]) == [], "the old mailbox has one link: that of the change"

    def test_a_secret_never_goes_to_an_address_that_was_replaced_meanwhile(self, ann, monkeypatch):
        from exchange.notifications import money_messages, registry

        made = []

        def make(event):
            made.append(event)
            return money_messages.withdrawal_confirmation(event.payload, token="secret", minutes=30)

        monkeypatch.setitem(registry._makers, "wallets.withdrawal_requested", make)
        tell(ann, "wallets.withdrawal_requested")
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        assert made == [] and not any("secret" in message.body for message in mail.outbox)
        assert Delivery.objects.get(kind="withdrawal_requested").state == "dropped"

    def test_the_old_mailbox_sees_the_word_it_knew_and_no_later_one(self, ann):
        mail_words.choose(user_id=ann, word="blue heron", now=timezone.now())
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        assert all("blue heron" in message.body for message in mail.outbox) and len(mail.outbox) == 2
        mail.outbox.clear()
        changed_by_customer(ann, self.NEW, self.OLD)
        mail_words.choose(user_id=ann, word="red fox", now=timezone.now())
        mailing.deliver(now=timezone.now())
        shown = {message.to[0]: "red fox" in message.body for message in mail.outbox}
        assert shown == {self.OLD: True, self.NEW: False}

    def test_that_it_is_frozen_and_open_again_is_told_to_whoever_froze_it(self, ann):
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        token = next(links(message)[0] for message in mail.outbox if message.to == [self.OLD])
        mail_words.choose(user_id=ann, word="red fox", now=timezone.now())
        mail.outbox.clear()
        not_me.use(token=token, now=timezone.now())
        freezing.lift(user_id=ann, reason="It was them.", actor_id=10**6, now=timezone.now())
        mailing.deliver(now=timezone.now())
        told = [message for message in mail.outbox if message.to == [self.OLD]]
        assert {message.subject for message in told} >= {"Your account is frozen", "Your account is open again"}
        assert not any(links(message) or "red fox" in message.body for message in told)

    def test_after_staff_have_looked_no_late_mail_brings_the_old_mailbox_a_link(self, ann):
        changed_by_customer(ann, self.OLD, self.NEW)
        from exchange.outbox import services as outbox

        outbox.deliver(now=timezone.now())
        freezing.freeze(user_id=ann, reason="x", now=timezone.now())
        freezing.lift(user_id=ann, reason="It was them.", actor_id=10**6, now=timezone.now())
        sending.send(of=sending.MAILS, now=timezone.now())
        (late,) = [m for m in mail.outbox if m.to == [self.OLD] and m.subject == "Your e-mail address was changed"]
        assert links(late) == []

    def test_a_thiefs_address_is_taken_away_before_the_account_is_opened(self, ann):
        """Opened first, the mail with the way back in would go to the thief."""
        changed_by_customer(ann, self.OLD, self.NEW)
        mailing.deliver(now=timezone.now())
        not_me.use(token=next(links(m)[0] for m in mail.outbox if m.to == [self.OLD]), now=timezone.now())
        boss = User.objects.create_superuser(email="boss@example.org", password="w" * 20).pk
        email_changes.propose(
            user_id=ann, email=self.OLD, reason="The documents agree.", actor_id=boss, now=timezone.now()
        )
        approve()
        mailing.deliver(now=timezone.now())
        mail.outbox.clear()
        freezing.lift(user_id=ann, reason="It was them.", actor_id=boss, now=timezone.now())
        mailing.deliver(now=timezone.now())
        told = [m for m in mail.outbox if m.subject == "Your account is open again"]
        assert [m.to for m in told] == [[self.OLD]]
