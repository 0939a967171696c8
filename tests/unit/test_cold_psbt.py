"""Files that come back from cold keys: good signatures count, everything else is refused and leaves nothing behind."""

from __future__ import annotations

import os
from dataclasses import replace

import coincurve
import pytest
from embit.psbt import PSBT
from hypothesis import given
from hypothesis import strategies as st
from trezorlib.client import get_default_client, get_default_session

from custody import psbt as door
from custody.signers import psbt, psbt_file, psbt_view, trezor
from custody.signers.psbt import PreviousMismatch, PsbtForeign, PsbtRefused, PsbtSignatureBad, PsbtUnsigned
from tests import cold_wallets
from tests.cold_kit import FEE, HOT, REGTEST, SENT, FakeCoins
from tests.trezor.device import SoftwareTrezor
from wallets.chains.protocol import ChainError, MalformedData
from wallets.chains.utxo import descriptors, transaction

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def devices():
    with SoftwareTrezor(passphrase=os.urandom(8).hex()) as one, SoftwareTrezor(passphrase=os.urandom(8).hex()) as two:
        yield one, two


def wallet(form, *signers, threshold=1):
    keys = [cold_wallets.key(device.root, form) for device in signers]
    return descriptors.parse(cold_wallets.descriptor(form, keys, threshold=threshold), REGTEST)


def signed(device, data):
    device.screens.clear()
    session = get_default_session(get_default_client("bourse tests", device.path))
    return trezor.sign_psbt(session, psbt_view.look(data, REGTEST), REGTEST)


def changed(data, place, key, value):
    """The file with one entry of one input's set, or taken out."""
    file = psbt_file.read(data)
    if value is None:
        file.inputs[place].pop(key)
    else:
        file.inputs[place][key] = value
    return file.serialize()


def own_signature(data, place=0):
    file = psbt_file.read(data)
    return next((key, value) for key, value in file.inputs[place].items() if key[0] == psbt_file.PARTIAL_SIGNATURE)


@pytest.fixture(scope="module")
def single(devices):
    """(what is wanted, its file, the file signed) for one key."""
    wanted, data = FakeCoins(wallet("wpkh", devices[0])).proposal()
    return wanted, data, signed(devices[0], data)


def test_the_file_says_everything_that_any_wallet_needs(single):
    wanted, data, _ = single
    theirs = PSBT.parse(data)
    theirs.verify()
    assert theirs.fee() == FEE == wanted.unsigned.fee
    assert [each.witness_utxo.value for each in theirs.inputs] == [30_000_000, 25_000_000]
    assert all(each.bip32_derivations and each.non_witness_utxo for each in theirs.inputs)
    assert theirs.outputs[1].bip32_derivations and not theirs.outputs[0].bip32_derivations and theirs.xpubs


def test_a_file_reads_as_it_was_written(single):
    for data in single[1:]:
        assert psbt_file.read(data).serialize() == data


def test_the_same_signature_twice_is_nothing_new(single):
    wanted, data, back = single
    stored = psbt_file.read(data).text()
    done = door.add(stored, back, wanted)
    assert (done.missing, done.raw is not None, len(done.new_signers)) == (0, True, 1)
    with pytest.raises(PsbtUnsigned, match="not here already"):
        door.add(done.psbt, back, wanted)


def test_the_bytes_that_are_sent_are_put_together_from_our_own_values(single):
    wanted, _, back = single
    raw = psbt.finalise(wanted, psbt.signatures(back, wanted))
    found = transaction.decode(raw)
    assert found.txid == wanted.txid() and found.outputs == wanted.transaction().outputs
    # Whatever else stands in the file, it does not get out.
    noisy = psbt_file.read(back)
    noisy.top[b"\xfc\x05other\x00"] = b"x" * 1000
    noisy.inputs[0][b"\xee"] = b"?"
    assert psbt.finalise(wanted, psbt.signatures(noisy.serialize(), wanted)) == raw


def mirrored(signature):
    """The other half of s: the same signature to the curve, another transaction id to the world."""
    compact = coincurve.ecdsa.serialize_compact(coincurve.ecdsa.der_to_cdata(signature[:-1]))
    r, s = compact[:32], (ORDER - int.from_bytes(compact[32:], "big")).to_bytes(32, "big")
    numbers = b"".join(b"\x02" + bytes([len(each)]) + each for each in (der(r), der(s)))
    return b"\x30" + bytes([len(numbers)]) + numbers + b"\x01"


def der(number):
    number = number.lstrip(b"\0")
    return (b"\0" if number[0] >= 0x80 else b"") + number


def test_malleated_and_broken_signatures_are_refused(single):
    wanted, _, back = single
    key, signature = own_signature(back)
    padded = signature[:1] + bytes([signature[1] + 1]) + signature[2:3] + bytes([signature[3] + 1, 0]) + signature[4:]
    for wrong in (
        mirrored(signature),
        padded,
        signature[:-1] + b"\x02",
        signature[:-1] + b"\x81",
        signature[:-1],
        signature + b"\x01",
        b"\x01",
        b"",
        bytes([signature[0]]) + os.urandom(len(signature) - 1),
    ):
        with pytest.raises((PsbtSignatureBad, PsbtUnsigned)):
            psbt.signatures(changed(back, 0, key, wrong), wanted)
    other = own_signature(back, 1)[1]
    with pytest.raises(PsbtSignatureBad, match="input 1"):
        psbt.signatures(changed(back, 0, key, other), wanted)


def test_a_stranger_s_key_and_a_doctored_coin_are_refused(single):
    wanted, _, back = single
    _, signature = own_signature(back)
    stranger = bytes([psbt_file.PARTIAL_SIGNATURE]) + coincurve.PrivateKey().public_key.format()
    with pytest.raises(PsbtForeign, match="no part in this wallet"):
        psbt.signatures(changed(back, 0, stranger, signature), wanted)
    made = psbt_file.output(psbt_file.read(back).inputs[0][psbt_file.WITNESS_UTXO])
    lie = replace(made, amount=made.amount + 1).serialize()
    with pytest.raises(PsbtForeign, match="lies about the coin"):
        psbt.signatures(changed(back, 0, psbt_file.WITNESS_UTXO, lie), wanted)
    other = transaction.Transaction((transaction.TxInput("00" * 32, 0),), (made,)).serialize()
    with pytest.raises(PsbtForeign, match="another transaction"):
        psbt.signatures(changed(back, 0, psbt_file.NON_WITNESS_UTXO, other), wanted)
    with pytest.raises(PsbtForeign, match="a part of the transaction"):
        psbt.signatures(changed(back, 0, psbt_file.SIGHASH, b"\x83\0\0\0"), wanted)
    # What a wallet leaves out is no lie.
    for name in (psbt_file.WITNESS_UTXO, psbt_file.NON_WITNESS_UTXO):
        assert psbt.missing(wanted, psbt.signatures(changed(back, 0, name, None), wanted)) == 0


def test_another_transaction_is_refused_and_said_how_it_differs(devices, single):
    coins = FakeCoins(wallet("wpkh", devices[0]))
    wanted = single[0]
    elsewhere = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    for kwargs, why in [
        ({"to": elsewhere}, "other amounts or addresses"),
        ({"sent": SENT + 1}, "other amounts or addresses"),
        ({"fee": FEE + 1}, "other amounts or addresses"),
    ]:
        with pytest.raises(PsbtForeign, match=why):
            psbt.signatures(signed(devices[0], coins.proposal(**kwargs)[1]), wanted)
    fewer = FakeCoins(wallet("wpkh", devices[0]), amounts=(60_000_000,))
    with pytest.raises(PsbtForeign, match="other coins"):
        psbt.signatures(signed(devices[0], fewer.proposal()[1]), wanted)
    file = psbt_file.read(single[2])
    file.unsigned = replace(file.unsigned, locktime=1)
    with pytest.raises(PsbtForeign, match="lock time"):
        psbt.signatures(file.serialize(), wanted)


def test_one_of_two_does_not_count_for_two(devices):
    one, two = devices
    coins = FakeCoins(wallet("wsh", one, two, threshold=2))
    wanted, data = coins.proposal()
    first = psbt.signatures(signed(one, data), wanted)
    assert psbt.missing(wanted, first) == 1 == psbt.missing(wanted, psbt.combine(first, first))
    # Signed for one of the two coins only: the other still lacks it.
    half = {0: psbt.signatures(signed(two, data), wanted)[0]}
    both = psbt.combine(first, half)
    assert psbt.missing(wanted, both) == 1 and psbt.signers(wanted, both) == (one.fingerprint.hex(),)
    with pytest.raises(PsbtUnsigned):
        psbt.finalise(wanted, both)


def test_a_coin_whose_transaction_says_something_else_is_never_put_in_a_file(devices):
    coins = FakeCoins(wallet("wpkh", devices[0]))
    wanted, _ = coins.proposal()
    note = {"network": "bitcoin regtest"}
    for previous in (
        {},
        dict(zip(coins.previous, reversed(list(coins.previous.values())), strict=True)),
    ):
        with pytest.raises(PreviousMismatch):
            psbt.make(wanted, previous=previous, note=note)
    inflated = replace(
        wanted,
        unsigned=replace(
            wanted.unsigned, inputs=tuple(replace(c, amount=c.amount + 1) for c in wanted.unsigned.inputs)
        ),
    )
    with pytest.raises(PreviousMismatch, match="another amount"):
        psbt.make(inflated, previous=coins.previous, note=note)


def test_the_device_refuses_what_the_firmware_refuses(devices, single):
    device, (_, data, _) = devices[0], single
    session = get_default_session(get_default_client("bourse tests", device.path))
    view = psbt_view.look(data, REGTEST)
    richer = replace(view.inputs[0], coin=replace(view.inputs[0].coin, amount=view.inputs[0].coin.amount + 1))
    with pytest.raises(trezor.DeviceRefused, match="Invalid amount specified"):
        trezor.sign_psbt(session, replace(view, inputs=(richer, view.inputs[1])), REGTEST)
    fake = replace(view.inputs[0].previous, locktime=9)
    with pytest.raises(trezor.DeviceRefused, match="invalid prevhash"):
        trezor.sign_psbt(
            session, replace(view, inputs=(replace(view.inputs[0], previous=fake), view.inputs[1])), REGTEST
        )
    odd = replace(view.inputs[0].owned.leaf.keys[0], path=(1, 2, 3))
    leaf = replace(view.inputs[0].owned.leaf, keys=(odd,))
    strange = replace(view.inputs[0], owned=replace(view.inputs[0].owned, leaf=leaf))
    with pytest.raises(trezor.DeviceRefused, match="Forbidden key path"):
        trezor.sign_psbt(session, replace(view, inputs=(strange, view.inputs[1])), REGTEST)
    device.screens.clear()
    claimed = replace(view.outputs[1], owned=None)
    trezor.sign_psbt(session, replace(view, outputs=(view.outputs[0], claimed)), REGTEST)
    assert len(device.screens) == 3  # what is not proved to be change is shown like any payment


def test_change_that_is_only_claimed_is_shown_as_a_payment(devices):
    """A file that says of the thief's output: this is yours."""
    device = devices[0]
    coins = FakeCoins(wallet("wpkh", device))
    wanted, data = coins.proposal()
    file = psbt_file.read(data)
    theft = transaction.TxOutput(file.unsigned.outputs[1].amount, bytes.fromhex("0014" + "ab" * 20))
    file.unsigned = replace(file.unsigned, outputs=(file.unsigned.outputs[0], theft))
    view = psbt_view.look(file.serialize(), REGTEST)
    assert view.outputs[1].owned is None
    with pytest.raises(PsbtForeign):
        psbt.signatures(signed(device, file.serialize()), wanted)
    assert any(f"Send {theft.amount}" in screen for screen in device.screens) and HOT in device.screens[0]


def test_change_to_another_wallet_that_the_file_describes_well_is_a_payment_too(devices):
    """The thief puts an account of his own into the file, and the output is truly that account's."""
    victim, thief = devices
    _, data = FakeCoins(wallet("wpkh", victim)).proposal()
    stolen, described = FakeCoins(wallet("wpkh", thief)).proposal()
    file, other = psbt_file.read(data), psbt_file.read(described)
    theft = transaction.TxOutput(file.unsigned.outputs[1].amount, stolen.descriptor.script(1, 0))
    file.unsigned = replace(file.unsigned, outputs=(file.unsigned.outputs[0], theft))
    file.outputs[1] = other.outputs[1]
    file.top |= {key: value for key, value in other.top.items() if key[0] == psbt_file.XPUB}
    view = psbt_view.look(file.serialize(), REGTEST)
    assert view.inputs[0].owned.wallet and view.outputs[1].owned is None
    signed(victim, file.serialize())
    assert any(f"Send {theft.amount}" in screen for screen in victim.screens)


@pytest.mark.parametrize(
    ("path", "found"), [("cold/1/99999", True), ("cold/1/100000", False), ("cold/0/2147483647", False)]
)
def test_change_where_its_owner_would_never_look_is_a_payment(devices, path, found):
    coins = FakeCoins(wallet("wpkh", devices[0]))
    wanted, _ = coins.proposal()
    branch, index = descriptors.parse_path(path)
    pays, back = wanted.unsigned.outputs
    astray = replace(back, address=coins.descriptor.address(branch, index).text, path=path)
    spending = psbt.Spending(replace(wanted.unsigned, outputs=(pays, astray)), coins.descriptor)
    view = psbt_view.look(psbt.make(spending, previous=coins.previous, note={}), REGTEST)
    assert (view.outputs[1].owned is not None) is found


@given(st.binary(max_size=300))
def test_no_bytes_make_it_stumble(data):
    for content in (data, psbt_file.MAGIC + data):
        with pytest.raises(ChainError):
            psbt_file.read(content)


def test_a_file_cut_or_flipped_anywhere_is_refused_or_changes_nothing(single):
    wanted, _, back = single
    whole = psbt.finalise(wanted, psbt.signatures(back, wanted))
    for place in range(0, len(back), 3):
        for data in (back[:place], back[:place] + bytes([back[place] ^ 0x41]) + back[place + 1 :]):
            try:
                found = psbt.signatures(data, wanted)
            except (PsbtRefused, MalformedData):
                continue
            if psbt.missing(wanted, found) == 0:
                assert psbt.finalise(wanted, found) == whole
