"""Everything that can stand in the way at the signer's machine and is told in one sentence."""

from __future__ import annotations

from custody.accounts import AccountsUnreadable
from custody.ceremony_log import LogForged
from custody.cold_addresses import ColdRefused, ColdUnreadable
from custody.entropy import SourcePoor
from custody.key_sources import SourceMissing, VaultFailed
from custody.keystore import KeystoreUnreadable, PassphraseWeak
from custody.limits import LimitsUnreadable
from custody.private_files import FileExposed
from custody.velocity import LogBusy, LogDamaged, LogMissing
from custody.words import WordsWrong


class NotDone(RuntimeError):
    """Nothing was changed; the text says why."""


TOLD = (
    NotDone,
    AccountsUnreadable,
    ColdRefused,
    ColdUnreadable,
    FileExposed,
    KeystoreUnreadable,
    LimitsUnreadable,
    LogBusy,
    LogDamaged,
    LogForged,
    LogMissing,
    PassphraseWeak,
    SourceMissing,
    SourcePoor,
    VaultFailed,
    WordsWrong,
)
