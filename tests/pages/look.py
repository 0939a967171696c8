"""`make a11y` and `make screenshots`: every page in four variants, light and dark, on a desk and on a phone.

`python -m tests.pages.look a11y` prints what axe-core finds and ends with 1 where there is anything; `… screenshots` puts the
pictures and a sheet of all of them (index.html) into var/screenshots. `--only wallet` takes the pages whose name has that.
"""

from __future__ import annotations

import argparse
import html
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.pages import stage

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "var" / "screenshots"
ANEW_EVERY = 20  # pages; the second factor that was just shown is good for some minutes
STAFF_ALIKE = ("-history", "-delete")  # one picture of each is as good as fifty


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("what", choices=["a11y", "screenshots"])
    asked.add_argument("--only", default="", help="pages whose name has this in it")
    given = asked.parse_args()
    with stage.stage() as standing:
        from tests.pages import addresses

        pages, lost = addresses.find(standing.world)
        for each in lost:
            print(f"in no state: {each}")
        chosen = [page for page in pages if given.only in page.name]
        wrong = (check if given.what == "a11y" else photograph)(standing, chosen)
        for each in wrong:
            print(each)
        print(f"{len(chosen)} pages in 4 variants, {len(wrong)} findings.")
        return 1 if wrong or lost else 0


def each_page(standing: stage.Stage, pages: list) -> Iterator[tuple]:
    """Each page with its viewer's window, whose log-in is fresh."""
    from tests.pages import eye, world

    with eye.windows(standing.browser, standing.exchange.url, standing.world) as windows:
        for number, page in enumerate(pages):
            if number % ANEW_EVERY == 0:
                world.renew()
                for viewer, window in windows.items():
                    eye.log_in(window, standing.world, viewer)
            print(f"{number + 1}/{len(pages)} {page.name}", file=sys.stderr)
            yield page, windows[page.viewer]


def check(standing: stage.Stage, pages: list) -> list[str]:
    from tests.pages import eye

    return [
        each for page, window in each_page(standing, pages) for each in eye.findings(window, page, list(eye.VARIANTS))
    ]


def photograph(standing: stage.Stage, pages: list) -> list[str]:
    from tests.pages import eye

    PICTURES.mkdir(parents=True, exist_ok=True)
    seen = set()
    rows, wrong = [], []
    for page, window in each_page(standing, pages):
        alike = next((word for word in STAFF_ALIKE if word in page.name and page.viewer == "staff"), None)
        if alike in seen:
            continue
        seen.add(alike or page.name)
        pictures = [eye.picture(window, page, PICTURES, variant) for variant in eye.VARIANTS]
        wrong += window.complaints
        window.complaints.clear()
        rows.append(_row(page.name, page.path, pictures))
    (PICTURES / "index.html").write_text(
        "<!doctype html><meta charset=utf-8><title>Every page</title><style>body{font:14px sans-serif}section{display:flex;"
        "gap:8px;align-items:start}img{height:420px;border:1px solid #999}</style>" + "".join(rows)
    )
    print(f"{len(rows)} pages: {PICTURES / 'index.html'}")
    return wrong


def _row(name: str, path: str, pictures: list[Path]) -> str:
    shown = "".join(
        f'<a href="{each.name}"><img loading=lazy alt="{html.escape(each.stem)}" src="{each.name}"></a>'
        for each in pictures
    )
    return f"<h2>{html.escape(name)} <small>{html.escape(path)}</small></h2><section>{shown}</section>"


if __name__ == "__main__":
    sys.exit(main())
