"""What staff find waiting: people frozen, paused and closed, applications, a screening case, proposals, stops, bank money."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.models import Group
from django.test import override_settings

from custody.services import policies
from exchange.accounts.second_factors import resets
from exchange.accounts.services import closing, freezing, pauses
from exchange.fiat.services import deposits as bank
from exchange.fiat.services import statements
from exchange.flows.services import freezes
from exchange.ledger.services import stops
from exchange.notifications.models import Notification
from kyc.models import Document, ScreeningCase
from kyc.screening import current
from kyc.screening.services import lists, screen_person
from kyc.services import levels, raising
from tests import verification
from tests.factors import give_factor
from trading.services import fees

if TYPE_CHECKING:
    from tests.pages.world import World


def fill(world: World, now: datetime) -> None:
    from tests.pages.world import person

    kim, lou, max_ = (person(name, display_name=name.capitalize(), now=now) for name in ("kim", "lou", "max"))
    give_factor(kim)
    resets.ask(user_id=kim, reason="Lost the phone; seen in a video call.", actor_id=world.staff, now=now)
    with override_settings(CREDENTIAL_PAUSE_H=24):
        pauses.pause(user_id=kim, reason="New password.", actor_id=None, now=now)
    freezing.freeze(user_id=lou, reason="Followed the link in a mail.", now=now)
    closing.close(user_id=max_, now=now)
    freezes.start(user_id=kim, reason="Asked for by the police.", actor_id=world.staff, now=now)
    Group.objects.get_or_create(name="Support")
    _identity(world, now)
    _money(world, now)
    stop = stops.stop(scope="deposits", reason="A node is late.", now=now, actor=world.staff)
    stops.lift(stop_id=stop, reason="It is back.", actor=world.staff, now=now)
    for number, (title, body) in enumerate(
        (
            ("Deposit credited", "0.125 BTC"),
            ("New log-in", "Firefox on Linux"),
            ("Order filled", "0.04 BTC at 60,000.00"),
        )
    ):
        Notification.objects.create(
            user_id=world.customer, event_id=number, kind="test", title=title, body=body, link="/wallet/history/",
            created_at=now - timedelta(hours=number), read_at=now if number == 2 else None,
        )  # fmt: skip


def _identity(world: World, now: datetime) -> None:
    from tests.pages.world import person

    nora = person("nora", display_name="Nora", level=1, now=now)
    submitted = verification.submitted(nora, 2, now=now)
    world.names["staff_application"] = str(submitted.id)
    world.names["staff_document"] = str(Document.objects.filter(application=submitted).first().id)
    levels.assign(user_id=world.customer, level=3, reason="Part of the tests", actor_id=None, now=now)
    raising.give(user_id=world.customer, level=4, reason="Known for years.", actor_id=world.staff, now=now)
    none = "-0- ," * 7
    rows = [(22, "PETROVICH, Nikolai", "DOB 12 Aug 1962; nationality Russia")]
    rows += [(100 + n, f"SAMPLE{chr(97 + n)}, Quentin", "DOB 1950") for n in range(20)]
    text = [f'{uid},"{name}","individual","CYBER2",{none}"{remarks}"' for uid, name, remarks in rows]
    lists.load(files={"sdn.csv": ("\r\n".join(text) + "\r\n\x1a\r\n").encode()}, source="test", now=now)
    current.forget()
    nick = person("nick", display_name="Nikolai Petrovich", now=now)
    screen_person(user_id=nick, names=["Nikolai Petrovich"], birth_date="1962-08-12", country="RU", now=now)
    world.names["case"] = str(ScreeningCase.objects.get(user_id=nick).pk)


def _money(world: World, now: datetime) -> None:
    arrived = bank.announce(user_id=world.customer, amount="2500.00", now=now)
    bank.settle(deposit_id=arrived.id, bank_reference="BANK-1", amount="2500.00", actor_id=world.staff, now=now)
    bank.announce(user_id=world.customer, amount="900.00", now=now)
    statements.record(balance="2500.00", as_of=now, actor_id=world.staff, now=now)
    rules = [{"name": "a little", "effect": "allow", "assets": ["BTC"]}]
    edit = policies.propose_edit(rules=rules, note="Less of everything.", actor_id=world.staff, now=now)
    world.names["policy_edit"] = str(edit)
    fees.add_tier(
        name="Regular", volume_from="50000", maker_fee_ppm=800, taker_fee_ppm=1_600, actor_id=world.staff, now=now
    )
