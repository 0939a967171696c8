"""A database, a Valkey and customers for runs outside of pytest, on the embedded services of BOURSE_STATE.

Call `prepare` before anything of Django's is imported. What must never happen here: a database that is not this run's own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2

from config import embedded

ROOT = Path(__file__).resolve().parents[3]
VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "ENGINE_DATABASE_URL", "SIGNER_DATABASE_URL")


def prepare(name: str, *, durable: bool, valkey: str = "valkey") -> None:
    """A new database `name`, migrated; the environment and Django point to it."""
    os.environ.update(embedded.ensure(durable=durable, valkey=valkey).environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.dev"
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    template = _template()
    _admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _admin(f"CREATE DATABASE {name} TEMPLATE {template}")
    _point_to(name)
    _set_up()


def _set_up() -> None:
    import django

    django.setup()


def _template() -> str:
    """The name of a migrated database, made where the migrations are new."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]):
        digest.update(path.read_bytes())
    digest.update((ROOT / "deploy" / "database.sql").read_bytes())
    name = f"rig_{digest.hexdigest()[:16]}"
    if not _exists(name):
        making = f"{name}_making"
        _admin(f"DROP DATABASE IF EXISTS {making} WITH (FORCE)")
        _admin(f"CREATE DATABASE {making}")
        before = {variable: os.environ[variable] for variable in VARIABLES}
        _point_to(making)
        embedded.prepare_database(os.environ["DATABASE_OWNER_URL"])
        command = [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
        os.environ.update(before)
        _admin(f"ALTER DATABASE {making} RENAME TO {name}")
    return name


def _point_to(name: str) -> None:
    for variable in VARIABLES:
        os.environ[variable] = urlunsplit(urlsplit(os.environ[variable])._replace(path=f"/{name}"))


def _admin(statement: str) -> None:
    connection = _postgres()
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def _exists(name: str) -> bool:
    connection = _postgres()
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
        found = cursor.fetchone() is not None
    connection.close()
    return found


def _postgres() -> psycopg2.extensions.connection:
    connection = psycopg2.connect(urlunsplit(urlsplit(os.environ["DATABASE_OWNER_URL"])._replace(path="/postgres")))
    connection.autocommit = True
    return connection


def owner(statement: str, *parameters: object) -> None:
    """One statement as the owner of the tables."""
    connection = psycopg2.connect(os.environ["DATABASE_OWNER_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    connection.close()


def fund(users: Collection[int], amounts: Mapping[int, int]) -> None:
    """Deposits from nowhere but the chain wallets' accounts: base units by asset id, to each customer."""
    from exchange.ledger.journal import Entry, Kind, Transfer
    from exchange.ledger.services import accounts, transfers

    now = datetime.now(UTC)
    wallets = {asset: accounts.open(kind=Kind.CHAIN_WALLET, asset_id=asset, label="rig", now=now) for asset in amounts}
    posts = []
    for user in users:
        for asset, account in accounts.open_customer(owner_id=user, asset_ids=list(amounts), now=now).items():
            entries = (Entry(wallets[asset], -amounts[asset]), Entry(account, amounts[asset]))
            posts.append(Transfer(uuid4(), "deposit", entries))
    for start in range(0, len(posts), 1_000):
        transfers.post(transfers=posts[start : start + 1_000], now=now)


def spread(shards: Mapping[int, int]) -> None:
    """Markets to shards."""
    from trading.models import Shard

    for market_id, shard in shards.items():
        Shard.objects.get_or_create(id=shard)
        owner("UPDATE trading_market SET shard_id = %s WHERE id = %s", shard, market_id)
