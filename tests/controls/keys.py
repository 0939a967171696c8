"""Controls of API keys and of the API's door."""

from __future__ import annotations

import os
from typing import Any

from tests.controls import Control

_KEYS = "tests/integration/api/test_api_keys.py"
_MEMORY = "tests/integration/api/test_api_keys_memory.py"
_ENDS = "tests/integration/accounts/test_keys_end.py"
_OFF = "tests.controls.off"


def any_network(texts: Any) -> list[str]:
    """In place of `networks.parse`: whatever is written is taken."""
    return [text.strip() for text in texts]


async def any_key(*args: Any, **kwargs: Any) -> None:
    """In place of the key's check: fits, lives, and from anywhere."""


def never_strict(
    buckets: Any, *, cost: int = 1, marks: tuple[bytes, ...] = (), signed: Any = None, write: bool = False
) -> list[Any]:
    """In place of `buckets.arguments`: no request changes anything."""
    memory = (60_000, signed.at_ms, signed.at_ms, 0) if signed is not None else (0, 0, 0, 0)
    given = [len(marks), *marks, *memory, cost]
    for each in buckets:
        given += (each.interval_us, each.interval_us * each.most)
    return given


ALWAYS_ANOTHER = property(lambda _signed: os.urandom(20))
NO_HEADERS: frozenset[bytes] = frozenset()

CONTROLS = [
    Control(
        name="A reset of the password ends the keys",
        off=(("exchange.accounts.noticing:registry.access_ended", f"{_OFF}:nothing"),),
        test=f"{_ENDS}::test_a_reset_by_mail_ends_them_and_says_so[False]",
        asvs=("V7.4.3",),
    ),
    Control(
        name="A reset by somebody who is logged in is no change by its owner",
        off=(("exchange.accounts.passwords.by_mail:is_reset", f"{_OFF}:no"),),
        test=f"{_ENDS}::test_a_reset_by_mail_ends_them_and_says_so[True]",
    ),
    Control(
        name="Another address ends the keys",
        off=(("exchange.accounts.services.emails:registry.access_ended", f"{_OFF}:nothing"),),
        test=f"{_ENDS}::test_another_address_ends_them",
    ),
    Control(
        name="A signature is the key's own for this very request",
        off=(("exchange.accounts.api.signing:fits", f"{_OFF}:yes"),),
        test=f"{_MEMORY}::test_without_valkey_reads_go_through_and_writes_say_why_not",
        asvs=("V4.1.5", "V9.1.1", "V11.2.4"),
    ),
    Control(
        name="A key is judged: signature, end, networks",
        off=(("exchange.accounts.api.admission:_judge", "tests.controls.keys:any_key"),),
        test=f"{_MEMORY}::test_without_valkey_reads_go_through_and_writes_say_why_not",
        asvs=("V8.3.1",),
    ),
    Control(
        name="What a key signs passes once",
        off=(("exchange.accounts.api.signing:Signed.digest", "tests.controls.keys:ALWAYS_ANOTHER"),),
        test=f"{_MEMORY}::test_a_read_goes_through_meanwhile_and_still_once",
        asvs=("V2.3.4", "V4.1.5"),
    ),
    Control(
        name="A memory that has just begun takes no write it might have seen",
        off=(("exchange.accounts.api.buckets:arguments", "tests.controls.keys:never_strict"),),
        test=f"{_MEMORY}::test_a_memory_that_has_just_begun_takes_no_write_that_it_might_have_seen",
        asvs=("V2.3.4",),
    ),
    Control(
        name="A key's networks are narrow",
        off=(("exchange.accounts.keys.networks:parse", "tests.controls.keys:any_network"),),
        test="tests/unit/test_api_key_points.py::test_what_is_no_network_for_a_key",
        asvs=("V8.2.4",),
    ),
    Control(
        name="A key is taken from its networks alone",
        off=(("exchange.accounts.keys.networks:holds", f"{_OFF}:yes"),),
        test="tests/unit/test_api_key_points.py::test_what_lies_in_a_network",
        asvs=("V8.2.4",),
    ),
    Control(
        name="A public key that others can sign for is refused",
        off=(("exchange.accounts.keys.points:is_sound", f"{_OFF}:yes"),),
        test="tests/unit/test_api_key_points.py::test_a_point_of_small_order_is_none",
        asvs=("V11.6.1",),
    ),
    Control(
        name="A key needs a fresh second factor",
        off=(("exchange.accounts.second_factors.stepping:check", f"{_OFF}:nothing"),),
        test="tests/integration/site/test_site_api_keys.py::test_a_key_needs_a_fresh_second_factor",
        asvs=("V7.5.3",),
    ),
    Control(
        name="A new key pauses withdrawals",
        off=(("exchange.accounts.services.credentials:changed", f"{_OFF}:nothing"),),
        test="tests/integration/site/test_site_api_keys.py::test_a_new_key_pauses_withdrawals",
        asvs=("V6.3.7",),
    ),
    Control(
        name="A revoked key leaves a mark that ends it everywhere",
        off=(("exchange.accounts.log_ins:ended", f"{_OFF}:nothing"),),
        test=f"{_MEMORY}::test_the_key_is_read_once_for_many_requests",
        asvs=("V7.4.1",),
    ),
    Control(
        name="Only our own proxies say where a request comes from",
        off=(("config.proxies:_FORWARDED", "tests.controls.keys:NO_HEADERS"),),
        test="tests/unit/test_config_proxies.py::test_only_what_our_proxies_wrote_is_believed",
        asvs=("V4.1.3",),
    ),
]
