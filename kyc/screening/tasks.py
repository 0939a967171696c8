"""The workers' side of screening. A task reads the clock and makes one call after the other until its time is over.

Registered by kyc/tasks.py. What must never happen here: a run without an end.
"""

import contextlib
import time

from celery import shared_task
from django.utils import timezone

from kyc.screening.services import fetching, lists, people

AT_A_TIME_S = 45


@shared_task(name="kyc.fetch_sanctions")
def fetch_sanctions(**kwargs: object) -> None:
    """What goes wrong was told to staff where it went wrong."""
    with contextlib.suppress(fetching.FetchFailed, lists.ListRefused):
        fetching.fetch(now=timezone.now())


@shared_task(name="kyc.enrol_missed")
def enrol_missed(**kwargs: object) -> None:
    """Once a day: whoever the walk went past."""
    people.enrol_missed(now=timezone.now())


@shared_task(name="kyc.rescreen")
def rescreen(**kwargs: object) -> None:
    """Everybody who is due, batch by batch; what is left over is the next run's."""
    until = time.monotonic() + AT_A_TIME_S
    while people.enrol(now=timezone.now()) and time.monotonic() < until:
        pass
    while people.rescreen(now=timezone.now()) and time.monotonic() < until:
        pass
