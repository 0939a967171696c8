"""Downloads one file: resumed where it broke off, checked against its SHA256, moved into place only when whole.

A file that stands under its final name is complete and was verified; anything else ends in `.part`.
"""

import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy.setup.failures import SetupError
from deploy.setup.progress import Tally

ATTEMPTS_MAX = 4
CHUNK_BYTES = 256 * 1024
TIMEOUT_S = 30


_targets: dict[Path, threading.Lock] = {}
_targets_lock = threading.Lock()


def _alone(target: Path) -> threading.Lock:
    """Steps run side by side, and two of them may want the same file."""
    with _targets_lock:
        return _targets.setdefault(target, threading.Lock())


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(url: str, part: Path, *, opener: urllib.request.OpenerDirector, tally: Tally | None) -> None:
    """One attempt. Asks for the rest of a broken download; a server that ignores the range sends all of it again."""
    have_bytes = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url)  # noqa: S310  the scheme is checked by `get`
    if have_bytes:
        request.add_header("Range", f"bytes={have_bytes}-")
    with opener.open(request, timeout=TIMEOUT_S) as response:
        resumed = response.status == 206
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                if tally is not None:
                    tally.add(len(chunk))
        if response.length:  # Python 3.11 takes a connection that broke off for the end of the file
            raise http.client.IncompleteRead(b"", response.length)


def get(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    opener: urllib.request.OpenerDirector,
    tally: Tally | None = None,
) -> Path:
    """Fetches `url` to `target`. Without a `sha256` the caller verifies the content by other means."""
    if not url.startswith(("http://", "https://", "file:")):
        raise SetupError(
            f"Set-up downloads by http or https, and apt's mirror is {url.split(':')[0]!r}: give it an http one."
        )
    with _alone(target):
        return _get(url, target, sha256=sha256, opener=opener, tally=tally)


def _get(
    url: str, target: Path, *, sha256: str | None, opener: urllib.request.OpenerDirector, tally: Tally | None
) -> Path:
    if sha256 and target.exists() and digest(target) == sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid() if sha256 is None else sha256[:12]}.part")
    if sha256 is None:
        part.unlink(missing_ok=True)
    failure: Exception | None = None
    for attempt in range(ATTEMPTS_MAX):
        if attempt:
            time.sleep(2**attempt / 2)
        try:
            _fetch(url, part, opener=opener, tally=tally)
        except urllib.error.HTTPError as exc:
            if exc.code == 416:  # the part is as long as, or longer than, the file: start afresh
                part.unlink(missing_ok=True)
            elif exc.code in (403, 404, 410):
                raise SetupError(f"{url} answers {exc.code}.") from exc
            failure = exc
            continue
        except (OSError, http.client.HTTPException) as exc:
            failure = exc
            continue
        if sha256 is None or digest(part) == sha256:
            part.replace(target)
            return target
        part.unlink()
        failure = SetupError("its SHA256 is not the one that Debian's signed index states")
    raise SetupError(f"Could not download {url}: {failure}.", "Check the network and run the same command again.")
