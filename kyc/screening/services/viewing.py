"""Opens a case for a member of staff: the entry beside what is known of the customer, and how the two were brought together.

What must never happen here: a customer's words opened without a line in the audit, before they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from exchange.accounts import selectors as accounts
from exchange.audit import services as audit
from kyc.models import ListedAddress, ScreeningCase
from kyc.screening import details, entries
from kyc.screening.entries import Entry
from kyc.screening.matching import Index, Pair, Person
from kyc.screening.services import cases
from kyc.screening.services.cases import CaseNotFound, OwnCase


@dataclass(frozen=True, slots=True)
class OpinionView:
    actor_id: int
    actor: str
    verdict: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CaseView:
    """Everything that staff need to decide. `changed`: what is known of the customer is no longer what was screened."""

    id: int
    kind: str
    state: str
    strong: bool
    score: int
    user_id: int
    email: str
    names: tuple[str, ...]
    birth_date: date | None
    country: str
    entry: Entry
    list_code: str
    version: int
    delisted: bool
    matched: str
    birth: str
    country_said: str
    pairs: tuple[Pair, ...]
    network: str
    address: str
    subject: str
    changed: bool
    opinions: tuple[OpinionView, ...]
    clear_takes: int


def open_case(*, case_id: int, actor_id: int, origin: str = "", now: datetime) -> CaseView:
    """The case with the customer's own words in it; the look is on record first. Raises CaseNotFound, OwnCase."""
    case = ScreeningCase.objects.select_related("entry").filter(id=case_id).first()
    if case is None:
        raise CaseNotFound("There is no such case.")
    if case.user_id == actor_id:
        raise OwnCase("Nobody sees a case of his own.")
    audit.record(
        actor_id=actor_id,
        action="kyc.view_screening_case",
        subject=str(case),
        after={"user_id": case.user_id},
        origin=origin,
        now=now,
    )
    opinions = list(case.opinions.all())
    people = accounts.people([case.user_id, *(opinion.actor_id for opinion in opinions)])
    who, changed = _who(case, people.get(case.user_id))
    entry = entries.read(case.entry.body)
    index = Index([entry])
    matches = index.search(who) if case.kind == ScreeningCase.Kind.PERSON else []
    account = people.get(case.user_id)
    return CaseView(
        id=case.id,
        kind=case.kind,
        state=case.state,
        strong=case.strong,
        score=case.score,
        user_id=case.user_id,
        email=account.email if account else "",
        names=who.names,
        birth_date=who.birth_date,
        country=who.country,
        entry=entry,
        list_code=case.list_code,
        version=case.entry.first_version_id,
        delisted=case.entry.last_version_id is not None,
        matched=entry.names[case.name_place].text if case.name_place is not None else "",
        birth=case.birth,
        country_said=case.country,
        pairs=tuple(index.explain(who, matches[0])) if matches else (),
        network=case.network,
        address=_address(case),
        subject=case.subject,
        changed=changed,
        opinions=tuple(
            OpinionView(
                opinion.actor_id,
                people[opinion.actor_id].email if opinion.actor_id in people else f"user {opinion.actor_id}",
                opinion.get_verdict_display(),
                opinion.reason,
                opinion.at,
            )
            for opinion in opinions
        ),
        clear_takes=cases.needed(case, cases.CLEAR),
    )


def _who(case: ScreeningCase, account: accounts.Person | None) -> tuple[Person, bool]:
    """Whom the case is about, of all that the customer says he is, and whether that has changed since: then it is what he says
    now. Words that do not open leave the page with what his account shows."""
    try:
        known = details.of(case.user_id, account)
    except details.Unopened:
        known = (details.shown(account),)
    if case.kind != ScreeningCase.Kind.PERSON:
        return known[-1], False
    screened = (who for who in known if details.fingerprint(case.user_id, who) == case.fingerprint)
    same = next(screened, None)
    return (known[-1], True) if same is None else (same, False)


def _address(case: ScreeningCase) -> str:
    """The address as the list writes it, of a payment there; of a deposit, all of the entry's."""
    rows = ListedAddress.objects.filter(entry_id=case.entry_id)
    if case.kind == ScreeningCase.Kind.WITHDRAWAL:
        rows = rows.filter(key=case.subject)
    elif case.kind == ScreeningCase.Kind.PERSON:
        return ""
    return ", ".join(f"{row.currency} {row.address}" for row in rows.order_by("id")[:10])
