"""The staff site's side: rooms in the order of a day's work, with what waits in each; nobody is shown a page they may not open.

What must never happen here: a page of the staff site that stands nowhere (a test walks them all).
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from exchange.backoffice import queues

# (title, icon, model, the queue whose count stands beside it)
Item = tuple[Any, str, str, str]
GROUPS: tuple[tuple[Any, bool, tuple[Item, ...]], ...] = (
    (_("Work"), False, (
        (_("Customers"), "person_search", "backoffice.story", ""),
        (_("Identity"), "badge", "kyc.application", "applications"),
        (_("Screening cases"), "policy", "kyc.screeningcase", "cases"),
        (_("Withdrawals"), "north_east", "wallets.withdrawal", "withdrawals"),
        (_("Deposits"), "south_west", "wallets.deposit", "held"),
        (_("Proposals"), "how_to_reg", "proposals.proposal", "proposals"),
        (_("Find on chains"), "travel_explore", "wallets.trace", ""),
        (_("Ledger explorer"), "account_tree", "backoffice.book", ""),
    )),
    (_("People"), True, (
        (_("Accounts"), "group", "accounts.user", ""),
        (_("Freezes by staff"), "ac_unit", "flows.freeze", ""),
        (_("Freezes by owners"), "lock_person", "accounts.freeze", ""),
        (_("Closed accounts"), "person_off", "accounts.closure", ""),
        (_("Pauses"), "pause_circle", "accounts.pause", ""),
        (_("Lost second factors"), "phonelink_erase", "accounts.factorreset", "resets"),
        (_("Levels of customers"), "stairs", "kyc.customer", ""),
        (_("Levels to confirm"), "how_to_vote", "kyc.levelproposal", "levels"),
        (_("Offices"), "shield_person", "auth.group", ""),
    )),
    (_("Markets"), True, (
        (_("Markets"), "candlestick_chart", "trading.market", ""),
        (_("Fee tiers"), "percent", "trading.feetier", ""),
        (_("Orders"), "list_alt", "trading.order", ""),
        (_("Trades"), "swap_horiz", "trading.trade", ""),
        (_("Customers' fees"), "sell", "trading.accountfee", ""),
        (_("Volumes"), "bar_chart", "trading.volume", ""),
        (_("Engines"), "memory", "trading.shard", ""),
    )),
    (_("Coins"), True, (
        (_("Hot and cold"), "thermostat", "wallets.hotlevel", ""),
        (_("Hot shares"), "pie_chart", "wallets.hotshare", "shares"),
        (_("Cold wallets"), "savings", "wallets.coldwallet", ""),
        (_("From cold storage"), "move_up", "wallets.coldproposal", "cold"),
        (_("Transactions"), "receipt_long", "wallets.payout", "stuck"),
        (_("Sweeps"), "mop", "wallets.sweep", ""),
        (_("Networks' health"), "monitor_heart", "wallets.health", ""),
        (_("Blocks"), "deployed_code", "wallets.block", ""),
        (_("Addresses"), "alternate_email", "wallets.address", ""),
        (_("Public keys"), "key", "wallets.xpub", ""),
    )),
    (_("Policy and signing"), True, (
        (_("Withdrawal policy"), "gavel", "custody.policyedit", "policy"),
        (_("Decisions"), "rule", "custody.policydecision", ""),
        (_("Signing jobs"), "draw", "custody.signingjob", ""),
        (_("Signatures"), "verified", "custody.signature", ""),
        (_("Refusals"), "block", "custody.refusal", ""),
        (_("Levels and limits"), "speed", "kyc.level", ""),
        (_("Sanctions lists"), "checklist", "kyc.listversion", ""),
    )),
    (_("Books"), True, (
        (_("Bank deposits"), "account_balance", "fiat.bankdeposit", ""),
        (_("Bank statements"), "request_quote", "fiat.bankstatement", ""),
        (_("Solvency"), "balance", "compliance.solvencylook", ""),
        (_("Stops"), "front_hand", "ledger.stop", "breaks"),
        (_("Ledger accounts"), "table_rows", "ledger.account", ""),
        (_("Transfers"), "sync_alt", "ledger.transfer", ""),
        (_("Entries"), "format_list_bulleted", "ledger.entry", ""),
        (_("Batches"), "link", "ledger.batch", ""),
        (_("Holds"), "hourglass_top", "ledger.hold", ""),
        (_("Ledger freezes"), "severe_cold", "ledger.freeze", ""),
        (_("Merchants' invoices"), "point_of_sale", "invoices.invoice", ""),
    )),
    (_("House"), True, (
        (_("Announcements"), "campaign", "notifications.announcement", ""),
        (_("Incidents"), "report", "site_pages.incident", ""),
        (_("Assets"), "toll", "assets.asset", ""),
        (_("Networks"), "lan", "assets.network", ""),
        (_("Assets on networks"), "hub", "assets.assetnetwork", ""),
        (_("Rates"), "monitoring", "assets.rate", ""),
        (_("Rates of the past"), "history", "assets.ratehistory", ""),
        (_("Notifications"), "notifications", "notifications.notification", ""),
        (_("Deliveries of mail and push"), "outgoing_mail", "notifications.delivery", ""),
        (_("Providers of messages"), "cell_tower", "notifications.provider", ""),
        (_("Push devices"), "smartphone", "notifications.pushdevice", ""),
        (_("Events"), "bolt", "outbox.event", ""),
        (_("Deliveries"), "local_shipping", "outbox.delivery", "letters"),
        (_("Audit"), "menu_book", "audit.record", ""),
    )),
)  # fmt: skip


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """For Unfold's SIDEBAR. The site leaves out what a person may not see; counts come with what they may work."""
    counts = {each.name: each for each in queues.of(request) if each.count}
    first = {"title": _("Dashboard"), "icon": "space_dashboard", "link": reverse("admin:index")}
    found: list[dict[str, Any]] = [{"items": [first]}]
    for title, folded, items in GROUPS:
        shown = [made for item in items if (made := _item(request, item, counts)) is not None]
        if shown:
            found.append({"title": title, "collapsible": folded, "separator": True, "items": shown})
    return found


def _item(request: HttpRequest, item: Item, counts: dict[str, queues.Queue]) -> dict[str, Any] | None:
    title, icon, model, queue = item
    app, _dot, name = model.partition(".")
    if not (request.user.has_perm(f"{app}.view_{name}") or request.user.has_perm(f"{app}.change_{name}")):
        return None
    try:
        link = reverse(f"admin:{app}_{name}_changelist")
    except NoReverseMatch:
        return None
    made = {"title": title, "icon": icon, "link": link}
    if (waits := counts.get(queue)) is not None:
        made |= {"badge": str(waits.count), "badge_variant": "danger" if waits.alarm else "warning"}
    return made
