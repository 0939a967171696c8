"""Takes secrets out of what is about to be written to a log: by the name of a field, and by how a value looks.

The second is for what nobody meant to log: a path with a link out of an e-mail, a library's error that quotes a URL, a database's
that quotes a row. It runs over the finished line, so that tracebacks and other people's messages pass it, too. What must never
happen here: a secret that is only shortened, or a line lost because it could not be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

MASK = "[masked]"
DEPTH_MAX = 6

NAMES = re.compile(
    r"pass(word|phrase|wd)|secret|token|api_?key|seed|mnemonic|private|xprv|authori[sz]ation|cookie|signature|credential"
    r"|session(_?(id|key)|$)|otp$|^sig$|csrf|recovery_codes?|^(raw_)?body$|^dsn$|_pem$|access[_-]sig",
    re.IGNORECASE,
)
# As they stand in text. The part before is bounded: a long run of letters must not be looked through from each of them.
_NAMED = (
    r"[\w-]{0,40}(?:pass(?:word|phrase|wd)|secret|token|signature|access-sig|api[_-]?key)[\w-]{0,20}"
    r"|mnemonic|seed|csrf\w{0,20}|(?:proxy-)?authorization|(?:set-)?cookie|sessionid|__Host-\w{1,20}|session[_-]?(?:id|key)"
    r"|code_verifier"
)
_WORDLIST_RUN = re.compile(r"\b(?:[a-z]{3,8}(?:\\n|[\s,\"']+)){11,47}[a-z]{3,8}\b")

# Each names what stays: group 1. What stood behind it goes.
_LOOKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # links of our e-mails: what follows the page's own address is the key
    (
        re.compile(
            r"(/(?:wallet/withdrawals/confirm|account/not-me|accounts/confirm-email|accounts/password/reset/key"
            r"|account/export/download)/)[^/\s\"'?&<>\\]+"
        ),
        rf"\1{MASK}",
    ),
    # a secret in a query, a form, a header or JSON, by its name
    (re.compile(rf"(?i)([?&](?:{_NAMED}|code|state|key|sig|otp)=)[^&\s\"'<>\\]+"), rf"\1{MASK}"),
    (re.compile(rf"(?i)(\\?[\"'](?:{_NAMED})\\?[\"']\s*[:=,]\s*b?\\?[\"'])(?:[^\"'\\]|\\[^\"'])*"), rf"\1{MASK}"),
    (
        re.compile(
            rf"(?i)(\b(?:{_NAMED})\s*[:=]\s*)(?!b?\\?[\"'])(?:(?:bearer|basic|session|token)\s+)?[^\s,;&\"'\\\]}})]+"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}"), rf"\1{MASK}"),
    # user and password in a URL
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@\"']*:[^/\s@\"']+@"), rf"\1{MASK}@"),
    # keys by their own form: extended private keys, PEM, Vault and Argon2 strings, signed tokens
    (re.compile(r"()\b[xyzuvtYZUV]prv[1-9A-HJ-NP-Za-km-z]{50,}"), MASK),
    (re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), MASK),
    (re.compile(r"()\bhv[sb]\.[A-Za-z0-9_-]{20,}"), MASK),
    (re.compile(r"()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
    (re.compile(r"()\b(?:argon2|pbkdf2_sha256)\$[^\s\"'\\]+"), MASK),
    # PostgreSQL quotes the row that it refused
    (re.compile(r"(Key \([^)]*\)=)\(.*?\)(?= )"), rf"\1({MASK})"),
    (re.compile(r"(Failing row contains )\(.*\)"), rf"\1({MASK})"),
)


def named(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the fields, those whose name says that they are secret masked, at any depth."""
    return {key: MASK if NAMES.search(str(key)) else _inside(value, DEPTH_MAX) for key, value in event.items()}


def _inside(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        if not depth:
            return MASK
        return {key: MASK if NAMES.search(str(key)) else _inside(each, depth - 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_inside(each, depth - 1) for each in value] if depth else MASK
    return value


def scrubbed(line: str) -> str:
    """The finished line without what looks like a secret."""
    for looks, stays in _LOOKS:
        line = looks.sub(stays, line)
    return _WORDLIST_RUN.sub(_without_seed, line)


def scrubbing(renderer: Callable[..., Any]) -> Callable[..., str]:
    """A renderer of structlog whose lines are scrubbed."""

    def render(logger: Any, method: str, event: Any) -> str:
        found = renderer(logger, method, event)
        return scrubbed(found.decode() if isinstance(found, bytes) else str(found))

    return render


def _without_seed(found: re.Match[str]) -> str:
    """Twelve words and more of BIP39's list in a row are a wallet's seed."""
    text = found.group()
    longest = run = 0
    for word in re.findall(r"[a-z]{3,8}", text.replace("\\n", " ")):
        run = run + 1 if word in _seed_words() else 0
        longest = max(longest, run)
    return MASK if longest >= 12 else text


@lru_cache(maxsize=1)
def _seed_words() -> frozenset[str]:
    from embit import bip39

    return frozenset(bip39.WORDLIST)
