"""Screens addresses of coins against those on the lists: where a customer wants to pay to, and where a deposit came from.

A hit makes a case. What must never happen here: coins to a listed address, coins from one that are credited unlooked-at, or a
word to the customer that warns him (callers refuse in the words of any other refusal).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from kyc.models import ListedAddress, Screening, ScreeningCase
from kyc.screening import keys
from kyc.screening.selectors import LIVE
from kyc.screening.services import cases

ASKED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed address: the entry's row and name on its list, and the address as the list writes it."""

    row_id: int
    list_code: str
    entry_uid: str
    currency: str
    address: str
    key: str


def screen_address(*, network: str, address: str) -> Hit | None:
    """The listed address that this one is, in whatever form and on whatever network its key is used. One query."""
    return _hits({address: keys.of(address)}).get(address)


def listed_among(addresses: Iterable[str]) -> set[str]:
    """Those of the addresses that are listed, as they were given. One query."""
    return set(_hits({address: keys.of(address) for address in addresses}))


def refuses_destination(*, user_id: int, network: str, address: str, now: datetime) -> bool:
    """Whether coins may not go there. Then a case is open, committed before this returns unless the caller has a transaction."""
    hit = screen_address(network=network, address=address)
    if hit is None:
        return False
    with transaction.atomic():
        _lock(user_id)
        _record(ScreeningCase.Kind.WITHDRAWAL, user_id, hit, network, subject=hit.key, now=now)
    return True


def holds_deposit(*, user_id: int, network: str, payers: Iterable[str], deposit_id: object, now: datetime) -> bool:
    """Whether a deposit may not be credited, for one of those who paid is listed. A case is opened in the caller's transaction.

    `payers` are keys as `keys.of` makes them. What staff have cleared is not held again. One query where nobody is listed.
    """
    hits = _hits({payer: payer for payer in payers})
    if not hits:
        return False
    _lock(user_id)
    subject = f"deposit:{deposit_id}"
    for hit in {hit.row_id: hit for hit in hits.values()}.values():
        _record(ScreeningCase.Kind.DEPOSIT, user_id, hit, network, subject=subject, now=now)
    return ScreeningCase.objects.filter(subject=subject, state__in=LIVE).exists()


def _hits(by_text: Mapping[str, str]) -> dict[str, Hit]:
    """The listed ones, by the texts whose keys these are. One query for each ASKED_AT_ONCE of them."""
    texts: dict[str, list[str]] = {}
    for text, key in by_text.items():
        texts.setdefault(key, []).append(text)
    wanted = list(texts)
    found: dict[str, Hit] = {}
    for start in range(0, len(wanted), ASKED_AT_ONCE):
        rows = ListedAddress.objects.select_related("entry").filter(
            key__in=wanted[start : start + ASKED_AT_ONCE], entry__last_version=None
        )
        for row in rows.order_by("id"):
            hit = Hit(row.entry.id, row.entry.list_code, row.entry.uid, row.currency, row.address, row.key)
            for text in texts[row.key]:
                found.setdefault(text, hit)
    return found


def _lock(user_id: int) -> None:
    Screening.objects.bulk_create([Screening(user_id=user_id)], ignore_conflicts=True)
    Screening.objects.select_for_update().get(user_id=user_id)


def _record(kind: str, user_id: int, hit: Hit, network: str, *, subject: str, now: datetime) -> None:
    cases.record(
        user_id=user_id,
        found=cases.Found(kind=kind, row_id=hit.row_id, subject=subject[:220], network=network),
        now=now,
    )
