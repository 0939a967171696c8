"""Puts a test database back row by row, where that is enough: a twentieth of the work of making it anew from the template.

Every table of ours is asked which row versions it holds, and the catalogs, too. Tables that hold others than the template's are
emptied and filled again; sequences are set back. Where a test changed more than rows (a column, a grant, what the planner
knows) or wrote very many, `Rows.put_back` says so: the database is then made anew. What must never happen here: a database that
differs from the template, in any row or sequence, taken for one that does not.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import psycopg2

ROWS_AT_MOST = 5_000  # deleted rows stay as dead ones for a while
TIMES_AT_MOST = 60
TERMINATED_S = 60
CATALOGS = {  # what a test can change that is no row of ours; system objects have lower numbers
    "pg_class": "oid", "pg_attribute": "attrelid", "pg_attrdef": "oid", "pg_constraint": "oid", "pg_index": "indexrelid",
    "pg_trigger": "oid", "pg_proc": "oid", "pg_type": "oid", "pg_inherits": "inhrelid", "pg_rewrite": "oid",
    "pg_policy": "oid", "pg_statistic": "starelid", "pg_statistic_ext": "oid", "pg_sequence": "seqrelid",
}  # fmt: skip
WHOLE_CATALOGS = ("pg_namespace", "pg_default_acl", "pg_extension", "pg_event_trigger", "pg_largeobject_metadata")
OURS = 16_384
VERSIONS = "count(*), coalesce(sum(hashtextextended(x.ctid::text || ' ' || x.xmin::text, 0)), 0)"

Found = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Template:
    """What a database holds that was just made from the template."""

    tables: Found
    catalogs: Found
    sequences: dict[str, tuple[int, int | None]]
    seeds: dict[str, str]  # the rows of tables that are not empty, as COPY writes them


class Rows:
    """The rows of one database, over a superuser's session that stays open: its plan of so many tables is made once."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        # Triggers that keep rows from being changed, and foreign keys, are about people and programs, not about this.
        self.cursor.execute("SET session_replication_role = replica")
        self.cursor.execute("SET jit = off")
        self._prepare()
        self.template = self._read()
        self.known = dict(self.template.tables)
        self.times = 0

    def close(self) -> None:
        self.connection.close()

    def put_back(self) -> bool:
        """Whether the database is the template's again. Ends all other sessions in it first, as dropping it would."""
        template = self.template
        self.times += 1
        if self.times > TIMES_AT_MOST:
            return False
        if not self._alone() or self._ask("catalogs") != template.catalogs:
            return False
        tables = self._ask("tables")
        changed = [name for name, found in tables.items() if found != self.known[name]]
        if sum(tables[name][0] for name in changed) > ROWS_AT_MOST:
            return False
        for name in changed:
            self.cursor.execute(f"DELETE FROM ONLY {name}")
            if name in template.seeds:
                self.cursor.copy_expert(f"COPY {name} FROM STDIN", io.StringIO(template.seeds[name]))
                self.known[name] = self._versions(name)
        for name, (start, last) in self._sequences().items():
            before = template.sequences[name][1]
            if last != before:
                self.cursor.execute("SELECT setval(%s, %s, %s)", (name, before or start, before is not None))
        return True

    def _alone(self) -> bool:
        """Ends the sessions of others, and waits until they are gone."""
        until = time.monotonic() + TERMINATED_S
        while time.monotonic() < until:
            self.cursor.execute(
                "SELECT count(*), count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            if self.cursor.fetchone() == (0, 0):
                return True
            time.sleep(0.002)
        return False

    def _prepare(self) -> None:
        self.cursor.execute(
            "SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind = 'r' AND n.oid >= %s OR relkind = 'r' AND nspname = 'public' ORDER BY 1",
            (OURS,),
        )
        names = [name for (name,) in self.cursor.fetchall()]
        tables = [f"SELECT '{name}', {VERSIONS} FROM ONLY {name} x" for name in names]
        catalogs = [
            f"SELECT '{name}', {VERSIONS} FROM {name} x WHERE {key} >= {OURS}" for name, key in CATALOGS.items()
        ]
        catalogs += [f"SELECT '{name}', {VERSIONS} FROM {name} x" for name in WHOLE_CATALOGS]
        # What VACUUM and ANALYZE write in place, and what belongs to the database as a whole.
        catalogs.append(f"SELECT 'sizes', sum(relpages), sum(reltuples)::numeric FROM pg_class WHERE oid >= {OURS}")
        catalogs.append(
            "SELECT 'database', count(*), coalesce(sum(hashtextextended(concat(datacl, datconnlimit, datallowconn), 0)), 0)"
            " FROM pg_database WHERE datname = current_database()"
        )
        catalogs.append(
            "SELECT 'settings', count(*), 0 FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase"
            " WHERE datname = current_database()"
        )
        self.cursor.execute("PREPARE tables AS " + " UNION ALL ".join(tables))
        self.cursor.execute("PREPARE catalogs AS " + " UNION ALL ".join(catalogs))
        self.cursor.execute("SET plan_cache_mode = force_generic_plan")

    def _read(self) -> Template:
        tables = self._ask("tables")
        seeds = {}
        for name, (count, _) in tables.items():
            if count:
                text = io.StringIO()
                self.cursor.copy_expert(f"COPY {name} TO STDOUT", text)
                seeds[name] = text.getvalue()
        return Template(tables=tables, catalogs=self._ask("catalogs"), sequences=self._sequences(), seeds=seeds)

    def _ask(self, prepared: str) -> Found:
        self.cursor.execute(f"EXECUTE {prepared}")
        return {name: (int(count), str(versions)) for name, count, versions in self.cursor.fetchall()}

    def _versions(self, name: str) -> tuple[int, str]:
        self.cursor.execute(f"SELECT {VERSIONS} FROM ONLY {name} x")
        row = self.cursor.fetchone()
        assert row is not None
        return int(row[0]), str(row[1])

    def _sequences(self) -> dict[str, tuple[int, int | None]]:
        """Where each begins, and the last number it gave; none, when it gave none yet."""
        self.cursor.execute(
            "SELECT seqrelid::regclass::text, seqstart, pg_sequence_last_value(seqrelid) FROM pg_sequence"
        )
        return {name: (int(start), last) for name, start, last in self.cursor.fetchall()}
