"""An address of a coin as the key that it stands for, so that one key is found in every form that it is written in.

The same twenty bytes make a Bitcoin address (1…), a Litecoin one (L…) and their segwit forms (bc1q…, ltc1q…); the same
account signs on every EVM chain, and on Tron (T…). Whoever has the one has the others. Where no form is known the text itself
is the key.

Pure. What must never happen here: two spellings of one address with two keys, or an error for an address of an unknown form.
"""

from __future__ import annotations

import re

from wallets.chains import base58
from wallets.chains.utxo import bech32

TEXT_LENGTH_MAX = 200
_EVM = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
# The version bytes of Base58Check: https://en.bitcoin.it/wiki/List_of_address_prefixes
_PUBLIC_KEY = frozenset({0x00, 0x30, 0x6F, 0x1E, 0x4C})
_SCRIPT = frozenset({0x05, 0x32, 0xC4, 0x3A, 0x16, 0x10})
_TRON = 0x41


def of(address: str) -> str:
    """The key of an address in any form: "evm:…", "key:…", "script:…", "witness:…" or "text:…"."""
    text = address.strip()[:TEXT_LENGTH_MAX]
    if _EVM.fullmatch(text):
        return f"evm:{text[2:].lower()}"
    payload = base58.decode(text)
    if payload is not None and len(payload) == 21:
        body = payload[1:].hex()
        if payload[0] == _TRON:
            return f"evm:{body}"
        if payload[0] in _PUBLIC_KEY:
            return f"key:{body}"
        if payload[0] in _SCRIPT:
            return f"script:{body}"
    witness = bech32.decode(text)
    if witness is not None:
        _, version, program = witness
        return f"key:{program.hex()}" if version == 0 and len(program) == 20 else f"witness:{version}:{program.hex()}"
    return f"text:{text}"
