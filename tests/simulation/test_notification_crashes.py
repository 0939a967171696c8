"""Senders of mails killed with SIGKILL, before the mail server has it and after: each mail arrives, and what comes twice is one
mail to whoever reads it."""

import os
import re
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from exchange.accounts.services import customers
from exchange.notifications.models import Delivery
from exchange.outbox import services as outbox

ROOT = Path(__file__).resolve().parents[2]
MAILS = 6

SENDER = textwrap.dedent(
    """
    import os, signal, sys
    from datetime import datetime
    import django
    django.setup()
    from django.conf import settings
    from exchange.notifications.channels import email
    from exchange.notifications.services import sending

    point, which, settings.EMAIL_FILE_PATH, now = sys.argv[1], int(sys.argv[2]), sys.argv[3], datetime.fromisoformat(sys.argv[4])
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    send, sent = email.send, []

    def maybe_die(parcel):
        sent.append(parcel)
        if point == "before" and len(sent) == which:
            os.kill(os.getpid(), signal.SIGKILL)
        outcome = send(parcel)
        if point == "after" and len(sent) == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    email.send = maybe_die
    sending.send(of=sending.MAILS, now=now)
    """
)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_senders_lose_no_mail_and_double_none_that_a_reader_sees(tmp_path):
    script, folder, now = tmp_path / "sender.py", tmp_path / "mails", timezone.now()
    script.write_text(SENDER)
    for number in range(MAILS):
        person = customers.open(email=f"p{number}@example.org", password="x" * 12, email_verified=True, now=now)
        payload = {"user_id": person, "freeze_id": 1}
        with transaction.atomic():
            outbox.append(topic="accounts.reopened", key=f"user:{person}", payload=payload, now=now)
    outbox.deliver(now=now)
    codes = []
    for round_, (point, which) in enumerate((("before", 2), ("after", 3), ("never", 0))):
        at = now + timedelta(minutes=5 * round_)  # the lease of whoever died is over by then
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.dev", "PYTHONPATH": str(ROOT)}
        codes.append(
            subprocess.run(
                [sys.executable, script, point, str(which), folder, at.isoformat()],
                env=environment,
                cwd=ROOT,
                timeout=240,
            ).returncode
        )
    assert codes == [-9, -9, 0], "a point that nobody died at proves nothing"
    ids = re.findall(r"^Message-ID: (.*)$", "".join(each.read_text() for each in folder.iterdir()), re.MULTILINE)
    assert len(ids) == MAILS + 1 and len(set(ids)) == MAILS, (
        "the one that was killed behind its mail sent that one again"
    )
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
