"""History reads the book itself: each movement of the days and the asset asked for, once, newest first; and bank transfers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone

from exchange.fiat.services import deposits
from exchange.ledger.services import days
from exchange.site.selectors import records
from tests.integration.site.movements import Account

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def anna(person: Any, now: datetime) -> Account:
    return Account(person("anna"), now)


def walk(anna: Account, **wanted: Any) -> list[Any]:
    """Every page by its cursor."""
    asked, found = records.Wanted(**wanted), []
    for _ in range(20):
        page = records.history(user_id=anna.person.user_id, wanted=asked)
        found += page.rows
        if not page.older:
            return found
        query = dict(part.split("=") for part in page.older.split("&"))
        asked = records.Wanted(**{**wanted, "before": query["before"]})
    raise AssertionError("there is no end")


@pytest.mark.parametrize("gathered", [True, False])
@pytest.mark.parametrize("wanted", [(None, None), (20, 5), (3, 3), (0, 0), (90, 40), (10, None), (None, 10)])
def test_history_has_each_movement_of_its_days_once_newest_first(
    anna: Account, wanted: tuple[int | None, int | None], gathered: bool
) -> None:
    if gathered:
        days.gather()
    since, until = (None if back is None else anna.day(back) for back in wanted)
    found = walk(anna, since=since, until=until)
    every = walk(anna)
    assert len(every) == 62 and len({row.id for row in every}) == 62
    on = {row.id: row.posted_at.astimezone(UTC).date() for row in every}
    expected = [row.id for row in every if (since or date.min) <= on[row.id] <= (until or date.max)]
    assert [row.id for row in found] == expected == sorted(expected, reverse=True)


def test_history_of_one_asset_and_of_one_that_is_not_there(anna: Account) -> None:
    days.gather()
    assert {row.asset for row in walk(anna, asset="BTC")} == {"BTC"} and len(walk(anna, asset="BTC")) == 31
    assert walk(anna, asset="DOGE") == []
    text = anna.person.get("/wallet/history/?asset=BTC&from=2026-13-45&before=x").content.decode()
    assert "+" in text and "Deposit" in text


def test_bank_transfers_are_listed_with_their_state_and_cancelled_by_their_owner_alone(
    person: Any, alice: Any, settings: Any
) -> None:
    now = timezone.now()
    open_one = deposits.announce(user_id=alice.user_id, amount="250", now=now)
    came = deposits.announce(user_id=alice.user_id, amount="99.50", now=now)
    deposits.settle(deposit_id=came.id, bank_reference="TX-1", amount="99.50", actor_id=alice.user_id, now=now)
    for path in ("/wallet/bank/", "/wallet/history/?kind=bank"):
        text = alice.get(path).content.decode()
        assert open_one.reference in text and "250.00 USD" in text and "99.50 USD" in text and "Credited" in text
    assert open_one.reference in alice.get("/wallet/").content.decode()  # on its way
    assert came.reference not in alice.get("/wallet/").content.decode()
    eve = person("eve")
    eve.post(f"/wallet/bank/{open_one.id}/cancel/")
    assert alice.get(f"/wallet/bank/{open_one.id}/cancel/").status_code == 405
    assert "It will not come" in alice.get("/wallet/bank/").content.decode()
    alice.post(f"/wallet/bank/{open_one.id}/cancel/")
    assert "Cancelled" in alice.get("/wallet/bank/").content.decode()
    assert open_one.reference not in eve.get("/wallet/bank/").content.decode()
