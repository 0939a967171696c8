"""A verification in the words of a customer: the ladder of levels, what is to be sent, and what happens next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.site.said import said
from kyc import requirements
from kyc.application_selectors import ApplicationView, PictureView, Standing

_LADDER = (
    ("email", gettext_lazy("E-mail"), gettext_lazy("Your address is confirmed.")),
    ("identity", gettext_lazy("Identity"), gettext_lazy("Your document and a photo of yourself.")),
    ("address", gettext_lazy("Address"), gettext_lazy("A bill or a letter with your name and address.")),
    ("enhanced", gettext_lazy("Enhanced"), gettext_lazy("Where the money comes from; two people look at it.")),
)
_HELP = {
    "passport": gettext_lazy("All four corners, without glare, so that every letter can be read."),
    "id_front": gettext_lazy("All four corners, without glare."),
    "id_back": gettext_lazy("All four corners, without glare."),
    "licence_front": gettext_lazy("All four corners, without glare."),
    "licence_back": gettext_lazy("All four corners, without glare."),
    "selfie": gettext_lazy("Your face and the document beside it, both sharp, nobody else in the picture."),
    "proof_of_address": gettext_lazy(
        "A bill, a bank statement or a letter of an authority: name, address and date readable."
    ),
    "proof_of_funds": gettext_lazy(
        "A payslip, a tax notice or a contract of sale. Several pages: the one with the sum."
    ),
}


@dataclass(frozen=True, slots=True)
class Rung:
    """A level on the ladder; `look` is "done", "now" (can be applied for or is being looked at) or "wait"."""

    number: int
    title: str
    detail: str
    look: str
    application: ApplicationView | None
    offered: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A picture that is asked for. `open` says whether it can be sent now; `again`, that it was asked for again."""

    kind: str
    name: str
    help: str
    camera: str
    sent: PictureView | None
    open: bool
    again: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """`look` is "done", "now", "wait" or "bad"."""

    title: str
    detail: str
    look: str
    at: datetime | None = None


def ladder(standing: Standing) -> list[Rung]:
    """All levels; beside each what can be done about it."""
    offered = {level.number for level in standing.offered}
    opened = {view.level: view for view in reversed(standing.latest) if view.open}
    rungs = []
    for number, (_code, title, detail) in enumerate(_LADDER, start=1):
        active = number in offered or number in opened
        look = "done" if number <= standing.level else "now" if active else "wait"
        rungs.append(Rung(number, str(title), str(detail), look, opened.get(number), number in offered))
    return rungs


def closed(standing: Standing) -> list[ApplicationView]:
    """What was decided before."""
    return [view for view in standing.latest if not view.open]


def words_asked(view: ApplicationView) -> bool:
    """Whether the form can be changed now."""
    if not view.editable:
        return False
    return view.state == "draft" or any(group in view.asked for group in view.groups)


def slots(view: ApplicationView) -> list[Slot]:
    """The pictures of an application."""
    sent = {each.kind: each for each in view.pictures}
    another_document = requirements.PERSON in view.asked
    found = []
    for kind in view.kinds:
        again = kind in view.asked
        free = again or (another_document and kind in requirements.DOCUMENT_KINDS)
        found.append(
            Slot(
                kind=kind,
                name=said(requirements.KINDS[kind]),
                help=str(_HELP[kind]),
                camera="user" if kind == "selfie" else "environment",
                sent=sent.get(kind),
                open=view.editable and (view.state == "draft" or free),
                again=again,
            )
        )
    return found


def stages(view: ApplicationView) -> list[Stage]:
    """The way of an application and where it is on it."""
    told = Stage(_("You tell and show us"), "", "now" if view.editable else "done")
    if view.state == "resubmit":
        told = Stage(_("You send something again"), _("The rest is kept as it is."), "now")
    handed = Stage(_("Handed in"), "", "done" if view.submitted_at and not view.editable else "wait", view.submitted_at)
    if view.editable:
        handed = Stage(_("You hand it in"), "", "wait")
    looked = {
        "submitted": Stage(
            _("Waiting for a person to look at it"), _("Usually within two days. You get an e-mail."), "now"
        ),
        "in_review": Stage(_("Somebody is looking at it"), _("You get an e-mail as soon as it is decided."), "now"),
        "approved": Stage(_("Looked at"), "", "done"),
        "rejected": Stage(_("Looked at"), "", "done"),
    }.get(view.state, Stage(_("A person looks at it"), _("Usually within two days."), "wait"))
    level = _("Level “%(name)s”") % {"name": said(view.level_name)}
    ended = {
        "approved": Stage(_("Approved"), _("The level's limits hold from now on."), "done", view.decided_at),
        "rejected": Stage(_("Turned down"), "", "bad", view.decided_at),
        "expired": Stage(_("Over"), _("Apply again whenever you like."), "bad", view.expires_at),
    }.get(view.state, Stage(level, _("Higher limits from that moment on."), "wait"))
    return [told, handed, looked, ended]
