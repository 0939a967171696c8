"""Statements of account: totals that agree with the ledger, in both formats and languages, nobody else's, sealed at rest."""

from __future__ import annotations

import csv
import io
import random
import re
import zlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from exchange.core import amounts
from exchange.core.ids import uuid7
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.selectors.periods import DaysDisagree, Period
from exchange.ledger.services import accounts, days, transfers
from exchange.site.models import Statement, StatementPiece
from exchange.site.selectors import records
from exchange.site.services import statements
from exchange.site.statements import as_csv, as_pdf, content

pytestmark = pytest.mark.django_db
BTC, USDT = 1, 4
DECIMALS = {"BTC": 8, "USDT": 6}
HEADING = ["Time (UTC)", "Asset", "Movement", "Amount", "Balance", "Reference", "Entry"]


@pytest.fixture
def now() -> datetime:
    return timezone.now()


class Account:
    """Somebody with movements on every day of some weeks, today included."""

    def __init__(self, person: Any, now: datetime, *, length: int = 30, seed: int = 1) -> None:
        self.person, self.now, chance = person, now, random.Random(seed)
        self.own = accounts.open_customer(owner_id=person.user_id, asset_ids=[BTC, USDT], now=now)
        self.outside = {
            each: accounts.open(kind="chain_wallet", asset_id=each, label="test", now=now) for each in self.own
        }
        balances = dict.fromkeys(self.own, 0)
        for back in range(length, -1, -1):
            for asset_id in self.own:
                amount = chance.randrange(1, 10**9)
                if balances[asset_id] > amount and chance.random() < 0.5:
                    amount = -amount
                balances[asset_id] += amount
                self.move(asset_id, amount, at=now - timedelta(days=back))

    def move(self, asset_id: int, amount: int, *, at: datetime, reference: str = "bitcoin:abc:0") -> None:
        entries = (Entry(self.outside[asset_id], -amount), Entry(self.own[asset_id], amount))
        kind = "deposit" if amount > 0 else "withdrawal"
        transfers.post(transfers=[Transfer(uuid7(), kind, entries, reference)], now=at)

    def day(self, back: int) -> date:
        return (self.now - timedelta(days=back)).astimezone(UTC).date()

    def ask(
        self, *, format: str = "csv", asset: str = "", back: tuple[int, int] = (20, 5), language: str = "en"
    ) -> Any:
        return statements.request(
            user_id=self.person.user_id, format=format, asset=asset, since=self.day(back[0]), until=self.day(back[1]),
            language=language, now=self.now,
        )  # fmt: skip

    def file(self, statement_id: int) -> bytes:
        found = statements.open_download(user_id=self.person.user_id, statement_id=statement_id, now=self.now)
        return b"".join(found)

    def balance_before(self, asset_id: int, day: date) -> int:
        """By hand, from every entry of the account."""
        total, before = 0, None
        while page := ledger.history(account_id=self.own[asset_id], before=before, limit=500):
            total += sum(row.amount for row in page if row.posted_at.astimezone(UTC).date() < day)
            before = page[-1].id
        return total


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


# --- History, which reads the same book -----------------------------------------------------------------------------


def walk(anna: Account, **wanted: Any) -> list[Any]:
    """Every page by its cursor."""
    asked, found = records.Wanted(**wanted), []
    for _ in range(20):
        page = records.history(user_id=anna.person.user_id, wanted=asked)
        found += page.rows
        if not page.older:
            return found
        query = dict(part.split("=") for part in page.older.split("&"))
        asked = records.Wanted(**{**wanted, "before": query["before"]})
    raise AssertionError("there is no end")


@pytest.mark.parametrize("gathered", [True, False])
@pytest.mark.parametrize("wanted", [(None, None), (20, 5), (3, 3), (0, 0), (90, 40), (10, None), (None, 10)])
def test_history_has_each_movement_of_its_days_once_newest_first(
    anna: Account, wanted: tuple[int | None, int | None], gathered: bool
) -> None:
    if gathered:
        days.gather()
    since, until = (None if back is None else anna.day(back) for back in wanted)
    found = walk(anna, since=since, until=until)
    every = walk(anna)
    assert len(every) == 62 and len({row.id for row in every}) == 62
    on = {row.id: row.posted_at.astimezone(UTC).date() for row in every}
    expected = [row.id for row in every if (since or date.min) <= on[row.id] <= (until or date.max)]
    assert [row.id for row in found] == expected == sorted(expected, reverse=True)


def test_history_of_one_asset_and_of_one_that_is_not_there(anna: Account) -> None:
    days.gather()
    assert {row.asset for row in walk(anna, asset="BTC")} == {"BTC"} and len(walk(anna, asset="BTC")) == 31
    assert walk(anna, asset="DOGE") == []
    text = anna.person.get("/wallet/history/?asset=BTC&from=2026-13-45&before=x").content.decode()
    assert "+" in text and "Deposit" in text


def test_bank_transfers_are_listed_with_their_state_and_cancelled_by_their_owner_alone(
    person: Any, alice: Any, settings: Any
) -> None:
    from exchange.fiat.services import deposits

    now = timezone.now()
    open_one = deposits.announce(user_id=alice.user_id, amount="250", now=now)
    came = deposits.announce(user_id=alice.user_id, amount="99.50", now=now)
    deposits.settle(deposit_id=came.id, bank_reference="TX-1", amount="99.50", actor_id=alice.user_id, now=now)
    for path in ("/wallet/bank/", "/wallet/history/?kind=bank"):
        text = alice.get(path).content.decode()
        assert open_one.reference in text and "250.00 USD" in text and "99.50 USD" in text and "Credited" in text
    assert open_one.reference in alice.get("/wallet/").content.decode()  # on its way
    assert came.reference not in alice.get("/wallet/").content.decode()
    eve = person("eve")
    eve.post(f"/wallet/bank/{open_one.id}/cancel/")
    assert alice.get(f"/wallet/bank/{open_one.id}/cancel/").status_code == 405
    assert "It will not come" in alice.get("/wallet/bank/").content.decode()
    alice.post(f"/wallet/bank/{open_one.id}/cancel/")
    assert "Cancelled" in alice.get("/wallet/bank/").content.decode()
    assert open_one.reference not in eve.get("/wallet/bank/").content.decode()
