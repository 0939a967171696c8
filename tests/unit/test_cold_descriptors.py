"""Descriptors of cold wallets: what is taken, and what is refused with a sentence. Vectors from BIP380 and BIP86."""

import pytest
from bip_utils import Bip44Changes, Bip84, Bip84Coins
from embit import bip32, bip39
from embit.descriptor.checksum import add_checksum

from tests import cold_wallets
from wallets.chains.bip32 import ExtendedKeyInvalid
from wallets.chains.evm import account
from wallets.chains.protocol import AddressInvalid
from wallets.chains.utxo import descriptors
from wallets.chains.utxo.descriptors import DescriptorInvalid
from wallets.chains.utxo.parameters import parameters

MAIN, REGTEST = parameters("bitcoin", "mainnet"), parameters("bitcoin", "regtest")
ABANDON = bip32.HDKey.from_seed(bip39.mnemonic_to_seed("abandon " * 11 + "about"))
OTHER = bip32.HDKey.from_seed(bytes(range(32)))
WPKH = cold_wallets.descriptor("wpkh", [cold_wallets.key(ABANDON, "wpkh")])
KEYS = [cold_wallets.key(root, "wsh") for root in (ABANDON, OTHER)]


def again(text):
    """With the checksum that belongs to it."""
    return add_checksum(text.partition("#")[0])


def test_bip380_s_own_checksum():
    assert descriptors.checksum("raw(deadbeef)") == "89f8spxm"


def test_bip86_s_own_addresses():
    text = cold_wallets.descriptor("tr", [cold_wallets.key(ABANDON, "tr", coin=0)])
    wallet = descriptors.parse(text, MAIN)
    assert wallet.address(0, 0).text == "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
    assert wallet.address(0, 1).text == "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"
    assert wallet.address(1, 0).text == "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"


def test_litecoin_s_addresses_are_those_of_another_library():
    litecoin = parameters("litecoin", "mainnet")
    text = cold_wallets.descriptor("wpkh", [cold_wallets.key(ABANDON, "wpkh", coin=2)])
    wallet = descriptors.parse(text, litecoin)
    seed = bip39.mnemonic_to_seed("abandon " * 11 + "about")
    account = Bip84.FromSeed(seed, Bip84Coins.LITECOIN).Purpose().Coin().Account(0)
    for branch, change in ((0, Bip44Changes.CHAIN_EXT), (1, Bip44Changes.CHAIN_INT)):
        theirs = [account.Change(change).AddressIndex(index).PublicKey().ToAddress() for index in range(10)]
        assert [wallet.address(branch, index).text for index in range(10)] == theirs


def test_the_keys_of_an_address_say_where_their_signers_find_them():
    leaf = descriptors.parse(cold_wallets.descriptor("wsh", KEYS, threshold=2), REGTEST).leaf(1, 5)
    assert [key.path[-2:] for key in leaf.keys] == [(1, 5), (1, 5)]
    assert {key.fingerprint for key in leaf.keys} == {ABANDON.my_fingerprint, OTHER.my_fingerprint}
    assert [key.public_key for key in leaf.keys] == sorted(key.public_key for key in leaf.keys)


PRIVATE = WPKH.replace(
    ABANDON.derive("m/84h/1h/0h").to_public().to_base58(cold_wallets.TPUB),
    ABANDON.derive("m/84h/1h/0h").to_base58(bytes.fromhex("04358394")),
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (WPKH.partition("#")[0], "checksum is missing"),
        (WPKH[:-1] + ("q" if WPKH[-1] != "q" else "p"), "checksum does not match"),
        (WPKH.replace("/84h", "/85h", 1), "checksum does not match"),
        (PRIVATE, "private key"),
        (again(PRIVATE), "private key"),
        (again(WPKH.replace("<0;1>/*", "<0;1>/*h")), "a key is"),
        (again(WPKH.replace("<0;1>/*", "5/*")), "a key is"),
        (again(WPKH.replace("<0;1>/*", "<1;0>/*")), "a key is"),
        (again(WPKH.replace("[" + WPKH.partition("[")[2].partition("]")[0] + "]", "")), "a key is"),
        (again(WPKH.replace("/84h/1h/0h", "/84h/1h")), "another depth"),
        (again(WPKH.replace("/84h/1h/0h", "/84h/1h/7h")), "another number"),
        (again(WPKH.replace("wpkh(", "pkh(")), "a cold wallet is"),
        (again(f"wsh(multi(2,{','.join(KEYS)}))"), "a cold wallet is"),
        (again(f"wsh(sortedmulti(3,{','.join(KEYS)}))"), "how many of its keys"),
        (again(f"wsh(sortedmulti(0,{','.join(KEYS)}))"), "how many of its keys"),
        (again(f"wsh(sortedmulti(1,{KEYS[0]},{KEYS[0]}))"), "named twice"),
        (again(f"wpkh({','.join(KEYS)})"), "exactly one key"),
        (again(f"wsh(sortedmulti(1,{','.join(KEYS * 8)}))"), "at most 15"),
        (again(f"wsh(sortedmulti(2,{KEYS[0]},{KEYS[1].replace('<0;1>', '0')}))"), "same branches"),
        (cold_wallets.descriptor("wpkh", [cold_wallets.key(ABANDON, "wpkh", coin=0)]), "begin with tpub"),
        ("x" * 5000, "shorter"),
        ("ähm#qqqqqqqq", "no such character"),
    ],
)
def test_what_is_no_cold_wallet_is_refused_with_a_sentence(text, why):
    with pytest.raises(DescriptorInvalid, match=why) as refused:
        descriptors.parse(text, REGTEST)
    assert "prv" not in str(refused.value)


def test_a_public_key_whose_letters_spell_prv_is_no_private_key():
    xpub = ABANDON.derive("m/84h/1h/0h").to_public().to_base58(cold_wallets.TPUB)
    spelled = WPKH.replace(xpub, xpub[:50] + "prv" + xpub[53:])
    with pytest.raises(ExtendedKeyInvalid):
        descriptors.parse(again(spelled), REGTEST)


@pytest.mark.parametrize("path", ["cold/0/7", "cold/1/0", "cold/0/2147483647"])
def test_a_path_is_read(path):
    assert descriptors.parse_path(path) == tuple(map(int, path.split("/")[1:]))


@pytest.mark.parametrize(
    "path", ["cold/2/0", "cold/0/07", "cold/0/-1", "cold/0/2147483648", "cold/0", "m/84'/0'", "cold/0/1 "]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(DescriptorInvalid):
        descriptors.parse_path(path)


def test_an_account_by_its_address_alone_or_with_its_place():
    address = "0x73d0385F4d8E00C5e6504C6030F47BF6212736A8"
    assert account.parse(address).path == account.DEFAULT_PATH
    found = account.parse(f"[5c9e228d/44h/60h/1h/0/9]{address.lower()}")
    assert (found.address, found.fingerprint, found.path[-1]) == (address, "5c9e228d", 9)
    for wrong in (address[:-1] + "9", f"[5c9e228d]{address}", f"[xyz/44h]{address}", "0x" + "0" * 40):
        with pytest.raises(AddressInvalid):
            account.parse(wrong)
