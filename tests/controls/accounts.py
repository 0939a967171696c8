"""Controls of what guards customers: devices, freezes, pauses, passwords, the word in e-mails, closing, the copy of the data."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.controls import Control

ALERTS = "tests/integration/accounts/test_log_in_alerts.py::"
NOT_ME = "tests/integration/accounts/test_not_me_links.py::"
CHANGES = "tests/integration/accounts/test_credential_changes.py::"
LEAVING = "tests/integration/accounts/test_leaving.py::"
PASSWORDS = "tests/integration/accounts/test_passwords.py::"
PAUSED = "tests/integration/wallets/test_wallets_paused.py::"
ENDED = "tests/integration/api/test_api_ended_sessions.py::"
NOTHING = "tests.controls.off:nothing"
PAUSES = "exchange.accounts.services.pauses:"
WHOLE_HASH = 40


def none(*args: Any, **named: Any) -> int:
    """In place of ending log-ins, or of asking about leaks: there were none."""
    return 0


def no_reasons(*args: Any, **named: Any) -> list[str]:
    """In place of asking what is left."""
    return []


def same_for_all(user_id: int, secret: str) -> str:
    """In place of a hash over the customer, too."""
    return hashlib.sha256(secret.encode()).hexdigest()


def as_it_came(text: str) -> str:
    """In place of making a stranger's words printable."""
    return text


def anybodys(user_id: int, export_id: int) -> Any:
    """In place of the customer's own copy."""
    from exchange.accounts.models import Export

    return Export.objects.select_for_update().filter(id=export_id).first()


def anywhere(row: Any, number: int, *, last: bool) -> str:
    """In place of sealing a piece for its place."""
    return "export"


def of_any_address(email: str) -> str:
    """In place of the word of whoever has confirmed the address."""
    from allauth.account.models import EmailAddress

    from exchange.accounts.services import mail_words

    owner = EmailAddress.objects.filter(email=email).values_list("user_id", flat=True).first()
    return "" if owner is None else mail_words.of(owner)


def nobody(*args: Any, **named: Any) -> set[int]:
    """In place of who among some customers is frozen."""
    return set()


CONTROLS = [
    Control(
        name="a freeze takes away what a thief added",
        off=(("exchange.accounts.services.freezing:_take_ways_in", NOTHING),),
        test=NOT_ME + "TestNotMe::test_what_a_thief_added_does_not_open_it_after_the_lifting[29-False]",
    ),
    Control(
        name="a freeze that is lifted takes a day's rest of withdrawals",
        off=(("exchange.accounts.services.freezing:pauses.pause", NOTHING),),
        test=NOT_ME + "TestNotMe::test_lifting_needs_somebody_else_and_a_reason_and_the_old_password_stays_void",
    ),
    Control(
        name="a freeze takes no link to an address that staff took away",
        off=(("exchange.accounts.services.emails:_void_links_of_others", NOTHING),),
        test=NOT_ME + "TestNotMe::test_a_link_to_an_address_that_staff_took_away_freezes_nothing",
    ),
    Control(
        name="nothing is signed for who froze himself, though nobody has read of it yet",
        off=(("exchange.accounts.services.pauses:frozen_in_transaction", "tests.controls.accounts:nobody"),),
        test=PAUSED + "test_the_signer_is_not_asked_for_who_froze_himself",
        asvs=("V2.3.3",),
    ),
    Control(
        name="no freeze falls between that look and the signer",
        off=(("exchange.accounts.services.pauses:frozen_in_transaction", "exchange.accounts.selectors:frozen_among"),),
        test=PAUSED + "test_no_freeze_falls_between_the_look_and_the_signer",
        asvs=("V15.4.2",),
    ),
    Control(
        name="who froze himself is not gathered with others",
        off=(("exchange.accounts.selectors:frozen_among", "tests.controls.accounts:nobody"),),
        test=PAUSED + "test_who_froze_himself_is_passed_over_before_anybody_reads_of_it",
    ),
    Control(
        name="a log-in from an unknown device is told",
        off=(("exchange.accounts.services.devices:_tell", NOTHING),),
        test=ALERTS + "TestDevices::test_a_log_in_from_another_browser_is_told_and_from_a_known_one_it_is_not",
        asvs=("V6.3.5",),
    ),
    Control(
        name="a device's cookie is worth nothing to another customer",
        off=(("exchange.accounts.services.devices:_hash", "tests.controls.accounts:same_for_all"),),
        test=ALERTS + "TestDevices::test_a_device_of_another_customer_is_unknown",
    ),
    Control(
        name="a browser's name is made printable",
        off=(("exchange.accounts.whence:printable", "tests.controls.accounts:as_it_came"),),
        test=ALERTS + "TestDevices::test_a_browser_s_name_breaks_no_mail_and_no_page",
        asvs=("V1.3.11",),
    ),
    Control(
        name="the end of a log-in is told to every process that trusts it",
        off=(("exchange.accounts.log_ins:_mark", NOTHING),),
        test=ENDED + "test_a_session_ended_from_afar",
        asvs=("V7.4.1", "V7.4.2"),
    ),
    Control(
        name="logging out everywhere else ends every other log-in",
        off=(("exchange.accounts.services.sessions:end_others", "tests.controls.accounts:none"),),
        test=ALERTS + "TestSessions::test_all_others_end_at_once",
        asvs=("V7.4.3",),
    ),
    Control(
        name="the link that freezes works once",
        off=(("exchange.accounts.services.not_me:_refuse_used", NOTHING),),
        test=NOT_ME + "TestNotMe::test_it_works_once",
    ),
    Control(
        name="a freeze ends every session and key",
        off=(("exchange.accounts.services.sessions:end_all_access", "tests.controls.accounts:none"),),
        test=NOT_ME + "TestNotMe::test_its_button_ends_everything_and_stays_shut_until_staff_lift_it",
        asvs=("V7.4.2",),
    ),
    Control(
        name="nobody lifts the freeze of the own account",
        off=(("exchange.accounts.services.freezing:_refuse_own", NOTHING),),
        test=NOT_ME + "TestNotMe::test_a_member_of_staff_does_not_lift_his_own",
        asvs=("V2.3.5",),
    ),
    Control(
        name="a password known from a leak is refused",
        off=(("exchange.accounts.passwords.breached:times_seen", "tests.controls.accounts:none"),),
        test=PASSWORDS + "test_a_leaked_password_is_refused_and_another_is_not",
        asvs=("V6.2.12",),
    ),
    Control(
        name="a leak's service learns five digits of the hash",
        off=(("exchange.accounts.passwords.breached:_PREFIX", "tests.controls.accounts:WHOLE_HASH"),),
        test=PASSWORDS + "test_only_five_digits_of_the_hash_go_out_and_padding_is_asked_for",
        asvs=("V6.2.12",),
    ),
    Control(
        name="a changed credential pauses withdrawals",
        off=((PAUSES + "pause", NOTHING),),
        test=CHANGES + "TestWhatPauses::test_each_kind_is_audited_told_and_paused_for",
    ),
    Control(
        name="a withdrawal is not asked for while they are paused",
        off=((PAUSES + "check", NOTHING),),
        test=PAUSED + "test_none_can_be_asked_for_within_a_day_of_a_change",
    ),
    Control(
        name="a pause is looked for again where the money is held",
        off=((PAUSES + "check_in_transaction", NOTHING),),
        test=PAUSED + "test_the_gate_inside_the_transaction_holds_by_itself",
        asvs=("V2.3.3", "V15.4.2"),
    ),
    Control(
        name="a withdrawal asked for before a change is not confirmed after it",
        off=((PAUSES + "check_in_transaction", NOTHING),),
        test=PAUSED + "test_one_asked_for_before_the_change_is_not_confirmed_after_it",
    ),
    Control(
        name="a freeze takes back what was not signed yet",
        off=(("wallets.services.withdrawals:cancel_all", "tests.controls.accounts:none"),),
        test=PAUSED + "test_a_freeze_takes_back_what_was_not_signed_yet",
    ),
    Control(
        name="a changed address is told at the old one, and ends the log-ins elsewhere",
        off=(("exchange.accounts.services.emails:changed", NOTHING),),
        test=CHANGES + "TestEmailChange::test_the_new_one_counts_once_it_is_confirmed_there_and_both_are_told",
        asvs=("V6.3.7",),
    ),
    Control(
        name="the word in our mails goes to confirmed addresses alone",
        off=(("exchange.accounts.services.mail_words:for_address", "tests.controls.accounts:of_any_address"),),
        test=CHANGES + "TestTheWordInMails::test_nobody_else_reads_it",
    ),
    Control(
        name="the word is shown after a second factor alone",
        off=(("exchange.accounts.second_factors.stepping:check", NOTHING),),
        test=CHANGES + "TestTheWordInMails::test_its_page_opens_only_after_the_factor_was_shown",
        asvs=("V7.5.1",),
    ),
    Control(
        name="an account with money left is not closed",
        off=(("exchange.accounts.services.closing:hindrances", "tests.controls.accounts:no_reasons"),),
        test=LEAVING + "TestClosing::test_it_is_refused_while_money_is_left",
    ),
    Control(
        name="nobody downloads another's copy of the data",
        off=(("exchange.accounts.services.exporting:_own", "tests.controls.accounts:anybodys"),),
        test=LEAVING + "TestExport::test_nobody_downloads_another_s",
        asvs=("V8.2.2",),
    ),
    Control(
        name="a piece of a copy opens at its place alone",
        off=(("exchange.accounts.services.exporting:_context", "tests.controls.accounts:anywhere"),),
        test=LEAVING + "TestExport::test_it_is_sealed_at_rest_for_its_owner_and_place",
        asvs=("V11.3.3",),
    ),
    Control(
        name="a copy of the data needs a second factor",
        off=(("exchange.accounts.second_factors.stepping:check", NOTHING),),
        test=LEAVING + "TestExport::test_its_owner_does_after_the_factor_was_shown",
        asvs=("V7.5.1",),
    ),
    Control(
        name="one copy of the data a day",
        off=(("settings:EXPORT_EVERY_H", "0"),),
        test=LEAVING + "TestExport::test_one_a_day_and_gone_after_a_week",
        asvs=("V2.4.1",),
    ),
]
