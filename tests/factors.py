"""People with second factors, for tests of whatever needs one: staff pages, withdrawals, API keys."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.internal.flows import login
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.test import Client

from deploy.demo import codes
from exchange.accounts.models import User
from exchange.accounts.second_factors import enrolling, sealing, selectors

BACKEND = "django.contrib.auth.backends.ModelBackend"


def give_factor(user_id: int, *, secret: str = "") -> str:
    """An authenticator app, where the person has none yet; its secret."""
    row = Authenticator.objects.filter(user_id=user_id, type=selectors.TOTP).first()
    if row is not None:
        return sealing.unseal(row.data["secret"])
    secret = secret or generate_totp_secret()
    enrolling.totp(user_id=user_id, secret=secret)
    return secret


def step_up(client: Client, user_id: int, *, again: bool = True, ago_s: float = 0) -> None:
    """Writes into the client's session what allauth writes when the person shows their app: now or `ago_s` earlier,
    confirming `again` or at the log-in. `give_factor` before the client logs in."""
    row = Authenticator.objects.get(user_id=user_id, type=selectors.TOTP)
    record: dict[str, Any] = {"method": "mfa", "id": row.pk, "type": row.type, "at": time.time() - ago_s}
    if again:
        record["reauthenticated"] = True
    session = client.session
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [
        *session.get(login.AUTHENTICATION_METHODS_SESSION_KEY, []), record
    ]  # fmt: skip
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user_id)
    session.save()


def log_in_staff(client: Client, user: User | int) -> None:
    """A member of staff, logged in with their app, and just confirmed."""
    person = User.objects.get(pk=user) if isinstance(user, int) else user
    give_factor(person.pk)  # first, because the first factor ends the sessions that were before it
    client.force_login(person, backend=BACKEND)
    step_up(client, person.pk)


class App:
    """An authenticator app in a test's hand. A code is good for once, so each one asked for is a later one."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._last = 0

    def code(self) -> str:
        """One that was not used: the present one, or the next, which is taken half a minute early."""
        while codes.counter_now() < self._last:
            time.sleep(0.2)
        self._last = max(self._last + 1, codes.counter_now())
        return codes.code(self.secret, self._last)
