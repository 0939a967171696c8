"""Node.js and what it builds: npm's packages by the lock file, the site's scripts and styles, the test contract.

Node.js is the machine's own where it is new enough, else the one that requirements.txt puts into `.venv`.
"""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.setup import places, running, stamp
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

ROOT = places.ROOT
NODE_VERSION_MIN = 20


def _usable(node: Path) -> bool:
    """Whether this Node.js starts, is new enough, and has npm beside it."""
    try:
        ran = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    major = ran.stdout.strip().removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= NODE_VERSION_MIN


def machines_own() -> Path | None:
    """The folder of the machine's own Node.js, if it will do."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and Path(npm).parent == Path(node).parent and _usable(Path(node)):
        return Path(node).parent
    return None


def _folder() -> Path:
    own = machines_own()
    if own is not None:
        return own
    folder = places.venv() / "bin"
    if not _usable(folder / "node"):
        raise SetupError("There is no Node.js: install Node.js 20 or newer with npm, or run `make setup` again.")
    return folder


def node() -> Path:
    """The Node.js that builds the site; tests run what they need of npm's packages with it."""
    return _folder() / "node"


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}", "npm_config_update_notifier": "false"}


def prepare_packages() -> None:
    """`npm ci`. No package's install script runs."""
    inputs = [ROOT / "package.json", ROOT / "package-lock.json"]
    done = ROOT / "node_modules" / ".bourse.stamp"
    value = stamp.of(inputs)
    if stamp.fresh(done, value):
        return
    folder = _folder()
    say("npm", f"fetching npm's packages with the Node.js of {folder}")
    running.run(
        [folder / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        step="npm",
        environment=_environment(folder),
        failing=(
            "npm could not fetch its packages. Check the network (behind a proxy set HTTPS_PROXY) and run the same "
            "command again."
        ),
        tries=running.NETWORK_TRIES,
    )
    stamp.write(done, value)
    say("npm", "packages stand in node_modules")


def _build(*, step: str, script: str, inputs: list[Path], outputs: Path, what: str) -> None:
    inputs = [ROOT / script, ROOT / "package-lock.json", *inputs]
    done = ROOT / "var" / "log" / f"{step}.stamp"
    value = stamp.of(inputs, more=" ".join(str(path.relative_to(ROOT)) for path in inputs))
    if stamp.fresh(done, value) and outputs.is_dir():
        return
    folder = _folder()
    running.run(
        [folder / "node", script],
        step=step,
        environment=_environment(folder),
        failing=f"The {what} could not be built: its own message stands above.",
    )
    stamp.write(done, value)
    say(step, f"built {outputs.relative_to(ROOT)}")


def prepare_static() -> None:
    sources = [path for path in (ROOT / "static" / "src").rglob("*") if path.is_file()]
    outputs = ROOT / "static" / "dist"
    _build(step="static", script="deploy/build.mjs", inputs=sources, outputs=outputs, what="site's scripts and styles")


def prepare_languages() -> None:
    """What pages and scripts say in other languages than English; only what changed is written."""
    python = places.venv() / "bin" / "python"
    running.run(
        [python, "-m", "deploy.languages", "compile"],
        step="languages",
        environment={"PATH": os.environ.get("PATH", os.defpath)},
        failing="The catalogues under locale/ could not be compiled: the message of the one at fault stands above.",
    )
    say("languages", "catalogues are compiled")


def prepare_contracts() -> None:
    sources = list((ROOT / "deploy" / "contracts").glob("*.sol"))
    script = "deploy/contracts/compile.mjs"
    _build(step="contracts", script=script, inputs=sources, outputs=places.contracts(), what="test contract")
