"""Incidents for the status page, and a currency that values can be shown in."""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange.assets.models import Asset, Rate
from exchange.site.services import incidents
from tests.pages.world import World


def fill(world: World, now: datetime) -> None:
    """One that is over and one that goes on."""
    Rate.objects.update_or_create(
        asset=Asset.objects.get(code="EUR"),
        defaults={"price": "1.085", "as_of": now, "fetched_at": now, "source": "test"},
    )
    over = incidents.open(
        part="trading",
        words={"en": "Orders took seconds", "de": "Orders dauerten Sekunden"},
        news={
            "en": "Orders are taken, and matched with a delay.",
            "de": "Orders werden angenommen und verzögert ausgeführt.",
        },
        started_at=now - timedelta(days=3, minutes=20),
        actor_id=world.staff,
        now=now - timedelta(days=3),
    )
    incidents.tell(
        incident_id=over,
        state="over",
        news={"en": "A full disk was the cause. There is room again.", "de": "Eine volle Festplatte war die Ursache."},
        actor_id=world.staff,
        now=now - timedelta(days=3) + timedelta(minutes=40),
    )
    incidents.open(
        part="deposits",
        words={"en": "Deposits of Litecoin are late", "de": "Litecoin-Einzahlungen verspäten sich"},
        news={"en": "Our node is catching up. Nothing is lost.", "de": "Unser Node holt auf. Nichts geht verloren."},
        started_at=now - timedelta(minutes=25),
        actor_id=world.staff,
        now=now - timedelta(minutes=10),
    )
