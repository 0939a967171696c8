"""The signer process: a Celery application of its own with one task. `celery -A custody.signer_app worker -Q signing -P solo`.

It opens the keystore and the log once, at start, and then takes job ids. It also looks for unanswered jobs by itself, so a broker
that lost everything delays a signature and loses none. What must never happen here: a second task, a web setting, a second
signer on one log (the lock refuses it), or a life that goes on after a failed fsync.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.signer")

import django
import structlog
from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown

django.setup()

from django.conf import settings  # noqa: E402
from django.db import DatabaseError, InterfaceError, close_old_connections, connection  # noqa: E402

from custody import faults, key_sources, monitoring  # noqa: E402
from custody.accounts import AccountsUnreadable  # noqa: E402
from custody.cold_addresses import ColdUnreadable  # noqa: E402
from custody.limits import LimitsUnreadable  # noqa: E402
from custody.private_files import FileExposed  # noqa: E402
from custody.services import answering  # noqa: E402
from custody.signer_paths import accounts_path, cold_path, limits_path  # noqa: E402
from custody.signers.software import SoftwareSigner  # noqa: E402
from custody.velocity import NotDurable, VelocityLog  # noqa: E402
from wallets.chains import registry  # noqa: E402

POLL_S = 10
EXIT_NOT_DURABLE = 74  # EX_IOERR
ADVANCE_TASK = "wallets.advance_withdrawal"

log = structlog.get_logger(__name__)
app = Celery("custody_signer")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_acks_late=True,
    task_default_queue="signing",
    worker_prefetch_multiplier=1,
    worker_concurrency=1,
    worker_pool="solo",
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    # Whoever owns the broker can make the signer look at jobs sooner, and nothing else.
    worker_enable_remote_control=False,
    accept_content=["json"],
    enable_utc=True,
)
_room: answering.Room | None = None
_ready = monitoring.Readiness()
# With some brokers Celery's timer has a thread of its own.
_one_at_a_time = threading.Lock()


@setup_logging.connect
def _keep_our_logging(**kwargs: Any) -> None:
    """Celery would put its own handlers over the structured ones; connecting here stops it."""


class PoolRefused(RuntimeError):
    """The signer is one process: a second one would not know what the first has reserved."""


@worker_init.connect
def open_room(sender: Any, **kwargs: Any) -> None:
    """Opens keystore, limits and log, or ends the process with a sentence that says what is wrong."""
    global _room
    try:
        pool = sender.pool_cls
        if pool != "solo" and getattr(pool, "__module__", "") != "celery.concurrency.solo":
            raise PoolRefused("it runs with -P solo only, as one process")
        _room = make_room()
    except Exception as error:
        log.critical("the signer cannot start", reason=str(error), kind=type(error).__name__)
        sys.stderr.write(f"The signer cannot start: {error}\n")
        sys.stderr.flush()
        # Celery turns exceptions of this signal into log lines and carries on without keys.
        os._exit(1)
    if _room.velocity.torn:
        log.warning("cut off an unfinished line of the velocity log", bytes=len(_room.velocity.torn))


def make_room() -> answering.Room:
    """Keys, rules, log and limits from the signer's settings. Raises what each of them raises."""
    signer = SoftwareSigner(key_sources.open_seed())
    return answering.Room(
        signer=signer,
        rules={name: registry.rules(name, **row) for name, row in settings.CHAINS.items()},
        network_ids={name: row["id"] for name, row in settings.CHAINS.items()},
        velocity=VelocityLog.open(Path(settings.VELOCITY_LOG_PATH), key=signer.log_key()),
        files=answering.Files(limits_path(), accounts_path(), cold_path()),
        passing=lambda point: faults.passing(f"signer.{point}"),
    )


@worker_ready.connect
def begin(sender: Any, **kwargs: Any) -> None:
    """Says who it is, then takes up what was left unanswered, now and every few seconds."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            role = cursor.fetchone()[0]
    except DatabaseError:
        role = "unknown: the database does not answer yet"
    assert _room is not None
    log.info("signer ready", pid=os.getpid(), database_role=role, fingerprint=_room.signer.fingerprint)
    if settings.SIGNER_METRICS_PORT:
        monitoring.serve(settings.SIGNER_METRICS_PORT, ready=_ready)
    take_up_waiting()
    sender.timer.call_repeatedly(POLL_S, take_up_waiting)


@worker_shutdown.connect
def close_room(**kwargs: Any) -> None:
    """Lets go of the log."""
    if _room is not None:
        _room.velocity.close()


def take_up_waiting() -> None:
    """Answers every job that has no answer. What fails stays for the next time."""
    try:
        close_old_connections()
        waiting = answering.waiting()
        _ready.looked(waiting=len(waiting))
        for job_id in waiting:
            sign_job(job_id)
        shorten_log()
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        log.warning("the signer cannot read its jobs", reason=type(error).__name__)


@app.task(name="custody.sign")
def sign(job_id: str, **kwargs: Any) -> None:
    """The one task: the id of a job, nothing more."""
    try:
        # One spelling, so that the log knows a job by one name.
        canonical = str(UUID(job_id))
    except (ValueError, TypeError, AttributeError):
        log.warning("a message without a job id was dropped")
        return
    close_old_connections()
    sign_job(canonical)


def sign_job(job_id: str) -> None:
    """Answers one job and tells the wallets. An error leaves the job for the next round."""
    assert _room is not None
    try:
        with _one_at_a_time:
            answer = answering.answer(room=_room, job_id=job_id, now=datetime.now(UTC))
    except NotDurable as error:
        log.critical("the velocity log is not durable; the signer ends", reason=str(error))
        sys.stderr.flush()
        os._exit(EXIT_NOT_DURABLE)
    except (DatabaseError, InterfaceError, LimitsUnreadable, AccountsUnreadable, ColdUnreadable, FileExposed) as error:
        connection.close()
        log.error("a signing job waits", job_id=job_id, reason=str(error).strip(), kind=type(error).__name__)
        return
    except Exception:
        # A job that this code cannot digest must not keep the others from being signed.
        log.exception("a signing job failed", job_id=job_id)
        return
    if answer.outcome in ("signed", "refused"):
        network = answer.network if answer.network in _room.rules else "unknown"
        monitoring.ANSWERS.labels(network, answer.outcome, answer.code).inc()
        _tell_wallets(answer.reference)


def shorten_log() -> None:
    """Lets old lines of the log go into its archive, when there are many."""
    assert _room is not None
    try:
        with _one_at_a_time:
            gone = _room.velocity.compact(now=int(datetime.now(UTC).timestamp()))
    except NotDurable as error:
        log.critical("the velocity log is not durable; the signer ends", reason=str(error))
        sys.stderr.flush()
        os._exit(EXIT_NOT_DURABLE)
    except OSError as error:
        log.error("the velocity log stays long", reason=error.strerror)
        return
    if gone:
        log.info("old lines of the velocity log are in its archive", lines=gone)


def _tell_wallets(reference: str) -> None:
    try:
        app.send_task(ADVANCE_TASK, args=[reference], queue="chain", retry=False)
    except Exception as error:
        # The wallets look for answers by themselves as well; the answer is in the database.
        log.warning("the wallets could not be told", reason=type(error).__name__)
