"""The customer's own list: what makes a theft easier waits a day, what makes it harder is done at once, and all is told."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from exchange.outbox.models import Event
from wallets.models import ListedAddress
from wallets.services import address_book, quoting, withdrawals

ALICE, BOB = 101, 102
BTC, COIN = 1, 10**8
MINE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
OTHER = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
DAY = timedelta(hours=24)
KEYS = itertools.count()

pytestmark = pytest.mark.django_db


def add(address=MINE, *, user_id=ALICE, network="bitcoin", label="mine", now=None):
    now = now or timezone.now()
    return address_book.add(user_id=user_id, network=network, address=address, label=label, now=now)


def ask(address=MINE, now=None):
    return withdrawals.request(
        user_id=ALICE, asset="BTC", network="bitcoin", address=address, amount="0.01",
        idempotency_key=f"b-{next(KEYS)}", now=now or timezone.now(),
    )  # fmt: skip


def only(allowed, *, now=None):
    return address_book.set_mode(user_id=ALICE, allow_list_only=allowed, now=now or timezone.now())


def told():
    events = Event.objects.filter(topic="wallets.address_book_changed").order_by("id")
    return [event.payload["what"] for event in events]


@pytest.fixture
def rich(house, fund, prices):
    fund(ALICE, BTC, COIN)


def test_a_new_entry_is_usable_after_a_day_and_not_a_second_before(house):
    now = timezone.now()
    entry = add(now=now)
    assert (entry.usable_at, entry.usable) == (now + DAY, False)
    for moment, sort in ((now, "one_time"), (now + DAY - timedelta(seconds=1), "one_time"), (now + DAY, "listed")):
        found = address_book.destination_class(user_id=ALICE, network_id=1, address=MINE, now=moment)
        assert found == sort
        assert address_book.listing(ALICE, now=moment)[0].usable is (sort == "listed")


def test_how_long_it_waits_is_the_operators_to_say(house, settings):
    settings.WITHDRAWAL_ADDRESS_COOLDOWN_H = 0
    assert add().usable


def test_the_database_itself_knows_no_entry_that_is_usable_before_it_was_made(house):
    entry = add()
    with pytest.raises(IntegrityError), transaction.atomic():
        ListedAddress.objects.filter(pk=entry.id).update(usable_at=entry.created_at - timedelta(seconds=1))


def test_an_entry_is_of_one_network_and_one_customer(house):
    now = timezone.now() - DAY
    address = "0x" + "ab" * 20
    entry = add(address, network="ethereum", now=now)
    known = {"address": entry.address, "now": timezone.now()}
    assert address_book.destination_class(user_id=ALICE, network_id=3, **known) == "listed"
    assert address_book.destination_class(user_id=ALICE, network_id=4, **known) == "one_time"
    assert address_book.destination_class(user_id=BOB, network_id=3, **known) == "one_time"
    assert [view.id for view in address_book.listing(ALICE, network="ethereum", now=now)] == [entry.id]
    assert address_book.listing(ALICE, network="bitcoin", now=now) == []


def test_an_address_has_one_canonical_form_and_is_on_the_list_once(house):
    add(MINE.upper())
    for text in (MINE, f" {MINE} "):
        with pytest.raises(address_book.AddressListed):
            add(text)
    assert add(user_id=BOB).address == MINE


def test_a_removed_entry_is_gone_at_once_and_waits_again_when_it_comes_back(house):
    entry = add(now=timezone.now() - DAY)
    address_book.remove(user_id=ALICE, entry_id=entry.id, now=timezone.now())
    assert address_book.listing(ALICE, now=timezone.now()) == []
    assert not add().usable
    with pytest.raises(address_book.ListedAddressNotFound):
        address_book.remove(user_id=ALICE, entry_id=entry.id, now=timezone.now())


def test_a_new_name_changes_nothing_else(house):
    entry = add(now=timezone.now() - DAY)
    after = address_book.relabel(user_id=ALICE, entry_id=entry.id, label=" the   old one ", now=timezone.now())
    assert (after.label, after.usable, after.usable_at) == ("the old one", True, entry.usable_at)
    address_book.relabel(user_id=ALICE, entry_id=entry.id, label="the old one", now=timezone.now())
    assert told() == ["added", "relabelled"]


@pytest.mark.parametrize("label", ["", "   ", "x" * 61, "a\u202eb", "a\x00b"])
def test_a_label_is_something_one_can_read(house, label):
    with pytest.raises(address_book.LabelInvalid):
        add(label=label)


def test_nobody_touches_anothers_entry(house):
    entry = add()
    for deed, more in ((address_book.remove, {}), (address_book.relabel, {"label": "x"})):
        with pytest.raises(address_book.ListedAddressNotFound):
            deed(user_id=BOB, entry_id=entry.id, now=timezone.now(), **more)


def test_the_list_has_an_end(house, monkeypatch):
    monkeypatch.setattr(address_book, "ENTRIES_MAX", 1)
    add()
    with pytest.raises(address_book.AddressBookFull):
        add(OTHER)


class TestTheListAlone:
    def test_other_addresses_are_refused_at_once_and_new_ones_until_their_day_is_over(self, rich):
        add(now=timezone.now() - DAY)
        only(True)
        assert ask().destination_class == "listed"
        with pytest.raises(address_book.AddressNotListed):
            ask(OTHER)
        add(OTHER)
        with pytest.raises(address_book.AddressCoolingDown):
            ask(OTHER)
        with pytest.raises(address_book.AddressCoolingDown):
            quoting.quote(
                user_id=ALICE, asset="BTC", network="bitcoin", amount="0.01", address=OTHER, now=timezone.now()
            )

    def test_switching_it_off_takes_a_day_and_can_be_taken_back(self, rich):
        now = timezone.now()
        only(True, now=now - DAY)
        assert only(False, now=now) == address_book.Mode(True, now + DAY)
        with pytest.raises(address_book.AddressNotListed):
            ask()
        assert address_book.mode(ALICE, now=now + DAY - timedelta(seconds=1)).allow_list_only
        assert not address_book.mode(ALICE, now=now + DAY).allow_list_only
        assert only(True, now=now) == address_book.Mode(True, None)
        assert address_book.mode(ALICE, now=now + DAY).allow_list_only

    def test_asking_twice_does_not_shorten_or_lengthen_the_wait(self, house):
        now = timezone.now()
        only(True, now=now - DAY)
        first = only(False, now=now - timedelta(hours=23))
        assert only(False, now=now) == first
        assert told() == ["tightened", "loosened"]
        assert only(False, now=now + DAY) == address_book.Mode(False, None)

    def test_what_is_off_stays_off_in_silence(self, house):
        assert only(False) == address_book.Mode(False, None)
        assert told() == []


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def run(self, jobs):
        def one(job):
            try:
                return job()
            except Exception as refused:
                return refused
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(one, jobs))

    def test_one_address_many_times_at_once_is_one_entry(self, house):
        outcomes = self.run([add] * 16)
        assert sum(isinstance(each, address_book.Entry) for each in outcomes) == 1
        assert sum(isinstance(each, address_book.AddressListed) for each in outcomes) == 15
        assert len(told()) == 1

    def test_the_end_of_the_list_holds_for_many_at_once(self, house, monkeypatch):
        monkeypatch.setattr(address_book, "ENTRIES_MAX", 3)
        texts = [f"0x{number:040x}" for number in range(1, 13)]
        outcomes = self.run([partial(add, text, network="ethereum") for text in texts])
        assert sum(isinstance(each, address_book.Entry) for each in outcomes) == 3
        assert ListedAddress.objects.count() == 3

    def test_tightening_and_loosening_at_once_end_in_one_of_the_two_and_are_each_told_once(self, house):
        only(True)
        self.run([lambda: only(False)] * 8)
        assert told() == ["tightened", "loosened"]
