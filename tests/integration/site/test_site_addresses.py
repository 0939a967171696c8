"""The address list by plain forms: add, rename, remove, and send to it alone; each change is told by e-mail."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from tests import mailing
from wallets.services import address_book

pytestmark = pytest.mark.django_db

PAGE = "/wallet/addresses/"
THEIRS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
ENTRY = {"network": "bitcoin", "address": THEIRS, "label": "My  own wallet"}


def entries(person: Any) -> list[address_book.Entry]:
    return address_book.listing(person.user_id, now=timezone.now())


def mails() -> list[str]:
    mailing.deliver(now=timezone.now())
    return [message.subject for message in mail.outbox]


def test_an_address_is_added_renamed_and_removed_and_each_is_told(alice: Any) -> None:
    assert "No address yet" in alice.get(PAGE).content.decode()
    text = alice.post(PAGE, ENTRY, follow=True).content.decode()
    assert "My own wallet" in text and THEIRS in text and "usable from" in text
    (entry,) = entries(alice)
    alice.post(f"{PAGE}{entry.id}/label/", {"label": "The old one"})
    assert entries(alice)[0].label == "The old one"
    assert "off your list" in alice.post(f"{PAGE}{entry.id}/remove/", follow=True).content.decode()
    assert entries(alice) == []
    assert mails() == ["Address added to your list", "Address renamed on your list", "Address removed from your list"]
    assert THEIRS in mail.outbox[0].body and "Was this not you?" in mail.outbox[0].body


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"address": "nonsense"}, "not an address of the Bitcoin network"),
        ({"address": ""}, "Paste the address."),
        ({"label": " "}, "Give it a name"),
        ({"network": "dogecoin"}, "Choose one of the networks."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(alice: Any, changes: dict[str, str], sentence: str) -> None:
    answer = alice.post(PAGE, {**ENTRY, **changes})
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert entries(alice) == [] and mails() == []


def test_nobody_changes_anothers_list(alice: Any, newcomer: Any) -> None:
    alice.post(PAGE, ENTRY)
    (entry,) = entries(alice)
    assert "no such address" in newcomer.post(f"{PAGE}{entry.id}/remove/", follow=True).content.decode()
    newcomer.post(f"{PAGE}{entry.id}/label/", {"label": "mine"})
    assert entries(alice) == [entry]


def test_nothing_is_changed_by_following_a_link(alice: Any) -> None:
    alice.post(PAGE, ENTRY)
    (entry,) = entries(alice)
    for path in (f"{PAGE}{entry.id}/remove/", f"{PAGE}{entry.id}/label/", f"{PAGE}mode/"):
        assert alice.get(path).status_code == 405


def test_sending_to_the_list_alone_is_switched_on_at_once_and_off_with_a_wait(alice: Any) -> None:
    assert "Switched on." in alice.post(f"{PAGE}mode/", {"mode": "only"}, follow=True).content.decode()
    assert "addresses of" in alice.get("/wallet/withdraw/BTC/").content.decode()
    text = alice.post(f"{PAGE}mode/", {"mode": "any"}, follow=True).content.decode()
    assert "Switched on until" in text and "Keep it on" in text
    assert address_book.mode(alice.user_id, now=timezone.now()).allow_list_only
    assert len(mails()) == 2


def test_the_withdraw_page_offers_the_lists_addresses(alice: Any) -> None:
    alice.post(PAGE, ENTRY)
    text = alice.get("/wallet/withdraw/BTC/").content.decode()
    assert f'<option value="{THEIRS}" label="My own wallet (Bitcoin, new)">' in text
    assert THEIRS not in alice.get("/wallet/withdraw/LTC/").content.decode()
