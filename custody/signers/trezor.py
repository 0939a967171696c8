"""A Trezor signs: a PSBT's fields become its inputs and outputs, and its signatures become the PSBT's.

The device asks for every previous transaction and shows every output that is not proved to be change; what it signs is what it
showed. What comes back is checked like anybody's. What must never happen here: an output told to the device as change that we
have not proved to be, a signature passed on that was not verified, or a transport (the caller opens it).
"""

from __future__ import annotations

from typing import Any

from trezorlib import btc, ethereum, exceptions, messages

from custody.signers import psbt_file as files
from custody.signers.psbt_view import Account, Owned, View
from wallets.chains import bip32
from wallets.chains.evm import address as evm_address
from wallets.chains.evm import payout as evm_payout
from wallets.chains.evm.account import DEFAULT_PATH
from wallets.chains.evm.transaction import LegacyTransaction
from wallets.chains.protocol import ChainError
from wallets.chains.utxo.descriptors import Descriptor, LeafKey
from wallets.chains.utxo.parameters import Parameters
from wallets.chains.utxo.transaction import Transaction

COINS = {
    ("bitcoin", "mainnet"): "Bitcoin",
    ("bitcoin", "testnet4"): "Testnet",
    ("bitcoin", "regtest"): "Regtest",
    ("litecoin", "mainnet"): "Litecoin",
}
_IN, _OUT = messages.InputScriptType, messages.OutputScriptType


class DeviceRefused(ChainError):
    """The device, or the person who holds it, said no; or it holds none of the keys."""

    code = "device_refused"


def sign_psbt(session: Any, view: View, parameters: Parameters) -> bytes:
    """The file with this device's signatures in it. Raises DeviceRefused."""
    coin = _coin(parameters)
    fingerprint = bytes(_asked(session.get_root_fingerprint))
    mine = [_mine(each.owned, fingerprint) for each in view.inputs]
    signatures, _ = _asked(
        btc.sign_tx,
        session,
        coin,
        inputs=[_input(view, place, mine[place]) for place in range(len(view.inputs))],
        outputs=[_output(view, place, fingerprint) for place in range(len(view.outputs))],
        prev_txes={bytes.fromhex(each.coin.txid): _previous(each.previous) for each in view.inputs},
        version=view.file.unsigned.version,
        lock_time=view.file.unsigned.locktime,
    )
    digests = view.digests()
    for place, (position, signature) in enumerate(zip(mine, signatures, strict=True)):
        owned = view.inputs[place].owned
        key = owned.leaf.keys[position].public_key
        taproot = owned.leaf.script[0] == 0x51
        whole = bytes(signature) if taproot else bytes(signature) + b"\x01"
        if not digests.good(place, key, whole):
            raise DeviceRefused(f"the device gave a signature that is not good for input {place + 1}")
        name = files.TAP_SIGNATURE if taproot else bytes([files.PARTIAL_SIGNATURE]) + key
        view.file.inputs[place][name] = whole
    return view.file.serialize()


def show_address(session: Any, descriptor: Descriptor, branch: int, index: int) -> str:
    """Has the device show an address of a wallet that it holds a key of, and gives back what it showed. Raises DeviceRefused."""
    coin = _coin(descriptor.parameters)
    leaf = descriptor.leaf(branch, index)
    fingerprint = bytes(_asked(session.get_root_fingerprint))
    owned = Owned(leaf, tuple(_account(each, descriptor) for each in leaf.keys), descriptor.threshold)
    path = leaf.keys[_mine(owned, fingerprint)].path
    text = _asked(
        btc.get_address,
        session,
        coin,
        list(path),
        show_display=True,
        multisig=_multisig(owned, {}),
        script_type=_kind(owned),
    )
    return str(text)


def _account(key: LeafKey, descriptor: Descriptor) -> Account:
    """The account that a leaf's key is derived from."""
    for account in descriptor.keys:
        if account.at(*key.path[-2:]).public_key == key.public_key:
            return Account(account.fingerprint, account.origin, bip32.parse(account.xpub))
    raise AssertionError("a leaf's keys come from its descriptor")


def _coin(parameters: Parameters) -> str:
    coin = COINS.get((parameters.name, parameters.network))
    if coin is None:
        raise DeviceRefused(f"a Trezor knows no {parameters.name} {parameters.network}")
    return coin


def _asked(call: Any, *arguments: Any, **named: Any) -> Any:
    """One exchange with the device; every no of its comes out as DeviceRefused."""
    try:
        return call(*arguments, **named)
    except exceptions.Cancelled:
        raise DeviceRefused("refused on the device") from None
    except (exceptions.TrezorFailure, exceptions.TrezorException, ValueError) as error:
        raise DeviceRefused(f"the device refuses: {error}") from None


def _mine(owned: Owned, fingerprint: bytes) -> int:
    """Which of the input's keys this device holds."""
    for position, key in enumerate(owned.leaf.keys):
        if key.fingerprint == fingerprint:
            return position
    names = ", ".join(sorted({key.fingerprint.hex() for key in owned.leaf.keys}))
    raise DeviceRefused(f"this device ({fingerprint.hex()}) has no key of this wallet; it is signed by {names}")


def _kind(owned: Owned) -> Any:
    if owned.leaf.script[0] == 0x51:
        return _IN.SPENDTAPROOT
    return _IN.SPENDP2SHWITNESS if owned.leaf.redeem_script else _IN.SPENDWITNESS


_OUT_KINDS = {
    _IN.SPENDTAPROOT: _OUT.PAYTOTAPROOT,
    _IN.SPENDP2SHWITNESS: _OUT.PAYTOP2SHWITNESS,
    _IN.SPENDWITNESS: _OUT.PAYTOWITNESS,
}


def _input(view: View, place: int, position: int) -> messages.TxInputType:
    each, spent = view.inputs[place], view.file.unsigned.inputs[place]
    return messages.TxInputType(
        address_n=list(each.owned.leaf.keys[position].path),
        prev_hash=bytes.fromhex(spent.txid),
        prev_index=spent.vout,
        sequence=spent.sequence,
        script_type=_kind(each.owned),
        multisig=_multisig(each.owned, dict(each.signatures)),
        amount=each.coin.amount,
    )


def _output(view: View, place: int, fingerprint: bytes) -> messages.TxOutputType:
    each = view.outputs[place]
    key = None
    if each.owned is not None:
        key = next((key for key in each.owned.leaf.keys if key.fingerprint == fingerprint), None)
    if each.owned is None or key is None:
        return messages.TxOutputType(address=each.address, amount=each.amount)
    return messages.TxOutputType(
        address_n=list(key.path),
        amount=each.amount,
        script_type=_OUT_KINDS[_kind(each.owned)],
        multisig=_multisig(each.owned, {}),
    )


def _multisig(owned: Owned, signatures: dict[bytes, bytes]) -> messages.MultisigRedeemScriptType | None:
    if not owned.leaf.witness_script:
        return None
    pubkeys = [
        messages.HDNodePathType(
            node=messages.HDNodeType(
                depth=account.key.depth,
                fingerprint=int.from_bytes(account.key.parent_fingerprint, "big"),
                child_num=account.key.number,
                chain_code=account.key.chain_code,
                public_key=account.key.key,
            ),
            address_n=list(key.path[len(account.origin) :]),
        )
        for key, account in zip(owned.leaf.keys, owned.accounts, strict=True)
    ]
    return messages.MultisigRedeemScriptType(
        pubkeys=pubkeys,
        signatures=[signatures.get(key.public_key, b"\x01")[:-1] for key in owned.leaf.keys],
        m=owned.threshold,
        # The keys stand in the order of the script already, for firmware that does not sort them by itself.
        pubkeys_order=messages.MultisigPubkeysOrder.LEXICOGRAPHIC,
    )


def _previous(made: Transaction) -> messages.TransactionType:
    return messages.TransactionType(
        version=made.version,
        lock_time=made.locktime,
        inputs=[
            messages.TxInputType(
                prev_hash=bytes.fromhex(coin.txid),
                prev_index=coin.vout,
                script_sig=coin.script_sig,
                sequence=coin.sequence,
            )
            for coin in made.inputs
        ],
        bin_outputs=[
            messages.TxOutputBinType(amount=output.amount, script_pubkey=output.script) for output in made.outputs
        ],
    )


def evm_address_of(session: Any, path: tuple[int, ...] = DEFAULT_PATH, *, show: bool = False) -> str:
    """The device's own address at a path, on its screen as well where asked. Raises DeviceRefused."""
    text = _asked(ethereum.get_address, session, list(path), show_display=show)
    return evm_address.parse(str(text)).text


def sign_evm(session: Any, unsigned: evm_payout.UnsignedEvm, path: tuple[int, ...]) -> bytes:
    """The signed bytes. Raises DeviceRefused, also when the device's key at the path is not the sender's."""
    if evm_address_of(session, path) != unsigned.from_address:
        raise DeviceRefused(
            f"this device's key is not that of {unsigned.from_address}: another device, or another path"
        )
    fields = unsigned.transaction
    what = {
        "nonce": fields.nonce,
        "gas_limit": fields.gas_limit,
        "to": evm_address.checksummed(fields.to),
        "value": fields.value,
        "data": fields.data,
        "chain_id": fields.chain_id,
    }
    if isinstance(fields, LegacyTransaction):
        v, r, s = _asked(ethereum.sign_tx, session, list(path), gas_price=fields.gas_price, **what)
        y_parity = int(v) - 35 - 2 * fields.chain_id
    else:
        y_parity, r, s = _asked(
            ethereum.sign_tx_eip1559,
            session,
            list(path),
            max_gas_fee=fields.max_fee_per_gas,
            max_priority_fee=fields.max_priority_fee_per_gas,
            **what,
        )
    return fields.serialize(y_parity=int(y_parity), r=int.from_bytes(r, "big"), s=int.from_bytes(s, "big"))
