"""Addresses and the scripts they stand for: P2PKH, P2SH, P2WPKH, P2WSH, P2TR and witness programs to come.

What must never happen here: an address of another network accepted, or two scripts for one address.
"""

from __future__ import annotations

from wallets.chains import base58
from wallets.chains.protocol import Address, AddressInvalid, AddressWrongNetwork
from wallets.chains.utxo import bech32
from wallets.chains.utxo.parameters import Parameters, everything

_OP_1 = 0x51


def p2wpkh(key_hash: bytes) -> bytes:
    """The script that pays a public key's hash160 by witness."""
    return b"\x00\x14" + key_hash


def witness_program(script: bytes) -> tuple[int, bytes] | None:
    """(version, program) when the script is a witness program (BIP141), else None."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] == 0:
        return (0, script[2:]) if len(script) in (22, 34) else None
    return (script[0] - _OP_1 + 1, script[2:]) if _OP_1 <= script[0] <= _OP_1 + 15 else None


def address(script: bytes, network: Parameters) -> str:
    """The canonical address of a script, "" when it has none (bare keys, OP_RETURN, bare multisig)."""
    program = witness_program(script)
    if program is not None:
        return bech32.encode(network.hrp, *program)
    if kind(script) == "p2pkh":
        return base58.encode(bytes([network.p2pkh]) + script[3:23])
    if kind(script) == "p2sh":
        return base58.encode(bytes([network.p2sh]) + script[2:22])
    return ""


def kind(script: bytes) -> str:
    """What a script is in the field's own words: "p2pkh", "p2sh", "p2wpkh", "p2wsh", "p2tr", "witness_vN", or "" for the rest."""
    program = witness_program(script)
    if program is not None:
        version, body = program
        if version == 0:
            return "p2wpkh" if len(body) == 20 else "p2wsh"
        return "p2tr" if version == 1 and len(body) == 32 else f"witness_v{version}"
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return "p2pkh"
    return "p2sh" if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87" else ""


def parse(text: str, network: Parameters) -> Address:
    """The address's canonical text and script. Raises AddressInvalid, or AddressWrongNetwork when it is good elsewhere."""
    text = text.strip()
    script = _script(text, network)
    if script is None:
        for other in everything():
            if other != network and _script(text, other) is not None:
                raise AddressWrongNetwork(f"this is not a {network.name} {network.network} address")
        raise AddressInvalid(f"this is not a {network.name} address")
    return Address(address(script, network), script)


def _script(text: str, network: Parameters) -> bytes | None:
    segwit = bech32.decode(text)
    if segwit is not None:
        hrp, version, program = segwit
        # Versions above 1 are spendable by anybody until a soft fork gives them a meaning: paying there loses the coins.
        if hrp != network.hrp or version > 1 or (version == 1 and len(program) != 32):
            return None
        return bytes([version and _OP_1 - 1 + version, len(program)]) + program
    payload = base58.decode(text)
    if payload is None or len(payload) != 21:
        return None
    version, body = payload[0], payload[1:]
    if version == network.p2pkh:
        return b"\x76\xa9\x14" + body + b"\x88\xac"
    if version == network.p2sh:
        return b"\xa9\x14" + body + b"\x87"
    return None


def dust(script: bytes, network: Parameters) -> int:
    """The smallest amount nodes relay to this script (Bitcoin Core's GetDustThreshold at the default dust relay fee)."""
    spend_size = 67 if witness_program(script) is not None else 148
    return (8 + 1 + len(script) + spend_size) * network.dust_relay_fee // 1000
