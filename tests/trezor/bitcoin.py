"""The software Trezor's Bitcoin half: addresses, and the dialogue in which a transaction is looked at and signed.

The order of questions is the firmware's: inputs, outputs (each shown), the total, then every previous transaction, and only
then inputs and outputs once more for the signatures. What must never happen here: a signature over an amount that the previous
transaction does not prove, or over something that was not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embit import bip32, ec, script
from embit import transaction as embit
from trezorlib import messages

if TYPE_CHECKING:
    from tests.trezor.device import SoftwareTrezor

R, F = messages.RequestType, messages.FailureType
S, O = messages.InputScriptType, messages.OutputScriptType  # noqa: E741 - the firmware's own letters
H = 1 << 31
COINS = {
    "Bitcoin": (0, {"bech32": "bc", "p2sh": b"\x05", "p2pkh": b"\x00"}),
    "Testnet": (1, {"bech32": "tb", "p2sh": b"\xc4", "p2pkh": b"\x6f"}),
    "Regtest": (1, {"bech32": "bcrt", "p2sh": b"\xc4", "p2pkh": b"\x6f"}),
    "Litecoin": (2, {"bech32": "ltc", "p2sh": b"\x32", "p2pkh": b"\x30"}),
}
SINGLE = {S.SPENDWITNESS: 84, S.SPENDP2SHWITNESS: 49, S.SPENDTAPROOT: 86}
MULTI = {S.SPENDWITNESS: 2, S.SPENDP2SHWITNESS: 1}
OUTPUT_TO_INPUT = {
    O.PAYTOWITNESS: S.SPENDWITNESS,
    O.PAYTOP2SHWITNESS: S.SPENDP2SHWITNESS,
    O.PAYTOTAPROOT: S.SPENDTAPROOT,
}


def refuse(code: Any, text: str) -> Exception:
    from tests.trezor.device import Refusal

    return Refusal(code, text)


@dataclass
class Own:
    """A script of the device's keys: what it pays to, and what its spender shows."""

    script_pubkey: Any
    redeem: Any = None
    witness: Any = None
    key: Any = None


def own(device: SoftwareTrezor, coin: str, path: list[int], kind: Any, multisig: Any) -> Own:
    """The script at a path, refused where the path is none for that kind of script."""
    if coin not in COINS:
        raise refuse(F.DataError, "Unsupported coin type")
    number = COINS[coin][0]
    steps = list(path)
    if multisig is None:
        good = kind in SINGLE and len(steps) == 5 and steps[:2] == [H + SINGLE[kind], H + number]
    else:
        good = (
            kind in MULTI
            and len(steps) == 6
            and [steps[0], steps[1], steps[3]] == [H + 48, H + number, H + MULTI[kind]]
        )
    if not good or steps[-2] not in (0, 1) or steps[-1] >= H or steps[2] < H:
        raise refuse(F.DataError, "Forbidden key path")
    key = device.key(steps)
    if multisig is not None:
        return _multisig(key, steps, kind, multisig)
    if kind == S.SPENDTAPROOT:
        return Own(script.p2tr(key.key), key=key)
    program = script.p2wpkh(key.key)
    if kind == S.SPENDWITNESS:
        return Own(program, key=key)
    return Own(script.p2sh(program), redeem=program, key=key)


def _multisig(key: Any, steps: list[int], kind: Any, multisig: Any) -> Own:
    if multisig.pubkeys:
        nodes = [(each.node, each.address_n) for each in multisig.pubkeys]
    else:
        nodes = [(node, multisig.address_n) for node in multisig.nodes]
    public = [_child(node, path) for node, path in nodes]
    if key.to_public().sec() not in public:
        raise refuse(F.DataError, "Pubkey not found in multisig script")
    if not 1 <= multisig.m <= len(public) <= 15:
        raise refuse(F.DataError, "Invalid multisig parameters")
    if any(list(path) != steps[-2:] for _, path in nodes):
        raise refuse(F.DataError, "Invalid multisig parameters")
    if multisig.pubkeys_order == messages.MultisigPubkeysOrder.LEXICOGRAPHIC:
        public.sort()
    pushes = b"".join(b"\x21" + each for each in public)
    witness = script.Script(bytes([0x50 + multisig.m]) + pushes + bytes([0x50 + len(public), 0xAE]))
    program = script.p2wsh(witness)
    if kind == S.SPENDWITNESS:
        return Own(program, witness=witness, key=key)
    return Own(script.p2sh(program), redeem=program, witness=witness, key=key)


def _child(node: Any, path: list[int]) -> bytes:
    key = bip32.HDKey(ec.PublicKey.parse(node.public_key), node.chain_code)
    return bytes(key.derive(list(path)).sec())


def address(device: SoftwareTrezor, asked: messages.GetAddress) -> messages.Address:
    """The address at a path; shown when asked for."""
    coin = asked.coin_name or "Bitcoin"
    text = own(device, coin, asked.address_n, asked.script_type, asked.multisig).script_pubkey.address(_network(coin))
    if asked.show_display:
        device.show(f"Receive address {text}")
    return messages.Address(address=text)


def _network(coin: str) -> dict[str, Any]:
    return COINS[coin][1]


def _same_wallet(output: Any, inputs: list[Any]) -> bool:
    """Change is what returns to the same account (and the same co-signers) on its change branch; anything else is shown."""
    kind = OUTPUT_TO_INPUT.get(output.script_type)
    for coin in inputs:
        if coin.script_type != kind or list(coin.address_n[:-2]) != list(output.address_n[:-2]):
            return False
        if _cosigners(coin.multisig) != _cosigners(output.multisig):
            return False
    return output.address_n[-2] in (0, 1)


def _cosigners(multisig: Any) -> Any:
    if multisig is None:
        return None
    nodes = [each.node for each in multisig.pubkeys] or list(multisig.nodes)
    return (multisig.m, sorted((node.public_key, node.chain_code) for node in nodes))


class Dialogue:
    """One signing, question by question."""

    def __init__(self, device: SoftwareTrezor, asked: messages.SignTx) -> None:
        self.device = device
        self.asked = asked
        self.coin = asked.coin_name or "Bitcoin"
        self.serialized: Any = None

    def _question(self, kind: Any, index: int | None = None, txid: bytes | None = None) -> Any:
        details = messages.TxRequestDetailsType(request_index=index, tx_hash=txid)
        serialized, self.serialized = self.serialized, None
        request = messages.TxRequest(request_type=kind, details=details, serialized=serialized)
        return self.device.ask(request, messages.TxAck).tx

    def _input(self, index: int, txid: bytes | None = None) -> Any:
        return self._question(R.TXINPUT, index, txid).inputs[0]

    def _output(self, index: int, txid: bytes | None = None) -> Any:
        tx = self._question(R.TXOUTPUT, index, txid)
        return (tx.bin_outputs if txid else tx.outputs)[0]

    def run(self) -> messages.TxRequest:
        inputs = [self._input(index) for index in range(self.asked.inputs_count)]
        if any(coin.amount is None for coin in inputs):
            raise refuse(F.DataError, "Missing amount field")
        mine = [own(self.device, self.coin, coin.address_n, coin.script_type, coin.multisig) for coin in inputs]
        outputs = [self._output(index) for index in range(self.asked.outputs_count)]
        scripts = [self._confirm_output(output, inputs) for output in outputs]
        fee = sum(coin.amount for coin in inputs) - sum(output.amount for output in outputs)
        if fee < 0:
            raise refuse(F.NotEnoughFunds, "Not enough funds")
        total = sum(coin.amount for coin in inputs) - sum(
            output.amount for output in outputs if output.address_n and _same_wallet(output, inputs)
        )
        self.device.show(f"Total {total} including fee {fee}")
        if not all(coin.script_type == S.SPENDTAPROOT for coin in inputs):
            for coin, script_of in zip(inputs, mine, strict=True):
                self._check_previous(coin, script_of)
        return self._sign(inputs, mine, outputs, scripts)

    def _confirm_output(self, output: Any, inputs: list[Any]) -> Any:
        if output.address_n:
            kind = OUTPUT_TO_INPUT.get(output.script_type)
            found = own(self.device, self.coin, output.address_n, kind, output.multisig).script_pubkey
            if not _same_wallet(output, inputs):
                self.device.show(f"Send {output.amount} to {found.address(_network(self.coin))}")
            return found
        try:
            found = script.address_to_scriptpubkey(output.address)
        except Exception:
            raise refuse(F.DataError, "Invalid address") from None
        if not _belongs(output.address, self.coin):
            raise refuse(F.DataError, "Invalid address")
        self.device.show(f"Send {output.amount} to {output.address}")
        return found

    def _check_previous(self, coin: Any, script_of: Own) -> None:
        """The previous transaction, part by part: its hash proves the amount that this input claims."""
        meta = self._question(R.TXMETA, None, coin.prev_hash)
        made = embit.Transaction(
            version=meta.version,
            locktime=meta.lock_time or 0,
            vin=[
                embit.TransactionInput(
                    each.prev_hash, each.prev_index, script.Script(each.script_sig or b""), each.sequence
                )
                for each in (self._input(index, coin.prev_hash) for index in range(meta.inputs_cnt))
            ],
            vout=[
                embit.TransactionOutput(each.amount, script.Script(each.script_pubkey))
                for each in (self._output(index, coin.prev_hash) for index in range(meta.outputs_cnt))
            ],
        )
        if made.txid() != coin.prev_hash:
            raise refuse(F.ProcessError, "Encountered invalid prevhash")
        if coin.prev_index >= len(made.vout):
            raise refuse(F.ProcessError, "Not enough outputs in previous transaction.")
        if made.vout[coin.prev_index].value != coin.amount:
            raise refuse(F.DataError, "Invalid amount specified")
        if made.vout[coin.prev_index].script_pubkey != script_of.script_pubkey:
            raise refuse(F.DataError, "Input does not match scriptPubKey")

    def _sign(self, inputs: list[Any], mine: list[Own], outputs: list[Any], scripts: list[Any]) -> messages.TxRequest:
        for index, before in enumerate(outputs):
            if self._output(index) != before:
                raise refuse(F.ProcessError, "Transaction has changed during signing")
        whole = embit.Transaction(
            version=self.asked.version or 1,
            locktime=self.asked.lock_time or 0,
            vin=[embit.TransactionInput(coin.prev_hash, coin.prev_index, sequence=coin.sequence) for coin in inputs],
            vout=[embit.TransactionOutput(output.amount, to) for output, to in zip(outputs, scripts, strict=True)],
        )
        for index, before in enumerate(inputs):
            if self._input(index) != before:
                raise refuse(F.ProcessError, "Transaction has changed during signing")
            signature = self._signature(whole, index, inputs, mine)
            self.serialized = messages.TxRequestSerializedType(signature_index=index, signature=signature)
        serialized, self.serialized = self.serialized, None
        return messages.TxRequest(request_type=R.TXFINISHED, serialized=serialized)

    def _signature(self, whole: Any, index: int, inputs: list[Any], mine: list[Own]) -> bytes:
        coin, script_of = inputs[index], mine[index]
        if coin.script_type == S.SPENDTAPROOT:
            digest = whole.sighash_taproot(
                index, [each.script_pubkey for each in mine], [each.amount for each in inputs]
            )
            return bytes(script_of.key.key.taproot_tweak().schnorr_sign(digest).serialize())
        code = script_of.witness or script.p2pkh(script_of.key.key)
        digest = whole.sighash_segwit(index, code, coin.amount)
        return bytes(script_of.key.key.sign(digest).serialize())


def _belongs(text: str, coin: str) -> bool:
    network = _network(coin)
    if text.lower().startswith(network["bech32"] + "1"):
        return True
    try:
        from embit import base58

        return base58.decode_check(text)[:1] in (network["p2sh"], network["p2pkh"])
    except Exception:
        return False


def sign(device: SoftwareTrezor, asked: messages.SignTx) -> messages.TxRequest:
    if not asked.inputs_count or not asked.outputs_count:
        raise refuse(F.DataError, "Transaction must have inputs and outputs")
    return Dialogue(device, asked).run()
