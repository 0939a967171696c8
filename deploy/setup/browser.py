"""Chromium for the tests that drive a browser: the machine's own, else Debian's packages unpacked beside the system.

Only tests need it; the demo does not wait for it. It proves itself with a screenshot before set-up calls it ready.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from deploy.setup import machine, places, programs, unpack
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

STEP = "browser"
WANTED = ("chromium", "fonts-dejavu-core")
# The C library must be the machine's (the program starts through its loader); the others serve a desktop or an installer.
WITHOUT = frozenset(
    {
        *(
            "libc6",
            "gcc-12-base",
            "gcc-14-base",
            "debconf",
            "dpkg",
            "ucf",
            "sensible-utils",
            "init-system-helpers",
            "adduser",
        ),
        *("xdg-utils", "x11-utils", "x11-common", "libgtk-3-0", "libgtk-3-0t64", "dconf-gsettings-backend"),
        *("libgl1-mesa-dri", "libasound2-data", "libglib2.0-data"),
    }
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_WRAPPER = """#!/bin/sh
# Starts the Chromium that set-up unpacked, with the libraries that were unpacked beside it.
here={root}
LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
FONTCONFIG_FILE={fonts}
export LD_LIBRARY_PATH FONTCONFIG_FILE
exec "$here/usr/lib/chromium/chromium" "$@"
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


def prepare() -> None:
    try:
        command = programs.command("chromium")
    except SetupError:
        if os.environ.get("CHROMIUM"):
            raise
        command = _fetch()
    say(STEP, f"Chromium is {command[0]}")


def _fetch() -> list[str]:
    suite = machine.release_fields(Path("/etc/os-release").read_text()).get("VERSION_CODENAME", "")
    if not suite:
        raise SetupError("This machine's Debian release has no name: set CHROMIUM= to a Chromium of your own.")
    done = unpack.packages(name="browser", wanted=WANTED, suites=[suite], without=WITHOUT, step=STEP)
    folder = places.cache() / "chromium"
    folder.mkdir(parents=True, exist_ok=True)
    fonts = folder / "fonts.conf"
    fonts.write_text(_FONTS.format(root=done.root, cache=folder / "fonts"))
    libraries = library_folders(done.root)
    text = _WRAPPER.format(root=done.root, libraries=":".join(map(str, libraries)), fonts=fonts)
    scratch = folder / "chromium.new"
    scratch.write_text(text)
    scratch.chmod(0o755)
    _prove([str(scratch)])
    scratch.replace(folder / "chromium")
    return programs.command("chromium")


def library_folders(root: Path) -> list[Path]:
    """Where the unpacked libraries lie. Some keep private ones in a folder of their own, which their RUNPATH names absolutely."""
    roots = [root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu"]
    private = {library.parent for folder in roots for library in folder.glob("*/lib*.so*")}
    return [*roots, *sorted(private)]


def _prove(command: list[str]) -> None:
    """A page with text, drawn to a picture: libraries, fonts and the renderer all work, or set-up says that they do not."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        page = "data:text/html,<h1>Bourse</h1>"
        words = [*command, *FLAGS, f"--user-data-dir={folder}/profile", f"--screenshot={picture}", page]
        try:
            ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            drawn = picture.exists() and picture.read_bytes().startswith(b"\x89PNG")
        except subprocess.TimeoutExpired:
            drawn = False
        if not drawn:
            said = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise SetupError(
                f"The unpacked Chromium draws no page ({said[0][:200]}): set CHROMIUM= to one of your own."
            )
