"""`make lighthouse`: performance and accessibility of home, markets and wallet, at least 95 each.

The static files are served as in production. What must never happen here: a page that leads to the log-in taken for the wallet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.pages import stage

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "var" / "lighthouse"
LEAST = 95
PAGES = {"home": ("/", "stranger"), "markets": ("/markets/", "stranger"), "wallet": ("/wallet/", "customer")}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STATIC_ROOT"] = folder
        with stage.stage(settings="tests.pages.served_settings") as standing:
            said = _ask(standing)
    bad = 0
    for line in said:
        print(json.dumps(line))
        below = [name for name in ("performance", "accessibility") if line[name] < LEAST]
        bad += bool(below) or urlsplit(line["final"]).path != PAGES[line["page"]][0]
    print(f"{len(said)} looks, {bad} below {LEAST}; reports in {REPORTS}")
    return 1 if bad else 0


def _ask(standing: stage.Stage) -> list[dict]:
    from django.conf import settings

    from deploy.setup import programs

    asked = []
    for name, (path, viewer) in PAGES.items():
        url, cookies = standing.exchange.url + path, []
        if viewer != "stranger":
            value = standing.world.cookie(viewer)
            cookies = [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": url, "httpOnly": True}]
        asked.append({"name": name, "url": url, "cookies": cookies})
    command = ["node", str(Path(__file__).with_suffix(".mjs")), programs.command("chromium")[0], str(REPORTS)]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
