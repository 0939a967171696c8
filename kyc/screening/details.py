"""Whom to screen: what a customer's applications say under his own key, as approved and as he says now, and the name that he
shows on his account.

What must never happen here: a name in a log line, approved words that an application in their place hides, or a customer
taken for screened by his display name alone because his words do not open now. Only words whose key was destroyed on purpose
are as if they had never been told.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import date

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from exchange.accounts.selectors import Person as Account
from exchange.secrets.services import KeyMissing, SecretTampered
from kyc import application_selectors, registry
from kyc.screening import names
from kyc.screening.matching import Person


class Unopened(Exception):
    """What the customer told is there and does not open here and now: a key file or a master key is missing, or was changed."""


def of(user_id: int, account: Account | None) -> tuple[Person, ...]:
    """Everybody that the customer says he is or was approved as, one at least; without any name where nothing is known. Raises
    Unopened. Four queries, and the opening of the sealed words."""
    displayed = shown(account)
    told = [
        replace(
            person(
                names=[each.names, *displayed.names],
                birth_date=each.birth_date,
                country=each.nationality or each.country,
            ),
            called=called(each.given, each.family),
        )
        for each in _told(user_id)
    ]
    return tuple(dict.fromkeys(told)) or (displayed,)


def called(given: str, family: str) -> tuple[str, ...]:
    """The first of three or more given names with the family name: each name that a list does not have makes the whole less
    alike, and one can write as many as one likes. It is in no fingerprint: it says nothing that the whole name does not."""
    telling = [word for word in given.split() if names.length(word)]
    return (f"{telling[0]} {family}",) if len(telling) > 2 and family.strip() else ()


def shown(account: Account | None) -> Person:
    """What stands in the clear on his account."""
    return Person((account.display_name,) if account and account.display_name.strip() else ())


def person(*, names: list[str], birth_date: str | date | None, country: str) -> Person:
    """The same from its parts. A birth date that is none counts as not said."""
    spelled = tuple(dict.fromkeys(name.strip() for name in names if name and name.strip()))
    return Person(spelled, _day(birth_date), country.strip())


def fingerprint(user_id: int, who: Person) -> str:
    """Equal for the same customer and details. Keyed by the application's secret, so that it can be compared and not guessed."""
    text = json.dumps([user_id, sorted(who.names), str(who.birth_date or ""), who.country], ensure_ascii=False)
    return hmac.new(f"kyc.screening:{settings.SECRET_KEY}".encode(), text.encode(), hashlib.sha256).hexdigest()


def _told(user_id: int) -> list[registry.Person]:
    try:
        return application_selectors.people_of(user_id)
    except (KeyMissing, SecretTampered, ImproperlyConfigured, OSError) as error:
        raise Unopened(type(error).__name__) from error


def _day(value: str | date | None) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat((value or "").strip())
    except ValueError:
        return None
