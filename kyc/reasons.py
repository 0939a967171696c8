"""Why an application is turned down or sent back: codes that programs may rely on, and the words its customer reads. Pure.

What must never happen here: a reason that tells somebody on a sanctions list that he stands there.
"""

from __future__ import annotations

WORDS: dict[str, str] = {
    "unreadable": "A picture cannot be read: too dark, blurred or cut off.",
    "wrong_document": "A picture shows another document than the one asked for.",
    "document_expired": "The document has expired.",
    "document_damaged": "The document is damaged or altered.",
    "data_mismatch": "What you wrote differs from what the document says.",
    "selfie_mismatch": "The photo of yourself does not show the person on the document, or not clearly.",
    "address_too_old": "The proof of address is older than three months or shows no date.",
    "address_mismatch": "The proof of address shows another name or another address.",
    "funds_unclear": "Where the money comes from is not clear yet.",
    "country_not_served": "We cannot serve customers of this country.",
    "duplicate_person": "You have an account with us already. Please use that one.",
    "cannot_verify": "We could not verify what you sent us.",
}
CHOICES = list(WORDS.items())


def known(codes: list[str]) -> bool:
    """Whether there is at least one, and each is one of ours."""
    return bool(codes) and all(code in WORDS for code in codes)


def sentences(codes: list[str]) -> list[str]:
    return [WORDS[code] for code in codes if code in WORDS]
