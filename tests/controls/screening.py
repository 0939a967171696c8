"""Controls of screening: lists read whole, nobody let past a case, and two people for what lets go."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from tests.controls import Control

CASES = "tests/integration/kyc/test_screening.py"
EVERYBODY = "tests/integration/kyc/test_screening_everybody.py"
DESK = "tests/integration/kyc/test_screening_desk.py"
COINS = "tests/integration/wallets/test_wallets_screening.py"
FETCHING = "tests/integration/kyc/test_sanctions_fetching.py"
FILES = "tests/unit/test_screening_lists.py"
WALK = "tests/integration/kyc/test_screening_walk.py"
NAMES = "tests/unit/test_screening_names.py"
NOTHING, NO, YES = "tests.controls.off:nothing", "tests.controls.off:no", "tests.controls.off:yes"


def nobody(*args: Any, **kwargs: Any) -> set[Any]:
    """In place of a search for those who are held back."""
    return set()


def none(*args: Any, **kwargs: Any) -> int:
    """In place of how many were found."""
    return 0


def one(*args: Any, **kwargs: Any) -> int:
    """In place of how many people it takes."""
    return 1


def nothing_told(*args: Any, **kwargs: Any) -> list[Any]:
    """In place of a customer's words, as if he had told none."""
    return []


def no_name(*args: Any, **kwargs: Any) -> tuple[str, ...]:
    """In place of a further name that a customer is looked for by."""
    return ()


def the_beginning(found: list[str]) -> tuple[str, ...]:
    """In place of a choice among too many words."""
    return tuple(found[:12])


def unsaid(*args: Any, **kwargs: Any) -> str:
    """In place of a fault that is looked for."""
    return ""


def as_it_stands(word: str) -> str:
    """In place of a reading of what a word looks like."""
    return word


class Trusting:
    """A reader of XML that expands what it is told to."""

    @staticmethod
    def iterparse(source: Any, events: Any, forbid_dtd: bool) -> Any:
        return ElementTree.iterparse(source, events)  # noqa: S314


def pays_nobody(script: bytes) -> str:
    """In place of whom an output pays."""
    return ""


CONTROLS = [
    Control(
        "Nothing is paid to a listed address",
        (("kyc.screening.services.addresses:refuses_destination", NO),),
        f"{COINS}::test_nothing_leaves_for_a_listed_address_in_whatever_form_it_stands_there",
    ),
    Control(
        "An address is found by the key it stands for, not by its spelling",
        (("kyc.screening.keys:of", "tests.controls.screening:as_it_stands"),),
        f"{COINS}::test_nothing_leaves_for_a_listed_address_in_whatever_form_it_stands_there",
    ),
    Control(
        "Who is under review sends nothing",
        (("kyc.screening.selectors:blocked", NO),),
        f"{COINS}::test_who_is_under_review_by_name_sends_nothing",
    ),
    Control(
        "What was approved before waits while its customer is under review",
        (("wallets.services.screening:held_back", "tests.controls.screening:nobody"),),
        f"{COINS}::test_what_was_approved_before_waits_when_its_address_is_listed_or_its_customer_blocked",
    ),
    Control(
        "A deposit from a listed address is held",
        (("wallets.services.screening:holds", NO),),
        f"{COINS}::test_ether_from_a_listed_account_is_held_until_staff_have_looked",
    ),
    Control(
        "An open case keeps the level down",
        (("kyc.screening.selectors:check", NOTHING),),
        f"{EVERYBODY}::test_an_open_case_keeps_the_level_down",
    ),
    Control(
        "Nobody is approved before he was screened",
        (("kyc.screening.joining:ensure_screened", NOTHING),),
        f"{EVERYBODY}::test_an_approval_waits_for_screening",
    ),
    Control(
        "Whose words do not open is not taken for screened",
        (("kyc.screening.details:_told", "tests.controls.screening:nothing_told"),),
        f"{WALK}::test_whose_words_do_not_open_is_not_screened_and_holds_up_nobody",
    ),
    Control(
        "A new customer is due from his sign-up on",
        (("exchange.accounts.registry:customer_opened", NOTHING),),
        f"{WALK}::test_a_new_customer_is_due_in_the_transaction_of_his_sign_up",
    ),
    Control(
        "Whoever the walk went past is found once a day",
        (("kyc.screening.services.people:enrol_missed", "tests.controls.screening:none"),),
        f"{WALK}::test_whoever_the_walk_went_past_is_found_once_a_day",
    ),
    Control(
        "Further given names hide nobody",
        (("kyc.screening.details:called", "tests.controls.screening:no_name"),),
        f"{WALK}::test_further_given_names_hide_nobody",
    ),
    Control(
        "No end of a long name is cut off",
        (("kyc.screening.names:_cut", "tests.controls.screening:the_beginning"),),
        f"{NAMES}::test_no_end_of_an_over_long_name_is_cut_off",
    ),
    Control(
        "A strong hit is cleared by two people",
        (("kyc.screening.services.cases:needed", "tests.controls.screening:one"),),
        f"{CASES}::test_a_strong_hit_takes_two_people_to_clear",
        ("V2.3.5",),
    ),
    Control(
        "Nobody decides about himself",
        (("kyc.screening.services.cases:_ensure_decidable", NOTHING),),
        f"{CASES}::test_nobody_decides_about_himself_or_without_a_reason",
    ),
    Control(
        "Each look at a customer's words is in the audit",
        (("kyc.screening.services.viewing:audit.record", NOTHING),),
        f"{DESK}::test_the_case_shows_the_entry_beside_the_customer_and_notes_who_looked",
        ("V16.2.1",),
    ),
    Control(
        "Who may not decide sees no name",
        (("kyc.admin_screening:ScreeningCaseAdmin.has_decide_permission", YES),),
        f"{DESK}::test_who_may_not_decide_sees_no_name_and_decides_nothing",
        ("V8.2.1",),
    ),
    Control(
        "A suspiciously shrunken list is refused",
        (("kyc.screening.publications:shrunken", "tests.controls.screening:unsaid"),),
        f"{CASES}::test_a_bad_list_is_refused_told_and_changes_nothing",
    ),
    Control(
        "A list that was cut off is refused",
        (("kyc.screening.sdn_csv:_ended_alike", NOTHING),),
        f"{FILES}::test_a_list_cut_off_anywhere_is_refused",
    ),
    Control(
        "XML with a document type is refused",
        (("kyc.screening.sdn_xml:ElementTree", "tests.controls.screening:Trusting"),),
        f"{FILES}::test_an_xml_bomb_is_refused_before_it_is_expanded",
        ("V1.5.1",),
    ),
    Control(
        "A word is read as it looks, too",
        (("kyc.screening.names:_as_it_looks", "tests.controls.screening:as_it_stands"),),
        f"{NAMES}::test_a_disguise_is_seen_through",
    ),
    Control(
        "In production the list comes by https alone",
        (("kyc.screening.services.fetching:_ensure_secure", NOTHING),),
        f"{FETCHING}::test_in_production_only_https_is_asked",
        ("V12.2.1",),
    ),
    Control(
        "who paid by Taproot is asked for",
        (("wallets.services.paying:payers.of_script", "tests.controls.screening:pays_nobody"),),
        "tests/integration/wallets/test_wallets_screening.py::"
        "test_who_paid_by_taproot_is_asked_for_before_anything_is_credited",
    ),
]
