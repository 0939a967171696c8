"""A statement as CSV: a line for each asset's opening balance, one for each movement, one for each closing balance.

Amounts and times are written for machines in every language (a point, ISO 8601 in UTC); headings and words are the reader's.
What must never happen here: text that a spreadsheet takes for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from django.utils.translation import gettext as _

from exchange.assets.selectors import AssetView
from exchange.core import amounts, times
from exchange.site.statements.content import Statement

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def chunks(statement: Statement) -> Iterator[bytes]:
    """The file, row by row; in the language that is active. Raises DoesNotAddUp after the last row."""
    subject = statement.subject
    first, last = subject.since.isoformat(), subject.until.isoformat()
    heading = [_("Time (UTC)"), _("Asset"), _("Movement"), _("Amount"), _("Balance"), _("Reference"), _("Entry")]
    yield b"\xef\xbb\xbf" + _row(heading)  # spreadsheets take a file without this mark for one of their own alphabet
    for each in statement.accounts:
        opening = _plain(each.period.opening, each.asset)
        yield _row([f"{first}T00:00:00.000000Z", each.asset.code, _("Opening balance"), "", opening, "", ""])
    for line in statement.lines():
        yield _row(
            [
                times.iso(line.at), line.asset.code, line.word, _plain(line.amount, line.asset), _plain(line.balance, line.asset),
                _harmless(line.reference), str(line.entry_id),
            ]
        )  # fmt: skip
    for each in statement.accounts:
        closing = _plain(each.period.closing, each.asset)
        yield _row([f"{last}T23:59:59.999999Z", each.asset.code, _("Closing balance"), "", closing, "", ""])
    statement.check()


def _row(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()


def _plain(amount: int, asset: AssetView) -> str:
    return ("-" if amount < 0 else "") + amounts.format(abs(amount), decimals=asset.decimals)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
