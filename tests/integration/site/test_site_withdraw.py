"""A withdrawal by plain forms, no script: fill in, look over, confirm, follow, cancel. Nothing moves before the confirmation."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from exchange.assets.models import AssetNetwork, Rate
from exchange.ledger import selectors as ledger
from kyc.services import levels
from tests import mailing
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


def test_a_decimal_comma_and_stray_spaces_are_understood_and_what_could_be_two_amounts_is_not(alice: Any) -> None:
    text = alice.post("/wallet/withdraw/BTC/", filled_in(alice, amount=" 0,5 ")).content.decode()
    assert "Withdraw 0.5 BTC" in text
    answer = alice.post("/wallet/withdraw/BTC/", filled_in(alice, amount="1.5,00.5"))
    assert answer.status_code == 400 and held(alice) == 0


def test_the_limit_of_the_level_is_told_when_it_is_looked_over_and_nothing_moves(alice: Any) -> None:
    Rate.objects.filter(asset_id=1).update(price=10_000_000)
    levels.assign(user_id=alice.user_id, level=1, reason="For a test", actor_id=None, now=timezone.now())
    answer = alice.post("/wallet/withdraw/BTC/", filled_in(alice))
    assert answer.status_code == 400
    assert "passes your limit" in answer.content.decode()
    assert held(alice) == 0 and wallets.withdrawals(alice.user_id) == []


def test_a_fee_that_changed_is_shown_again_before_anything_is_asked_for(alice: Any) -> None:
    text = alice.post("/wallet/withdraw/BTC/", filled_in(alice)).content.decode()
    values = {name: value for name, value in HIDDEN.findall(text) if name != "csrfmiddlewaretoken"}
    assert values["fee"] == "0.0001"
    AssetNetwork.objects.filter(asset_id=1).update(withdrawal_fee=25_000)
    again = alice.post("/wallet/withdraw/BTC/", {**values, "step": "confirm"}).content.decode()
    assert "The fee is 0.00025 BTC by now" in again and "0.50025 BTC" in again
    assert held(alice) == 0
    agreed = {name: value for name, value in HIDDEN.findall(again) if name != "csrfmiddlewaretoken"}
    assert alice.post("/wallet/withdraw/BTC/", {**agreed, "step": "confirm"}).status_code == 302
    assert held(alice) == 50_025_000


def test_a_token_names_its_standard_beside_the_network(alice: Any) -> None:
    AssetNetwork.objects.filter(asset_id=4, network_id=3).update(contract="0x5FbDB2315678afecb367f032d93F642f64180aa3")
    text = alice.get("/wallet/withdraw/USDT/").content.decode()
    assert "Ethereum (ERC20)" in text


def test_the_networks_of_a_token_are_told_apart_by_name_standard_and_fee(alice: Any, settings: Any) -> None:
    settings.CHAINS = {**settings.CHAINS, "bsc": {**settings.CHAINS["bsc"], "url": "http://127.0.0.1:9"}}
    contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    AssetNetwork.objects.filter(asset_id=4, network_id__in=(3, 4)).update(contract=contract, enabled=True)
    AssetNetwork.objects.filter(asset_id=4, network_id=4).update(withdrawal_fee=500_000)
    text = alice.get("/wallet/withdraw/USDT/").content.decode()
    assert "Ethereum (ERC20)" in text and "BNB Smart Chain (BEP20)" in text
    assert "fee 2 USDT" in text and "fee 0.5 USDT" in text and 'data-fee="500000"' in text
    deposits = alice.get("/wallet/deposit/USDT/").content.decode()
    assert "Ethereum (ERC20)" in deposits and "BNB Smart Chain (BEP20)" in deposits
    assert "Anything else sent here is lost" in deposits


class TestTheLinkInTheMail:
    @pytest.fixture(autouse=True)
    def asked_for(self, settings: Any) -> None:
        settings.WITHDRAWAL_EMAIL_CONFIRMATION = True

    def link(self) -> str:
        mailing.deliver(now=timezone.now())
        (found,) = re.findall(r"http://\S+(/wallet/withdrawals/confirm/\S+)", mail.outbox[-1].body)
        return str(found)

    def test_opening_it_changes_nothing_and_the_button_confirms_once(self, alice: Any, client: Client) -> None:
        answer, _ = confirmed(alice)
        waiting = alice.get(answer["Location"]).content.decode()
        assert "Look into your e-mail" in waiting and "Cancel withdrawal" in waiting
        link = self.link()
        for _ in range(2):  # a mail scanner, then a person who is logged in nowhere
            text = client.get(link).content.decode()
            assert THEIRS in text and "0.5 BTC" in text and "Confirm, send" in text
        assert client.head(link).status_code == 200
        assert wallets.withdrawals(alice.user_id)[0].state == "requested"
        assert "A person looks at it before it goes out" in client.post(link).content.decode()
        assert wallets.withdrawals(alice.user_id)[0].state == "review"
        again = client.post(link)
        assert again.status_code == 409 and "confirmed already" in again.content.decode()
        assert "Confirmed by e-mail" in alice.get(answer["Location"]).content.decode()

    def test_one_that_was_cancelled_meanwhile_says_that_it_is_too_late(self, alice: Any, client: Client) -> None:
        confirmed(alice)
        link = self.link()
        made = wallets.withdrawals(alice.user_id)[0]
        alice.post(f"/wallet/withdrawals/{made.id}/cancel/")
        assert "Too late to confirm" in client.get(link).content.decode()
        answer = client.post(link)
        assert answer.status_code == 409 and "the money is free again" in answer.content.decode().lower()
        assert held(alice) == 0

    def test_a_link_that_never_was_is_a_page_that_says_so(self, client: Client) -> None:
        answer = client.get("/wallet/withdrawals/confirm/nonsense/")
        assert answer.status_code == 404 and "confirmation_invalid" in answer.content.decode()

    def test_the_token_is_not_told_to_the_next_site(self, alice: Any, client: Client) -> None:
        confirmed(alice)
        answer = client.get(self.link())
        assert answer["Referrer-Policy"] == "same-origin" and "no-store" in answer["Cache-Control"]


def test_somebody_elses_withdrawal_is_not_there(alice: Any, newcomer: Any) -> None:
    confirmed(alice)
    made = wallets.withdrawals(alice.user_id)[0]
    assert newcomer.get(f"/wallet/withdrawals/{made.id}/").status_code == 404
    newcomer.post(f"/wallet/withdrawals/{made.id}/cancel/")
    assert held(alice) == 50_010_000
