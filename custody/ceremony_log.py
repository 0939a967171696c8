"""Who was there and who holds what: an append-only file beside the keystore, each line chained to the one before and signed.

The key that signs derives from the seed and signs nothing else; its public half stands in the first line and on paper, so the
file can be checked by anybody who holds it. What must never happen here: a word, a passphrase or anything else that is secret.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import coincurve

from custody import private_files

SIZE_MAX = 10_000_000


class LogForged(RuntimeError):
    """A line is not what was written, or not by the holder of the seed."""


def append(path: Path, *, secret: bytes, event: str, now: datetime, facts: dict[str, Any]) -> dict[str, Any]:
    """One line, durable. Raises LogForged when the file is not whole or belongs to another seed."""
    key = coincurve.PrivateKey(secret)
    public_key = key.public_key.format().hex()
    lines = read(path) if path.exists() else []
    if lines and lines[0]["public_key"] != public_key:
        raise LogForged(f"{path} was signed with another seed's key; move it away, and keep it")
    before = hashlib.sha256(_text(lines[-1])).hexdigest() if lines else ""
    body = {
        "number": len(lines) + 1,
        "at": now.isoformat(),
        "event": event,
        "public_key": public_key,
        "before": before,
        **facts,
    }
    line = body | {"signature": key.sign(_text(body)).hex()}
    content = b"".join(_text(each) + b"\n" for each in [*lines, line])
    private_files.replace(path, content)
    return line


def read(path: Path) -> list[dict[str, Any]]:
    """Every line, checked: numbers, chain, signatures. Raises LogForged, FileExposed, FileNotFoundError."""
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(private_files.read(path, size_max=SIZE_MAX).splitlines(), 1):
        try:
            line = json.loads(text)
            body = {name: value for name, value in line.items() if name != "signature"}
            good = coincurve.PublicKey(bytes.fromhex(line["public_key"])).verify(
                bytes.fromhex(line["signature"]), _text(body)
            )
            chained = line["before"] == (hashlib.sha256(_text(lines[-1])).hexdigest() if lines else "")
            same_key = not lines or line["public_key"] == lines[0]["public_key"]
        except (ValueError, KeyError, TypeError, AttributeError):
            good = chained = same_key = False
        if not (good and chained and same_key and line["number"] == number):
            raise LogForged(f"line {number} of {path} is not what was written")
        lines.append(line)
    return lines


def _text(line: dict[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
