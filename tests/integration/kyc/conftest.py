"""For tests of identity checks: customers begin at the first level; documents and keys lie in the test's own folders."""

import pytest

from tests.integration.kyc.screening_kit import fresh_index, shown
from tests.integration.kyc.sumsub_kit import elapsed, pauses, sumsub

__all__ = ["elapsed", "fresh_index", "pauses", "shown", "sumsub"]


@pytest.fixture
def identity_desk(settings, tmp_path):
    settings.KYC_FIRST_LEVEL = 1
    settings.KYC_DOCUMENTS_DIR = str(tmp_path / "documents")
    settings.SUBJECT_KEYS_DIR = str(tmp_path / "keys")
    return tmp_path
