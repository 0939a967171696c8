"""Trading limits: the most that a customer's orders may come to is reserved before they are sent, and given back as they end.

A reservation is written, counted and committed under the customer's locked row, so no two orders at once use the same room. It
counts as long as its order may fill, and for as long as its window what did fill, at the worth it was reserved at. Ended orders
are found by looking at them, never by being told, so nothing that dies in between keeps or loses room: a command whose web
process was killed is found by its UUID, or is too old to be done.
What must never happen here: an order sent whose most is not counted; a fill that counts for more than was reserved; a float.
Customers without a trading limit never come here.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, Sum

from kyc import selectors as kyc
from kyc.kinds import MONTH_S, TRADING, WINDOWS
from kyc.services import limits
from trading import wire
from trading.engine.matching import SHARDS_MAX
from trading.models import Command, CommandKey, CountedCustomer, Order, OrderKey, Reservation
from trading.presentation import MarketView
from trading.services import catalogue, extent
from trading.services.extent import Extent

# The engine refuses a command that is a minute old (runner.batch.COMMAND_AGE_MAX_MS); this long after, none is under way.
LOST_AFTER = timedelta(minutes=15)
KEPT = timedelta(seconds=MONTH_S, days=1)
# A process may trust for some seconds what it knew of a customer before a limit was set.
TRUSTED_FOR = timedelta(seconds=10)
AT_ONCE, AT_A_TIME_S = 1_000, 40.0  # customers a query, seconds a run

log = structlog.get_logger(__name__)


def reserve(
    *, user_id: int, extents: Sequence[Extent], client_order_id: str | None, uuid: UUID, param: str, now: datetime
) -> bool:
    """Room for a new order (two extents: for a pair, of which one can fill). Whether there is anything to give back.

    Raises LimitExceeded (with `param`), WorthUnknown.
    """
    if not kyc.is_limited(user_id, TRADING):
        return False
    with transaction.atomic():
        limits.lock(user_id)
        _look(user_id, now=now)
        if client_order_id is not None and _is_taken(user_id, client_order_id):
            return False  # the engine gives the first result again
        again = None
        if client_order_id is not None:
            again = Reservation.objects.filter(
                user_id=user_id, client_order_id=client_order_id, command_uuid__isnull=False
            ).first()
        claim = uuid if again is None else again.claim
        worths = [kyc.worth({each.asset_id: each.units}, now=now) for each in extents]
        refusal = _refusal(user_id, claim, max(worths), param=param, now=now)
        if refusal is None:
            Reservation.objects.bulk_create(
                Reservation(
                    user_id=user_id, claim=claim, command_uuid=uuid, leg=leg, client_order_id=client_order_id,
                    asset_id=each.asset_id, units=each.units, worth=worth, asked_at=now,
                )
                for leg, (each, worth) in enumerate(zip(extents, worths, strict=True))
            )  # fmt: skip
    if refusal is not None:
        raise refusal  # after the commit: what was found out by looking stays known
    return True


def reserve_change(
    *, user_id: int, order_id: int, view: MarketView, price: int, lots: int, uuid: UUID, now: datetime
) -> bool:
    """Room for what an open order is to become, beside what it has. As `reserve`."""
    if not kyc.is_limited(user_id, TRADING):
        return False
    with transaction.atomic():
        limits.lock(user_id)
        _look(user_id, now=now)
        own = Reservation.objects.filter(user_id=user_id, order_id=order_id, command_uuid=None, ended_at=None).first()
        order = Order.objects.filter(id=order_id, user_id=user_id, state=Order.State.OPEN).first()
        if own is None or order is None:
            return False  # it is done, and cannot be changed
        wished = extent.changed(view, order, price=price, lots=lots)
        # Never at a lower worth than before: what is filled already keeps the worth at which it was reserved.
        worth = max(kyc.worth({wished.asset_id: wished.units}, now=now), _part(own, wished.units))
        refusal = _refusal(user_id, own.claim, worth, param="quantity", now=now)
        if refusal is None:
            Reservation.objects.create(
                user_id=user_id, claim=own.claim, command_uuid=uuid, order_id=order_id, asset_id=wished.asset_id,
                units=wished.units, worth=worth, asked_at=now,
            )  # fmt: skip
    if refusal is not None:
        raise refusal
    return True


def give_back(*, uuid: UUID) -> None:
    """Nothing came of the command. Where the engine has it on record all the same, that record says what becomes of the room."""
    if not CommandKey.objects.filter(command_uuid=uuid).exists():
        Reservation.objects.filter(command_uuid=uuid).delete()


def used(*, user_id: int, since: Sequence[datetime], now: datetime) -> Sequence[int]:
    """What counts in each window: the most that open orders and commands under way may come to, and what filled of those that
    ended since. Whatever was not written down yet is, before it is counted. Raises WorthUnknown."""
    is_limited = kyc.is_limited(user_id, TRADING)
    if is_limited or Reservation.objects.filter(user_id=user_id, ended_at=None).exists():
        with transaction.atomic():
            limits.lock(user_id)
            (_look if is_limited else _settle)(user_id, now=now)
    return _counted(user_id, since)


def settle_due(*, now: datetime) -> int:
    """Writes down what became of reservations whose customers do not come back, and forgets what no window reaches; how many
    customers were looked at. A transaction each: one that fails is told and holds up no other.

    Only customers of whom there is something to write down, so those who are done make room for the next run's.
    """
    Reservation.objects.filter(ended_at__lt=now - KEPT).delete()
    until = time.monotonic() + AT_A_TIME_S
    ended = Order.objects.filter(id=OuterRef("order_id")).exclude(state=Order.State.OPEN)
    waiting = Reservation.objects.filter(Q(command_uuid__isnull=False) | Exists(ended), ended_at=None)
    looked, last = 0, 0
    while users := list(
        waiting.filter(user_id__gt=last).order_by("user_id").values_list("user_id", flat=True).distinct()[:AT_ONCE]
    ):
        for last in users:
            if time.monotonic() > until:
                return looked
            try:
                with transaction.atomic():
                    limits.lock(last)
                    _settle(last, now=now)
            except Exception as error:
                log.exception("trading.reservations_not_settled", user_id=last, error=type(error).__name__)
            looked += 1
    return looked


# --- Under the customer's lock ----------------------------------------------------------------------------------------------


def _refusal(user_id: int, claim: UUID, worth: int, *, param: str, now: datetime) -> limits.LimitExceeded | None:
    """Why there is no room; what the claim has already is not asked for twice. After `_look`."""
    has = max(
        (int(row.worth) for row in Reservation.objects.filter(user_id=user_id, claim=claim, ended_at=None)), default=0
    )
    if worth > has:
        counted = _counted(user_id, [now - timedelta(seconds=seconds) for seconds in WINDOWS])
        used = dict(zip(WINDOWS, counted, strict=True))
        try:
            limits.check_trading(user_id=user_id, asked=worth - has, used=used, param=param, now=now)
        except limits.LimitExceeded as refused:
            return refused
    return None


def _counted(user_id: int, since: Sequence[datetime]) -> Sequence[int]:
    """As the rows say, added up by the database: a month of them may be hundreds of thousands, and they are counted under the
    customer's lock. Two queries."""
    rows = Reservation.objects.filter(user_id=user_id)
    claims = (
        rows.filter(ended_at=None).order_by().values("claim").annotate(most=Max("worth")).values_list("most", flat=True)
    )
    sums = {f"window_{at}": Sum("worth", filter=Q(ended_at__gt=moment)) for at, moment in enumerate(since)}
    over = rows.filter(ended_at__gt=min(since)).aggregate(**sums)
    standing = sum(int(worth) for worth in claims)
    return [standing + int(over[f"window_{at}"] or 0) for at in range(len(since))]


def _is_taken(user_id: int, client_order_id: str) -> bool:
    return OrderKey.objects.filter(user_id=user_id, client_order_id=client_order_id).exists()


def _look(user_id: int, *, now: datetime) -> None:
    """Brings the reservations up to what the engine has done, and takes in orders that were placed while nothing was counted."""
    strangers = list(_without_reservation(user_id, Order.objects.filter(state=Order.State.OPEN)))
    counted = CountedCustomer.objects.filter(user_id=user_id).first()
    changed = kyc.standing_since(user_id)
    if counted is None or (changed is not None and counted.looked_back_at <= changed + TRUSTED_FOR):
        traded = Order.objects.filter(updated_at__gt=now - KEPT, filled_lots__gt=0).exclude(state=Order.State.OPEN)
        strangers += _without_reservation(user_id, traded)
        CountedCustomer.objects.update_or_create(user_id=user_id, defaults={"looked_back_at": now})
    # In this order: a command whose order was seen above is found below, and the order is then no stranger.
    known = _settle(user_id, now=now)
    for order in strangers:
        if order.id not in known:
            _take_in(user_id, order, now=now)


def _without_reservation(user_id: int, orders: Any) -> Any:
    """One look into the index for each of the orders: `NOT IN` would read all that the customer ever reserved."""
    reserved = Reservation.objects.filter(user_id=user_id, command_uuid=None, order_id=OuterRef("id"))
    return orders.filter(~Exists(reserved), user_id=user_id)


def _take_in(user_id: int, order: Order, *, now: datetime) -> None:
    view = catalogue.market_by_id(order.market_id)
    asset_id, units = extent.stands(view, order)
    is_open = order.state == Order.State.OPEN
    if not is_open:
        units = extent.filled(view, order, asset_id=asset_id)
    Reservation.objects.create(
        user_id=user_id, claim=_claim_of(order.id), order_id=order.id, asset_id=asset_id, units=units,
        worth=kyc.worth({asset_id: units}, now=now), asked_at=now, ended_at=None if is_open else order.updated_at,
    )  # fmt: skip


def _claim_of(order_id: int) -> UUID:
    return UUID(int=order_id)


def _settle(user_id: int, *, now: datetime) -> Collection[int]:
    """What commands came to, then what orders came to; the orders that commands turned out to have made."""
    flying = list(Reservation.objects.filter(user_id=user_id, command_uuid__isnull=False).order_by("id"))
    keys = dict(
        CommandKey.objects.filter(command_uuid__in=[row.command_uuid for row in flying]).values_list(
            "command_uuid", "command_id"
        )
    )
    commands = Command.objects.in_bulk(list(keys.values()))
    made: set[int] = set()
    for row in flying:
        assert row.command_uuid is not None
        command = commands.get(keys.get(row.command_uuid, 0))
        if command is not None:
            made |= _landed(row, command)
        elif row.asked_at < now - LOST_AFTER:
            row.delete()
    _settle_orders(user_id)
    return made


def _landed(row: Reservation, command: Command) -> set[int]:
    """A command that the engine did, or refused."""
    if command.verdict != wire.ACCEPTED or command.order_id is None:
        row.delete()
        return set()
    if row.order_id is not None:  # a change: from now on its order has what it became
        row.delete()
        order = Order.objects.get(id=row.order_id)
        own = Reservation.objects.filter(order_id=row.order_id, command_uuid=None, ended_at=None).first()
        if own is not None and order.state == Order.State.OPEN:
            units = extent.stands(catalogue.market_by_id(order.market_id), order).units
            own.worth, own.units = max(_part(own, units), _part(row, units)), units
            own.save(update_fields=["worth", "units"])
        elif own is not None and _part(row, int(own.units)) > own.worth:
            own.worth = _part(row, int(own.units))
            own.save(update_fields=["worth"])
        return set()
    # The legs of a pair have numbers one after the other.
    row.order_id, row.command_uuid = command.order_id + row.leg * SHARDS_MAX, None
    row.save(update_fields=["order_id", "command_uuid"])
    return {row.order_id}


def _settle_orders(user_id: int) -> None:
    rows = list(Reservation.objects.filter(user_id=user_id, command_uuid=None, ended_at=None))
    ended = _ended_orders([row.order_id for row in rows])
    for row in rows:
        order = ended.get(row.order_id)
        if order is None:
            continue
        if (units := _filled(row, order)) == 0:
            row.delete()
            continue
        row.worth, row.units, row.ended_at = _part(row, units), units, order.updated_at
        row.save(update_fields=["worth", "units", "ended_at"])


def _ended_orders(ids: Collection[int | None]) -> dict[int | None, Order]:
    return {order.id: order for order in Order.objects.filter(id__in=ids).exclude(state=Order.State.OPEN)}


def _filled(row: Reservation, order: Order) -> int:
    return extent.filled(catalogue.market_by_id(order.market_id), order, asset_id=row.asset_id)


def _part(row: Reservation, units: int) -> int:
    """What so many units are worth at the reservation's own rate, rounded up."""
    return -(-int(row.worth) * units // int(row.units))
