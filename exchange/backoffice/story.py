"""Everything of one customer that a member of staff may see, put together for one page: each part by the right to it.

Ten rows of each at most, by indexes, so a customer of ten years costs what one of a day does.
What must never happen here: words or pictures of an application (its own page shows those, to who may decide about it, and
notes who looked), or a case about whoever looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from exchange.accounts import protection, standing
from exchange.accounts.keys import selectors as keys
from exchange.accounts.second_factors import selectors as factors
from exchange.assets import prices
from exchange.audit import reading
from exchange.backoffice.words import Units, grouped, list_page, page, row_page
from exchange.core import amounts
from exchange.fiat import selectors as fiat
from exchange.ledger import selectors as ledger
from exchange.proposals import selectors as proposals
from kyc import application_selectors as applications
from kyc import selectors as kyc
from kyc.screening import counting as screening
from trading import selectors as trading
from wallets import selectors as wallets

ROWS = 10
TIMELINE = 40


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the story."""

    at: datetime
    what: str
    detail: str
    sort: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A table of the page: its heading, its columns' headings, rows of (text, address) cells, and where there is more."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[tuple[str, str], ...]]
    more: str = ""
    numbers: tuple[int, ...] = ()


@dataclass(slots=True)
class Story:
    person: standing.Standing
    level: str
    frozen: bool
    worth: str
    panels: list[Panel] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    timeline: list[Happening] = field(default_factory=list)
    deeds: list[tuple[str, str]] = field(default_factory=list)


def of(request: HttpRequest, *, user_id: int, now: datetime) -> Story | None:
    """None where there is nobody."""
    person = standing.of(user_id, now=now)
    if person is None:
        return None
    level = kyc.level(user_id)
    story = Story(person=person, level=level.name, frozen=ledger.is_frozen(owner_id=user_id), worth="")
    for build in _PARTS:
        build(request, story, now)
    _record(request, story)
    story.empty = [panel.title for panel in story.panels if not panel.rows]
    story.panels = [panel for panel in story.panels if panel.rows]
    story.timeline = sorted(story.timeline, key=lambda each: each.at, reverse=True)[:TIMELINE]
    story.deeds = [deed for deed in _deeds(request, story) if deed[1]]
    return story


def _deeds(request: HttpRequest, story: Story) -> list[tuple[str, str]]:
    user_id = story.person.id
    return [
        (_("Freeze"), "" if story.frozen else page(request, "flows.add_freeze", "flows_freeze_add", user_id=user_id)),
        (_("Lift a freeze"), page(request, "flows.change_freeze", "flows_freeze_changelist", q=user_id) if story.frozen else ""),
        (_("Change the e-mail address"), page(request, "accounts.change_user", "accounts_user_change_email", user_id)),
        (_("The account's own page"), row_page(request, "accounts.user", user_id)),
        (_("Every trace on chains"), list_page(request, "wallets.trace", q=user_id)),
    ]  # fmt: skip


# --- The parts --------------------------------------------------------------------------------------------------------


def _balances(request: HttpRequest, story: Story, now: datetime) -> None:
    book = "backoffice.view_book"
    units, found = Units(), [each for each in ledger.balances(owner_id=story.person.id) if each.balance]
    worths = prices.worths(amounts={each.asset_id: each.balance for each in found}, now=now)
    if worths:
        each = next(iter(worths.values()))
        story.worth = f"{grouped(amounts.format(sum(w.amount for w in worths.values()), decimals=each.decimals))} USD"
    owed = ledger.receivables(owner_id=story.person.id)
    rows = [
        (
            (units.text(each.asset_id, each.balance), page(request, book, "backoffice_book_account", each.account_id)),
            (units.text(each.asset_id, each.held), ""),
            (units.text(each.asset_id, each.available), ""),
            (_worth(worths.get(each.asset_id)), ""),
        )
        for each in found
    ]  # fmt: skip
    rows += [((_("owes %(amount)s") % {"amount": units.text(asset_id, amount)}, ""), ("", ""), ("", ""), ("", ""))
             for asset_id, amount in owed.items()]  # fmt: skip
    story.panels.append(
        Panel(_("Balances"), (_("Balance"), _("Held"), _("Available"), _("Worth")), rows,
              page(request, book, "backoffice_book_accounts", owner=story.person.id),
              (0, 1, 2, 3))
    )  # fmt: skip


def _worth(valuation: Any) -> str:
    return f"{grouped(amounts.format(valuation.amount, decimals=valuation.decimals))} USD" if valuation else "–"


def _identity(request: HttpRequest, story: Story, now: datetime) -> None:
    if not request.user.has_perm("kyc.view_application"):
        return
    found = applications.applications(story.person.id, limit=ROWS)
    rows = [
        (
            (each.level_name, row_page(request, "kyc.application", each.id)),
            (each.state, ""),
            (_day(each.submitted_at), ""),
            (_day(each.decided_at), ""),
        )
        for each in found
    ]
    story.panels.append(
        Panel(_("Identity"), (_("Asked for"), _("State"), _("Handed in"), _("Decided")), rows,
              list_page(request, "kyc.application", q=story.person.id, queue="all"))
    )  # fmt: skip
    story.timeline += [
        Happening(each.submitted_at, _("Handed in an application"), each.level_name, "identity")
        for each in found
        if each.submitted_at
    ]


def _cases(request: HttpRequest, story: Story, now: datetime) -> None:
    if not request.user.has_perm("kyc.view_screeningcase") or story.person.id == request.user.pk:
        return
    found = screening.of(story.person.id, limit=ROWS)
    rows = [
        (
            (str(each.id), row_page(request, "kyc.screeningcase", each.id)),
            (each.kind, ""),
            (each.state_word, ""),
            (_("strong") if each.strong else _("weak"), ""),
            (_day(each.opened_at), ""),
        )
        for each in found
    ]
    columns = (_("Case"), _("About"), _("State"), _("How sure"), _("Opened"))
    story.panels.append(Panel(_("Screening cases"), columns, rows))


def _coins(request: HttpRequest, story: Story, now: datetime) -> None:
    user_id = story.person.id
    if request.user.has_perm("wallets.view_deposit"):
        arrived = wallets.deposits(user_id, limit=ROWS)
        rows = [
            (
                (_amount(each.amount, each.decimals, each.asset), row_page(request, "wallets.deposit", each.id)),
                (each.network_name or each.network, ""), (each.state, ""), (_minute(each.seen_at), ""),
            )
            for each in arrived
        ]  # fmt: skip
        more = list_page(request, "wallets.deposit", q=user_id)
        columns = (_("Amount"), _("Network"), _("State"), _("Seen (UTC)"))
        story.panels.append(Panel(_("Deposits"), columns, rows, more))
        story.timeline += [
            Happening(
                each.seen_at, _("Deposit"), f"{_amount(each.amount, each.decimals, each.asset)}, {each.state}", "in"
            )
            for each in arrived
        ]
    if request.user.has_perm("wallets.view_withdrawal"):
        left = wallets.withdrawals(user_id, limit=ROWS)
        rows = [
            (
                (_amount(each.amount, each.decimals, each.asset), row_page(request, "wallets.withdrawal", each.id)),
                (each.network_name or each.network, ""), (each.state, ""), (_minute(each.requested_at), ""),
            )
            for each in left
        ]  # fmt: skip
        more = list_page(request, "wallets.withdrawal", q=user_id)
        columns = (_("Amount"), _("Network"), _("State"), _("Asked (UTC)"))
        story.panels.append(Panel(_("Withdrawals"), columns, rows, more))
        story.timeline += [
            Happening(
                each.requested_at,
                _("Withdrawal"),
                f"{_amount(each.amount, each.decimals, each.asset)}, {each.state}",
                "out",
            )
            for each in left
        ]


def _bank(request: HttpRequest, story: Story, now: datetime) -> None:
    if not request.user.has_perm("fiat.view_bankdeposit"):
        return
    units, found = Units(), fiat.deposits(user_id=story.person.id, limit=ROWS)
    rows = [
        (
            (units.text(each.asset_id, each.announced), row_page(request, "fiat.bankdeposit", each.id)),
            (each.reference, ""), (each.state, ""), (_minute(each.created_at), ""),
        )
        for each in found
    ]  # fmt: skip
    if rows:
        columns = (_("Announced"), _("Reference"), _("State"), _("When (UTC)"))
        more = list_page(request, "fiat.bankdeposit", q=story.person.id)
        story.panels.append(Panel(_("Bank transfers"), columns, rows, more))


def _orders(request: HttpRequest, story: Story, now: datetime) -> None:
    if not request.user.has_perm("trading.view_order"):
        return
    found = trading.orders(story.person.id, limit=ROWS)
    rows = [
        (
            (f"{each.side} {each.quantity or each.quote_amount} {each.market}", row_page(request, "trading.order", each.id)),
            (each.price or each.type, ""), (each.filled_quantity, ""), (each.state, ""), (_minute(each.created_at), ""),
        )
        for each in found
    ]  # fmt: skip
    columns = (_("Order"), _("Price"), _("Filled"), _("State"), _("When (UTC)"))
    more = list_page(request, "trading.order", q=story.person.id)
    story.panels.append(Panel(_("Orders"), columns, rows, more, (1, 2)))
    story.timeline += [
        Happening(
            each.created_at, _("Order"), f"{each.side} {each.quantity or each.quote_amount} {each.market}", "trade"
        )
        for each in found
    ]


def _doors(request: HttpRequest, story: Story, now: datetime) -> None:
    """Log-ins, devices, factors and programs."""
    user_id = story.person.id
    if not request.user.has_perm("accounts.view_user"):
        return
    held = [(each.kind, each.name, each.last_used_at) for each in factors.factors(user_id)]
    held += [
        (_("API key"), each.label, each.last_used_at) for each in keys.keys(user_id, now=now) if each.state == "live"
    ]
    rows = [((kind, ""), (name, ""), (_minute(used), "")) for kind, name, used in held]
    story.panels.append(Panel(_("Factors and API keys"), (_("Kind"), _("Name"), _("Last used (UTC)")), rows))
    devices = protection.devices(user_id, current=None)[:ROWS]
    rows = [((each.browser, ""), (each.address, ""), (_minute(each.last_seen_at), "")) for each in devices]
    story.panels.append(Panel(_("Devices"), (_("Device"), _("Address"), _("Last seen (UTC)")), rows))
    attempts = protection.history(user_id, limit=ROWS)
    rows = [
        ((str(each.outcome), ""), (each.browser, ""), (each.address, ""), (_minute(each.at), "")) for each in attempts
    ]
    columns = (_("What"), _("Device"), _("Address"), _("When (UTC)"))
    story.panels.append(Panel(_("Log-ins"), columns, rows))
    story.timeline += [
        Happening(each.at, str(each.outcome), f"{each.browser}, {each.address}", "door" if each.good else "bad")
        for each in attempts
    ]


def _restraints(request: HttpRequest, story: Story, now: datetime) -> None:
    words = {"frozen_by_owner": _("Frozen by its owner"), "closed": _("Closed"), "paused": _("Withdrawals paused")}
    story.timeline += [
        Happening(
            each.began_at, words[each.what], each.reason, "bad",
            page(request, f"accounts.view_{each.model}", f"accounts_{each.model}_change", each.id),
        )
        for each in story.person.restraints
    ]  # fmt: skip


def _record(request: HttpRequest, story: Story) -> None:
    """What the audit has, for who may read it; what log-ins show already is left out."""
    if not request.user.has_perm("audit.view_record"):
        return
    subject = f"user:{story.person.id}"
    found = [each for each in reading.whole(subject=subject, limit=TIMELINE) if each.action not in protection.LOG_INS]
    people = {each.actor_id for each in found if each.actor_id and each.actor_id != story.person.id}
    story.timeline += [
        Happening(
            each.at, each.action, _("by staff %(number)s") % {"number": each.actor_id} if each.actor_id in people else "",
            "record", row_page(request, "audit.record", each.id),
        )
        for each in found
    ]  # fmt: skip


def waiting_proposals(user_id: int, *, now: datetime) -> int | None:
    """The proposal about this person that waits, if one does."""
    for kind in ("accounts.email", "flows.lift_freeze"):
        if found := proposals.waits_for(kind=kind, subject=f"user:{user_id}", now=now):
            return found
    return None


def _amount(units: int, decimals: int, code: str) -> str:
    return f"{grouped(amounts.format(units, decimals=decimals))} {code}"


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "–"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "–"


_PARTS: tuple[Callable[[HttpRequest, Story, datetime], None], ...] = (
    _balances, _identity, _cases, _coins, _bank, _orders, _doors, _restraints,
)  # fmt: skip
