"""Output descriptors (BIP380 to 386) of cold wallets: public keys in, scripts and addresses at (branch, index) out.

Five forms and no more: wpkh, sh(wpkh), tr with its key path, wsh(sortedmulti) and sh(wsh(sortedmulti)); each key with its
origin (or no hardware could find it again) and a wildcard, the whole with its checksum (or a slip of the pen would send coins
to nobody). What must never happen here: a private key accepted, a hardened step below an xpub, or two texts for one wallet's key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import coincurve

from wallets.chains import bip32
from wallets.chains.bip32 import HARDENED, ExtendedPublicKey, hash160
from wallets.chains.protocol import Address, ChainError
from wallets.chains.utxo import script as scripts
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.transaction import compact_size

RECEIVE, CHANGE = 0, 1
KEYS_MAX = 15
TEXT_MAX = 4_000
# A signature of a foreign device: DER with a high R has 71 bytes and one for the kind of signature, and its length.
_SIGNATURE_WEIGHT = 1 + 72
_INPUTS = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
_KEY = re.compile(
    r"\[(?P<fingerprint>[0-9a-f]{8})(?P<origin>(/[0-9]{1,10}['h]?){1,10})\]"
    r"(?P<xpub>[1-9A-HJ-NP-Za-km-z]{100,120})(?P<branches>/<0;1>|/0)/\*",
    re.ASCII,
)
_FORMS = (
    ("sh(wpkh(", "))", "sh-wpkh"),
    ("wpkh(", ")", "wpkh"),
    ("tr(", ")", "tr"),
    ("sh(wsh(sortedmulti(", ")))", "sh-wsh"),
    ("wsh(sortedmulti(", "))", "wsh"),
)
_PRIVATE = re.compile(r"(?:^|[(\],])(?:[a-zA-Z]prv|[LM]tpv)", re.ASCII)
_PATH = re.compile(r"cold/(?P<branch>[01])/(?P<index>[0-9]{1,10})", re.ASCII)


class DescriptorInvalid(ChainError):
    """Not a descriptor that a cold wallet can have here. The text never repeats what may be a secret."""

    code = "descriptor_invalid"


@dataclass(frozen=True, slots=True)
class Key:
    """One signer's account: where it stands below its master key, and its extended public key."""

    fingerprint: bytes
    origin: tuple[int, ...]
    xpub: str
    branches: tuple[int, ...]

    def at(self, branch: int, index: int) -> LeafKey:
        key = _branch(self.xpub, branch).child(index).key
        return LeafKey(key, self.fingerprint, (*self.origin, branch, index))


@dataclass(frozen=True, slots=True)
class LeafKey:
    """A public key (33 bytes) and where its signer finds the private one: fingerprint of its master key, whole path."""

    public_key: bytes
    fingerprint: bytes
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """Everything about one address: what it pays to, and what a spender of it must show."""

    script: bytes
    keys: tuple[LeafKey, ...]
    redeem_script: bytes = b""
    witness_script: bytes = b""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A wallet of public keys. `form` is one of wpkh, sh-wpkh, tr, wsh, sh-wsh; `threshold` of `keys` must sign."""

    text: str
    form: str
    threshold: int
    keys: tuple[Key, ...]
    parameters: Parameters

    @property
    def multisig(self) -> bool:
        return self.form in ("wsh", "sh-wsh")

    @property
    def change_branch(self) -> int:
        """Where change goes: the second branch, or the only one."""
        return CHANGE if CHANGE in self.keys[0].branches else RECEIVE

    def leaf(self, branch: int, index: int) -> Leaf:
        """The address's scripts and keys. Raises DescriptorInvalid for a branch that the wallet has not."""
        if branch not in self.keys[0].branches or not 0 <= index < HARDENED:
            raise DescriptorInvalid(f"this wallet has no address {branch}/{index}")
        keys = tuple(key.at(branch, index) for key in self.keys)
        if self.multisig:
            return self._multisig(keys)
        key = keys[0]
        if self.form == "tr":
            return Leaf(b"\x51\x20" + taproot_output(key.public_key[1:]), keys)
        program = scripts.p2wpkh(hash160(key.public_key))
        if self.form == "wpkh":
            return Leaf(program, keys)
        return Leaf(_p2sh(program), keys, redeem_script=program)

    def _multisig(self, keys: tuple[LeafKey, ...]) -> Leaf:
        ordered = tuple(sorted(keys, key=lambda key: key.public_key))
        pushes = b"".join(b"\x21" + key.public_key for key in ordered)
        witness_script = bytes([0x50 + self.threshold]) + pushes + bytes([0x50 + len(ordered), 0xAE])
        program = b"\x00\x20" + sha256(witness_script).digest()
        if self.form == "wsh":
            return Leaf(program, ordered, witness_script=witness_script)
        return Leaf(_p2sh(program), ordered, redeem_script=program, witness_script=witness_script)

    def script(self, branch: int, index: int) -> bytes:
        """What branch/index pays to."""
        return self.leaf(branch, index).script

    def address(self, branch: int, index: int) -> Address:
        """The address and its script at branch/index."""
        script = self.script(branch, index)
        return Address(scripts.address(script, self.parameters), script)

    @property
    def input_weight(self) -> int:
        """What one input of this wallet weighs at most, signed."""
        bare = 41 * 4
        if self.form == "tr":
            return bare + 1 + 1 + 64
        if not self.multisig:
            nested = 23 * 4 if self.form == "sh-wpkh" else 0
            return bare + nested + 1 + _SIGNATURE_WEIGHT + 34
        size = 3 + 34 * len(self.keys)
        nested = 35 * 4 if self.form == "sh-wsh" else 0
        return bare + nested + 2 + self.threshold * _SIGNATURE_WEIGHT + len(compact_size(size)) + size


def checksum(body: str) -> str:
    """The eight characters that belong behind the # (BIP380). Raises DescriptorInvalid for a character that has no number."""
    symbols: list[int] = []
    groups: list[int] = []
    for character in body:
        position = _INPUTS.find(character)
        if position < 0:
            raise DescriptorInvalid("a descriptor has no such character")
        symbols.append(position & 31)
        groups.append(position >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if len(groups) == 1:
        symbols.append(groups[0])
    elif groups:
        symbols.append(groups[0] * 3 + groups[1])
    value = _polymod([*symbols, 0, 0, 0, 0, 0, 0, 0, 0]) ^ 1
    return "".join(_LETTERS[value >> 5 * (7 - position) & 31] for position in range(8))


def _polymod(symbols: list[int]) -> int:
    value = 1
    for symbol in symbols:
        top = value >> 35
        value = (value & 0x7FFFFFFFF) << 5 ^ symbol
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                value ^= generator
    return value


@lru_cache(maxsize=64)
def parse(text: str, parameters: Parameters) -> Descriptor:
    """Reads a descriptor with its checksum. Raises DescriptorInvalid with a sentence that says what is wrong."""
    text = text.strip()
    body, separator, check = text.partition("#")
    if _PRIVATE.search(body):
        raise DescriptorInvalid(
            "this descriptor holds a private key: only public keys belong here. Treat that key as known to others"
        )
    if len(text) > TEXT_MAX:
        raise DescriptorInvalid("a descriptor is shorter than this")
    if not separator:
        raise DescriptorInvalid("the checksum is missing: # and eight letters at the end")
    if checksum(body) != check:
        raise DescriptorInvalid("the checksum does not match: the descriptor was mistyped or cut off")
    for head, tail, form in _FORMS:
        if body.startswith(head) and body.endswith(tail):
            inside = body[len(head) : -len(tail)]
            return _assemble(text, form, inside, parameters)
    raise DescriptorInvalid(
        "a cold wallet is wpkh(…), sh(wpkh(…)), tr(…), wsh(sortedmulti(…)) or sh(wsh(sortedmulti(…)))"
    )


def _assemble(text: str, form: str, inside: str, parameters: Parameters) -> Descriptor:
    parts = inside.split(",")
    threshold = 1
    if form in ("wsh", "sh-wsh"):
        first = parts.pop(0)
        if not (first.isascii() and first.isdecimal() and len(first) <= 2 and 1 <= int(first) <= len(parts)):
            raise DescriptorInvalid("sortedmulti begins with how many of its keys must sign")
        threshold = int(first)
    elif len(parts) != 1:
        raise DescriptorInvalid("this form has exactly one key")
    if len(parts) > KEYS_MAX:
        raise DescriptorInvalid(f"at most {KEYS_MAX} keys")
    keys = tuple(_key(part, parameters) for part in parts)
    if len({key.xpub for key in keys}) != len(keys):
        raise DescriptorInvalid("a key is named twice: one holder would count for two")
    if len({key.branches for key in keys}) != 1:
        raise DescriptorInvalid("the keys do not all end in the same branches")
    return Descriptor(text, form, threshold, keys, parameters)


def _key(text: str, parameters: Parameters) -> Key:
    found = _KEY.fullmatch(text)
    if found is None:
        raise DescriptorInvalid("a key is [fingerprint/path]xpub/<0;1>/* or [fingerprint/path]xpub/0/*")
    if not found["xpub"].startswith(parameters.xpub_prefix):
        raise DescriptorInvalid(f"keys of {parameters.name} {parameters.network} begin with {parameters.xpub_prefix}")
    origin = tuple(_step(step) for step in found["origin"][1:].split("/"))
    key = bip32.parse(found["xpub"])
    if key.depth != len(origin):
        raise DescriptorInvalid("the path of a key's origin has another depth than the key says of itself")
    if key.depth and key.number != origin[-1]:
        raise DescriptorInvalid("the path of a key's origin ends in another number than the key says of itself")
    branches = (RECEIVE, CHANGE) if found["branches"] == "/<0;1>" else (RECEIVE,)
    return Key(bytes.fromhex(found["fingerprint"]), origin, found["xpub"], branches)


def _step(text: str) -> int:
    digits = text.rstrip("'h")
    if int(digits) >= HARDENED:
        raise DescriptorInvalid("a step of an origin's path is out of range")
    return int(digits) + (HARDENED if text != digits else 0)


@lru_cache(maxsize=256)
def _branch(xpub: str, branch: int) -> ExtendedPublicKey:
    return bip32.parse(xpub).child(branch)


def _p2sh(redeem_script: bytes) -> bytes:
    return b"\xa9\x14" + hash160(redeem_script) + b"\x87"


def taproot_output(internal_key: bytes) -> bytes:
    """The output key (32 bytes) of an internal key without a script tree (BIP341, BIP86)."""
    key = coincurve.PublicKeyXOnly(internal_key)
    key.tweak_add(tagged_hash("TapTweak", internal_key))
    return key.format()


def tagged_hash(tag: str, data: bytes) -> bytes:
    """BIP340's hash."""
    head = sha256(tag.encode()).digest()
    return sha256(head + head + data).digest()


def parse_path(path: str) -> tuple[int, int]:
    """(branch, index) of "cold/0/7". Raises DescriptorInvalid."""
    found = _PATH.fullmatch(path)
    if found is None or (found["index"] != "0" and found["index"].startswith("0")) or int(found["index"]) >= HARDENED:
        raise DescriptorInvalid("a cold address's path is cold/branch/index")
    return int(found["branch"]), int(found["index"])
