"""A customer's own list of addresses, and whether coins may go to these alone.

What makes a theft easier takes its time: a new entry is usable after a cool-down, and loosening the mode waits as long; what
makes it harder (removing, tightening) is done at once. Each change is told by e-mail. What must never happen here: an entry
that is usable before its time, or a change that its owner is not told of.

Every change locks the customer's preference row, so that two at once cannot pass the limit or each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from exchange.assets import selectors as assets
from exchange.assets.selectors import NetworkView
from exchange.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from exchange.core.times import iso
from exchange.outbox import services as outbox
from wallets import nodes, routes
from wallets.chains.protocol import AddressInvalid as ChainAddressInvalid
from wallets.chains.protocol import AddressWrongNetwork as ChainAddressWrongNetwork
from wallets.models import Address, ListedAddress, Preference

LISTED, ONE_TIME = "listed", "one_time"
ENTRIES_MAX = 200
LABEL_LENGTH_MAX = 60


class ListedAddressInvalid(InvalidRequest):
    code = "address_invalid"


class ListedAddressNotAllowed(InvalidRequest):
    code = "address_not_allowed"


class AddressListed(Conflict):
    code = "address_listed"


class AddressBookFull(Conflict):
    code = "address_book_full"


class ListedAddressNotFound(NotFound):
    code = "listed_address_not_found"


class LabelInvalid(InvalidRequest):
    code = "label_invalid"


class AddressNotListed(PermissionDenied):
    code = "address_not_listed"


class AddressCoolingDown(PermissionDenied):
    code = "address_cooling_down"


@dataclass(frozen=True, slots=True)
class Entry:
    """One address of the list. `usable` is whether its cool-down is over."""

    id: int
    network: str
    network_name: str
    address: str
    label: str
    created_at: datetime
    usable_at: datetime
    usable: bool


@dataclass(frozen=True, slots=True)
class Mode:
    """`allow_list_only` is what holds now; `loosens_at` is when it ends by itself, None when it does not."""

    allow_list_only: bool
    loosens_at: datetime | None


def cooldown() -> timedelta:
    """How long a new entry, and a loosening, wait."""
    return timedelta(hours=settings.WITHDRAWAL_ADDRESS_COOLDOWN_H)


def listing(user_id: int, *, now: datetime, network: str | None = None) -> list[Entry]:
    """The customer's entries by label. Raises NetworkNotFound."""
    rows = ListedAddress.objects.filter(owner_id=user_id, removed_at=None)
    if network is not None:
        rows = rows.filter(network_id=assets.network(network).id)
    known = {view.id: view for view in assets.networks()}
    return [_entry(row, known[row.network_id], now=now) for row in rows.order_by("label", "id")]


def mode(user_id: int, *, now: datetime) -> Mode:
    """What the customer chose, as it holds now."""
    return _mode(Preference.objects.filter(pk=user_id).first(), now=now)


def add(*, user_id: int, network: str, address: str, label: str, now: datetime) -> Entry:
    """Puts an address on the list, usable after the cool-down.

    Raises NetworkNotFound, ListedAddressInvalid, ListedAddressNotAllowed, LabelInvalid, AddressListed, AddressBookFull.
    """
    view = assets.network(network)
    text, key = _parsed(address, view)
    label = _label(label)
    if Address.objects.filter(
        network_id=view.id, script=key, purpose__in=(Address.Purpose.HOT, Address.Purpose.COLD)
    ).exists():
        raise ListedAddressNotAllowed("Coins cannot be sent to this address.", param="address")
    with transaction.atomic():
        _lock(user_id, now=now)
        mine = ListedAddress.objects.filter(owner_id=user_id, removed_at=None)
        if mine.filter(network_id=view.id, address=text).exists():
            raise AddressListed("This address is on your list already.", param="address")
        if mine.count() >= ENTRIES_MAX:
            raise AddressBookFull(f"The list holds {ENTRIES_MAX} addresses. Remove one first.")
        row = ListedAddress.objects.create(
            owner_id=user_id,
            network_id=view.id,
            address=text,
            label=label,
            created_at=now,
            usable_at=now + cooldown(),
        )
        _tell(user_id, "added", now=now, address=text, label=label, network=view.name, usable_at=iso(row.usable_at))
    return _entry(row, view, now=now)


def relabel(*, user_id: int, entry_id: int, label: str, now: datetime) -> Entry:
    """Another name for an entry. Raises ListedAddressNotFound, LabelInvalid."""
    label = _label(label)
    with transaction.atomic():
        _lock(user_id, now=now)
        row = _row(user_id, entry_id)
        view = _network(row)
        if row.label != label:
            row.label = label
            row.save(update_fields=["label"])
            _tell(user_id, "relabelled", now=now, address=row.address, label=label, network=view.name)
    return _entry(row, view, now=now)


def remove(*, user_id: int, entry_id: int, now: datetime) -> None:
    """Takes an entry off the list, at once. Raises ListedAddressNotFound."""
    with transaction.atomic():
        _lock(user_id, now=now)
        row = _row(user_id, entry_id)
        row.removed_at = now
        row.save(update_fields=["removed_at"])
        _tell(user_id, "removed", now=now, address=row.address, label=row.label, network=_network(row).name)


def set_mode(*, user_id: int, allow_list_only: bool, now: datetime) -> Mode:
    """Tightening holds at once; loosening after the cool-down. Asking for what is so already changes nothing."""
    with transaction.atomic():
        row = _lock(user_id, now=now)
        before = _mode(row, now=now)
        if allow_list_only:
            if before.allow_list_only and before.loosens_at is None:
                return before
            row.allow_list_only, row.loosened_at, what = True, None, "tightened"
        else:
            if not before.allow_list_only or before.loosens_at is not None:
                return before
            row.loosened_at, what = now + cooldown(), "loosened"
        row.changed_at = now
        row.save()
        after = _mode(row, now=now)
        _tell(user_id, what, now=now, usable_at=iso(row.loosened_at) if row.loosened_at else "")
    return after


def destination_class(*, user_id: int, network_id: int, address: str, now: datetime) -> str:
    """ "listed" for an entry past its cool-down, else "one_time"."""
    row = ListedAddress.objects.filter(
        owner_id=user_id, network_id=network_id, address=address, removed_at=None, usable_at__lte=now
    )
    return LISTED if row.exists() else ONE_TIME


def allowed(*, user_id: int, network_id: int, address: str, now: datetime) -> str:
    """The destination's class. Raises AddressNotListed or AddressCoolingDown where coins go to the list alone."""
    sort = destination_class(user_id=user_id, network_id=network_id, address=address, now=now)
    if sort == LISTED or not mode(user_id, now=now).allow_list_only:
        return sort
    waiting = ListedAddress.objects.filter(
        owner_id=user_id, network_id=network_id, address=address, removed_at=None
    ).first()
    if waiting is not None:
        raise AddressCoolingDown(
            f"This address is new on your list. It can be used from {waiting.usable_at:%-d %B %Y, %H:%M} UTC on.",
            param="address",
        )
    raise AddressNotListed("You chose that coins leave to addresses of your list alone.", param="address")


def _lock(user_id: int, *, now: datetime) -> Preference:
    Preference.objects.bulk_create([Preference(owner_id=user_id, changed_at=now)], ignore_conflicts=True)
    return Preference.objects.select_for_update().get(pk=user_id)


def _mode(row: Preference | None, *, now: datetime) -> Mode:
    if row is None or not row.allow_list_only:
        return Mode(False, None)
    if row.loosened_at is not None and row.loosened_at <= now:
        return Mode(False, None)
    return Mode(True, row.loosened_at)


def _row(user_id: int, entry_id: int) -> ListedAddress:
    row = ListedAddress.objects.filter(owner_id=user_id, pk=entry_id, removed_at=None).first()
    if row is None:
        raise ListedAddressNotFound("There is no such address on your list.")
    return row


def _network(row: ListedAddress) -> NetworkView:
    return assets.network(routes.codes()[row.network_id])


def _parsed(address: Any, view: NetworkView) -> tuple[str, bytes]:
    try:
        parsed = nodes.rules(view.code).parse(address.strip() if isinstance(address, str) else "")
    except (ChainAddressWrongNetwork, ChainAddressInvalid):
        raise ListedAddressInvalid(f"This is not an address of the {view.name} network.", param="address") from None
    return str(parsed.text), bytes(parsed.key)


def _label(text: str) -> str:
    label = " ".join(text.split())
    if not 0 < len(label) <= LABEL_LENGTH_MAX or not label.isprintable():
        raise LabelInvalid(f"A label has 1 to {LABEL_LENGTH_MAX} characters.", param="label")
    return label


def _entry(row: ListedAddress, view: NetworkView, *, now: datetime) -> Entry:
    return Entry(
        id=row.pk,
        network=view.code,
        network_name=view.name,
        address=row.address,
        label=row.label,
        created_at=row.created_at,
        usable_at=row.usable_at,
        usable=row.usable_at <= now,
    )


def _tell(user_id: int, what: str, *, now: datetime, **facts: str) -> None:
    outbox.append(
        topic="wallets.address_book_changed",
        key=f"address_book:{user_id}",
        payload={"user_id": user_id, "what": what, **facts},
        now=now,
    )
