"""Who may migrate: the owner alias alone. What must never happen here: a table made, and so owned, by a run-time role."""

from __future__ import annotations

from typing import Any


class OwnerMigrates:
    """Reads and writes go to `default`; migrations run on `owner` and are refused anywhere else."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        return True
