"""The seeded runs with the compiled core: `python -m tests.properties.compiled_runs 0 200`. A process of its own, because the
core has to be chosen before anything imports it."""

from __future__ import annotations

import sys

from trading import compiled


def main(first: int, last: int) -> None:
    if not compiled.use():
        raise SystemExit("no compiled core of this source stands: make compile")
    from tests.properties.runs import seeded_run

    assert compiled.used()
    for seed in range(first, last):
        try:
            seeded_run(seed)
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)
            raise
    print(f"the compiled core agrees with the naive exchange over {last - first} seeds")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
