"""Controls of the wallet's pages: no statement that does not add up, none of somebody else's, and nothing in one that runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.controls import Control

STATEMENTS = "tests/integration/site/test_site_statements.py::"
LEDGER = "tests/integration/ledger/test_ledger_days.py::"
NOTHING = "tests.controls.off:nothing"


def anybodys(*, user_id: int, statement_id: int, now: datetime) -> Any:
    """In place of looking whose it is."""
    from exchange.site.models import Statement
    from exchange.site.services.statements import Download

    return Download(Statement.objects.get(id=statement_id), "")


def any_place(row: Any, number: int, *, last: bool) -> str:
    """In place of naming the place that a piece is sealed for."""
    return "statement"


def as_it_is(text: str) -> str:
    """In place of a mark before what begins as a formula does."""
    return text


def none_wrong(account_ids: list[int], now: datetime) -> tuple[int, int]:
    """In place of working accounts out anew."""
    return 0, 1


CONTROLS = [
    Control(
        "a statement whose lines do not come to its totals is not made",
        (("exchange.site.statements.content:Statement.check", NOTHING),),
        STATEMENTS + "test_a_day_moved_to_another_does_not_pass",
    ),
    Control(
        "sums of days are held against the balance before they are believed",
        (("exchange.ledger.selectors.periods:check", NOTHING),),
        STATEMENTS + "test_a_statement_of_days_that_are_wrong_is_not_made_and_is_made_once_they_are_mended",
    ),
    Control(
        "wrong days are worked out anew from the entries",
        (("exchange.ledger.services.days:_mend", "tests.controls.wallet:none_wrong"),),
        LEDGER + "test_wrong_days_are_mended_from_the_entries",
    ),
    Control(
        "a statement opens for its customer alone",
        (("exchange.site.services.statements:open_download", "tests.controls.wallet:anybodys"),),
        STATEMENTS + "test_nobody_gets_another_s",
        ("V8.2.2",),
    ),
    Control(
        "a piece of a statement opens at its own place alone",
        (("exchange.site.services.statements:_context", "tests.controls.wallet:any_place"),),
        STATEMENTS + "test_the_file_is_sealed_for_its_place",
    ),
    Control(
        "nothing in a statement is a formula",
        (("exchange.site.statements.as_csv:_harmless", "tests.controls.wallet:as_it_is"),),
        STATEMENTS + "test_a_reference_is_never_a_formula",
        ("V1.2.10",),
    ),
]
