"""Cold wallets for tests: descriptors of software devices, made the way a wallet program would export them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embit.descriptor.checksum import add_checksum

TPUB = bytes.fromhex("043587cf")
XPUB = bytes.fromhex("0488b21e")
# How each form is written, and the account its keys come from (BIP84, 49, 86, 48).
FORMS = {
    "wpkh": ("wpkh({})", "m/84h/{coin}h/0h"),
    "sh-wpkh": ("sh(wpkh({}))", "m/49h/{coin}h/0h"),
    "tr": ("tr({})", "m/86h/{coin}h/0h"),
    "wsh": ("wsh(sortedmulti({}))", "m/48h/{coin}h/0h/2h"),
    "sh-wsh": ("sh(wsh(sortedmulti({})))", "m/48h/{coin}h/0h/1h"),
}


def key(root: Any, form: str, *, coin: int = 1, branches: str = "<0;1>") -> str:
    """[origin]xpub/branches/* of a master key (embit's HDKey), for a form."""
    path = FORMS[form][1].format(coin=coin)
    xpub = root.derive(path).to_public().to_base58(TPUB if coin == 1 else XPUB)
    return f"[{root.my_fingerprint.hex()}/{path.removeprefix('m/')}]{xpub}/{branches}/*"


def descriptor(form: str, keys: Sequence[str], *, threshold: int = 1) -> str:
    """The whole text with its checksum."""
    inside = keys[0] if len(keys) == 1 and "wsh" not in form else ",".join([str(threshold), *keys])
    return str(add_checksum(FORMS[form][0].format(inside)))
