"""Closing an account and taking the data along: what is refused, what goes out, and to whom."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exchange.accounts import registry
from exchange.accounts.models import Closure, Export, ExportPiece, User
from exchange.accounts.services import closing, customers, exporting, staff
from exchange.audit.models import Record
from exchange.core.ids import uuid7
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, holds, reversals, transfers
from exchange.secrets.services import SecretTampered
from tests import mailing
from tests.factors import give_factor, log_in_staff, step_up

PASSWORD = "correct horse battery"
BACKEND = "django.contrib.auth.backends.ModelBackend"
BTC = 1

pytestmark = pytest.mark.django_db


def opened(name):
    return customers.open(email=f"{name}@example.org", password=PASSWORD, email_verified=True, now=timezone.now())


@pytest.fixture
def alice():
    return opened("alice")


def browser(user_id, *, confirmed=True):
    give_factor(user_id)
    client = Client()
    client.force_login(User.objects.get(id=user_id), backend=BACKEND)
    if confirmed:
        step_up(client, user_id)
    return client


def fund(user_id, amount, asset_id=BTC):
    now = timezone.now()
    outside = accounts.open(kind="chain_wallet", asset_id=asset_id, label="test", now=now)
    own = accounts.open_customer(owner_id=user_id, asset_ids=[asset_id], now=now)[asset_id]
    entries = (Entry(outside, -amount), Entry(own, amount))
    transfers.post(transfers=[Transfer(id=uuid7(), kind="deposit", entries=entries)], now=now)
    return own


def delivered():
    mail.outbox.clear()
    mailing.deliver(now=timezone.now())
    return list(mail.outbox)


class TestClosing:
    def test_it_ends_the_log_in_keeps_the_row_and_is_told(self, alice, monkeypatch):
        ended = []
        monkeypatch.setattr(registry, "_ended", [lambda user_id, now: ended.append(user_id)])
        client, elsewhere = browser(alice), browser(alice)
        page = client.post(reverse("site:close_account"), {"sure": "yes"})
        assert page.status_code == 200 and "is closed" in page.content.decode()
        for each in (client, elsewhere):
            assert each.get(reverse("site:wallet")).status_code == 302
        client.post(reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD})
        assert "_auth_user_id" not in client.session
        assert ended == [alice] and User.objects.filter(id=alice, is_active=False).exists()
        assert Record.objects.filter(action="account.close", actor_id=alice).exists()
        told = next(m for m in delivered() if m.subject == "Your account is closed")
        assert told.to == ["alice@example.org"] and "/account/not-me/" in told.body

    def test_it_needs_the_second_factor_the_box_and_a_post(self, alice):
        thief = browser(alice, confirmed=False)
        assert "reauthenticate" in thief.post(reverse("site:close_account"), {"sure": "yes"}).url
        owner = browser(alice)
        assert owner.get(reverse("site:close_account"), {"sure": "yes"}).status_code == 200
        assert owner.post(reverse("site:close_account")).status_code == 409
        assert not Closure.objects.exists() and User.objects.get(id=alice).is_active

    @pytest.mark.parametrize("left", ["balance", "held", "debt"])
    def test_it_is_refused_while_money_is_left(self, alice, left):
        now = timezone.now()
        if left == "debt":
            outside = accounts.open(kind="chain_wallet", asset_id=BTC, label="test", now=now)
            fund(opened("carol"), 10)  # what the house holds for others
            reversals.take_back(
                id=uuid7(), owner_id=alice, asset_id=BTC, amount=5, against_account_id=outside, kind="reversal",
                reference="test", now=now,
            )  # fmt: skip
        else:
            account_id = fund(alice, 1)
            if left == "held":
                holds.place(id=uuid7(), account_id=account_id, amount=1, now=now, reference="test")
        with pytest.raises(closing.AccountNotClosable) as refused:
            closing.close(user_id=alice, now=now)
        assert len(refused.value.reasons) == 1 and refused.value.status == 409
        page = browser(alice).post(reverse("site:close_account"), {"sure": "yes"})
        assert page.status_code == 409 and refused.value.reasons[0][:20] in page.content.decode()
        assert User.objects.get(id=alice).is_active

    @pytest.mark.parametrize("room", ["orders", "withdrawals", "deposits", "bank", "invoices"])
    def test_every_room_has_a_say_and_all_reasons_are_told(self, alice, room, monkeypatch):
        assert room in registry._hindrances
        monkeypatch.setitem(registry._hindrances, room, lambda user_id, now: f"Something of {room} is left.")
        fund(alice, 1)
        with pytest.raises(closing.AccountNotClosable) as refused:
            closing.close(user_id=alice, now=timezone.now())
        assert f"Something of {room} is left." in refused.value.reasons and len(refused.value.reasons) == 2

    def test_a_withdrawal_and_a_bank_transfer_under_way_are_seen(self, alice):
        from exchange.fiat.models import BankDeposit
        from exchange.site import taking_along
        from wallets.models import Deposit

        now = timezone.now()
        BankDeposit.objects.create(
            user_id=alice, asset_id=5, reference="BOURSE-1", announced=100, state="announced", created_at=now,
            transfer_id=uuid7(),
        )  # fmt: skip
        assert taking_along._bank_transfers(alice, now) and not taking_along._deposits_under_way(alice, now)
        assert not taking_along._withdrawals_under_way(alice, now) and not taking_along._open_orders(alice, now)
        assert Deposit.objects.count() == 0

    def test_staff_open_it_again_with_a_reason(self, alice):
        closing.close(user_id=alice, now=timezone.now())
        with pytest.raises(closing.AccountClosed):
            closing.close(user_id=alice, now=timezone.now())
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        client = Client()
        log_in_staff(client, boss)
        row = Closure.objects.get()
        page = reverse("admin:accounts_closure_change", args=[row.id])
        assert client.post(page, {"reopen_reason": ""}).status_code == 200
        assert not User.objects.get(id=alice).is_active
        assert client.post(page, {"reopen_reason": "Wrote to us."}).status_code == 302
        assert User.objects.get(id=alice).is_active
        record = Record.objects.get(action="account.reopen")
        assert (record.actor_id, record.after["reason"]) == (boss, "Wrote to us.")
        back = Client()
        back.post(reverse("account_login"), {"login": "alice@example.org", "password": PASSWORD})
        assert "_auth_user_id" in back.session

    def test_staff_do_not_close_themselves(self):
        boss = staff.open(email="boss@example.org", password=PASSWORD, superuser=True, now=timezone.now())
        with pytest.raises(closing.AccountNotClosable):
            closing.close(user_id=boss, now=timezone.now())


def made(user_id, now=None):
    now = now or timezone.now()
    export_id = exporting.request(user_id=user_id, now=now)
    assert exporting.make(export_id=export_id, now=now)
    return export_id


def unzipped(user_id, export_id):
    download = exporting.open_download(user_id=user_id, export_id=export_id, now=timezone.now())
    data = b"".join(download)
    assert len(data) == download.size
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return {name: json.loads(archive.read(name)) for name in archive.namelist()}


class TestExport:
    def test_it_holds_every_room_s_part_and_nobody_else_s(self, alice):
        carol = opened("carol")
        fund(alice, 123_456_789)
        fund(carol, 987_654_321)
        found = unzipped(alice, made(alice))
        assert {
            "about.json", "profile.json", "log_ins.json", "orders.json", "fills.json", "deposits.json", "withdrawals.json",
            "ledger_entries.json", "deposit_addresses.json", "address_list.json", "verification.json", "balances.json",
        } <= set(found)  # fmt: skip
        assert found["profile.json"][0]["email"] == "alice@example.org"
        (entry,) = found["ledger_entries.json"]
        assert (entry["amount"], entry["asset"]) == ("1.23456789", "BTC")
        text = json.dumps(found)
        assert "carol" not in text and "9.87654321" not in text

    def test_no_secret_is_in_it(self, alice):
        secret = give_factor(alice)
        text = json.dumps(unzipped(alice, made(alice)))
        user = User.objects.get(id=alice)
        assert user.password not in text and secret not in text and "secret" not in text.replace("second_factors", "")

    def test_it_is_sealed_at_rest_for_its_owner_and_place(self, alice, monkeypatch):
        monkeypatch.setattr(exporting, "PIECE_BYTES", 500)
        export_id = made(alice)
        pieces = list(ExportPiece.objects.filter(export_id=export_id).order_by("number"))
        assert len(pieces) > 2
        assert not any(b"profile.json" in bytes(p.sealed) or b"PK\x03\x04" in bytes(p.sealed) for p in pieces)
        first, second = bytes(pieces[0].sealed), bytes(pieces[1].sealed)
        ExportPiece.objects.filter(id=pieces[0].id).update(sealed=second)
        ExportPiece.objects.filter(id=pieces[1].id).update(sealed=first)
        with pytest.raises(SecretTampered):
            unzipped(alice, export_id)

    def test_a_cut_end_is_noticed(self, alice, monkeypatch):
        monkeypatch.setattr(exporting, "PIECE_BYTES", 500)
        export_id = made(alice)
        row = Export.objects.get(id=export_id)
        ExportPiece.objects.filter(export_id=export_id, number=row.pieces - 1).delete()
        Export.objects.filter(id=export_id).update(pieces=row.pieces - 1)
        with pytest.raises(SecretTampered):
            unzipped(alice, export_id)

    def test_nobody_downloads_another_s(self, alice):
        export_id = made(alice)
        mallory = browser(opened("mallory"))
        assert mallory.get(reverse("site:download_export", args=[export_id])).status_code == 404
        with pytest.raises(exporting.ExportNotFound):
            exporting.open_download(user_id=10**6, export_id=export_id, now=timezone.now())
        assert Export.objects.get(id=export_id).downloaded_at is None

    def test_its_owner_does_after_the_factor_was_shown(self, alice):
        export_id = made(alice)
        link = reverse("site:download_export", args=[export_id])
        assert "reauthenticate" in browser(alice, confirmed=False).get(link).url
        answer = browser(alice).get(link)
        assert answer["Content-Type"] == "application/zip" and "no-store" in answer["Cache-Control"]
        data = b"".join(answer.streaming_content)
        assert int(answer["Content-Length"]) == len(data) and zipfile.ZipFile(io.BytesIO(data)).testzip() is None
        assert Record.objects.filter(action="export.download", subject=f"user:{alice}").exists()

    def test_one_a_day_and_gone_after_a_week(self, alice):
        now = timezone.now()
        export_id = made(alice, now)
        with pytest.raises(exporting.ExportTooSoon):
            exporting.request(user_id=alice, now=now + timedelta(hours=23))
        page = browser(alice).post(reverse("site:request_export"), follow=True)
        assert "ask again" in page.content.decode()
        assert exporting.request(user_id=alice, now=now + timedelta(hours=25))
        late = now + timedelta(days=7, seconds=1)
        with pytest.raises(exporting.ExportNotFound):
            exporting.open_download(user_id=alice, export_id=export_id, now=late)
        assert exporting.expire(now=late) == 1
        assert not ExportPiece.objects.filter(export_id=export_id).exists()

    def test_its_owner_is_told_when_it_is_there_and_the_mail_opens_nothing(self, alice):
        made(alice)
        told = next(m for m in delivered() if m.subject == "Your data is ready")
        assert told.to == ["alice@example.org"] and "/account/export/" in told.body
        assert Client().get(reverse("site:export")).status_code == 302

    def test_a_part_that_fails_leaves_nothing_and_is_tried_again_then_given_up(self, alice, monkeypatch):
        def broken(user_id):
            yield {"fine": 1}
            raise RuntimeError("the room is on fire")

        monkeypatch.setitem(registry._parts, "zz_broken", broken)
        now = timezone.now()
        export_id = exporting.request(user_id=alice, now=now)
        for _ in range(exporting.ATTEMPTS_MAX):
            assert not exporting.make(export_id=export_id, now=now)
            assert not ExportPiece.objects.exists()
        assert Export.objects.get(id=export_id).state == "requested"
        exporting.make(export_id=export_id, now=now)
        assert Export.objects.get(id=export_id).state == "failed"
        assert any(m.subject == "Your data could not be gathered" for m in delivered())
        monkeypatch.delitem(registry._parts, "zz_broken")
        with pytest.raises(exporting.ExportTooSoon):  # it took as much work as one that was made
            exporting.request(user_id=alice, now=now + timedelta(hours=23))
        assert made(alice, now + timedelta(hours=25))

    def test_a_long_history_takes_no_memory(self, alice, monkeypatch):
        """Forty megabytes of rows go through with a few of memory."""
        row = {"text": "x" * 1_000}

        def long(user_id):
            for number in range(40_000):
                yield {**row, "number": number, "noise": f"{number * 2654435761 % 2**32:x}"}

        monkeypatch.setitem(registry._parts, "long", long)
        export_id = exporting.request(user_id=alice, now=timezone.now())
        tracemalloc.start()
        try:
            assert exporting.make(export_id=export_id, now=timezone.now())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 12_000_000

    def test_parts_are_read_page_by_page(self, alice, monkeypatch):
        from exchange.site import taking_along

        monkeypatch.setattr(taking_along, "PAGE", 2)
        for amount in range(1, 6):
            fund(alice, amount)
        found = [row["amount"] for row in taking_along._entries(alice)]
        assert found == ["0.00000005", "0.00000004", "0.00000003", "0.00000002", "0.00000001"]
