"""Documents go for good: from disk, from every backup's reach, at their time and not before; and nothing is lost or left over
when a process is killed in the middle."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from exchange.accounts import registry
from exchange.accounts.models import Export, ExportPiece
from exchange.accounts.services import customers, exporting
from exchange.audit.models import Record
from exchange.outbox.models import Event
from exchange.secrets import private_files, services, subjects
from exchange.secrets.models import SubjectKey
from kyc import application_selectors, checks, sealing, selectors
from kyc.models import Application, Document
from kyc.services import applications, documents, erasing, expiring, reviewing
from tests.verification import NOW, PERSON, approved, filled, picture, submitted

ALICE, BOB = 7, 8
ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


def rejected(user_id, now=NOW):
    application = submitted(user_id, now=now)
    reviewing.reject(
        application_id=application.id, actor_id=91, seen=application.version, reasons=["cannot_verify"], now=now
    )
    return Application.objects.get(id=application.id)


def years(count):
    return NOW.replace(year=NOW.year + count)


def files(folder):
    return [file for file in Path(folder).rglob("*") if file.is_file()]


@pytest.mark.django_db(transaction=True)
def test_after_an_erasure_a_backup_of_files_and_database_opens_to_nobody(identity_desk, settings):
    """The attacker has the documents and the rows as they were, and even the master key. The keys are in no backup."""
    application = rejected(ALICE)
    document = application.documents.first()
    backup = identity_desk / "backup"
    shutil.copytree(settings.KYC_DOCUMENTS_DIR, backup)
    rows = list(Application.objects.values("id", "sealed")), list(SubjectKey.objects.values())
    assert sealing.words(application) == PERSON
    assert sealing.picture(document.id, user_id=ALICE).startswith(b"\xff\xd8\xff")

    erasing.erase(user_id=ALICE, reason="time is over", actor_id=None, now=years(6))

    assert files(settings.KYC_DOCUMENTS_DIR) == [] and files(settings.SUBJECT_KEYS_DIR) == []
    # Everything that was backed up comes back, as it was.
    shutil.copytree(backup, settings.KYC_DOCUMENTS_DIR, dirs_exist_ok=True)
    sealed = bytes(rows[0][0]["sealed"])
    for key in rows[1]:
        old = SubjectKey(**{**key, "destroyed_at": None})
        with pytest.raises(services.KeyMissing):
            subjects._key(old)
    with pytest.raises(services.KeyMissing):
        subjects.open(subject=f"customer:{ALICE}", purpose=sealing.WORDS, sealed=sealed, context=str(application.id))
    with pytest.raises(sealing.DocumentGone):
        sealing.picture(document.id, user_id=ALICE)
    for file in files(settings.KYC_DOCUMENTS_DIR):
        assert b"\xff\xd8\xff" not in file.read_bytes()[:64]


def with_a_copy(name="ada"):
    """A customer whose words are in a copy of his data that he could download."""
    user_id = customers.open(email=f"{name}@example.org", password="correct horse battery", now=NOW)
    rejected(user_id)
    export_id = exporting.request(user_id=user_id, now=NOW)
    assert exporting.make(export_id=export_id, now=NOW)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(opened(user_id, export_id))))
    assert b"Lovelace" in archive.read("verification.json")
    return user_id, export_id


def _as_backed_up(key):
    key.destroyed_at = None
    return key


def opened(user_id, export_id):
    return exporting.open_download(user_id=user_id, export_id=export_id, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_an_erasure_takes_the_copies_of_his_data_along():
    (user_id, export_id), (other, others) = with_a_copy(), with_a_copy("charles")
    erasing.erase(user_id=user_id, reason="court order", actor_id=91, despite_retention=True, now=NOW)
    assert set(ExportPiece.objects.values_list("export_id", flat=True)) == {others}
    assert Export.objects.get(id=export_id).state == "expired"
    with pytest.raises(exporting.ExportNotFound):
        opened(user_id, export_id)
    assert b"".join(opened(other, others))
    assert Record.objects.get(action="kyc.erase").after["copies"] == 1


@pytest.mark.django_db(transaction=True)
def test_a_copy_in_a_backup_opens_to_nobody_after_the_erasure(monkeypatch):
    """Its rows come back as they were, with the row of the key; the master key is in hand."""
    user_id, export_id = with_a_copy()
    pieces, row = list(ExportPiece.objects.all()), Export.objects.get()
    erasing.erase(user_id=user_id, reason="court order", actor_id=91, despite_retention=True, now=NOW)
    ExportPiece.objects.bulk_create(pieces)
    row.save()
    with pytest.raises(exporting.ExportNotFound):
        opened(user_id, export_id)
    monkeypatch.setattr(subjects, "_key", lambda key, real=subjects._key: real(_as_backed_up(key)))
    with pytest.raises(services.KeyMissing):
        exporting.Download(row).piece(0)
    for piece in pieces:
        context = exporting._context(row, piece.number, last=piece.number == row.pieces - 1)
        with pytest.raises((services.KeyMissing, services.SecretTampered)):
            services.open(purpose="export", sealed=bytes(piece.sealed), context=context)


@pytest.mark.django_db(transaction=True)
def test_a_copy_that_is_being_made_keeps_nothing_of_what_is_forgotten_meanwhile(monkeypatch):
    user_id = customers.open(email="ada@example.org", password="correct horse battery", now=NOW)
    rejected(user_id)

    def forgotten_after(asked):
        yield from application_selectors.export(asked)
        if Application.objects.filter(user_id=asked, erased_at=None).exists():
            erasing.erase(user_id=asked, reason="court order", actor_id=91, despite_retention=True, now=NOW)

    monkeypatch.setitem(registry._parts, "verification", forgotten_after)
    export_id = exporting.request(user_id=user_id, now=NOW)
    assert not exporting.make(export_id=export_id, now=NOW)
    assert not ExportPiece.objects.exists() and not SubjectKey.objects.filter(destroyed_at=None).exists()
    assert exporting.make(export_id=export_id, now=NOW)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(opened(user_id, export_id))))
    assert b"Lovelace" not in archive.read("verification.json")


@pytest.mark.django_db(transaction=True)
def test_a_copy_asked_for_before_and_made_after_is_made_of_what_is_left():
    user_id = customers.open(email="ada@example.org", password="correct horse battery", now=NOW)
    rejected(user_id)
    export_id = exporting.request(user_id=user_id, now=NOW)
    erasing.erase(user_id=user_id, reason="court order", actor_id=91, despite_retention=True, now=NOW)
    assert exporting.make(export_id=export_id, now=NOW)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(opened(user_id, export_id))))
    assert b"Lovelace" not in archive.read("verification.json") and b"ada@example.org" in archive.read("profile.json")


@pytest.mark.django_db(transaction=True)
def test_no_backup_of_the_database_holds_a_key(settings, owner_connection):
    rejected(ALICE)
    key = subjects._key(SubjectKey.objects.get())
    stored = files(settings.SUBJECT_KEYS_DIR)[0].read_bytes()
    with owner_connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT coalesce(string_agg(row::text, ''), '') FROM \"{table}\" row")
            text = cursor.fetchone()[0]
            assert key.hex() not in text and stored[16:].hex() not in text, table


@pytest.mark.django_db(transaction=True)
def test_one_customers_erasure_leaves_the_others_alone():
    first, second = rejected(ALICE), rejected(BOB)
    erasing.erase(user_id=ALICE, reason="time is over", actor_id=None, now=years(6))
    assert sealing.words(Application.objects.get(id=second.id)) == PERSON
    assert sealing.picture(second.documents.first().id, user_id=BOB)
    row = Application.objects.get(id=first.id)
    assert (row.sealed, row.message, row.erased_at) == (None, "", years(6))
    assert sealing.words(row) == {}


def test_not_before_its_time_and_not_while_it_is_needed():
    rejected(ALICE)
    with pytest.raises(erasing.NotYetErasable, match="5 years from 2026-11-20"):
        erasing.erase(user_id=ALICE, reason="asked", actor_id=91, now=years(5) - timedelta(days=1))
    assert erasing.due(now=years(5) - timedelta(days=1)) == []
    assert erasing.due(now=years(5)) == [ALICE]
    approved(BOB)
    with pytest.raises(erasing.NotYetErasable, match="a level rests on one"):
        erasing.erase(user_id=BOB, reason="asked", actor_id=91, despite_retention=True, now=years(50))
    assert erasing.due(now=years(50)) == [ALICE]


def test_a_second_try_keeps_the_first_ones_documents_as_long():
    rejected(ALICE)
    submitted(ALICE, now=years(3))
    assert erasing.due(now=years(9)) == []


def test_a_duty_to_erase_goes_before_with_a_name_and_a_reason(capsys):
    rejected(ALICE, now=timezone.now())
    with pytest.raises(CommandError, match="has to be kept"):
        call_command("kyc", "erase", "--user", str(ALICE), "--reason", "court order 12")
    call_command(
        "kyc", "erase", "--user", str(ALICE), "--reason", "court order 12", "--actor", "91", "--despite-retention"
    )
    assert "the key is destroyed, 2 pictures are gone" in capsys.readouterr().out
    record = Record.objects.get(action="kyc.erase")
    assert (record.actor_id, record.after["reason"], record.after["keys"]) == (91, "court order 12", 1)
    with pytest.raises(CommandError):
        call_command("kyc", "erase", "--user", str(BOB), "--reason", " ")
    call_command("kyc", "status")
    assert "nobody" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_the_task_erases_who_is_due_and_he_may_come_again():
    rejected(ALICE)
    assert erasing.erase_due(now=years(5)) == 1
    assert erasing.erase_due(now=years(5)) == 0
    again = submitted(ALICE, now=years(5))
    assert sealing.words(again) == PERSON


@pytest.mark.django_db(transaction=True)
def test_an_erasure_that_is_killed_halfway_opens_nothing_and_is_finished_by_the_sweep(monkeypatch, settings):
    application = rejected(ALICE)
    document = application.documents.first()
    monkeypatch.setattr(private_files, "remove", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        erasing.erase(user_id=ALICE, reason="time is over", actor_id=None, now=years(6))
    monkeypatch.undo()
    settings.KYC_FIRST_LEVEL = 1
    assert files(settings.SUBJECT_KEYS_DIR) != []
    with pytest.raises(sealing.DocumentGone):
        sealing.picture(document.id, user_id=ALICE)
    later = datetime.now(UTC) + timedelta(days=2)
    assert sealing.sweep(now=later) + subjects.sweep(now=later) == 3
    assert files(settings.KYC_DOCUMENTS_DIR) == [] and files(settings.SUBJECT_KEYS_DIR) == []


KILLED = """
import json, os, signal, sys
import django
django.setup()
from datetime import datetime, UTC
from uuid import UUID
from kyc.models import Document
from kyc.services import documents
from tests.verification import picture
told = json.loads(sys.argv[1])
def die(*args, **named):
    os.kill(os.getpid(), signal.SIGKILL)
if told["at"] == "row":
    Document.objects.create = die
documents.sealing.private_files.os.fsync = die if told["at"] == "file" else os.fsync
documents.upload(user_id=7, application_id=UUID(told["id"]), kind="selfie", data=picture(), now=datetime.now(UTC))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["file", "row"])
def test_killed_between_file_and_row_nothing_is_half_there(settings, point):
    """A real process dies by SIGKILL; what it left is no document, and goes with the sweep."""
    application = applications.start(user_id=ALICE, level=2, now=NOW)
    applications.describe(user_id=ALICE, application_id=application.id, told=PERSON, now=NOW)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "KYC_DOCUMENTS_DIR": settings.KYC_DOCUMENTS_DIR,
        "SUBJECT_KEYS_DIR": settings.SUBJECT_KEYS_DIR,
        "SECRETS_MASTER_KEY": settings.SECRETS_MASTER_KEY,
    }
    told = json.dumps({"id": str(application.id), "at": point})
    ran = subprocess.run([sys.executable, "-c", KILLED, told], cwd=ROOT, env=environment, timeout=250)
    assert ran.returncode == -signal.SIGKILL
    left = [file for file in files(settings.KYC_DOCUMENTS_DIR) if file.suffix != ".new"]
    assert len(left) == (1 if point == "row" else 0)
    assert Document.objects.count() == 0
    assert Application.objects.get().version == application.version + 1  # the words alone
    assert sealing.sweep(now=timezone.now()) == 0  # perhaps its transaction is still open
    sealing.sweep(now=timezone.now() + timedelta(days=2))
    assert files(settings.KYC_DOCUMENTS_DIR) == []
    documents.upload(user_id=ALICE, application_id=application.id, kind="selfie", data=picture(), now=NOW)
    assert Document.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_sweep_leaves_what_has_a_row(settings):
    application = filled(ALICE)
    private_files.write(sealing.folder(), uuid4(), b"orphan")
    assert sealing.sweep(now=timezone.now() + timedelta(days=2)) == 1
    assert all(sealing.picture(each.id, user_id=ALICE) for each in application.documents.all())


def test_files_are_sealed_private_and_bound_to_their_document(settings):
    application = filled(ALICE)
    first, second = application.documents.all()
    for file in files(settings.KYC_DOCUMENTS_DIR):
        data = file.read_bytes()
        assert b"JFIF" not in data and not data.startswith(b"\xff\xd8\xff")
        assert oct(file.stat().st_mode & 0o777) == "0o600"
        assert oct(file.parent.stat().st_mode & 0o777) == "0o700"
    shutil.copy(private_files.path(sealing.folder(), first.id), private_files.path(sealing.folder(), second.id))
    with pytest.raises(services.SecretTampered):
        sealing.picture(second.id, user_id=ALICE)


def test_a_level_is_warned_about_then_ends_and_can_be_renewed_before():
    first = approved(ALICE)
    assert first.expires_at == NOW + timedelta(days=1095)
    assert expiring.run(now=first.expires_at - timedelta(days=31)) == (0, 0, 0)
    assert expiring.warn_due(now=first.expires_at - timedelta(days=30)) == 1
    assert expiring.warn_due(now=first.expires_at - timedelta(days=29)) == 0
    assert expiring.warn_due(now=first.expires_at - timedelta(days=7)) == 1
    assert Event.objects.filter(topic="kyc.application_ending").count() == 2
    second = approved(ALICE, now=first.expires_at - timedelta(days=5))
    assert Application.objects.get(id=first.id).state == "expired"
    assert expiring.run(now=first.expires_at + timedelta(days=1)) == (0, 0, 0)
    assert selectors.level(ALICE).number == 2
    assert second.expires_at == first.expires_at + timedelta(days=1090)


def test_a_level_that_is_not_renewed_ends_with_those_above_it():
    first = approved(ALICE)
    approved(ALICE, 3, now=NOW + timedelta(days=100))
    expiring.run(now=first.expires_at - timedelta(days=7))
    assert expiring.run(now=first.expires_at) == (0, 1, 0)
    assert selectors.level(ALICE).number == 1
    assert Event.objects.filter(topic="kyc.application_expired").count() == 1
    assert Record.objects.filter(action="kyc.lapse").count() == 1


def test_no_level_ends_without_a_notice_though_the_worker_slept_over_it():
    first = approved(ALICE)
    late = first.expires_at + timedelta(days=40)
    assert expiring.run(now=late) == (0, 0, 0)
    assert Event.objects.filter(topic="kyc.application_ending").count() == 1
    assert selectors.level(ALICE).number == 2
    assert expiring.run(now=late + timedelta(days=6)) == (0, 0, 0)
    assert expiring.run(now=late + timedelta(days=7)) == (0, 1, 0)
    assert selectors.level(ALICE).number == 1


def test_keys_and_documents_may_not_lie_in_one_another(settings, tmp_path):
    assert checks.folders_apart() == []
    for keys, pictures in (("a", "a"), ("a/keys", "a"), ("a", "a/pictures"), ("a/../a/keys", "a")):
        settings.SUBJECT_KEYS_DIR, settings.KYC_DOCUMENTS_DIR = str(tmp_path / keys), str(tmp_path / pictures)
        assert [each.id for each in checks.folders_apart()] == ["kyc.E001"]


def test_a_customers_export_holds_his_words_and_no_picture():
    approved(ALICE)
    (row,) = application_selectors.export(ALICE)
    assert (row["told"], row["state"], len(row["pictures"])) == (PERSON, "approved", 2)
    assert list(application_selectors.export(BOB)) == []
    assert json.loads(json.dumps(row)) == row
