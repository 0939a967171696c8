"""A withdrawal by plain forms, no script: fill in, look over, confirm, follow, cancel. Nothing moves before the confirmation."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exchange.assets.models import Rate
from exchange.ledger import selectors as ledger
from wallets import selectors as wallets

pytestmark = pytest.mark.django_db

THEIRS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


def held(person: Any) -> int:
    return sum(balance.held for balance in ledger.balances(owner_id=person.user_id))


def filled_in(person: Any, **changes: str) -> dict[str, str]:
    text = person.get("/wallet/withdraw/BTC/").content.decode()
    key = re.search(r'name="idempotency_key" value="([^"]+)"', text)[1]
    return {
        "network": "bitcoin",
        "address": THEIRS,
        "amount": "0.5",
        "idempotency_key": key,
        "step": "review",
        **changes,
    }


def confirmed(person: Any, **changes: str) -> Any:
    text = person.post("/wallet/withdraw/BTC/", filled_in(person, **changes)).content.decode()
    values = {name: value for name, value in HIDDEN.findall(text) if name != "csrfmiddlewaretoken"}
    return person.post("/wallet/withdraw/BTC/", {**values, "step": "confirm"}), values


def test_looking_it_over_shows_all_the_numbers_and_moves_nothing(alice: Any) -> None:
    answer = alice.post("/wallet/withdraw/BTC/", filled_in(alice))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert THEIRS in text
    for figure in ("0.5 BTC", "0.0001 BTC", "0.5001 BTC", "1.4999 BTC"):
        assert figure in text
    assert held(alice) == 0 and wallets.withdrawals(alice.user_id) == []


def test_confirming_makes_one_withdrawal_and_a_second_click_the_same_one(alice: Any) -> None:
    answer, values = confirmed(alice)
    again = alice.post("/wallet/withdraw/BTC/", {**values, "step": "confirm"})
    assert answer.status_code == again.status_code == 302
    assert answer["Location"] == again["Location"]
    assert len(wallets.withdrawals(alice.user_id)) == 1
    assert held(alice) == 50_010_000
    page = alice.get(answer["Location"]).content.decode()
    assert THEIRS in page and "Cancel withdrawal" in page


def test_cancelling_gives_everything_back(alice: Any) -> None:
    confirmed(alice)
    made = wallets.withdrawals(alice.user_id)[0]
    done = alice.post(f"/wallet/withdrawals/{made.id}/cancel/", follow=True)
    text = done.content.decode()
    assert "Withdrawal cancelled" in text and "Cancelled" in text
    assert held(alice) == 0
    twice = alice.post(f"/wallet/withdrawals/{made.id}/cancel/", follow=True)
    assert twice.status_code == 200 and held(alice) == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "many"}, "decimal number"),
        ({"amount": "-1"}, "decimal number"),
        ({"amount": "0.123456789"}, "At most 8 decimal places"),
        ({"amount": "0.00001"}, "The least you can send is 0.0005 BTC"),
        ({"amount": "2"}, "The most you can send is 1.9999 BTC"),
        ({"amount": ""}, "Enter an amount."),
        ({"address": ""}, "Paste the address"),
        ({"address": "bcrt1qnonsense"}, "not an address of the Bitcoin network"),
        ({"address": "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"}, "address"),
        ({"network": "dogecoin"}, "Choose one of the networks."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_moves(
    alice: Any, changes: dict[str, str], sentence: str
) -> None:
    answer = alice.post("/wallet/withdraw/BTC/", filled_in(alice, **changes))
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert held(alice) == 0 and wallets.withdrawals(alice.user_id) == []


def test_what_was_typed_is_still_there_after_a_mistake_and_after_changing_ones_mind(alice: Any) -> None:
    wrong = alice.post("/wallet/withdraw/BTC/", filled_in(alice, amount="9")).content.decode()
    assert f'value="{THEIRS}"' in wrong and 'value="9"' in wrong
    back = alice.post("/wallet/withdraw/BTC/", filled_in(alice, step="edit")).content.decode()
    assert f'value="{THEIRS}"' in back and "Look it over" in back


def test_a_grouping_comma_and_stray_spaces_are_forgiven(alice: Any) -> None:
    text = alice.post("/wallet/withdraw/BTC/", filled_in(alice, amount=" 0,000.5 ")).content.decode()
    assert "Withdraw 0.5 BTC" in text


def test_the_limit_of_the_level_is_told_at_the_confirmation_and_nothing_moves(alice: Any) -> None:
    Rate.objects.filter(asset_id=1).update(price=10_000_000)
    answer, _ = confirmed(alice)
    assert answer.status_code == 400
    assert "passes your limit" in answer.content.decode()
    assert held(alice) == 0 and wallets.withdrawals(alice.user_id) == []


def test_somebody_elses_withdrawal_is_not_there(alice: Any, newcomer: Any) -> None:
    confirmed(alice)
    made = wallets.withdrawals(alice.user_id)[0]
    assert newcomer.get(f"/wallet/withdrawals/{made.id}/").status_code == 404
    newcomer.post(f"/wallet/withdrawals/{made.id}/cancel/")
    assert held(alice) == 50_010_000
