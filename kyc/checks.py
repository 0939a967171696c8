"""Refuses to start where documents and the keys that open them could end up in one backup, or a provider is half set up."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from kyc import providers


@register()
def folders_apart(**kwargs: object) -> list[CheckMessage]:
    documents, keys = settings.KYC_DOCUMENTS_DIR, settings.SUBJECT_KEYS_DIR
    if not (documents and keys):
        return []  # said where they are used; processes that use neither do without
    first, second = Path(documents).resolve(), Path(keys).resolve()
    if first == second or first in second.parents or second in first.parents:
        return [
            Error(
                "SUBJECT_KEYS_DIR and KYC_DOCUMENTS_DIR lie in one another: a backup of the documents would keep their keys.",
                id="kyc.E001",
            )
        ]
    return []


@register()
def provider_stands(**kwargs: object) -> list[CheckMessage]:
    if settings.KYC_PROVIDER == "manual":
        return []
    try:
        found = providers.by_name(settings.KYC_PROVIDER)
    except ImproperlyConfigured as error:
        return [Error(str(error), id="kyc.E002")]
    if found is None:
        return [
            Error(
                f"KYC_PROVIDER is {settings.KYC_PROVIDER!r}, which is unknown or lacks its token, secret key or webhook secret.",
                id="kyc.E003",
            )
        ]
    return []
