"""`python3.11 -m deploy.setup [run|demo|test|browser|compile|bench]`: prepares this checkout; a second run finds everything done.

Steps that do not wait for each other run side by side.
"""

import argparse
import fcntl
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from deploy.setup import bench_peers, browser, chain_nodes, engine_build, machine, places, python_packages, site_build
from deploy.setup.failures import SetupError
from deploy.setup.progress import say


@dataclass(frozen=True)
class Step:
    name: str
    run: Callable[[], None]
    after: tuple[str, ...] = ()


def steps(purpose: str) -> list[Step]:
    """What a purpose needs. npm waits for the Python packages only where they bring Node.js."""
    if purpose == "browser":
        return [Step("browser", browser.prepare)]
    if purpose == "compile":
        return [Step("python", python_packages.prepare), Step("compile", engine_build.prepare, after=("python",))]
    if purpose == "bench":
        return [Step("python", python_packages.prepare), Step("peers", bench_peers.prepare, after=("python",))]
    node_from: tuple[str, ...] = () if site_build.machines_own() else ("python",)
    needed = [
        Step("python", python_packages.prepare),
        # Not beside the packages for tests, which replace the pip that fetches the compiler.
        Step("compile", engine_build.prepare, after=("dev",) if purpose == "test" else ("python",)),
        Step("nodes", chain_nodes.prepare),
        Step("npm", site_build.prepare_packages, after=node_from),
        Step("static", site_build.prepare_static, after=("npm",)),
        Step("contracts", site_build.prepare_contracts, after=("npm",)),
        Step("languages", site_build.prepare_languages, after=("python",)),
    ]
    if purpose == "test":
        needed += [Step("dev", python_packages.prepare_tests, after=("python",)), Step("browser", browser.prepare)]
    return needed


def run(needed: Sequence[Step]) -> None:
    """Runs every step as soon as those before it are done. The first failure is raised when what runs has ended."""
    done: set[str] = set()
    waiting = list(needed)
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_workers=len(needed)) as pool:
        going: dict[Future[None], Step] = {}
        while going or (waiting and failure is None):
            for step in [step for step in waiting if failure is None and set(step.after) <= done]:
                waiting.remove(step)
                going[pool.submit(step.run)] = step
            finished, _ = wait(going, return_when=FIRST_COMPLETED)
            for future in finished:
                step = going.pop(future)
                if (raised := future.exception()) is None:
                    done.add(step.name)
                elif failure is None:
                    say(step.name, "failed; what is under way comes to its end")
                    failure = raised
    if failure is not None:
        raise failure


def _check_port() -> None:
    """Before the long part, so that nobody waits for a demo that cannot start. A running demo answers for itself."""
    lock = places.state() / "demo.lock"
    if lock.exists():
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return
    machine.check_port(machine.read_port(os.environ.get("PORT") or str(machine.DEFAULT_PORT)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3.11 -m deploy.setup", description=__doc__)
    parser.add_argument(
        "purpose", nargs="?", default="run", choices=["run", "demo", "test", "browser", "compile", "bench"]
    )
    purpose = parser.parse_args().purpose
    try:
        machine.check(os.environ)
        if purpose == "demo":
            _check_port()
        (places.ROOT / "var").mkdir(exist_ok=True)
        with (places.ROOT / "var" / "setup.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("setup", "another set-up of this checkout runs; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            run(steps(purpose))
    except SetupError as exc:
        sys.stderr.write(f"\n{exc}\n")
        return 1
    say("setup", "everything is in place")
    return 0


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. What was fetched is kept; run the same command again to go on.\n")
        code = 130
    # Threads of an interrupted step may still wait for their program; its files are of no use to a half-done step.
    sys.stdout.flush()
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)
