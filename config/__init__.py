"""Settings, entry points and the services that come embedded when none is configured."""

# Every process that sends a task by name needs the application that knows the broker; without this import Celery would
# quietly use a default one that points at nothing.
from config.celery import app as celery_app

__all__ = ["celery_app"]
