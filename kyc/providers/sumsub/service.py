"""Sumsub behind the house's own words: levels, kinds of pictures, results and reasons.

What must never happen here: a GREEN of another level, another applicant or other words taken for this one's, or an applicant
made twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from kyc import countries
from kyc.providers.protocol import Answer, Event, ProviderRefused, ProviderUnavailable, SignatureWrong, Subject
from kyc.providers.sumsub import signing
from kyc.providers.sumsub.client import Client, secure

# idDocType and idDocSubType (docs.sumsub.com/reference/add-id-documents)
KINDS: dict[str, dict[str, str]] = {
    "passport": {"idDocType": "PASSPORT"},
    "id_front": {"idDocType": "ID_CARD", "idDocSubType": "FRONT_SIDE"},
    "id_back": {"idDocType": "ID_CARD", "idDocSubType": "BACK_SIDE"},
    "licence_front": {"idDocType": "DRIVERS", "idDocSubType": "FRONT_SIDE"},
    "licence_back": {"idDocType": "DRIVERS", "idDocSubType": "BACK_SIDE"},
    "selfie": {"idDocType": "SELFIE"},
    "proof_of_address": {"idDocType": "UTILITY_BILL"},
    "proof_of_funds": {"idDocType": "INCOME_SOURCE"},
}
# Rejection labels (docs.sumsub.com/docs/rejection-labels) that say what has to be sent again; any other asks for the document.
_AGAIN: dict[str, tuple[str, str]] = {
    "BAD_SELFIE": ("selfie", "selfie_mismatch"),
    "SELFIE_MISMATCH": ("selfie", "selfie_mismatch"),
    "BAD_FACE_MATCHING": ("selfie", "selfie_mismatch"),
    "BAD_PROOF_OF_ADDRESS": ("proof_of_address", "address_mismatch"),
    "PROBLEMATIC_APPLICANT_DATA": ("person", "data_mismatch"),
    "EXPIRATION_DATE": ("document", "document_expired"),
    "DOCUMENT_DAMAGED": ("document", "document_damaged"),
    "UNSATISFACTORY_PHOTOS": ("document", "unreadable"),
    "LOW_QUALITY": ("document", "unreadable"),
    "SCREENSHOTS": ("document", "unreadable"),
    "DOCUMENT_PAGE_MISSING": ("document", "unreadable"),
    "ID_INVALID": ("document", "wrong_document"),
    "BAD_PROOF_OF_IDENTITY": ("document", "wrong_document"),
}
DUPLICATE_DOCUMENT = 1000
_REFERENCE = re.compile(r"[0-9a-f]{16,40}")
_TOLD = {"given_names": "firstName", "family_names": "lastName", "birth_date": "dob"}


def configured() -> Sumsub | None:
    """The service as the settings have it, or None where they lack a key. Raises ImproperlyConfigured for plain http."""
    if not (settings.SUMSUB_APP_TOKEN and settings.SUMSUB_SECRET_KEY and settings.SUMSUB_WEBHOOK_SECRET):
        return None
    if not secure(settings.SUMSUB_BASE_URL):
        raise ImproperlyConfigured("SUMSUB_BASE_URL must be https.")
    client = Client(
        base_url=settings.SUMSUB_BASE_URL, token=settings.SUMSUB_APP_TOKEN, secret=settings.SUMSUB_SECRET_KEY
    )
    return Sumsub(client, webhook_secret=settings.SUMSUB_WEBHOOK_SECRET, levels=settings.SUMSUB_LEVELS)


class Sumsub:
    """kyc.providers.protocol.Provider."""

    name = "sumsub"

    def __init__(self, client: Client, *, webhook_secret: str, levels: Mapping[int, str]) -> None:
        self.client, self._webhook_secret, self.levels = client, webhook_secret, levels

    def verify(self, raw_body: bytes, headers: Mapping[str, str]) -> Event:
        signing.check_webhook(self._webhook_secret, raw_body, headers)
        try:
            told = json.loads(raw_body)
            kind, reference = str(told["type"])[:60], str(told["applicantId"])[:80]
        except (ValueError, KeyError, TypeError):
            raise SignatureWrong from None  # signed, but no event of theirs: nothing that we could act on
        at = str(told.get("createdAtMs", ""))
        # They name no event; a retry is the same in all of these.
        unique = f"{kind}:{reference}:{told.get('correlationId', '')}:{at}"[:200]
        return Event(id=unique, kind=kind, reference=reference, occurred_at=_time(at))

    def create_applicant(self, subject: Subject) -> str:
        body: dict[str, Any] = {"externalUserId": str(subject.application_id)}
        if fixed := _fixed(subject):
            body["fixedInfo"] = fixed
        level = quote(self._level(subject.level), safe="")
        try:
            made = self.client.post(f"/resources/applicants?levelName={level}", body)
        except ProviderRefused as refused:
            if refused.status != 409:
                raise
            # We made it before and were stopped before we noted it; the words may have changed since.
            made = self.client.get(f"/resources/applicants/-;externalUserId={subject.application_id}/one")
            self.update_applicant(_reference(made.get("id")), subject)
        return _reference(made.get("id"))

    def update_applicant(self, reference: str, subject: Subject) -> None:
        fixed, path = _fixed(subject), f"/resources/applicants/{_reference(reference)}"
        known = self.client.get(f"{path}/one").get("fixedInfo")
        if all(isinstance(known, dict) and known.get(name) == word for name, word in fixed.items()):
            return
        if self._status(reference).get("reviewStatus") in (*_UNDER_WAY, "onHold"):
            raise ProviderUnavailable("a check of other words is under way")
        self.client.patch(f"{path}/fixedInfo", fixed)

    def submit_document(self, reference: str, *, kind: str, country: str, picture: bytes) -> str:
        if country not in countries.THREE_LETTERS:
            raise ProviderRefused("no country is known that the picture is of", status=0)
        metadata = {**KINDS[kind], "country": countries.THREE_LETTERS[country]}
        path = f"/resources/applicants/{_reference(reference)}/info/idDoc"
        try:
            _, image = self.client.post_picture(path, metadata=metadata, picture=picture)
        except ProviderRefused as refused:
            if refused.code != DUPLICATE_DOCUMENT:
                raise
            return "duplicate"  # it arrived before we were stopped
        return image[:80] or "taken"

    def request_check(self, reference: str) -> None:
        try:
            self.client.post(f"/resources/applicants/{_reference(reference)}/status/pending")
        except ProviderRefused as refused:
            if refused.status != 409 or self._status(reference).get("reviewStatus") not in _UNDER_WAY:
                raise

    def fetch(self, reference: str, *, level: int) -> Answer:
        status = self._status(reference)
        result = status.get("reviewResult")
        if status.get("reviewStatus") != "completed" or not isinstance(result, dict):
            return Answer("pending")
        if status.get("levelName") != self._level(level):
            raise ProviderRefused("the result is of another level", status=200)
        labels = tuple(str(label)[:60] for label in result.get("rejectLabels") or ())[:20]
        comment = str(result.get("moderationComment") or "")[:500]
        if result.get("reviewAnswer") == "GREEN":
            return Answer("approved")
        if result.get("reviewAnswer") == "RED" and result.get("reviewRejectType") == "RETRY":
            again = [_AGAIN.get(label, ("document", "cannot_verify")) for label in labels] or [
                ("document", "cannot_verify")
            ]
            items = tuple(dict.fromkeys(item for item, _ in again))
            reasons = tuple(dict.fromkeys(reason for _, reason in again))
            return Answer("retry", labels=labels, comment=comment, items=items, reasons=reasons)
        return Answer("declined", labels=labels, comment=comment)

    def _status(self, reference: str) -> dict[str, Any]:
        return self.client.get(f"/resources/applicants/{_reference(reference)}/status")

    def _level(self, level: int) -> str:
        name = self.levels.get(level)
        if not name:
            raise ProviderRefused("SUMSUB_LEVELS names no level for this", status=0)
        return name


def _fixed(subject: Subject) -> dict[str, str]:
    """The words that they compare with the pictures."""
    found = {theirs: subject.told[ours] for ours, theirs in _TOLD.items() if subject.told.get(ours)}
    for ours in ("country", "nationality"):
        if letters := countries.THREE_LETTERS.get(subject.told.get(ours, "")):
            found[ours] = letters
    return found


_UNDER_WAY = ("pending", "prechecked", "queued")


def _reference(value: object) -> str:
    """Theirs are 24 letters and digits; anything else does not come into a path."""
    if not isinstance(value, str) or _REFERENCE.fullmatch(value) is None:
        raise ProviderUnavailable("no applicant's id")
    return value


def _time(text: str) -> datetime | None:
    """createdAtMs is no number, but "2020-02-21 13:23:19.321", in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None
