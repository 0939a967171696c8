"""`manage.py kyc load_sanctions FILE… | sanctions | rescreen`: lists by hand, and how they stand.

What must never happen here: a shrunken list taken without somebody's word for it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kyc.screening import selectors
from kyc.screening.publications import BYTES_MAX
from kyc.screening.services import lists, people


def add(commands: Any) -> None:
    load = commands.add_parser(
        "load_sanctions", help="take a sanctions list: SDN.XML, or sdn.csv with alt.csv and add.csv"
    )
    load.add_argument("files", nargs="+", type=Path, metavar="FILE")
    load.add_argument("--list", default=lists.SDN, help="its name here, where more than one list is kept (SDN)")
    load.add_argument(
        "--published", type=date.fromisoformat, help="its day, where the files do not name it: YYYY-MM-DD"
    )
    load.add_argument("--actor", type=int, help="the id of the member of staff who does it")
    load.add_argument("--accept-shrunken", action="store_true", help="take it although much is gone from it")
    load.set_defaults(run=_load)
    commands.add_parser("sanctions", help="the lists in force").set_defaults(run=_sanctions)
    commands.add_parser("rescreen", help="screen everybody who is due, now").set_defaults(run=_rescreen)


def _load(command: BaseCommand, options: dict[str, Any]) -> None:
    paths: list[Path] = options["files"]
    try:
        if sum(path.stat().st_size for path in paths) > BYTES_MAX:
            raise CommandError(f"Together more than {BYTES_MAX} bytes.")
        version = lists.load(
            files={path.name: path.read_bytes() for path in paths},
            list_code=options["list"],
            source=", ".join(path.name for path in paths),
            published=options["published"],
            actor_id=options["actor"],
            accept_shrunken=options["accept_shrunken"],
            now=timezone.now(),
        )
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}.") from None
    except lists.ListRefused as refused:
        raise CommandError(f"Refused; what was in force still is. {refused.message}") from None
    command.stdout.write(f"In force: version {version}. The workers screen everybody again.")


def _sanctions(command: BaseCommand, options: dict[str, Any]) -> None:
    for row in selectors.lists():
        day = f"published {row.published}" if row.published else "no day named"
        told = row.refusal or f"{row.entries} entries, {row.names} names, {row.addresses} addresses, {day}"
        command.stdout.write(f"{row.list_code} #{row.id} {row.state} since {row.loaded_at:%Y-%m-%d %H:%M}: {told}")


def _rescreen(command: BaseCommand, options: dict[str, Any]) -> None:
    screened = 0
    people.enrol_missed(now=timezone.now())
    while people.enrol(now=timezone.now()):
        pass
    while done := people.rescreen(now=timezone.now()):
        screened += done
    command.stdout.write(f"{screened} customers screened.")
