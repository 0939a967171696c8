"""The keys of people under a new master key."""

from pathlib import Path

import pytest

from exchange.secrets import subjects
from exchange.secrets.services import KeyMissing
from tests.verification import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("identity_desk")]


def test_a_key_that_is_missing_keeps_no_other_under_the_old_master_key(settings):
    told = {"purpose": "test", "context": "x"}
    sealed = {}
    for name in ("one", "two", "three"):
        sealed[name] = subjects.seal(subject=name, plaintext=name.encode(), now=NOW, **told)
        if name == "one":
            (lost,) = (file for file in Path(settings.SUBJECT_KEYS_DIR).rglob("*") if file.is_file())
    lost.unlink()
    settings.SECRETS_MASTER_KEYS_OLD, settings.SECRETS_MASTER_KEY = settings.SECRETS_MASTER_KEY, "5a" * 32
    with pytest.raises(KeyMissing, match="2 keys moved, 1 do not open, the first of one"):
        subjects.rewrap()
    settings.SECRETS_MASTER_KEYS_OLD = ""
    for name in ("two", "three"):
        assert subjects.open(subject=name, sealed=sealed[name], **told) == name.encode()
