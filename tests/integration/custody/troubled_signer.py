"""The real signer with a fault at a named step, for tests: `celery -A troubled_signer worker …`.

TROUBLE=<step> ends the process by SIGKILL at that step, once for the file named by TROUBLE_ONCE. TROUBLE=fsync makes the
log's fsync fail from the first job on.
"""

import os
import signal
from pathlib import Path

from celery.signals import worker_init

from custody import signer_app

app = signer_app.app
TROUBLE, ONCE = os.environ["TROUBLE"], Path(os.environ["TROUBLE_ONCE"])


def passing(point: str) -> None:
    if point == TROUBLE and not ONCE.exists():
        ONCE.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if point == "before_reserve" and TROUBLE == "fsync":
        ONCE.touch()
        os.fsync = refuse


def refuse(descriptor: int) -> None:
    raise OSError(5, "Input/output error")


@worker_init.connect
def make_trouble(**kwargs: object) -> None:
    assert signer_app._room is not None
    signer_app._room.passing = passing
