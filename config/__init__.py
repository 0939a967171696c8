"""Settings, entry points and the services that come embedded when none is configured."""

import atexit
import gc

# A start makes three hundred thousand objects, and they live as long as the process: the collector, which would walk them every
# few hundred, took a fifth of the time that a start takes. Every process comes by here first. At the end Python would walk them
# thrice more, before the system takes back all memory at once: another quarter, for whoever waits for a short command.
gc.set_threshold(50_000, 20, 50)
atexit.register(gc.freeze)

# Every process that sends a task by name needs the application that knows the broker; without this import Celery would
# quietly use a default one that points at nothing.
from config.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
