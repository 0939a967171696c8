"""Which topic of the settings each kind of message belongs to, and what people get who have chosen nothing.

What must never happen here: a kind without a topic (a test looks), or a message about an account's safety that can be switched
off: in the page and by e-mail those always come.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PAGE, EMAIL, WEB_PUSH, APP_PUSH, SMS = "page", "email", "web_push", "app_push", "sms"
CHANNELS = (PAGE, EMAIL, WEB_PUSH, APP_PUSH, SMS)


@dataclass(frozen=True, slots=True)
class Topic:
    """A row of the settings. `always` cannot be switched off; `wanted` is what holds until somebody chooses."""

    code: str
    name: str | Promise
    about: str | Promise
    wanted: frozenset[str]
    always: frozenset[str] = frozenset()
    staff: bool = False


_PUSHED = frozenset({PAGE, EMAIL, WEB_PUSH, APP_PUSH})
SECURITY = Topic(
    code="security",
    name=_("Security"),
    about=_(
        "Log-ins from new devices, changes of what protects you, new addresses, and money that is asked for or leaves."
    ),
    wanted=_PUSHED | {SMS},
    always=frozenset({PAGE, EMAIL}),
)
DEPOSITS = Topic("deposits", _("Deposits"), _("Money that arrived, and deposits that wait."), wanted=_PUSHED)
WITHDRAWALS = Topic(
    "withdrawals",
    _("Withdrawals"),
    _("The steps of a withdrawal on its way: looked at, arrived, cancelled."),
    wanted=_PUSHED,
)
ACCOUNT = Topic("account", _("Your account"), _("Verification, levels, and copies of your data."), wanted=_PUSHED)
NEWS = Topic(
    "news",
    _("Announcements"),
    _("New markets, maintenance, changes of terms."),
    wanted=frozenset({PAGE, WEB_PUSH, APP_PUSH}),
)
STAFF = Topic(
    "staff",
    _("Alarms for staff"),
    _("What needs somebody of the house: stops, nodes, cases, hot and cold."),
    wanted=_PUSHED,
    always=frozenset({PAGE, EMAIL}),
    staff=True,
)
TOPICS = {topic.code: topic for topic in (SECURITY, DEPOSITS, WITHDRAWALS, ACCOUNT, NEWS, STAFF)}

_OF_KIND = {
    **dict.fromkeys(
        (
            "new_device", "credential_changed", "account_frozen", "freeze_lifted", "account_closed", "account_reopened",
            "export_ready", "address_book_changed", "withdrawal_requested", "withdrawal_confirmation", "withdrawal_approved",
            "withdrawal_sent", "test",
        ),
        SECURITY,
    ),
    **dict.fromkeys(
        ("deposit_credited", "deposit_held", "deposit_reversed", "bank_deposit_credited", "bank_deposit_held"), DEPOSITS
    ),
    **dict.fromkeys(
        ("withdrawal_review", "withdrawal_final", "withdrawal_cancelled", "withdrawal_refused"), WITHDRAWALS
    ),
    **dict.fromkeys(
        (
            "verification_submitted", "verification_approved", "verification_rejected", "verification_resubmit",
            "verification_ending", "verification_expired", "export_failed",
        ),
        ACCOUNT,
    ),
    "announcement": NEWS,
    **dict.fromkeys(
        (
            "ledger_mismatch", "stopped", "network_trouble", "network_halted", "payout_lost", "hot_low", "cold_held",
            "return_proposed", "solvency_short", "solvency_unknown", "screening_case", "sanctions_refused",
        ),
        STAFF,
    ),
}  # fmt: skip


def topic_of(kind: str) -> Topic:
    """A kind that stands nowhere is treated as one that must not be missed."""
    return _OF_KIND.get(kind, SECURITY)


def known(kind: str) -> bool:
    return kind in _OF_KIND


def wants(topic: Topic, channel: str, chosen: dict[tuple[str, str], bool]) -> bool:
    """Whether a person with these choices gets this topic by this channel."""
    return channel in topic.always or chosen.get((topic.code, channel), channel in topic.wanted)
