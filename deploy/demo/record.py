"""What the demo remembers between two starts, in its state folder: log-ins, the token's address, what was already paid.

The file holds passwords and second factors of play accounts, so only its owner may read it.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.demo import codes

CUSTOMER = "demo@bourse.example"
STAFF = "staff@bourse.example"


@dataclass
class Record:
    """`paid` names the payments from outside that were sent: a start that was broken off sends only the others.

    `seeded` tells from which migrations and which cast the database was prepared.
    """

    path: Path
    customer_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    staff_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    customer_factor: str = field(default_factory=codes.new_secret)
    staff_factor: str = field(default_factory=codes.new_secret)
    token: str = ""
    seeded: str = ""
    paid: list[str] = field(default_factory=list)

    def factors(self) -> dict[str, str]:
        """The secret of everybody's authenticator app."""
        return {CUSTOMER: self.customer_factor, STAFF: self.staff_factor}

    def save(self) -> None:
        scratch = self.path.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600)
        values = {name: value for name, value in asdict(self).items() if name != "path"}
        scratch.write_text(json.dumps(values, indent=1))
        scratch.replace(self.path)


def load(state: Path) -> Record:
    """The record of this state folder, a new one when there is none."""
    path = state / "demo.json"
    return Record(path=path, **json.loads(path.read_text())) if path.exists() else Record(path=path)
