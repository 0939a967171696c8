"""The workers' application and their timetable. The signer is not here: it has a small application of its own.

Queues: chain (blocks, withdrawals), prices, default (outbox, mail, upkeep). What must never happen here: a task that
signs, or a schedule kept anywhere but in this file.
"""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("bourse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**kwargs: object) -> None:
    """Celery would put its own handlers over the structured ones; connecting here stops it."""


app.conf.task_routes = {
    "wallets.*": {"queue": "chain"},
    "assets.*": {"queue": "prices"},
}
app.conf.beat_schedule = {
    "site.forget_idempotency_keys": {"task": "site.forget_idempotency_keys", "schedule": 3600.0},
}
