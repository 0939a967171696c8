"""A key for each person: made once, bound to him, and gone for good when it is destroyed, whatever backups say."""

import shutil
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from exchange.secrets import private_files, services, subjects
from exchange.secrets.models import SubjectKey

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
OLD, NEW = "11" * 31 + "22", "33" * 31 + "44"
ALICE, BOB = "customer:7", "customer:8"
LATER = datetime(2030, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.SECRETS_MASTER_KEY, settings.SECRETS_MASTER_KEYS_OLD = OLD, ""
    settings.SUBJECT_KEYS_DIR = str(tmp_path / "keys")
    return tmp_path / "keys"


def seal(subject=ALICE, plaintext=b"Ada Lovelace", context="application:1"):
    return subjects.seal(subject=subject, purpose="kyc", plaintext=plaintext, context=context, now=NOW)


def opened(sealed, subject=ALICE, context="application:1"):
    return subjects.open(subject=subject, purpose="kyc", sealed=sealed, context=context)


def test_it_opens_for_its_person_and_place_alone():
    sealed, others = seal(), seal(subject=BOB)
    assert opened(sealed) == b"Ada Lovelace"
    with pytest.raises(services.KeyMissing):
        opened(sealed, subject=BOB)
    with pytest.raises(services.SecretTampered):
        opened(sealed, context="application:2")
    assert opened(others, subject=BOB) == b"Ada Lovelace"
    assert SubjectKey.objects.count() == 2


def test_the_database_holds_no_key_and_the_files_hold_none_in_the_clear(folder):
    seal()
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) == 1
    assert oct(files[0].stat().st_mode & 0o777) == "0o600"
    key = subjects._key(SubjectKey.objects.get())
    assert key not in files[0].read_bytes()
    names = {field.name for field in SubjectKey._meta.get_fields()}
    assert names == {"id", "subject", "file", "created_at", "destroyed_at"}


@pytest.mark.django_db(transaction=True)
def test_what_was_sealed_with_a_destroyed_key_never_opens_again(folder):
    sealed = seal()
    with transaction.atomic():
        assert subjects.destroy(subject=ALICE, now=NOW) == 1
    assert not [file for file in folder.rglob("*") if file.is_file()]
    with pytest.raises(subjects.KeyDestroyed):
        opened(sealed)
    # He comes back later: a new key, and what the old one sealed stays shut.
    assert opened(seal(plaintext=b"new")) == b"new"
    with pytest.raises(subjects.KeyDestroyed):
        opened(sealed)


@pytest.mark.django_db(transaction=True)
def test_a_destroyed_key_whose_file_is_brought_back_still_does_not_open(folder, tmp_path):
    sealed = seal()
    shutil.copytree(folder, tmp_path / "copy")
    with transaction.atomic():
        subjects.destroy(subject=ALICE, now=NOW)
    shutil.copytree(tmp_path / "copy", folder, dirs_exist_ok=True)
    with pytest.raises(subjects.KeyDestroyed):
        opened(sealed)
    assert subjects.sweep(now=NOW) == 1
    assert not [file for file in folder.rglob("*") if file.is_file()]
    with pytest.raises(ProgrammingError, match="stays destroyed"):
        SubjectKey.objects.update(destroyed_at=None)


@pytest.mark.django_db(transaction=True)
def test_a_destruction_that_is_rolled_back_destroys_nothing():
    sealed = seal()
    with pytest.raises(RuntimeError), transaction.atomic():
        subjects.destroy(subject=ALICE, now=NOW)
        raise RuntimeError
    assert opened(sealed) == b"Ada Lovelace"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_key():
    start, sealed = threading.Barrier(6), []

    def work():
        start.wait()
        try:
            sealed.append(seal())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert SubjectKey.objects.count() == 1
    assert [opened(each) for each in sealed] == [b"Ada Lovelace"] * 6


def test_a_missing_key_file_is_said_and_never_made_anew(folder):
    sealed = seal()
    private_files.remove(folder, SubjectKey.objects.get().file)
    with pytest.raises(services.KeyMissing) as missing:
        opened(sealed)
    assert not isinstance(missing.value, subjects.KeyDestroyed)
    with pytest.raises(services.KeyMissing):
        seal(plaintext=b"more")


def test_somebody_elses_key_file_in_its_place_does_not_open(folder):
    sealed = seal()
    seal(subject=BOB)
    mine, his = SubjectKey.objects.get(subject=ALICE), SubjectKey.objects.get(subject=BOB)
    shutil.copy(private_files.path(folder, his.file), private_files.path(folder, mine.file))
    with pytest.raises(services.SecretTampered):
        opened(sealed)


def test_a_new_master_key_rewraps_the_files(settings, capsys):
    sealed = seal()
    settings.SECRETS_MASTER_KEY, settings.SECRETS_MASTER_KEYS_OLD = NEW, OLD
    call_command("secrets", "rewrap")
    assert "1 people's keys moved" in capsys.readouterr().out
    settings.SECRETS_MASTER_KEYS_OLD = ""
    assert opened(sealed) == b"Ada Lovelace"
    assert subjects.rewrap() == 0


def test_a_key_that_does_not_open_is_named_and_the_others_move(settings, folder, capsys):
    lost, sealed = seal(), seal(subject=BOB)
    private_files.remove(folder, SubjectKey.objects.get(subject=ALICE).file)
    settings.SECRETS_MASTER_KEY, settings.SECRETS_MASTER_KEYS_OLD = NEW, OLD
    with pytest.raises(
        CommandError, match=f"1 keys moved, 1 do not open, the first of {ALICE}. Keep the old master key"
    ):
        call_command("secrets", "rewrap")
    settings.SECRETS_MASTER_KEYS_OLD = ""
    assert opened(sealed, subject=BOB) == b"Ada Lovelace"
    with pytest.raises(services.KeyMissing):
        opened(lost)


def test_a_destroyed_key_that_an_old_copy_of_the_folder_brings_back_is_swept(folder):
    sealed, living = seal(), seal(subject=BOB)
    row = SubjectKey.objects.get(subject=ALICE)
    kept = private_files.read(folder, row.file)
    SubjectKey.objects.filter(pk=row.pk).update(destroyed_at=NOW)
    private_files.write(folder, row.file, kept)
    assert subjects.sweep(now=datetime.now(UTC)) == 1
    assert private_files.read(folder, row.file) is None
    with pytest.raises(subjects.KeyDestroyed):
        opened(sealed)
    assert opened(living, subject=BOB) == b"Ada Lovelace"


def test_what_a_killed_process_left_is_swept_and_nothing_else(folder):
    sealed = seal()
    orphan = uuid4()
    private_files.write(folder, orphan, b"x")
    half = folder / "ab" / f"{uuid4()}.new"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"half")
    assert subjects.sweep(now=datetime.now(UTC)) == 0  # it may belong to a transaction that is still open
    assert subjects.sweep(now=datetime.now(UTC) + timedelta(days=2)) == 2
    assert opened(sealed) == b"Ada Lovelace"


def test_a_path_is_built_from_a_uuid_alone(tmp_path):
    with pytest.raises(TypeError):
        private_files.path(tmp_path, "../../etc/passwd")
    name = uuid4()
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    link = private_files.path(tmp_path / "keys", name)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        private_files.read(tmp_path / "keys", name)


def test_without_a_folder_nothing_is_sealed(settings):
    settings.SUBJECT_KEYS_DIR = ""
    with pytest.raises(ImproperlyConfigured):
        seal()
