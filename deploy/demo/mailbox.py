"""The demo's mail, which nobody sends anywhere: Django writes it into files, and here it is read again."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

_BETWEEN = re.compile(rb"\n-{79}\n")  # what Django's file backend puts after each message
SHOWN = 3


def messages(folder: Path) -> Iterator[EmailMessage]:
    """Every mail in the folder, oldest first."""
    for path in sorted(folder.glob("*"), key=lambda item: item.stat().st_mtime):
        for raw in _BETWEEN.split(path.read_bytes()):
            if raw.strip():
                yield email.message_from_bytes(raw.strip(), policy=email.policy.default)


def text(message: EmailMessage) -> str:
    """Its plain part."""
    body = message.get_body(preferencelist=("plain",))
    return str(body.get_content()) if body is not None else ""


def newest(folder: Path) -> str:
    """The last few mails as a person reads them, the newest at the bottom, where the terminal stands."""
    last = list(messages(folder))[-SHOWN:]
    if not last:
        return f"There is no mail in {folder} yet.\n"
    return "\n".join(
        f"To: {message['To']}\nSubject: {message['Subject']}\n\n{text(message).strip()}\n" for message in last
    )
