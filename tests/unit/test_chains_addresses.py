"""Addresses and key derivation against the vectors that the standards print."""

import pytest
from bip_utils import Bip44, Bip44Coins, Bip84, Bip84Coins

from custody.accounts import Accounts
from custody.signers.derivation import ExtendedPrivateKey, PathInvalid, numbers
from wallets.chains import base58, bip32, registry
from wallets.chains.protocol import AddressInvalid, AddressWrongNetwork
from wallets.chains.utxo import bech32
from wallets.chains.utxo.parameters import NetworkUnknown, parameters
from wallets.chains.utxo.script import parse

# BIP32, test vectors 1 and 2: seed, path, extended public key.
BIP32_VECTORS = [
    (
        "000102030405060708090a0b0c0d0e0f",
        [
            (
                "m",
                "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
            ),
            (
                "m/0'",
                "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
            ),
            (
                "m/0'/1",
                "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
            ),
            (
                "m/0'/1/2'",
                "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
            ),
            (
                "m/0'/1/2'/2/1000000000",
                "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
            ),
        ],
    ),
    (
        "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
        [
            (
                "m/0/2147483647'/1/2147483646'/2",
                "xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5hQTZ3emM2rnY5agb9rXpVGyy3bdW6EEgAtqt",
            )
        ],
    ),
]

# BIP350, "Test vectors for v0-v16 native segregated witness addresses".
BIP350_VALID = [
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    ("BC1SW50QGDZ25J", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (
        "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
]
BIP350_INVALID = [
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
    "bc1gmk9yu",
]

# EIP-55, "Test Cases".
EIP55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]

# BIP39's seed of "abandon … about" without a passphrase, whose BIP84 addresses BIP84 prints.
ABANDON_SEED = bytes.fromhex(
    "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
)


@pytest.mark.parametrize(("seed", "chain"), BIP32_VECTORS)
def test_derivation_gives_the_extended_keys_that_bip32_prints(seed, chain):
    master = ExtendedPrivateKey.from_seed(bytes.fromhex(seed))
    for path, xpub in chain:
        assert master.descend(path).public().text("xpub") == xpub
        assert bip32.parse(xpub).text("xpub") == xpub


def test_the_public_half_derives_the_same_children_as_the_private_half():
    account = ExtendedPrivateKey.from_seed(ABANDON_SEED).descend("m/84'/0'/0'")
    for change, index in ((0, 0), (0, 7), (1, 2**31 - 1)):
        private = account.child(change).child(index).public()
        assert account.public().child(change).child(index) == private


@pytest.mark.parametrize(
    ("change", "index", "address"),
    [
        (0, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
        (0, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"),
        (1, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"),
    ],
)
def test_an_xpub_gives_the_addresses_that_bip84_prints(change, index, address):
    xpub = ExtendedPrivateKey.from_seed(ABANDON_SEED).descend("m/84'/0'/0'").public().text("xpub")
    derived = registry.rules("bitcoin", network="mainnet").derive(xpub, index=index, change=change)
    assert derived.text == address
    assert registry.rules("bitcoin", network="mainnet").parse(address) == derived


@pytest.mark.parametrize("index", [0, 3, 1_000_000])
def test_addresses_agree_with_another_implementation(index):
    master = ExtendedPrivateKey.from_seed(ABANDON_SEED)
    litecoin = Bip84.FromSeed(ABANDON_SEED, Bip84Coins.LITECOIN).Purpose().Coin().Account(0)
    ethereum = Bip44.FromSeed(ABANDON_SEED, Bip44Coins.ETHEREUM).Purpose().Coin().Account(0)
    for other, path, rules in (
        (litecoin, "m/84'/2'/0'", registry.rules("litecoin", network="mainnet")),
        (ethereum, "m/44'/60'/0'", registry.rules("ethereum", chain_id=1)),
    ):
        xpub = master.descend(path).public().text("xpub")
        from bip_utils import Bip44Changes

        wanted = other.Change(Bip44Changes.CHAIN_EXT).AddressIndex(index).PublicKey().ToAddress()
        assert rules.derive(xpub, index=index).text == wanted


def test_an_extended_private_key_is_refused_and_not_repeated():
    xprv = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
    with pytest.raises(bip32.ExtendedKeyInvalid) as refused:
        bip32.parse(xprv)
    assert xprv not in str(refused.value)
    with pytest.raises(bip32.ExtendedKeyInvalid):
        bip32.parse(xprv[:-1] + "j")


def test_a_public_key_gives_no_hardened_child():
    account = ExtendedPrivateKey.from_seed(ABANDON_SEED).descend("m/84'/0'/0'").public()
    with pytest.raises(bip32.ExtendedKeyInvalid):
        account.child(2**31)


@pytest.mark.parametrize(("text", "script"), BIP350_VALID)
def test_segwit_addresses_decode_as_bip350_says(text, script):
    hrp, version, program = bech32.decode(text)
    assert bytes([version and 0x50 + version, len(program)]).hex() + program.hex() == script
    assert bech32.encode(hrp, version, program) == text.lower()


@pytest.mark.parametrize("text", BIP350_INVALID)
def test_segwit_addresses_that_bip350_calls_invalid_are_refused(text):
    assert bech32.decode(text) is None
    for network in ("mainnet", "testnet4"):
        with pytest.raises(AddressInvalid):
            parse(text, parameters("bitcoin", network))


@pytest.mark.parametrize(
    "text",
    [
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ],
)
def test_every_standard_form_is_taken_and_written_the_same(text):
    rules = registry.rules("bitcoin", network="mainnet")
    parsed = rules.parse(f"  {text} ")
    assert parsed.text == text
    assert rules.address(parsed.key) == text


def test_an_address_of_another_network_is_told_apart_from_a_typing_error():
    bitcoin, litecoin = (registry.rules(name, network="mainnet") for name in ("bitcoin", "litecoin"))
    for foreign in (
        "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        litecoin.address(b"\0\x14" + b"\1" * 20),
    ):
        with pytest.raises(AddressWrongNetwork) as refused:
            bitcoin.parse(foreign)
        assert refused.value.code == "address_wrong_network"
    # The P2SH form that Litecoin once shared with Bitcoin is what somebody pastes who mistook the coin.
    with pytest.raises(AddressWrongNetwork):
        litecoin.parse("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy")
    for wrong in (
        "",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyv",
        "x" * 10_000,
        "bc1é",
    ):
        with pytest.raises(AddressInvalid) as refused:
            bitcoin.parse(wrong)
        assert refused.value.code == "address_invalid"


def test_a_witness_version_that_anybody_can_spend_is_no_address_to_pay():
    for text in ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "BC1SW50QGDZ25J"):
        with pytest.raises(AddressInvalid):
            registry.rules("bitcoin", network="mainnet").parse(text)


def test_a_script_without_an_address_has_none():
    rules = registry.rules("bitcoin", network="mainnet")
    for script in (b"", b"\x6a\x04test", b"\x21" + b"\2" * 33 + b"\xac", b"\x51"):
        assert rules.address(script) == ""


@pytest.mark.parametrize("text", EIP55)
def test_checksums_are_those_that_eip55_prints(text):
    rules = registry.rules("ethereum", chain_id=1)
    parsed = rules.parse(text)
    assert (parsed.text, parsed.key.hex()) == (text, text[2:].lower())
    assert rules.parse(text.lower()).text == text


@pytest.mark.parametrize(
    "text",
    [
        "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x" + "0" * 40,
        "0x" + "é" * 40,
        "",
        "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
    ],
)
def test_what_is_no_ethereum_address_is_refused(text):
    with pytest.raises(AddressInvalid):
        registry.rules("ethereum", chain_id=1).parse(text)


def test_base58_refuses_a_wrong_checksum_and_keeps_leading_zeros():
    payload = b"\0\0\0" + b"\7" * 18
    assert base58.decode(base58.encode(payload)) == payload
    assert base58.decode(base58.encode(payload)[:-1] + "1") is None
    assert base58.decode("") is None


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("m/84'/1'/0'/0/5", "deposit"),
        ("m/84'/1'/0'/0/2147483647", "deposit"),
        ("m/84'/1'/1'/1/0", "hot"),
        ("m/84'/1'/1'/0/999", "hot"),
        ("m/84'/1'/3'/0/0", "hot"),
        ("m/84'/1'/5'/0/0", ""),  # not rotated to yet
        ("m/84'/1'/0'/1/5", ""),  # deposits have no change
        ("m/84'/1'/1'/1/1000", ""),  # further out than anybody looks
        ("m/84'/1'/2'/0/0", ""),
        ("m/84'/1'/0/0/0", ""),
        ("m/84'/0'/0'/0/0", ""),
        ("m/44'/1'/0'/0/0", ""),
        ("m/84'/1'/1'/2/0", ""),
        ("m/84'/1'/0'/0/0'", ""),
        ("m/84'/1'/0'", ""),
        ("m", ""),
        ("84'/1'/0'/0/0", ""),
    ],
)
def test_only_paths_of_this_house_belong_to_it(path, role):
    rotated = Accounts({"bitcoin": (1, 3)})
    assert rotated.role("bitcoin", path, family="utxo", coin_type=1) == role


def test_each_network_has_hot_accounts_of_its_own():
    rotated = Accounts({"bsc": (1, 3)})
    assert rotated.role("bsc", "m/44'/60'/3'/0/0", family="evm", coin_type=60) == "hot"
    assert rotated.role("ethereum", "m/44'/60'/3'/0/0", family="evm", coin_type=60) == ""
    assert rotated.role("ethereum", "m/44'/60'/1'/0/0", family="evm", coin_type=60) == "hot"


@pytest.mark.parametrize("path", ["", "m/", "m/-1", "m/2147483648", "m/1/x", "m/1//2", "m" + "/1" * 11, "m/１"])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(PathInvalid):
        numbers(path)


def test_a_network_that_is_not_in_the_table_is_refused():
    with pytest.raises(NetworkUnknown):
        parameters("dogecoin", "mainnet")
    with pytest.raises(registry.NotConfigured):
        registry.connect("bitcoin", url="", network="regtest")
    with pytest.raises(registry.NotConfigured):
        registry.rules("ethereum", chain_id=0)
    with pytest.raises(registry.NotConfigured):
        registry.rules("solana")
