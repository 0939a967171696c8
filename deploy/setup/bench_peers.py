"""Other people's matching engines, for `make bench-matching`, in an environment of their own."""

from deploy.setup import apart
from deploy.setup.failures import SetupError
from deploy.setup.progress import say

STEP = "peers"
NAME = "peers"


def prepare() -> None:
    """All that requirements-bench.txt pins; one of them is C++ source, so without a compiler there are none."""
    try:
        apart.prepare(
            NAME,
            requirements="requirements-bench.txt",
            step=STEP,
            failing="The engines to compare with could not be installed; one of them needs a C++ compiler.",
        )
        say(STEP, "the engines to compare with stand")
    except SetupError as error:
        say(STEP, f"the benchmark goes on without other engines:\n{error}")
