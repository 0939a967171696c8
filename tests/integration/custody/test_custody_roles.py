"""Who can do what: the signer's role writes answers and nothing else; the web side has no way to the keys."""

import os
import re
import subprocess
import sys

import psycopg2
import pytest

from exchange.core.ids import uuid7

from .conftest import ROOT

# What only reads privileges shares a database; what commits jobs has one of its own.
pytestmark = pytest.mark.django_db
COMMITS = pytest.mark.django_db(transaction=True)
MAY_INSERT = {
    "custody_signature": {"job_id", "raw", "txid", "signed_at", "signer_pid"},
    "custody_refusal": {"job_id", "code", "reason", "refused_at", "signer_pid"},
}
MAY_READ = {"custody_signing_job", "wallets_withdrawal"}


def as_role(url, statement, parameters=()):
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_the_signers_role_has_no_other_privilege_on_any_table(owner_connection):
    with owner_connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        )
        tables = [row[0] for row in cursor.fetchall()]
        assert {"custody_signature", "wallets_withdrawal"} < set(tables)
        for table in tables:
            for privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
                cursor.execute("SELECT has_table_privilege('bourse_signer', %s, %s)", [table, privilege])
                assert cursor.fetchone() == (False,), (table, privilege)
            cursor.execute("SELECT has_table_privilege('bourse_signer', %s, 'SELECT')", [table])
            assert cursor.fetchone() == (table in MAY_READ,), table
            for privilege, allowed in (("INSERT", MAY_INSERT), ("UPDATE", {})):
                cursor.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                    " AND has_column_privilege('bourse_signer', attrelid, attnum, %s)",
                    [table, privilege],
                )
                assert {row[0] for row in cursor.fetchall()} == allowed.get(table, set()), (table, privilege)
        cursor.execute(
            "SELECT relname FROM pg_class"
            " WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege('bourse_signer', oid, 'USAGE, UPDATE') END"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = 'bourse_signer'")
        assert cursor.fetchone() == (False,)
        cursor.execute("SELECT count(*) FROM pg_auth_members WHERE member = 'bourse_signer'::regrole")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT has_schema_privilege('bourse_signer', 'public', 'CREATE')")
        assert cursor.fetchone() == (False,)


NOT_FOR_THE_SIGNER = [
    "UPDATE ledger_account SET balance = balance + 1",
    "INSERT INTO ledger_transfer SELECT * FROM ledger_transfer",
    "DELETE FROM wallets_withdrawal",
    "UPDATE wallets_withdrawal SET state = 'signing'",
    "INSERT INTO custody_signing_job (id, network, kind, unsigned, digest, reference, requested_at)"
    " VALUES (gen_random_uuid(), 'bitcoin', 'payout', '{}', '', '', now())",
    "UPDATE custody_signature SET raw = ''",
    "DELETE FROM custody_refusal",
    "SELECT raw FROM custody_signature",
    "SELECT email FROM accounts_user",
    "CREATE TABLE public.mine (id int)",
    "SET ROLE bourse_owner",
    "SET ROLE bourse_app",
]


def test_the_signers_role_is_refused(database_url):
    for statement in NOT_FOR_THE_SIGNER:
        with pytest.raises(psycopg2.Error) as refused:
            as_role(database_url("signer"), statement)
        assert (statement, refused.value.pgcode) == (statement, "42501"), refused.value


@COMMITS
def test_the_role_of_an_answer_cannot_be_forged(signer):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        as_role(
            signer.signer_url,
            "INSERT INTO custody_signature (job_id, raw, txid, signed_at, signer_pid, database_role)"
            " VALUES (%s, '', '', now(), 1, 'bourse_app')",
            [str(uuid7())],
        )


NOT_FOR_THE_WEB = [
    "INSERT INTO custody_signature (job_id, raw, txid, signed_at, signer_pid)"
    " SELECT id, '', '', now(), 1 FROM custody_signing_job",
    "INSERT INTO custody_refusal (job_id, code, reason, refused_at, signer_pid)"
    " SELECT id, '', '', now(), 1 FROM custody_signing_job",
    "UPDATE custody_signing_job SET unsigned = '{}'",
    "DELETE FROM custody_signing_job",
    "TRUNCATE custody_signing_job CASCADE",
    "UPDATE custody_signature SET raw = ''",
    "DELETE FROM custody_signature",
]


@COMMITS
def test_the_run_time_role_can_ask_and_read_but_not_answer_or_alter(signer, database_url):
    signer.pay()
    for statement in NOT_FOR_THE_WEB:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            as_role(database_url("app"), statement)
    assert as_role(database_url("app"), "SELECT count(*) FROM custody_signature") == [(0,)]


@COMMITS
def test_even_the_owner_does_not_alter_a_job_by_mistake(signer):
    signer.pay()
    for statement in ("UPDATE custody_signing_job SET kind = 'sweep'", "DELETE FROM custody_signing_job"):
        with signer.owner.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


@COMMITS
def test_a_refused_job_is_not_signed_beside_it(signer):
    job = signer.pay()
    as_role(
        signer.signer_url,
        "INSERT INTO custody_refusal (job_id, code, reason, refused_at, signer_pid) VALUES (%s, 'x', 'y', now(), 1)",
        [str(job)],
    )
    as_role(
        signer.signer_url,
        "INSERT INTO custody_signature (job_id, raw, txid, signed_at, signer_pid) VALUES (%s, '', '', now(), 1)",
        [str(job)],
    )
    assert as_role(signer.signer_url, "SELECT count(job_id) FROM custody_signature") == [(0,)]


def test_the_web_settings_do_not_know_where_the_keys_are(settings):
    for name in (
        "KEYSTORE_PATH",
        "KEYSTORE_PASSPHRASE_FILE",
        "VELOCITY_LOG_PATH",
        "SIGNER_LIMITS_FILE",
        "SIGNER_DATABASE_URL",
    ):
        assert not hasattr(settings, name)
        for module in ("base", "dev", "prod", "test", "engine"):
            text = (ROOT / "config" / "settings" / f"{module}.py").read_text()
            assert not re.search(rf"^{name}\b", text, re.MULTILINE), (module, name)


WEB_PROCESS = """
import sys
import config.asgi
from django.urls import get_resolver
get_resolver().url_patterns
import config.celery
config.celery.app.loader.import_default_modules()
HOLDS_KEYS = ("custody.signers.software", "custody.signers.derivation", "custody.signers.trezor", "custody.keystore",
              "custody.vault", "custody.key_sources", "custody.words", "custody.velocity", "custody.archive", "custody.examine",
              "custody.admission", "custody.establishing", "custody.commands", "custody.signer_app",
              "custody.services.answering")
loaded = [name for name in sys.modules if name.startswith(HOLDS_KEYS)]
assert "custody.services.signing" in sys.modules
print("loaded:", loaded)
"""


def test_neither_web_nor_worker_loads_what_can_sign():
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = subprocess.run(
        [sys.executable, "-c", WEB_PROCESS], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stdout


@COMMITS
def test_the_custody_command_does_not_run_under_web_settings(signer):
    environment = {**signer.environment, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = subprocess.run(
        [sys.executable, "manage.py", "custody", "show"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "config.settings.signer" in done.stderr


READ_AS_ANOTHER_USER = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in sys.argv[1:]:
    try:
        open(name, "rb").read()
        print("read", name)
    except PermissionError:
        print("refused")
"""


@COMMITS
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_cannot_read_the_signers_files(signer, tmp_path):
    signer.folder.chmod(0o755)
    # The folders above are private as well; open them, so that it is the files themselves that refuse.
    folder = tmp_path
    opened = []
    while folder.stat().st_mode & 0o005 != 0o005:
        opened.append((folder, folder.stat().st_mode))
        folder.chmod(folder.stat().st_mode | 0o005)
        folder = folder.parent
    try:
        names = [str(signer.folder / name) for name in ("keystore.json", "passphrase", "velocity.log", "limits.json")]
        public = signer.folder / "public"
        public.write_text("anybody's")
        public.chmod(0o644)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", READ_AS_ANOTHER_USER, *names, str(public)],
            capture_output=True,
            text=True,
        )
        assert done.stdout.splitlines() == ["refused"] * 4 + [f"read {public}"], done.stderr
    finally:
        for folder, mode in opened:
            folder.chmod(mode)
