"""Controls of the house as a whole: what browsers are told, who is called, what is logged and recorded; and of the older rooms,
what stands between a thief and the coins.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import requests

from tests.controls import Control

EVERY = "tests/integration/config/test_every_address.py::"
POLICY = "tests/integration/config/test_content_policy.py::"
CALLS = "tests/unit/test_outgoing.py::"
LOGS = "tests/unit/test_redaction.py::"
DEEDS = "tests/integration/audit/test_staff_deeds.py::"
AUDIT = "tests/integration/audit/test_audit.py::"
VELOCITY = "tests/unit/test_custody_velocity.py::"
SIGNING = "tests/integration/custody/test_custody_signing.py::"
KINDS = "tests/integration/custody/test_custody_kinds.py::"
KEYSTORE = "tests/unit/test_custody_keystore.py::"
ENVELOPE = "tests/unit/test_envelope.py::"
BOOK = "tests/integration/wallets/test_wallets_address_book.py::"
APPROVING = "tests/integration/wallets/test_wallets_approving.py::"
CONFIRMING = "tests/integration/wallets/test_wallets_confirming.py::"
REQUESTS = "tests/integration/wallets/test_wallets_withdrawal_requests.py::"
NOTHING, YES, NO = "tests.controls.off:nothing", "tests.controls.off:yes", "tests.controls.off:no"
HERE = "tests.controls.house:"

EVERYWHERE, NOWHERE = "/", ""
ANY_METHOD = frozenset(
    {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "TRACK", "CONNECT", "PROPFIND"}
)
FOLLOWED = True
FOR_EVER = timedelta(days=10_000)
EVERYTHING = "default-src *; frame-ancestors 'none'; base-uri 'none'"
INLINE_TOO = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}


def at_once() -> timedelta:
    """In place of a cool-down: none."""
    return timedelta(0)


def as_it_is(line: str) -> str:
    """In place of scrubbing: the line."""
    return line


def all_fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """In place of masking by name: everything."""
    return dict(event)


def let_by(self: Any, request: Any, response: Any) -> Any:
    """In place of a middleware that records."""
    return response


def unbounded(self: Any, response: Any, until: float) -> bytes:
    """In place of reading up to a size and a time."""
    return bytes(response.raw.read(decode_content=True))


def trusting(self: Any, request: Any, **given: Any) -> Any:
    """In place of a call that checks certificates."""
    return requests.Session.send(self, request, allow_redirects=False, timeout=60, verify=False)


def nothing_spent(self: Any, asset: str, *, since: int, without: str = "") -> int:
    """In place of what left within an hour or a day."""
    return 0


def one_seal(key: bytes, previous: bytes, text: bytes) -> bytes:
    """In place of a seal that goes on from the line before."""
    return bytes(32)


def unbound(*parts: str) -> bytes:
    """In place of purpose and context."""
    return b""


def anybodys(withdrawal_id: Any, actor_id: int) -> Any:
    """In place of a look at whose withdrawal it is."""
    from wallets.services import releasing

    return releasing.lock(withdrawal_id)


def always_listed(**named: Any) -> str:
    """In place of a look at the customer's list."""
    from wallets.services import address_book

    return address_book.LISTED


def control(name: str, off: str, instead: str, test: str, *asvs: str) -> Control:
    return Control(name=name, off=((off, instead),), test=test, asvs=asvs)


CONTROLS = [
    # --- browsers
    control("the back office's exception ends where its path ends", "config.policy:ADMIN_PATH", HERE + "EVERYWHERE",
            POLICY + "test_pages_allow_neither_inline_nor_built_code", "V3.4.3"),
    control("no inline style in the back office", "config.policy:ADMIN_NEEDS", HERE + "INLINE_TOO",
            POLICY + "test_the_back_office_may_build_functions_but_takes_nothing_inline", "V3.4.3"),
    control("what is no page loads and runs nothing", "config.headers:NO_PAGE", HERE + "EVERYTHING",
            EVERY + "test_what_is_refused_at_the_door_says_the_same", "V3.2.1", "V3.4.3"),
    control("pages get no camera and no microphone", "config.headers:PERMISSIONS", HERE + "NOWHERE",
            EVERY + "test_what_is_refused_at_the_door_says_the_same"),
    control("methods that are nobody's are refused", "config.headers:METHODS", HERE + "ANY_METHOD",
            EVERY + "test_methods_that_are_nobodys_are_refused", "V4.1.4", "V13.4.4"),
    control("the API takes no cookie without its token", "exchange.accounts.api.authentication:check_csrf", NOTHING,
            EVERY + "test_no_cookie_alone_changes_anything", "V3.5.1"),
    control("a page's form needs its token", "django.middleware.csrf:CsrfViewMiddleware.process_view", NOTHING,
            EVERY + "test_another_sites_form_changes_nothing", "V3.5.1"),
    control("a websocket is opened by our own pages", "trading.sockets.messages:is_ours", YES,
            EVERY + "test_another_sites_page_opens_no_websocket", "V4.4.2"),
    # --- calls to others
    control("calls to others follow no redirect", "exchange.outgoing.calls:REDIRECTS", HERE + "FOLLOWED",
            CALLS + "test_no_argument_loosens_it", "V15.3.2"),
    control("only configured places are called", "exchange.outgoing.places:check", NOTHING,
            CALLS + "test_only_places_of_the_list_are_called", "V13.2.4", "V1.3.6"),
    control("only configured nodes are called", "wallets.nodes:_allowed", NOTHING,
            CALLS + "test_a_node_outside_the_list_is_not_called", "V13.2.4"),
    control("an answer has a size", "exchange.outgoing.calls:Session._read", HERE + "unbounded",
            CALLS + "test_what_is_packed_is_not_asked_for_and_not_unpacked[gzip]", "V15.2.2"),
    control("certificates are checked", "exchange.outgoing.calls:Session.send", HERE + "trusting",
            CALLS + "test_a_certificate_is_checked_whatever_the_caller_says", "V12.3.2"),
    # --- logs and audit
    control("what looks like a secret is in no log", "config.redaction:scrubbed", HERE + "as_it_is",
            LOGS + "test_a_traceback_of_anybodys_passes_the_same_way", "V16.2.5"),
    control("what is named like a secret is in no log", "config.redaction:named", HERE + "all_fields",
            LOGS + "test_a_field_that_is_named_like_a_secret_is_masked_at_any_depth", "V16.2.5"),
    control("each request of staff's is on record", "exchange.accounts.staff_deeds:StaffDeeds.process_response", HERE + "let_by",
            DEEDS + "test_a_request_that_would_change_something_leaves_a_line_on_every_page", "V16.3.3"),
    control("each refusal of staff's is on record", "exchange.accounts.staff_deeds:StaffDeeds.process_response", HERE + "let_by",
            DEEDS + "test_a_refusal_is_on_record_also_where_somebody_only_looked", "V16.3.2"),
    control("a rewritten record is found", "exchange.audit.selectors:_check", NOTHING,
            DEEDS + "test_a_deed_rewritten_by_sql_is_found", "V16.4.2"),
    control("a chain cut short is found", "exchange.audit.selectors:_check_end", NOTHING,
            AUDIT + "test_a_chain_cut_short_is_found_by_its_tip_and_behind_it_by_an_anchor", "V16.4.2"),
    # --- secrets
    control("a sealed secret opens for its purpose and context", "exchange.secrets.envelope:_bind", HERE + "unbound",
            ENVELOPE + "test_it_opens_for_its_own_key_purpose_and_context_alone", "V11.3.3"),
    control("a key file that others can read is refused", "custody.private_files:check", NOTHING,
            KEYSTORE + "test_a_file_that_others_can_read_is_refused", "V13.3.2"),
    # --- the signer
    control("an hour and a day have their limits", "custody.velocity:VelocityLog.charged", HERE + "nothing_spent",
            SIGNING + "test_one_payout_an_hour_and_a_day_have_their_limits", "V2.3.2"),
    control("the signer asks its own policy", "custody.admission:_judge", NOTHING,
            SIGNING + "test_one_payout_an_hour_and_a_day_have_their_limits", "V2.3.2"),
    control("each kind of job does one thing", "custody.admission:check_kind", NOTHING,
            KINDS + "test_only_a_payout_pays_somebody_else", "V2.3.1"),
    control("a replacement pays the same", "custody.admission:_same_payments", YES,
            KINDS + "test_a_replacement_pays_the_same_withdrawals_from_one_of_the_same_coins", "V2.3.1"),
    control("the velocity log is sealed line upon line", "custody.velocity:_seal", HERE + "one_seal",
            VELOCITY + "test_a_line_taken_out_or_moved_is_noticed", "V16.4.2"),
    # --- coins out
    control("a new address waits", "wallets.services.address_book:cooldown", HERE + "at_once",
            BOOK + "test_a_new_entry_is_usable_after_a_day_and_not_a_second_before", "V2.3.2"),
    control("the list alone is paid where its owner chose so", "wallets.services.address_book:allowed", HERE + "always_listed",
            BOOK + "TestTheListAlone::test_other_addresses_are_refused_at_once_and_new_ones_until_their_day_is_over", "V2.3.2"),
    control("a link is good for half an hour", "wallets.services.confirming:VALID_FOR", HERE + "FOR_EVER",
            CONFIRMING + "test_after_half_an_hour_it_is_too_late_even_before_the_task_ran", "V6.6.2"),
    control("nobody decides about his own withdrawal", "wallets.services.approving:_locked", HERE + "anybodys",
            APPROVING + "test_nobody_decides_about_a_withdrawal_of_his_own", "V2.3.5", "V8.2.2"),
    control("stopped withdrawals are refused", "exchange.ledger.selectors.stops:ensure_open", NOTHING,
            REQUESTS + "test_a_stop_refuses_everybody_with_503", "V16.5.3"),
]  # fmt: skip
