"""Descriptors against bitcoind's own: the same checksum and the same addresses, hundreds of indexes deep."""

import os

import pytest
from embit import bip32

from tests import cold_wallets
from wallets.chains.utxo import descriptors
from wallets.chains.utxo.descriptors import DescriptorInvalid
from wallets.chains.utxo.parameters import parameters

pytestmark = pytest.mark.node
REGTEST = parameters("bitcoin", "regtest")
FORMS = [
    ("wpkh", 1, 1),
    ("sh-wpkh", 1, 1),
    ("tr", 1, 1),
    ("wsh", 2, 3),
    ("sh-wsh", 3, 5),
    ("wsh", 1, 1),
    ("wsh", 15, 15),
]


@pytest.mark.parametrize(("form", "threshold", "count"), FORMS)
def test_addresses_are_those_that_the_node_derives(bitcoind, form, threshold, count):
    roots = [bip32.HDKey.from_seed(os.urandom(32)) for _ in range(count)]
    keys = [cold_wallets.key(root, form) for root in roots]
    ours = descriptors.parse(cold_wallets.descriptor(form, keys, threshold=threshold), REGTEST)
    assert (ours.threshold, len(ours.keys), ours.form) == (threshold, count, form)
    for branch in (0, 1):
        single = cold_wallets.descriptor(form, [key.replace("<0;1>", str(branch)) for key in keys], threshold=threshold)
        theirs = bitcoind.rpc("deriveaddresses", single, [0, 60])
        assert [ours.address(branch, index).text for index in range(61)] == theirs
        far = bitcoind.rpc("deriveaddresses", single, [2**31 - 3, 2**31 - 1])
        assert [ours.address(branch, 2**31 - 3 + step).text for step in range(3)] == far
    assert bitcoind.rpc("getdescriptorinfo", ours.text.partition("#")[0])["checksum"] == ours.text.partition("#")[2]


def test_a_wallet_of_one_branch_takes_its_change_there(bitcoind):
    text = cold_wallets.descriptor(
        "wpkh", [cold_wallets.key(bip32.HDKey.from_seed(os.urandom(32)), "wpkh", branches="0")]
    )
    ours = descriptors.parse(text, REGTEST)
    assert ours.change_branch == 0
    assert bitcoind.rpc("deriveaddresses", text, [0, 5]) == [ours.address(0, index).text for index in range(6)]
    with pytest.raises(DescriptorInvalid):
        ours.address(1, 0)
