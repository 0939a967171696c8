"""Puts the offices of roles.py into Django's groups: exactly those rights, after every migrate.

What must never happen here: a right that somebody added to an office by hand and that stays, or a right of roles.py that no
table has and that is passed over without a word.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from exchange.backoffice.roles import ROLES


class RightUnknown(Exception):
    """roles.py names a right that no model has."""


def after_migrate(sender: Any, using: str, **more: Any) -> None:
    """For Django's post_migrate; the owner alone migrates."""
    seed(using=using)


def seed(*, using: str) -> None:
    """Safe to repeat. Raises RightUnknown, except in a database that is not migrated all the way yet."""
    with transaction.atomic(using=using):
        known = {
            f"{app}.{code}": pk
            for pk, app, code in Permission.objects.using(using).values_list(
                "pk", "content_type__app_label", "codename"
            )
        }
        for role in ROLES:
            rights = list(dict.fromkeys(role.rights()))
            missing = [name for name in rights if name not in known]
            if missing:
                raise RightUnknown(f"{role.name}: {', '.join(missing)}")
            group, _ = Group.objects.using(using).get_or_create(name=role.name)
            group.permissions.set([known[name] for name in rights])
