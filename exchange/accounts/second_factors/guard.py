"""How often a code may be wrong, without anybody being able to lock somebody else out.

At the log-in the password was right already, so whoever guesses there knows it. The guesses are counted by the customer and the
network they come from, and, far more loosely, by the customer with that password, so that its owner who chooses a new one (by
e-mail) begins anew. Whoever holds the mailbox chooses new ones, too: so a third count, twice as loose, is the customer's whatever
the password. What the first two turned away is not in it, so that one who has the password alone fills half of it at most, and
its owner's new password still opens. Passkeys, which nobody guesses, are never held up. In a step-up the person
is logged in: there the waits of `FactorDevice` apply, and a session that keeps being wrong is ended, for it may be stolen.
Attempts are counted before they are judged, in the shared cache, so that many at once are not one.
What must never happen here: a count by name alone that a stranger can raise.
"""

from __future__ import annotations

import hashlib

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest

from exchange.accounts.models import User

NEAR = 10  # wrong codes of one customer from one network …
NEAR_S = 900
FAR = 60  # … and from everywhere, with one password
FAR_S = 24 * 3600
EVER = 2 * FAR  # … and whatever the password, in as long
SESSION = 10  # wrong codes in a row in one session, which then ends
SESSION_S = 24 * 3600


def admit_log_in(request: HttpRequest, user: User) -> bool:
    """Counts an attempt at the log-in's second step; False where there were too many."""
    return (
        _count(_near(request, user), NEAR_S) <= NEAR
        and _count(_far(user), FAR_S) <= FAR
        and _count(_ever(user), FAR_S) <= EVER
    )


def right_at_log_in(request: HttpRequest, user: User) -> None:
    """The code was right: what was counted of this network is forgotten, and the attempt itself is none."""
    cache.delete(_near(request, user))
    _uncount(_far(user))
    _uncount(_ever(user))


def wrong_in_session(request: HttpRequest) -> bool:
    """Counts a wrong code of somebody logged in; True where the session has to end."""
    return _count(_session(request), SESSION_S) >= SESSION


def right_in_session(request: HttpRequest) -> None:
    cache.delete(_session(request))


def _count(key: str, kept_s: int) -> int:
    cache.add(key, 0, timeout=kept_s)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two
        cache.set(key, 1, timeout=kept_s)
        return 1


def _uncount(key: str) -> None:
    try:
        cache.decr(key)
    except ValueError:
        return


def _near(request: HttpRequest, user: User) -> str:
    return f"second-factor:wrong:{user.pk}:{ratelimit.get_ip(request)}"


def _far(user: User) -> str:
    password = hashlib.sha256(user.password.encode()).hexdigest()[:16]
    return f"second-factor:wrong:{user.pk}:password:{password}"


def _ever(user: User) -> str:
    return f"second-factor:wrong:{user.pk}:ever"


def _session(request: HttpRequest) -> str:
    key = hashlib.sha256((request.session.session_key or "").encode()).hexdigest()[:40]
    return f"second-factor:wrong:session:{key}"
