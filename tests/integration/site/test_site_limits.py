"""The page of limits: what is left in words and in a bar, what waits to be credited, and what higher levels allow."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exchange.assets.models import Rate
from exchange.core.ids import uuid7
from kyc.kinds import DAY_S, DEPOSIT
from kyc.services import levels
from wallets.models import Address, Deposit, Withdrawal, Xpub

BTC = 1
DOLLARS = 100

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(person: Any) -> Any:
    """At the first level; a bitcoin is worth $10,000."""
    now = timezone.now()
    Rate.objects.update_or_create(
        asset_id=BTC, defaults={"price": 10_000, "as_of": now, "fetched_at": now, "source": "test"}
    )
    anna = person("anna")
    levels.assign(user_id=anna.user_id, level=1, reason="For a test", actor_id=None, now=now)
    return anna


def withdrew(user_id: int, worth: int | None, *, amount: int = 10**7) -> None:
    Withdrawal.objects.create(
        owner_id=user_id, asset_id=BTC, network_id=1, address="x", amount=amount, fee=0, state="requested", worth=worth,
        idempotency_key=str(uuid7()), account_id=1, requested_at=timezone.now(),
    )  # fmt: skip


def holds(user_id: int, reason: str, number: int) -> None:
    now = timezone.now()
    xpub, _ = Xpub.objects.get_or_create(
        network_id=1, purpose="deposit", xpub="of a test", path="m", defaults={"created_at": now}
    )
    address, _ = Address.objects.get_or_create(
        network_id=1, owner_id=user_id, purpose="deposit", xpub=xpub,
        defaults={"address": "bcrt1held", "script": os.urandom(22), "index": 0, "created_at": now},
    )  # fmt: skip
    Deposit.objects.create(
        network_id=1, asset_id=BTC, address=address, owner_id=user_id, position="0", amount=30 * 10**8,
        txid=f"{number:064x}", state="held", held_for=reason, held_at=now, confirmations_required=2, seen_at=now,
        block_height=7, credits=1, transfer_id=uuid7(),
    )  # fmt: skip


def test_what_is_left_stands_in_words_and_in_a_bar(anna: Any) -> None:
    withdrew(anna.user_id, 6_250 * DOLLARS)
    text = anna.get("/account/limits/").content.decode()
    assert "You are at level <strong>E-mail</strong>" in text
    assert "<strong>18,750.00</strong> of 25,000.00 USD left" in text
    bars = re.findall(r'role="meter"[^>]*aria-valuenow="(\d+)"[^>]*aria-valuetext="([^"]+)"', text)
    assert ("250", "6,250.00 of 25,000.00 USD used") in bars and len(bars) == 10
    for labels in re.findall(r'aria-labelledby="([^"]+)"', text):
        assert all(f'id="{name}"' in text for name in labels.split())
    assert 'aria-current="page"' in text


def test_who_has_no_limits_reads_so(person: Any) -> None:
    text = person("zoe").get("/account/limits/").content.decode()
    assert text.count("No limit at your level.") == 5 and 'role="meter"' not in text


def test_a_missing_price_is_no_room(anna: Any) -> None:
    withdrew(anna.user_id, None)
    Rate.objects.all().delete()
    text = anna.get("/account/limits/").content.decode()
    assert text.count("A price is missing") == 2


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("limit", "more than your deposit limit has room for"),
        ("price", "What it is worth is not known at the moment"),
        ("screening", "We are looking at it before it is credited"),
    ],
)
def test_a_held_deposit_says_why_and_what_to_do(anna: Any, reason: str, said: str) -> None:
    holds(anna.user_id, reason, 1)
    for page in ("/account/limits/", "/wallet/deposit/BTC/?network=bitcoin"):
        assert said in anna.get(page).content.decode()
    assert "Held" in anna.get("/wallet/history/?kind=deposits").content.decode()


def test_nobody_reads_another_s(anna: Any, person: Any) -> None:
    holds(anna.user_id, "limit", 1)
    withdrew(anna.user_id, 100 * DOLLARS)
    eve = person("eve")
    levels.assign(user_id=eve.user_id, level=1, reason="For a test", actor_id=None, now=timezone.now())
    text = eve.get("/account/limits/").content.decode()
    assert "Waiting to be credited" not in text and "25,000.00</strong> of 25,000.00" in text
    answer = Client().get("/account/limits/")
    assert answer.status_code == 302 and "/accounts/login/" in answer["Location"]


def test_its_queries_are_as_many_whatever_was_moved(anna: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as counted:
            assert anna.get("/account/limits/").status_code == 200
        return len(counted)

    queries()
    withdrew(anna.user_id, 1)
    holds(anna.user_id, "limit", 1)
    few = queries()
    for number in range(2, 9):
        withdrew(anna.user_id, 1)
        holds(anna.user_id, "limit", number)
    assert queries() == few


def test_a_lowered_limit_leaves_nothing_and_never_less(anna: Any) -> None:
    levels.set_limits(level=1, amounts={(DEPOSIT, DAY_S): 0}, reason="x", actor_id=1, now=timezone.now())
    text = anna.get("/account/limits/").content.decode()
    assert (
        "<strong>0.00</strong> of 0.00 USD left" in text
        and "-" not in re.findall(r"<strong>([^<]*)</strong> of", text)[0]
    )
