"""The five offices of the house: what each may look at, begin and decide. Code, so that it is reviewed and tested like code.

After every migrate the groups of these names hold exactly this (seeding.py), whatever somebody wrote into them. An operator who
needs another cut makes groups of other names. Looking is free of personal words and pictures: pages show those to who may
decide about them alone, and note it. What must never happen here: an office that can make and approve all by itself what takes
two (two people do, whatever their office), or a right for the auditor beyond looking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

SUPPORT, COMPLIANCE, TREASURY, OPERATOR, AUDITOR = "Support", "Compliance", "Treasury", "Operator", "Auditor"

PEOPLE = ("accounts.user", "accounts.freeze", "accounts.closure", "accounts.pause", "accounts.factorreset")
CUSTOMERS = (*PEOPLE, "backoffice.story", "flows.freeze", "notifications.notification", "notifications.pushdevice")
IDENTITY = ("kyc.application", "kyc.customer", "kyc.level", "kyc.levelproposal", "kyc.screeningcase", "kyc.listversion")
COINS = ("wallets.deposit", "wallets.withdrawal", "wallets.address", "wallets.trace", "wallets.payout", "wallets.sweep")
CHAINS = ("wallets.health", "wallets.block", "wallets.xpub")
COLD = ("wallets.hotlevel", "wallets.hotshare", "wallets.coldwallet", "wallets.coldproposal")
BOOK = (
    "backoffice.book", "ledger.account", "ledger.transfer", "ledger.entry", "ledger.batch", "ledger.hold", "ledger.freeze",
    "ledger.stop",
)  # fmt: skip
TRADING = (
    "trading.market",
    "trading.order",
    "trading.trade",
    "trading.feetier",
    "trading.accountfee",
    "trading.volume",
)
MACHINES = ("trading.shard", "outbox.event", "outbox.delivery", "notifications.delivery", "notifications.provider")
LISTS = ("assets.asset", "assets.network", "assets.assetnetwork", "assets.rate", "assets.ratehistory")
BANK = ("fiat.bankdeposit", "fiat.bankstatement")
SIGNING = ("custody.signingjob", "custody.signature", "custody.refusal", "custody.policydecision", "custody.policyedit")
OVERSIGHT = ("compliance.solvencylook", "audit.record")
MERCHANTS = ("invoices.invoice",)
TOGETHER = ("proposals.proposal",)
WORDS: tuple[str, ...] = ("notifications.announcement", "notifications.announcementtext", "site_pages.incident")

EVERYTHING = (
    *CUSTOMERS, *IDENTITY, *COINS, *CHAINS, *COLD, *BOOK, *TRADING, *MACHINES, *LISTS, *BANK, *SIGNING, *OVERSIGHT,
    *MERCHANTS, *TOGETHER, *WORDS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Role:
    """An office. `sees` are tables it may look at; what it `begins` and `decides` it sees as well."""

    name: str
    sees: tuple[str, ...]
    begins: tuple[str, ...] = ()
    decides: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    further: tuple[str, ...] = field(default=())  # permissions of tables that have no page of their own

    def rights(self) -> Iterator[str]:
        """The permissions by their full names."""
        verbs = {
            "view": (*self.sees, *self.begins, *self.decides),
            "add": self.begins,
            "change": self.decides,
            "delete": self.ends,
        }
        for verb, models in verbs.items():
            for model in dict.fromkeys(models):
                app, _, name = model.partition(".")
                yield f"{app}.{verb}_{name}"
        yield from self.further


POLICY_WORDS = ("custody.add_policyapproval", "custody.add_policycancellation")

ROLES = (
    Role(
        SUPPORT,
        sees=(*CUSTOMERS, "kyc.application", "kyc.customer", *COINS, "wallets.health", "trading.market", "trading.order",
              "trading.trade", "fiat.bankdeposit", *MERCHANTS, *TOGETHER, *WORDS),
        begins=("accounts.factorreset", "flows.freeze"),
        decides=("accounts.user", "accounts.freeze", "accounts.closure", "accounts.factorreset", "flows.freeze",
                 "notifications.pushdevice", *TOGETHER),
    ),
    Role(
        COMPLIANCE,
        sees=(*CUSTOMERS, *IDENTITY, *COINS, *BOOK, "trading.market", "trading.order", "trading.trade", "fiat.bankdeposit",
              "custody.policydecision", "custody.policyedit", *OVERSIGHT, *MERCHANTS, *TOGETHER, *WORDS),
        begins=("flows.freeze", "kyc.customer"),
        decides=("accounts.freeze", "accounts.closure", "flows.freeze", "kyc.application", "kyc.customer", "kyc.level",
                 "kyc.levelproposal", "kyc.screeningcase", "wallets.withdrawal", "wallets.deposit", *TOGETHER),
    ),
    Role(
        TREASURY,
        sees=(*COINS, *CHAINS, *COLD, *BOOK, *LISTS, *BANK, *SIGNING, "backoffice.story", "accounts.user", "flows.freeze",
              "trading.market", *OVERSIGHT, *TOGETHER, *WORDS),
        begins=("wallets.hotshare", "wallets.coldwallet", "wallets.coldproposal", "fiat.bankstatement", "ledger.stop",
                "custody.policyedit"),
        decides=("wallets.withdrawal", "wallets.deposit", "wallets.hotshare", "wallets.coldwallet", "wallets.coldproposal",
                 "fiat.bankdeposit", "ledger.stop", *TOGETHER),
        further=POLICY_WORDS,
    ),
    Role(
        OPERATOR,
        sees=(*TRADING, *MACHINES, *LISTS, *CHAINS, *COLD, "wallets.deposit", "wallets.withdrawal", "wallets.payout",
              "wallets.sweep", "wallets.trace", "ledger.stop", *SIGNING, "compliance.solvencylook", *TOGETHER, *WORDS),
        begins=("trading.market", "trading.feetier", "assets.asset", "assets.network", "assets.assetnetwork", "ledger.stop",
                *WORDS),
        decides=("trading.market", "trading.feetier", "trading.order", "assets.asset", "assets.network",
                 "assets.assetnetwork", "outbox.delivery", "notifications.delivery", "ledger.stop", *TOGETHER, *WORDS),
        ends=("notifications.announcement", "notifications.announcementtext"),  # drafts; what was published stays
    ),
    Role(AUDITOR, sees=EVERYTHING),
)  # fmt: skip
NAMES = frozenset(role.name for role in ROLES)
