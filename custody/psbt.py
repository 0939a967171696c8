"""The door to PSBT files for the rooms above: make one, and take back what came of it.

Plain values in and out; the work is custody.signers.psbt's, which no other room imports. What must never happen here: a file
used whose signatures were not all verified against our own values.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from custody.signers import psbt as files
from custody.signers import psbt_file
from custody.signers.psbt import PreviousMismatch, PsbtRefused, PsbtUnsigned, Spending

__all__ = ["PreviousMismatch", "Progress", "PsbtRefused", "Spending", "add", "file_bytes", "make", "progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a proposal is. `raw` is the finished transaction once `missing` is 0; `new_signers` came with this file."""

    psbt: str
    signed_by: tuple[str, ...]
    missing: int
    raw: bytes | None
    new_signers: tuple[str, ...] = ()


def make(spending: Spending, *, previous: Mapping[str, bytes], note: Mapping[str, str]) -> str:
    """The unsigned file as base64. Raises PreviousMismatch."""
    return base64.b64encode(files.make(spending, previous=previous, note=note)).decode()


def file_bytes(stored: str) -> bytes:
    """The file as it is downloaded."""
    return base64.b64decode(stored)


def progress(stored: str, spending: Spending) -> Progress:
    """How far a kept file is."""
    return _progress(stored, spending, _signatures(stored.encode(), spending))


def add(stored: str, upload: bytes, spending: Spending) -> Progress:
    """The kept file with what a file that came back adds to it. Raises PsbtRefused or MalformedData, and then nothing changed."""
    kept = _signatures(stored.encode(), spending)
    brought = files.signatures(upload, spending)
    both = files.combine(kept, brought)
    if both == kept:
        raise PsbtUnsigned("this file brings no signature that is not here already")
    before = set(files.signers(spending, kept))
    text = psbt_file.read(files.with_signatures(file_bytes(stored), spending, both)).text()
    new = tuple(each for each in files.signers(spending, both) if each not in before)
    return _progress(text, spending, both, new)


def _signatures(data: bytes, spending: Spending) -> files.Signatures:
    try:
        return files.signatures(data, spending)
    except PsbtUnsigned:
        return {position: {} for position in range(len(spending.unsigned.inputs))}


def _progress(text: str, spending: Spending, found: files.Signatures, new: tuple[str, ...] = ()) -> Progress:
    missing = files.missing(spending, found)
    raw = None if missing else files.finalise(spending, found)
    return Progress(text, files.signers(spending, found), missing, raw, new)
