"""Controls of notifications: nothing twice, nothing to a stranger's place, no power for a mailbox of before."""

from __future__ import annotations

from typing import Any

from tests.controls import Control

SENDING = "tests/integration/notifications/test_sending.py"
PUSHES = "tests/integration/notifications/test_pushes.py"
PLACES = "tests/integration/notifications/test_places_of_customers.py"
TARGETS = "tests/integration/notifications/test_targets.py"
NOTHING, NO, YES = "tests.controls.off:nothing", "tests.controls.off:no", "tests.controls.off:yes"


def any_service(endpoint: str) -> str:
    """In place of the list of the browsers' push services."""
    return "anywhere:443"


def any_address(host: str, port: int) -> list[str]:
    """In place of a look at what a name's addresses are."""
    import socket

    return [str(row[4][0]) for row in socket.getaddrinfo(host, port)]


def as_chosen(topic: Any, channel: str, chosen: dict[tuple[str, str], bool]) -> bool:
    """In place of the rule that safety cannot be switched off."""
    return bool(chosen.get((topic.code, channel), channel in topic.wanted))


CONTROLS = [
    Control(
        "A browser's endpoint is one of the push services'",
        (("exchange.notifications.channels.web_push:service_of", "tests.controls.notify:any_service"),),
        f"{PLACES}::test_none_is_registered",
    ),
    Control(
        "No address of a private network is connected to",
        (("exchange.outgoing.places:_is_public", YES),),
        f"{PLACES}::test_a_name_of_a_private_network_is_refused",
    ),
    Control(
        "A connection goes to the address that was judged",
        (("exchange.outgoing.places:public", "tests.controls.notify:any_address"),),
        f"{PLACES}::test_a_name_that_changes_its_address_in_between_gains_nothing",
    ),
    Control(
        "Only places of the settings are called, by every way",
        (("exchange.outgoing.places:check", NOTHING),),
        f"{PLACES}::test_the_list_of_places_holds_for_every_way",
    ),
    Control(
        "News about safety cannot be switched off",
        (("exchange.notifications.kinds:wants", "tests.controls.notify:as_chosen"),),
        f"{SENDING}::test_news_about_safety_cannot_be_switched_off",
    ),
    Control(
        "A device ends with its log-in",
        (("exchange.notifications.services.devices:log_in_ended", NOTHING),),
        f"{TARGETS}::TestDevices::test_a_device_goes_with_its_log_in",
    ),
    Control(
        "A dead token is dropped",
        (("exchange.notifications.services.devices:drop_dead", NOTHING),),
        f"{PUSHES}::TestBrowsers::test_a_subscription_that_is_no_more_is_dropped_and_its_keys_go",
    ),
    Control(
        "A provider that fails is left alone for a while",
        (("exchange.notifications.services.sending:_note_failure", NOTHING),),
        f"{SENDING}::test_a_provider_that_is_down_is_left_alone_for_a_while_and_delays_no_mail",
    ),
    Control(
        "The old mailbox has the link of the change alone",
        (("exchange.notifications.channels.email:_present", YES),),
        f"{TARGETS}::TestAddressesOfBefore::"
        "test_what_happened_before_it_goes_to_whoever_had_the_account_then_and_has_no_link",
    ),
    Control(
        "After staff have lifted a freeze no late mail brings a link",
        (("exchange.accounts.services.not_me:settled_since", NO),),
        f"{TARGETS}::TestAddressesOfBefore::test_after_staff_have_looked_no_late_mail_brings_the_old_mailbox_a_link",
    ),
]
