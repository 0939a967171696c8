"""A Trezor in software for tests: it speaks the wire protocol over UDP with trezorlib's own message classes.

It checks what the firmware checks (previous transactions against their hashes, amounts against them, key paths against script
types, that nothing changes between the first look and the signature) and refuses in the firmware's words. What a person would
see on the screen is in `screens`; `refuse` makes that person press the red button. Keys and signatures come from embit and
eth-account, not from the code that is tested. What must never happen here: an answer that the firmware would not give.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from embit import bip32, bip39
from trezorlib import messages
from trezorlib.mapping import DEFAULT_MAPPING

from tests.trezor import bitcoin, ethereum

CHUNK = 64
# The mnemonic of the firmware's own tests.
WORDS = "all all all all all all all all all all all all"
FEATURES = {
    "vendor": "trezor.io",
    "major_version": 2,
    "minor_version": 8,
    "patch_version": 9,
    "model": "Safe 5",
    "internal_model": "T3T1",
    "initialized": True,
    "bootloader_mode": False,
    "unlocked": True,
    "pin_protection": False,
    "passphrase_protection": False,
    "label": "software",
    "capabilities": [messages.Capability.Bitcoin, messages.Capability.Bitcoin_like, messages.Capability.Ethereum],
}


class Refusal(Exception):
    """A Failure message, as the firmware would send it."""

    def __init__(self, code: messages.FailureType, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Interrupted(Exception):
    """The host began something else in the middle of a workflow."""

    def __init__(self, message: Any) -> None:
        super().__init__(type(message).__name__)
        self.message = message


class SoftwareTrezor:
    """One device on a free port of 127.0.0.1. Use it as a context manager."""

    def __init__(self, *, words: str = WORDS, passphrase: str = "") -> None:
        self.root = bip32.HDKey.from_seed(bip39.mnemonic_to_seed(words, password=passphrase))
        self.screens: list[str] = []
        # The next screen that holds this text is answered with the red button.
        self.refuse = ""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._peer: tuple[str, int] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="software trezor", daemon=True)
        self._session = 0

    @property
    def path(self) -> str:
        """What TREZOR_PATH takes."""
        return f"udp:127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def fingerprint(self) -> bytes:
        return bytes(self.root.my_fingerprint)

    def __enter__(self) -> SoftwareTrezor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        # A datagram of its own wakes the thread, which may wait for one for ever.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    # --- The wire ---------------------------------------------------------------------------------------------

    def _chunk(self) -> bytes:
        while True:
            data, peer = self._socket.recvfrom(1024)
            if self._closing.is_set():
                raise SystemExit
            if data == b"PINGPING":
                self._socket.sendto(b"PONGPONG", peer)
            elif len(data) == CHUNK and data[:1] == b"?":
                self._peer = peer
                return data

    def _receive(self) -> Any:
        chunk = self._chunk()
        while chunk[:3] != b"?##":
            chunk = self._chunk()
        kind, length = struct.unpack(">HI", chunk[3:9])
        body = chunk[9:]
        while len(body) < length:
            body += self._chunk()[1:]
        return DEFAULT_MAPPING.decode(kind, body[:length])

    def _send(self, message: Any) -> None:
        kind, body = DEFAULT_MAPPING.encode(message)
        data = b"##" + struct.pack(">HI", kind, len(body)) + body
        assert self._peer is not None
        for start in range(0, len(data), CHUNK - 1):
            self._socket.sendto((b"?" + data[start : start + CHUNK - 1]).ljust(CHUNK, b"\0"), self._peer)

    # --- What a workflow uses ---------------------------------------------------------------------------------

    def ask(self, message: Any, expect: type[Any]) -> Any:
        """Sends a message and waits for the host's answer of one kind."""
        self._send(message)
        answer = self._receive()
        if not isinstance(answer, expect):
            raise Interrupted(answer)
        return answer

    def show(self, text: str) -> None:
        """A screen that a person confirms by holding the button, or refuses."""
        self.screens.append(text)
        self.ask(messages.ButtonRequest(code=messages.ButtonRequestType.SignTx), messages.ButtonAck)
        if self.refuse and self.refuse in text:
            self.refuse = ""
            raise Refusal(messages.FailureType.ActionCancelled, "Cancelled")

    def key(self, path: list[int]) -> Any:
        return self.root.derive(list(path))

    # --- The loop ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        message = None
        while not self._closing.is_set():
            try:
                message = message or self._receive()
                answer = self._answer(message)
            except Interrupted as other:
                message = other.message
                continue
            except Refusal as refusal:
                answer = messages.Failure(code=refusal.code, message=refusal.text)
            except SystemExit:
                return
            message = None
            self._send(answer)

    def _answer(self, message: Any) -> Any:
        handlers: dict[type[Any], Callable[[Any], Any]] = {
            messages.Initialize: self._initialize,
            messages.GetFeatures: lambda _: self._features(),
            messages.Cancel: lambda _: messages.Failure(code=messages.FailureType.ActionCancelled, message="Cancelled"),
            messages.Ping: lambda ping: messages.Success(message=ping.message or ""),
            messages.ApplyFlags: lambda _: messages.Success(message="Flags applied"),
            messages.EndSession: lambda _: messages.Success(message=""),
            messages.LockDevice: lambda _: messages.Success(message=""),
            messages.GetPublicKey: self._public_key,
            messages.GetAddress: lambda asked: bitcoin.address(self, asked),
            messages.SignTx: lambda asked: bitcoin.sign(self, asked),
            messages.EthereumGetAddress: lambda asked: ethereum.address(self, asked),
            messages.EthereumSignTx: lambda asked: ethereum.sign(self, asked),
            messages.EthereumSignTxEIP1559: lambda asked: ethereum.sign(self, asked),
        }
        handler = handlers.get(type(message))
        if handler is None:
            raise Refusal(messages.FailureType.UnexpectedMessage, "Unexpected message")
        return handler(message)

    def _features(self) -> messages.Features:
        return messages.Features(**FEATURES, session_id=self._session.to_bytes(32, "big"))

    def _initialize(self, message: messages.Initialize) -> messages.Features:
        if message.session_id != self._session.to_bytes(32, "big"):
            self._session += 1
        return self._features()

    def _public_key(self, message: messages.GetPublicKey) -> messages.PublicKey:
        key = self.key(message.address_n)
        public = key.to_public()
        testnet = (message.coin_name or "Bitcoin") in ("Testnet", "Regtest") and not message.ignore_xpub_magic
        node = messages.HDNodeType(
            depth=key.depth,
            fingerprint=int.from_bytes(key.fingerprint, "big"),
            child_num=key.child_number,
            chain_code=key.chain_code,
            public_key=public.sec(),
        )
        xpub = public.to_base58(bytes.fromhex("043587cf" if testnet else "0488b21e"))
        return messages.PublicKey(
            node=node, xpub=xpub, root_fingerprint=int.from_bytes(self.root.my_fingerprint, "big")
        )
