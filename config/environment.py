"""Reads the environment: URLs, secrets from a variable or from the file it names. The one place settings ask.

What must never happen here: a secret in an error message, or a missing secret that becomes an empty one without a word in
production (`require` is for that).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
import psycopg2.extensions
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()
DIFFERENT_MIN = 12  # 64 random hexadecimal digits have fewer different ones once in a billion times
EXAMPLES = ("only-for-development", "django-insecure", "changeme", "change-me", "example", "secret-key")
DEFAULTS = frozenset(
    {
        "postgres",
        "password",
        "secret",
        "admin",
        "root",
        "bourse",
        "redis",
        "valkey",
        "changeme",
        "test",
        "1234",
        "guest",
    }
)


def require(name: str) -> str:
    """The value of a variable that must be set. Raises ImproperlyConfigured naming the variable."""
    value = read_secret(name)
    if not value:
        raise ImproperlyConfigured(f"Set {name} (or {name}_FILE, the path of a file that holds it).")
    return value


def count(name: str) -> int:
    """A number of things, 0 where nothing is said. Raises ImproperlyConfigured."""
    value = read_secret(name) or "0"
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(f"{name} is a whole number, 0 or more.")
    return int(value)


def require_random(name: str, *, length: int) -> str:
    """A secret that a machine made up: so long, of many different characters, and no example's. Raises ImproperlyConfigured."""
    value = require(name)
    if len(value) < length or len(set(value)) < DIFFERENT_MIN or any(word in value.lower() for word in EXAMPLES):
        raise ImproperlyConfigured(f"{name} is too short, too simple or an example's: make one up by a machine.")
    return value


def require_own_password(name: str) -> str:
    """A database's or broker's URL whose password is not one that everybody knows; one without any goes by sockets."""
    url = require(name)
    given = unquote(urlsplit(url).password or "")
    if given and (given.lower() in DEFAULTS or given == unquote(urlsplit(url).username or "")):
        raise ImproperlyConfigured(f"{name} has a password that everybody knows.")
    return url


def read_secret(name: str) -> str:
    """NAME's value, or the content of the file that NAME_FILE names, or an empty string."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from None
    return os.environ.get(name, "")


def database(name: str) -> dict[str, Any]:
    """Django's settings for the PostgreSQL URL in a variable (libpq's own URL form, sockets by ?host=/folder)."""
    return database_from_url(read_secret(name), name=name)


def database_from_url(url: str, *, name: str = "DATABASE_URL") -> dict[str, Any]:
    base: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0, "ATOMIC_REQUESTS": False}
    if not url:
        return {**base, "NAME": ""}
    try:
        parts = psycopg2.extensions.parse_dsn(url)
    except psycopg2.ProgrammingError:
        raise ImproperlyConfigured(
            f"{name} is not a PostgreSQL URL (postgresql://user:password@host:5432/name)."
        ) from None
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    settings = {known[key]: value for key, value in parts.items() if key in known}
    options = {key: value for key, value in parts.items() if key not in known}
    options.setdefault("application_name", os.environ.get("BOURSE_PROCESS", "bourse"))
    return {**base, **settings, "OPTIONS": options}


def broker_url(redis_url: str) -> str:
    """The same Valkey as Celery's broker: Celery names sockets, and a database on one, in words of its own."""
    if not redis_url.startswith("unix://"):
        return redis_url
    return redis_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
