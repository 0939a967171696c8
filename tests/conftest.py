"""Real services for every test: a PostgreSQL template migrated once; a database and a Valkey for each worker.

Tests run as the run-time role, like production. `django_db` rolls back; `django_db(transaction=True)` commits, and the
database is put back before the next test that needs one: row by row as a superuser (see restoring.py), or from the template.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psycopg2
import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase

from config import embedded
from config.environment import database_from_url
from tests import restoring, weights

ROOT = Path(__file__).resolve().parent.parent
SUPERUSER_LEAVES_S = 120
URL_VARIABLES = {
    "app": "DATABASE_URL",
    "owner": "DATABASE_OWNER_URL",
    "engine": "ENGINE_DATABASE_URL",
    "signer": "SIGNER_DATABASE_URL",
}
pytest_plugins: list[str] = ["tests.nodes"] if (ROOT / "tests" / "nodes.py").exists() else []


# How long an example takes says something of the machine alone.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("suite")


class WorkerDatabase:
    """This worker's database, and whether a test has left something in it."""

    current: ClassVar[WorkerDatabase | None] = None
    dirty_from_the_start: ClassVar[bool] = False  # the first test of all commits

    def __init__(self, template: str) -> None:
        self.template = template
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self.name = f"test_{worker}"
        self.base_urls = {role: os.environ[variable] for role, variable in URL_VARIABLES.items()}
        self.dirty = True
        self.rows: restoring.Rows | None = None

    def url(self, role: str, name: str | None = None) -> str:
        parts = urlsplit(self.base_urls[role])
        return urlunsplit(parts._replace(path=f"/{name or self.name}"))

    def point_django(self, name: str) -> None:
        for alias, role in (("default", "app"), ("owner", "owner")):
            connections[alias].close()
            new = database_from_url(self.url(role, name))
            connections[alias].settings_dict.update(NAME=name, HOST=new["HOST"])
            settings.DATABASES[alias]["NAME"] = name
        for role, variable in URL_VARIABLES.items():
            os.environ[variable] = self.url(role, name)

    def admin(self, statement: str) -> None:
        connection = psycopg2.connect(self.url("owner", "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def exists(self, name: str) -> bool:
        connection = psycopg2.connect(self.url("owner", "postgres"))
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (name,))
            found = cursor.fetchone() == (1,)
        connection.close()
        return found

    def renew(self) -> None:
        if not self.dirty:
            return
        connections.close_all()
        if not self.put_back():
            self.close()
            self.drop()
            # As files: half of what the template's pages take by way of the log.
            self.admin(f"CREATE DATABASE {self.name} TEMPLATE {self.template} STRATEGY file_copy")
            self.rows = restoring.Rows(embedded.superuser_url(self.name))
        self.dirty = False

    def put_back(self) -> bool:
        """Whether the rows could be put back. A test that restarts the server ends the session that does it."""
        try:
            return self.rows is not None and self.rows.put_back()
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return False

    def close(self) -> None:
        if self.rows is not None:
            self.rows.close()
            self.rows = None

    def drop(self, name: str | None = None) -> None:
        """FORCE ends sessions of our roles and refuses where a superuser is inside; ours was closed, and leaves soon."""
        until = time.monotonic() + SUPERUSER_LEAVES_S
        while True:
            try:
                return self.admin(f"DROP DATABASE IF EXISTS {name or self.name} WITH (FORCE)")
            except psycopg2.errors.InsufficientPrivilege:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def _template_name() -> str:
    digest = hashlib.sha256()
    seeds = [ROOT / "deploy" / "database.sql", ROOT / "exchange" / "backoffice" / "roles.py"]
    for path in sorted([*ROOT.glob("**/migrations/*.py"), *seeds]):
        if "var" not in path.relative_to(ROOT).parts and ".venv" not in path.relative_to(ROOT).parts:
            digest.update(path.read_bytes())
    digest.update((ROOT / "requirements.txt").read_bytes())
    return f"template_{digest.hexdigest()[:16]}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest) -> Iterator[WorkerDatabase]:
    """Replaces pytest-django's: the template is migrated once for all workers, by the owner."""
    from django.core.management import call_command

    template = _template_name()
    database = WorkerDatabase(template)
    with django_db_blocker.unblock():
        with (embedded.state_folder() / "template.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not database.exists(template):
                making = f"{template}_making"
                database.admin(f"DROP DATABASE IF EXISTS {making} WITH (FORCE)")
                database.admin(f"CREATE DATABASE {making}")
                embedded.prepare_database(database.url("owner", making))
                database.point_django(making)
                call_command("migrate", database="owner", verbosity=0)
                connections.close_all()
                database.admin(f"ALTER DATABASE {making} RENAME TO {template}")
        database.renew()
        database.dirty = WorkerDatabase.dirty_from_the_start
        database.point_django(database.name)
        WorkerDatabase.current = database
        yield database
        WorkerDatabase.current = (
            None  # whoever sets up anew in this process (make controls) begins with a database of its own
        )
        database.close()
        connections.close_all()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first: workers take file after file, and none is to begin a long one when the others end.

    `--no-loadscope-reorder` has pytest-xdist keep this order. Within a file, and among the short ones, nothing is moved.
    """
    seconds = weights.SECONDS
    items.sort(key=lambda item: -seconds.get(item.nodeid.partition("::")[0], 0))


def pytest_collection_finish() -> None:
    """Thousands of tests and all they import stay until the end; the collector need not walk them during each of them."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _patient() -> None:
    """This process waits longer for Valkey and the engine than a web process does: a busy machine is no finding."""
    from exchange.outbox import valkey
    from trading.services import line

    valkey.CONNECT_S = valkey.ANSWER_S = line.CONFIRM_TIMEOUT_S = 60.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Puts the worker's database back before a test that needs one, when an earlier test committed to it.

    Before any fixture: pytest-django's own would have a transaction open on the database that is thrown away here.
    """
    names = getattr(item, "fixturenames", ())
    marker = item.get_closest_marker("django_db")
    commits = "transactional_db" in names or bool(marker and marker.kwargs.get("transaction"))
    if not (marker or commits or "db" in names):
        return
    if WorkerDatabase.current is not None:
        WorkerDatabase.current.renew()
        WorkerDatabase.current.dirty = commits
    else:
        WorkerDatabase.dirty_from_the_start = commits


def _leave_for_the_template(self: TransactionTestCase) -> None:
    """In place of a flush, which the run-time role may not do and append-only tables refuse."""
    connections.close_all()


TransactionTestCase._fixture_teardown = _leave_for_the_template


@pytest.fixture
def database_url(django_db_setup: WorkerDatabase) -> Callable[[str], str]:
    """URL of this worker's test database for a role: app, engine, signer or owner."""
    return django_db_setup.url


@pytest.fixture
def owner_connection(django_db_setup: WorkerDatabase) -> Iterator[psycopg2.extensions.connection]:
    """A psycopg2 connection as the owner of the tables, in autocommit."""
    connection = psycopg2.connect(django_db_setup.url("owner"))
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """A client of this worker's Valkey, emptied before the test."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def second_factor_required(settings: Any) -> None:
    """As in production: withdrawals and API keys need a second factor."""
    settings.SECOND_FACTOR_REQUIRED = True


@pytest.fixture(autouse=True)
def _empty_cache(request: pytest.FixtureRequest) -> None:
    if "valkey" not in request.fixturenames and request.node.get_closest_marker("django_db"):
        from django.core.cache import cache

        cache.clear()
