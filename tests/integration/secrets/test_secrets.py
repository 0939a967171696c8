"""Envelope encryption against the real database: rotation, a new master key, and tampering by SQL."""

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from exchange.secrets import services
from exchange.secrets.models import DataKey

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
OLD, NEW = "11" * 31 + "22", "33" * 31 + "44"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def master(settings):
    settings.SECRETS_MASTER_KEY = OLD
    settings.SECRETS_MASTER_KEYS_OLD = ""


def seal(plaintext=b"seed", purpose="totp", context="user:1"):
    return services.seal(purpose=purpose, plaintext=plaintext, context=context)


def opened(sealed, purpose="totp", context="user:1"):
    return services.open(purpose=purpose, sealed=sealed, context=context)


def test_a_sealed_secret_opens_for_its_purpose_and_context_alone():
    sealed = seal()
    assert opened(sealed) == b"seed"
    assert opened(memoryview(sealed)) == b"seed"  # as a BinaryField gives it
    with pytest.raises(services.SecretTampered):
        opened(sealed, context="user:2")
    seal(purpose="api_key")
    with pytest.raises(services.KeyMissing):
        opened(sealed, purpose="api_key")


def test_the_database_holds_neither_secret_nor_key_in_the_clear():
    sealed = seal(b"a very recognisable secret")
    assert b"recognisable" not in sealed
    key = services._unwrap(DataKey.objects.get())
    assert key not in bytes(DataKey.objects.get().wrapped)


def test_each_purpose_has_a_key_of_its_own_made_once():
    seal(), seal(), seal(purpose="api_key")
    assert sorted(DataKey.objects.values_list("purpose", "version")) == [("api_key", 1), ("totp", 1)]


def test_rotation_seals_with_a_new_key_and_still_opens_with_the_old():
    before = seal()
    assert services.rotate(purpose="totp", now=NOW) == 2
    after = seal()
    assert before[1:9] != after[1:9]
    assert opened(before) == opened(after) == b"seed"
    renewed = services.reseal(purpose="totp", sealed=before, context="user:1")
    assert renewed[1:9] == after[1:9] and opened(renewed) == b"seed"


def test_a_new_master_key_opens_after_the_keys_were_wrapped_again(settings):
    sealed = seal()
    settings.SECRETS_MASTER_KEY = NEW
    with pytest.raises(services.KeyMissing):
        opened(sealed)
    settings.SECRETS_MASTER_KEYS_OLD = OLD
    assert opened(sealed) == b"seed"
    assert services.rewrap() == 1
    settings.SECRETS_MASTER_KEYS_OLD = ""
    assert opened(sealed) == b"seed"
    assert services.rewrap() == 0


def test_a_data_key_changed_in_the_database_is_noticed():
    sealed = seal()
    DataKey.objects.update(version=9)
    with pytest.raises(services.SecretTampered):
        opened(sealed)


def test_the_runtime_role_cannot_delete_a_key():
    seal()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("DELETE FROM secrets_data_key")


@pytest.mark.parametrize("key", ["", "abc", "zz" * 32, "11" * 16, "not base64 ☃"])
def test_a_master_key_that_is_none_is_refused_without_being_shown(settings, key):
    settings.SECRETS_MASTER_KEY = key
    with pytest.raises(ImproperlyConfigured) as refusal:
        seal()
    assert not key or key not in str(refusal.value)


def test_the_deployment_check_refuses_a_key_that_everybody_knows(settings):
    services.check_master_key()
    settings.SECRETS_MASTER_KEY = "00" * 32
    with pytest.raises(ImproperlyConfigured, match="openssl rand"):
        services.check_master_key()


def test_the_command_shows_versions_and_rotates(capsys):
    seal()
    call_command("secrets", "rotate", "totp")
    call_command("secrets", "status")
    out = capsys.readouterr().out
    assert "totp v1: opens only" in out and "totp v2: seals" in out


@pytest.mark.django_db(transaction=True)
def test_processes_that_need_the_first_key_at_once_agree_on_one():
    start, sealed = Barrier(8), []

    def run():
        start.wait()
        try:
            sealed.append(seal())
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [opened(s) for s in sealed] == [b"seed"] * 8
    assert DataKey.objects.count() == 1
