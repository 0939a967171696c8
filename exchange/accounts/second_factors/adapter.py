"""What allauth asks of us about second factors.

What must never happen here: a password that stands in for a factor where there is one.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

import segno
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from exchange.accounts.second_factors import sealing, selectors


class MfaAdapter(DefaultMFAAdapter):
    """Secrets sealed for their user, the QR code drawn here, and staff never without a factor."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is wrong, or was used already. Wait for the next one."),
        "too_many_codes": _("Too many wrong codes. Wait a while before you try again."),
        "cannot_delete_authenticator": _("Staff need a second factor: add another one before you remove the last."),
    }

    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text)

    def build_totp_svg(self, url: str) -> SafeString:
        """Inline SVG: no request, no style attribute that the content policy would refuse."""
        code = segno.make(url, error="m", micro=False)
        return mark_safe(code.svg_inline(border=2, omitsize=True, svgclass="qr", lineclass="qr-line", dark="#000"))  # noqa: S308

    def get_totp_issuer(self) -> str:
        return settings.SITE_NAME

    def _get_site_name(self) -> str:
        return settings.SITE_NAME

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """A passkey belongs to the site's own name, whatever name a request came by. A developer's site has several."""
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "id": urlsplit(settings.SITE_URL).hostname or ""} if settings.PRODUCTION else entity

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        """What a new passkey is called unless its owner says otherwise."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return "Passkey" if number == 1 else f"Passkey {number}"

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return may_remove(authenticator.user, [authenticator.pk])


def may_remove(user: Any, factor_ids: list[int]) -> bool:
    """Staff keep one factor at least; others may do without, and then cannot withdraw."""
    if not user.is_staff:
        return True
    kinds = selectors.kinds(user.pk)
    return any(kind in selectors.FACTORS for factor_id, kind in kinds.items() if factor_id not in factor_ids)


class NeverByPasswordAlone:
    """Part of the account adapter: who has a second factor confirms with that."""

    def reauthenticate(self, user: AbstractBaseUser, password: str) -> bool:
        if selectors.has_factor(user.pk):
            raise ValidationError(_("This account has a second factor: confirm with that, not with the password."))
        return bool(super().reauthenticate(user, password))  # type: ignore[misc]

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, Any]]:
        methods = super().get_reauthentication_methods(user)  # type: ignore[misc]
        if not user.is_authenticated:
            return list(methods)
        kinds = set(selectors.kinds(user.pk).values())
        if kinds.isdisjoint(selectors.FACTORS):
            return list(methods)
        first = "mfa_reauthenticate" if selectors.TOTP in kinds else "mfa_reauthenticate:webauthn"
        ours = [{**method, "description": _WORDS[method["id"]]} for method in methods if method["id"] in _WORDS]
        return sorted(ours, key=lambda method: method["id"] != first)


_WORDS = {
    "mfa_reauthenticate": _("Use a code"),
    "mfa_reauthenticate:webauthn": _("Use a passkey"),
}
