"""The workers' application and their timetable. The signer is not here: it has a small application of its own.

Queues: chain (blocks, withdrawals), prices, push (pushes and SMS, whose providers may be slow), default (outbox, mail, upkeep).
What must never happen here: a task that signs, or a schedule kept anywhere but in this file.
"""

import os

from celery import Celery
from celery.app.utils import Settings
from celery.signals import setup_logging
from django.conf import settings

from wallets.schedule import beat_schedule as wallets_schedule

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
    "notifications.send_pushes": {"queue": "push"},
}


def _every(seconds: float, task: str) -> dict[str, object]:
    """A line of the timetable. What no worker took before the next one is due is dropped, so that nothing piles up."""
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 5.0)}}


app.conf.beat_schedule = {
    "assets.refresh_prices": _every(2.0, "assets.refresh_prices"),
    "outbox.deliver": _every(5.0, "outbox.deliver"),
    "outbox.prune": _every(24 * 3600.0, "outbox.prune"),
    "notifications.send_mails": _every(5.0, "notifications.send_mails"),
    "notifications.send_pushes": _every(5.0, "notifications.send_pushes"),
    "notifications.announce": _every(15.0, "notifications.announce"),
    "notifications.prune": _every(24 * 3600.0, "notifications.prune"),
    "accounts.make_exports": _every(60.0, "accounts.make_exports"),
    "accounts.tidy": _every(3600.0, "accounts.tidy"),
    "audit.anchor": _every(3600.0, "audit.anchor"),
    "backoffice.count": _every(300.0, "backoffice.count"),
    "compliance.solvency": _every(600.0, "compliance.solvency"),
    "kyc.expire": _every(3600.0, "kyc.expire"),
    "kyc.ask_providers": _every(30.0, "kyc.ask_providers"),
    "kyc.sweep": _every(3600.0, "kyc.sweep"),
    "kyc.erase_due": _every(24 * 3600.0, "kyc.erase_due"),
    "kyc.fetch_sanctions": _every(6 * 3600.0, "kyc.fetch_sanctions"),
    "kyc.rescreen": _every(60.0, "kyc.rescreen"),
    "kyc.enrol_missed": _every(24 * 3600.0, "kyc.enrol_missed"),
    "flows.advance": _every(10.0, "flows.advance"),
    "fiat.release_held": _every(30.0, "fiat.release_held"),
    "invoices.expire": _every(15.0, "invoices.expire"),
    "site.forget_idempotency_keys": _every(3600.0, "site.forget_idempotency_keys"),
    "site.make_statements": _every(60.0, "site.make_statements"),
    "site.expire_statements": _every(3600.0, "site.expire_statements"),
    "ledger.reconcile": _every(60.0, "ledger.reconcile"),
    "ledger.expire_holds": _every(30.0, "ledger.expire_holds"),
    "ledger.make_partitions": _every(3600.0, "ledger.make_partitions"),
    "ledger.expire_keys": _every(24 * 3600.0, "ledger.expire_keys"),
    "ledger.gather_days": _every(60.0, "ledger.gather_days"),
    "ledger.mend_days": _every(3600.0, "ledger.mend_days"),
    "ledger.verify": _every(24 * 3600.0, "ledger.verify"),
    "trading.make_partitions": _every(3600.0, "trading.make_partitions"),
    "trading.expire_keys": _every(24 * 3600.0, "trading.expire_keys"),
    "trading.settle_reservations": _every(60.0, "trading.settle_reservations"),
    "trading.refresh_fees": _every(3600.0, "trading.refresh_fees"),
}


@app.on_after_configure.connect
def follow_the_networks(sender: Celery, source: Settings, **kwargs: object) -> None:
    """The networks that have a node, and no other. Read here, late: importing this module must not load the settings."""
    networks = [name for name, row in settings.CHAINS.items() if row.get("url")]
    source.beat_schedule.update(wallets_schedule(networks=networks))
