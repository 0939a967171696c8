"""What tests of screening share: a small list, customers, and cases decided."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from exchange.accounts.models import User
from exchange.outbox.models import Event
from kyc.models import ScreeningCase
from kyc.screening import current
from kyc.screening.services import cases, lists, people, screen_person
from tests.factors import log_in_staff

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ALICE, STAFF, OTHER_STAFF = 7, 901, 902
FIRST, SECOND = "0192f0c8-0000-7000-8000-000000000001", "0192f0c8-0000-7000-8000-000000000002"
ETH = "0x00000000219ab540356cbb839cbe05303d7705fa"


def sdn(*rows):
    """sdn.csv of (uid, name, remarks)."""
    none = "-0- ," * 7
    lines = [f'{uid},"{name}","individual","CYBER2",{none}"{remarks}"' for uid, name, remarks in rows]
    return {"sdn.csv": ("\r\n".join(lines) + "\r\n\x1a\r\n").encode()}


PETROVICH = (22, "PETROVICH, Nikolai", "DOB 12 Aug 1962; nationality Russia")
KOLES = (23, "KOLESNIKOV, Boris", f"Digital Currency Address - ETH {ETH}")
FILLING = [(100 + n, f"SAMPLE{chr(97 + n)}, Quentin", "DOB 1950") for n in range(20)]


def load(*rows, now=NOW, **more):
    return lists.load(files=sdn(*rows, *FILLING), source="test", now=now, **more)


def screen(name="Nikolai Petrovich", user_id=ALICE, birth_date=None, country="", now=NOW):
    return screen_person(user_id=user_id, names=[name], birth_date=birth_date, country=country, now=now)


def customer(email, name="", **more):
    return User.objects.create_user(email, "long enough for a test", display_name=name, **more)


def topics():
    return list(Event.objects.filter(topic__startswith="kyc.").order_by("id").values_list("topic", flat=True))


@pytest.fixture
def fresh_index():
    current.forget()
    yield
    current.forget()


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0] > 0


def clear(case_id, *actors, reason="Another person: born elsewhere."):
    for actor in actors:
        cases.decide(case_id=case_id, actor_id=actor, verdict="clear", reason=reason, now=LATER)


def rescreen(now=NOW):
    while people.enrol(now=now):
        pass
    while people.rescreen(now=now):
        pass


def reviewer(email, *, may=True):
    person = customer(email, is_staff=True)
    names = ["view_screeningcase", "change_screeningcase"] if may else ["view_screeningcase"]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    log_in_staff(client, person)
    return client, person


@pytest.fixture
def shown():
    someone = customer("someone@example.com", "Nikolai Petrovich")
    load(PETROVICH)
    rescreen()
    return ScreeningCase.objects.get(user_id=someone.id)
