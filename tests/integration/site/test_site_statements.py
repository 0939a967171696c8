"""Statements of account: totals that agree with the ledger, in both formats and languages, nobody else's, sealed at rest."""

from __future__ import annotations

import csv
import io
import re
import zlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from exchange.core import amounts
from exchange.ledger import selectors as ledger
from exchange.ledger.selectors.periods import DaysDisagree, Period
from exchange.ledger.services import days
from exchange.site.models import Statement, StatementPiece
from exchange.site.services import statements
from exchange.site.statements import as_csv, as_pdf, content
from tests.integration.site.movements import BTC, USDT, Account

pytestmark = pytest.mark.django_db
DECIMALS = {"BTC": 8, "USDT": 6}
HEADING = ["Time (UTC)", "Asset", "Movement", "Amount", "Balance", "Reference", "Entry"]


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def anna(person: Any, now: datetime) -> Account:
    return Account(person("anna"), now)


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def units(text: str, asset: str) -> int:
    return int(Decimal(text).scaleb(DECIMALS[asset]))


@pytest.mark.parametrize("back", [(20, 5), (30, 0), (3, 3), (400, 31), (0, 0), (60, 10)])
def test_opening_and_movements_come_to_closing_and_to_the_ledger(anna: Account, back: tuple[int, int]) -> None:
    rows = rows_of(anna.file(anna.ask(back=back)))
    assert rows[0] == HEADING
    for code, asset_id in (("BTC", BTC), ("USDT", USDT)):
        own = [row for row in rows[1:] if row[1] == code]
        opening, closing = anna.balance_before(asset_id, anna.day(back[0])), anna.balance_before(
            asset_id, anna.day(back[1]) + timedelta(days=1)
        )  # fmt: skip
        if not own:
            assert opening == closing == 0
            continue
        assert (own[0][2], own[-1][2]) == ("Opening balance", "Closing balance")
        assert (units(own[0][4], code), units(own[-1][4], code)) == (opening, closing)
        running = opening
        for row in own[1:-1]:
            running += units(row[3], code)
            assert units(row[4], code) == running  # each line leads to the next
            assert anna.day(back[0]) <= datetime.fromisoformat(row[0]).date() <= anna.day(back[1])
        assert running == closing
    if back[1] == 0:
        balances = {each.asset_id: each.balance for each in ledger.balances(owner_id=anna.person.user_id)}
        assert (balances[BTC], balances[USDT]) == (units(rows[-2][4], "BTC"), units(rows[-1][4], "USDT"))


def test_what_was_posted_since_the_last_gathering_is_in_it(anna: Account) -> None:
    days.gather()
    anna.move(BTC, 12_345, at=anna.now)
    rows = rows_of(anna.file(anna.ask(asset="BTC", back=(0, 0))))
    assert "0.00012345" in [row[3] for row in rows]


def test_fresh_entries_count_without_any_gathering(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The days are no truth of their own: what they lack is read from the entries."""
    days.gather()
    anna.move(BTC, 777, at=anna.now)
    (period,) = (each for each in _periods(anna, 0) if each.asset_id == BTC)
    assert period.days[-1].balance == period.closing == anna.balance_before(BTC, anna.day(-1))


def _periods(anna: Account, back: int) -> list[Period]:
    return ledger.periods.of(owner_id=anna.person.user_id, since=anna.day(back), until=anna.day(0))


def test_a_statement_of_days_that_are_wrong_is_not_made_and_is_made_once_they_are_mended(anna: Account) -> None:
    days.gather()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_day SET credits = credits + 1 WHERE account_id = %s", (anna.own[BTC],))
    with pytest.raises(DaysDisagree):
        _periods(anna, 3)
    asked = anna.ask()
    assert Statement.objects.get(id=asked).state == "requested"  # and its days were mended meanwhile
    assert statements.make_waiting(now=anna.now) == 1
    assert len(rows_of(anna.file(asked))) > 20


def test_a_day_moved_to_another_does_not_pass(anna: Account) -> None:
    """The sums of all days are right, and those of the period are not: the lines are held against them."""
    days.gather()
    with connection.cursor() as cursor:
        change = "UPDATE ledger_day SET credits = credits + %s WHERE account_id = %s AND day = %s"
        cursor.execute(change, (5, anna.own[BTC], anna.day(10)))
        cursor.execute(
            "UPDATE ledger_day SET debits = debits + 5 WHERE account_id = %s AND day = %s",
            (anna.own[BTC], anna.day(25)),
        )
    for format in ("csv", "pdf"):
        asked = anna.ask(format=format)
        row = Statement.objects.get(id=asked)
        assert (row.state, row.error) == ("requested", "DoesNotAddUp")
        assert not StatementPiece.objects.filter(statement=row).exists()


def test_it_fails_after_three_attempts_and_says_so(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise content.DoesNotAddUp("x")

    monkeypatch.setattr(content.Statement, "check", broken)
    asked = anna.ask()
    for _ in range(4):
        statements.make_waiting(now=anna.now)
    assert Statement.objects.get(id=asked).state == "failed"
    text = anna.person.get("/wallet/statements/").content.decode()
    assert "Something broke on our side" in text and f"/wallet/statements/{asked}/" not in text


def test_a_long_one_is_left_to_a_worker_and_comes_in_pieces(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(statements.AT_ONCE, "csv", 3)
    monkeypatch.setattr(statements, "PIECE_BYTES", 500)
    days.gather()
    asked = anna.ask()
    assert Statement.objects.get(id=asked).state == "requested"
    assert "Being made" in anna.person.get("/wallet/statements/").content.decode()
    assert anna.person.get(f"/wallet/statements/{asked}/").status_code == 404
    assert statements.make_waiting(now=anna.now) == 1 and statements.make_waiting(now=anna.now) == 0
    row = Statement.objects.get(id=asked)
    data = anna.file(asked)
    assert row.pieces > 3 and row.size == len(data) and row.entries == len(rows_of(data)) - 5


def test_the_file_is_sealed_for_its_place(anna: Account) -> None:
    asked = anna.ask()
    sealed = bytes(StatementPiece.objects.get(statement_id=asked).sealed)
    with pytest.raises(zlib.error):
        zlib.decompress(sealed)
    assert b"Opening" not in sealed
    other = anna.ask()
    StatementPiece.objects.filter(statement_id=other).update(sealed=sealed)
    with pytest.raises(Exception, match="does not open"):
        anna.file(other)


def test_nobody_gets_another_s(anna: Account, person: Any) -> None:
    asked = anna.ask()
    assert anna.person.get(f"/wallet/statements/{asked}/").status_code == 200
    eve = person("eve")
    assert eve.get(f"/wallet/statements/{asked}/").status_code == 404
    assert f"/wallet/statements/{asked}/" not in eve.get("/wallet/statements/").content.decode()
    own = Account(eve, anna.now, length=2, seed=9)
    mine, hers = (
        {row[3] for row in rows_of(data)[1:] if row[3]} for data in (anna.file(asked), own.file(own.ask(back=(5, 0))))
    )
    assert mine and hers and not mine & hers


def test_it_is_destroyed_after_its_days(anna: Account) -> None:
    asked = anna.ask()
    later = anna.now + statements.KEPT + timedelta(seconds=1)
    with pytest.raises(statements.StatementNotFound):
        statements.open_download(user_id=anna.person.user_id, statement_id=asked, now=later)
    assert statements.expire(now=later) == 1
    assert not StatementPiece.objects.exists() and Statement.objects.get(id=asked).state == "expired"


def test_the_page_makes_one_and_gives_it(anna: Account) -> None:
    form = {"format": "pdf", "asset": "", "from": anna.day(20).isoformat(), "to": anna.day(0).isoformat()}
    answer = anna.person.post("/wallet/statements/", form, follow=True)
    text = answer.content.decode()
    (link,) = re.findall(r'href="(/wallet/statements/\d+/)" download', text)
    assert f"{42} movements" in text
    got = anna.person.get(link)
    assert got["Content-Type"] == "application/pdf" and "attachment" in got["Content-Disposition"]
    body = b"".join(got.streaming_content)
    assert body.startswith(b"%PDF-") and int(got["Content-Length"]) == len(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": ""},
        {"to": "yesterday"},
        {"format": "exe"},
        {"asset": "DOGE"},
        {"from": "2026-11-20", "to": "2026-01-01"},
    ],
)
def test_a_form_that_is_wrong_says_so(anna: Account, wrong: dict[str, str]) -> None:
    form = {"format": "csv", "asset": "", "from": "2026-01-01", "to": "2026-02-01", **wrong}
    answer = anna.person.post("/wallet/statements/", form)
    assert answer.status_code in (400, 404) and not Statement.objects.exists()
    assert answer.status_code == 404 or 'role="alert"' in answer.content.decode()


def test_only_so_many_an_hour(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "AN_HOUR_MAX", 2)
    anna.ask(), anna.ask()
    with pytest.raises(statements.TooManyStatements):
        anna.ask()


def test_a_reference_is_never_a_formula(anna: Account) -> None:
    anna.move(BTC, 5, at=anna.now, reference='=HYPERLINK("http://evil")')
    rows = rows_of(anna.file(anna.ask(asset="BTC", back=(0, 0))))
    assert [row[5] for row in rows if "HYPERLINK" in row[5]] == ['\'=HYPERLINK("http://evil")']


def subject(anna: Account, **other: Any) -> content.Subject:
    fields = {
        "user_id": anna.person.user_id, "email": "anna@example.com", "since": anna.day(20), "until": anna.day(5), "asset": None,
        "language": "en", "made_at": anna.now, **other,
    }  # fmt: skip
    return content.Subject(**fields)


def words_of(pdf: bytes) -> str:
    """What the pages print, one after the other: the texts of their streams."""
    found = []
    for packed in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            stream = zlib.decompress(packed).decode("latin-1")
        except zlib.error:
            continue
        found += re.findall(r"\(((?:[^()\\]|\\.)*)\) Tj", stream)
    return "\n".join(text.replace("\\(", "(").replace("\\)", ")") for text in found)


def test_the_pdf_prints_the_sums_of_the_ledger_and_each_movement(anna: Account) -> None:
    days.gather()
    statement = content.Statement(subject(anna))
    text = words_of(as_pdf.render(statement))
    for each in statement.accounts:
        for figure in (each.period.opening, each.period.credits, each.period.closing):
            shown = amounts.format(figure, decimals=each.asset.decimals)
            whole, point, fraction = shown.partition(".")
            assert f"{int(whole):,}".replace(",", " ") + point + fraction in text
    assert statement.entries == 32 == len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text))
    assert "anna@example.com" in text and "Page 1 of" in text


def test_very_many_movements_stand_as_days_and_the_page_says_so(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_pdf, "LINES_MAX", 10)
    days.gather()
    text = words_of(as_pdf.render(content.Statement(subject(anna))))
    assert "32 movements is summed" not in text and "32 movements are summed up by day here" in text
    assert len(re.findall(r"^\d{4}-\d\d-\d\d$", text, re.MULTILINE)) == 32  # two accounts, sixteen days


def test_letters_that_the_font_lacks_do_not_make_the_file_fail(anna: Account) -> None:
    days.gather()
    assert as_pdf.render(content.Statement(subject(anna, email="анна@пример.рф"))).startswith(b"%PDF-")


def test_an_empty_account_has_a_statement_too(person: Any, now: datetime) -> None:
    user = person("zoe")
    for format in ("csv", "pdf"):
        asked = statements.request(
            user_id=user.user_id, format=format, asset="", since=now.date(), until=now.date(), language="en", now=now
        )
        assert Statement.objects.get(id=asked).state == "ready"


def test_csv_keeps_its_columns_in_every_language(anna: Account) -> None:
    rows = rows_of(anna.file(anna.ask(language="de")))
    english = rows_of(anna.file(anna.ask(language="en")))
    assert [row[3:5] for row in rows[1:]] == [row[3:5] for row in english[1:]]
    assert [row[0] for row in rows[1:]] == [row[0] for row in english[1:]]


def test_chunks_are_checked_after_the_last_one(anna: Account) -> None:
    days.gather()
    statement = content.Statement(subject(anna))
    statement._balances[anna.own[BTC]] += 1
    with pytest.raises(content.DoesNotAddUp):
        list(as_csv.chunks(statement))
