"""A statement as PDF: whose, of when, each asset's sums, and each movement; of very many movements, each day's sums.

Only the fonts that every reader has are used, so nothing is embedded. What must never happen here: a movement left out in
silence (where days stand for movements, the page says so), or a letter that the font lacks making the file fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from exchange.assets.selectors import AssetView
from exchange.core import amounts
from exchange.site.statements.content import Statement

LINES_MAX = 5_000  # more than this is no reading; days then stand for movements
_INK, _SOFT, _RULE, _BAND = (20, 23, 28), (100, 106, 117), (214, 214, 206), (245, 245, 241)
_TEXT, _SMALL, _LINE = 9.0, 7.5, 5.2
_LETTERS_A_MM = 0.62  # of the small size; what is longer is set smaller, for a cell does not cut
_TABLE_TOP = 12  # of the rows, in millimetres, that a heading needs below it


class _Page(FPDF):
    """A4 with the site's name above and the page's number below."""

    subject_line = ""

    def header(self) -> None:
        self.set_font("Helvetica", "B", _TEXT)
        self.set_text_color(*_INK)
        self.cell(90, 6, _latin(settings.SITE_NAME))
        self.set_font("Helvetica", "", _SMALL)
        self.set_text_color(*_SOFT)
        self.cell(0, 6, self.subject_line, align=Align.R, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_draw_color(*_RULE)
        self.line(self.l_margin, self.y + 1, self.w - self.r_margin, self.y + 1)
        self.ln(5)

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font("Helvetica", "", _SMALL)
        self.set_text_color(*_SOFT)
        page = _("Page %(page)s of %(pages)s") % {"page": self.page_no(), "pages": "{nb}"}
        self.cell(0, 5, _latin(page), align=Align.R)


def render(statement: Statement) -> bytes:
    """The whole file, in the language that is active. Raises DoesNotAddUp."""
    subject = statement.subject
    pdf = _Page(format="A4")
    pdf.set_creation_date(subject.made_at)
    pdf.set_title(_latin(_("Statement of account")))
    pdf.set_author(_latin(settings.SITE_NAME))
    pdf.set_lang(subject.language)
    pdf.set_margins(16, 14, 16)
    pdf.set_auto_page_break(True, margin=16)
    pdf.subject_line = _latin(f"{_day(subject.since)} - {_day(subject.until)}")
    pdf.add_page()
    _head(pdf, statement)
    _sums(pdf, statement)
    if statement.entries > LINES_MAX:
        _by_day(pdf, statement)
        for _line in statement.lines():  # read all the same, so that the sums are held against every movement
            pass
    else:
        _movements(pdf, statement)
    statement.check()
    return bytes(pdf.output())


def _head(pdf: FPDF, statement: Statement) -> None:
    subject = statement.subject
    pdf.set_text_color(*_INK)
    pdf.set_font("Helvetica", "B", 17)
    pdf.cell(0, 9, _latin(_("Statement of account")), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(2)
    what = subject.asset.code if subject.asset else _("All assets")
    for label, value in (
        (_("Account"), f"{subject.email} ({subject.user_id})"),
        (
            _("Period"),
            _("%(first)s to %(last)s, days in UTC") % {"first": _day(subject.since), "last": _day(subject.until)},
        ),
        (_("Assets"), what),
        (_("Made"), f"{_day(subject.made_at)}, {subject.made_at:%H:%M} UTC"),
    ):
        pdf.set_font("Helvetica", "", _TEXT)
        pdf.set_text_color(*_SOFT)
        pdf.cell(30, _LINE, _latin(label))
        pdf.set_text_color(*_INK)
        pdf.cell(0, _LINE, _latin(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(4)


def _sums(pdf: FPDF, statement: Statement) -> None:
    _title(pdf, _("Sums"))
    if not statement.accounts:
        _note(pdf, _("Nothing was held and nothing moved in this period."))
        return
    table = _Table(pdf, (22, 39, 39, 39, 39), (_("Asset"), _("Opening"), _("In"), _("Out"), _("Closing")))
    for each in statement.accounts:
        period = each.period
        figures = (period.opening, period.credits, -period.debits, period.closing)
        table.row((each.asset.code, *(_amount(figure, each.asset) for figure in figures)))
    pdf.ln(4)


def _movements(pdf: FPDF, statement: Statement) -> None:
    if not statement.entries:
        return
    _title(pdf, _("Movements"))
    heading = (_("Time (UTC)"), _("Asset"), _("Movement"), _("Amount"), _("Balance"))
    table = _Table(pdf, (33, 16, 51, 39, 39), heading, words=3)
    for line in statement.lines():
        amount = _amount(line.amount, line.asset)
        balance = _amount(line.balance, line.asset)
        table.row((f"{line.at:%Y-%m-%d %H:%M:%S}", line.asset.code, line.word, amount, balance))


def _by_day(pdf: FPDF, statement: Statement) -> None:
    _title(pdf, _("Movements by day"))
    counted = ngettext(
        "%(count)s movement is summed up by day here. Each one stands in the same statement as CSV.",
        "%(count)s movements are summed up by day here. Each one stands in the same statement as CSV.",
        statement.entries,
    ) % {"count": statement.entries}
    _note(pdf, counted)
    heading = (_("Day (UTC)"), _("Asset"), _("Movements"), _("In"), _("Out"), _("Balance"))
    table = _Table(pdf, (22, 16, 20, 40, 40, 40), heading, words=2)
    for each in statement.accounts:
        for day in each.period.days:
            figures = (_amount(figure, each.asset) for figure in (day.credits, -day.debits, day.balance))
            table.row((day.day.isoformat(), each.asset.code, str(day.entries), *figures))


class _Table:
    """Rows of cells; the heading stands again on each page. The first `words` cells are words, the others figures."""

    def __init__(self, pdf: FPDF, widths: Sequence[int], heading: Sequence[str], *, words: int = 1) -> None:
        self._pdf, self._widths, self._heading, self._words = pdf, widths, heading, words
        self._shaded = False
        self._head()

    def row(self, cells: Sequence[str]) -> None:
        if self._pdf.will_page_break(_LINE):
            self._pdf.add_page()
            self._head()
        self._shaded = not self._shaded
        self._pdf.set_fill_color(*_BAND)
        self._pdf.set_font("Helvetica", "", _SMALL)
        self._pdf.set_text_color(*_INK)
        self._cells(cells, fill=self._shaded)

    def _head(self) -> None:
        if self._pdf.will_page_break(_TABLE_TOP):
            self._pdf.add_page()
        self._pdf.set_font("Helvetica", "B", _SMALL)
        self._pdf.set_text_color(*_SOFT)
        self._cells(self._heading, fill=False)
        self._pdf.set_draw_color(*_RULE)
        self._pdf.line(self._pdf.l_margin, self._pdf.y, self._pdf.l_margin + sum(self._widths), self._pdf.y)

    def _cells(self, cells: Sequence[str], *, fill: bool) -> None:
        for place, (width, text) in enumerate(zip(self._widths, cells, strict=True)):
            align = Align.L if place < self._words else Align.R
            shown = _latin(text)
            narrow = len(shown) > width * _LETTERS_A_MM
            if narrow:
                self._pdf.set_font_size(_SMALL * width * _LETTERS_A_MM / len(shown))
            self._pdf.cell(width, _LINE, shown, align=align, fill=fill)
            if narrow:
                self._pdf.set_font_size(_SMALL)
        self._pdf.ln(_LINE)


def _title(pdf: FPDF, text: str) -> None:
    if pdf.will_page_break(3 * _TABLE_TOP):
        pdf.add_page()
    pdf.set_font("Helvetica", "B", 11)
    pdf.set_text_color(*_INK)
    pdf.cell(0, 7, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _note(pdf: FPDF, text: str) -> None:
    pdf.set_font("Helvetica", "", _TEXT)
    pdf.set_text_color(*_SOFT)
    pdf.multi_cell(0, _LINE, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(1)


def _amount(amount: int, asset: AssetView) -> str:
    """To its last digit; spaces group, a point is a point, whatever the language."""
    whole, point, fraction = amounts.format(abs(amount), decimals=asset.decimals).partition(".")
    return f"{'-' if amount < 0 else ''}{int(whole):,}".replace(",", " ") + point + fraction


def _day(day: date) -> str:
    return date_format(day, _("j M Y"))


def _latin(text: str) -> str:
    """What the standard fonts can print; a letter they lack is a question mark, never a file that fails."""
    plain = text.replace("\u202f", " ").replace("\u2212", "-").replace("\u2026", "...")
    return plain.encode("latin-1", "replace").decode("latin-1")
