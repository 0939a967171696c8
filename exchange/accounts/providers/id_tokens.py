"""Judges an id_token: who signed it, for whom, for which request, until when.

allauth takes the algorithm from the token itself, fetches the keys each time and knows no nonce; so the judging is ours.
What must never happen here: a token believed whose signature was not checked, because it came over a line that is thought
to be safe; an algorithm that the token chooses.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Any

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.core.cache import cache

ALGORITHMS = ("RS256",)  # what Google, Facebook and Apple sign with
LENGTH_MAX = 8_192
CLOCKS_APART_S = 60
KEYS_KEPT_S = 600
KEYS_ASKED_AGAIN_S = 30  # a token that names an unknown key makes us ask anew, but not more often than this
LIFE_MAX_S = 24 * 3600  # Apple's live a day, the others' an hour


class IdTokenInvalid(OAuth2Error):
    """The token does not show who somebody is. allauth answers every such error with one page."""


def verify(token: Any, *, keys_url: str, issuers: Sequence[str], audience: str, nonce: str | None) -> dict[str, Any]:
    """The token's claims; raises IdTokenInvalid, or requests' errors when the keys cannot be fetched. `nonce` is what the
    request for the token carried; None where the token came to us by itself (`once` and `nonce_of_app` guard that)."""
    if not isinstance(token, str) or not 0 < len(token) <= LENGTH_MAX:
        raise IdTokenInvalid("There is no id_token.")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
            raise IdTokenInvalid("The id_token is signed in a way that is not accepted.")
        claims = jwt.decode(
            token,
            key=_key(header["kid"], keys_url=keys_url).key,
            algorithms=list(ALGORITHMS),
            issuer=list(issuers),
            audience=audience,
            leeway=CLOCKS_APART_S,
            options={"require": ["iss", "aud", "sub", "exp", "iat"], "strict_aud": True},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise IdTokenInvalid("The id_token is not valid.") from error
    if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise IdTokenInvalid("The id_token answers another request.")
    if not claims["sub"]:
        raise IdTokenInvalid("The id_token names nobody.")
    return dict(claims)


def once(token: str, claims: dict[str, Any]) -> None:
    """For tokens that an app brings: a second time it is somebody else's. Raises IdTokenInvalid."""
    left = min(int(claims["exp"] - time.time()) + 2 * CLOCKS_APART_S, LIFE_MAX_S)
    used = f"id-token-used:{hashlib.sha256(token.encode()).hexdigest()}"
    if not cache.add(used, 1, timeout=max(left, CLOCKS_APART_S)):
        raise IdTokenInvalid("The id_token was used already.")


def nonce_of_app(claims: dict[str, Any], given: Any) -> None:
    """An app that had a nonce put into its token shows it, as it is or (Apple's way) by its SHA-256. Raises IdTokenInvalid."""
    claimed = claims.get("nonce")
    if claimed is None and given is None:
        return
    shown = str(given or "")
    forms = (shown, hashlib.sha256(shown.encode()).hexdigest())
    if not shown or not any(hmac.compare_digest(str(claimed or "").encode(), form.encode()) for form in forms):
        raise IdTokenInvalid("The id_token answers another request.")


def _key(kid: str, *, keys_url: str) -> jwt.PyJWK:
    """The provider's public key of this name."""
    place = f"id-token-keys:{hashlib.sha256(keys_url.encode()).hexdigest()}"
    kept = cache.get(place)
    if kept is None or (not _named(kept, kid) and cache.add(f"{place}:asked", 1, timeout=KEYS_ASKED_AGAIN_S)):
        kept = _fetched(keys_url)
        cache.set(place, kept, timeout=KEYS_KEPT_S)
    found = _named(kept, kid)
    if found is None:
        raise IdTokenInvalid("The id_token is signed by a key that its issuer does not name.")
    return jwt.PyJWK(found, algorithm="RS256")


def _named(keys: list[dict[str, Any]], kid: str) -> dict[str, Any] | None:
    return next((key for key in keys if key.get("kid") == kid and key.get("kty") == "RSA"), None)


def _fetched(keys_url: str) -> list[dict[str, Any]]:
    with get_adapter().get_requests_session() as session:
        answer = session.get(keys_url)
        answer.raise_for_status()
        document = answer.json()
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise IdTokenInvalid("The issuer's keys cannot be read.")
    return [key for key in keys if isinstance(key, dict)]
