"""A signer's files: whatever cut their making short, it is begun again; what was signed with is never thrown away."""

import secrets

import pytest

from custody import accounts, establishing, keystore, limits, private_files, words
from custody.accounts import Accounts, AccountsUnreadable
from custody.cold_addresses import ColdAddresses, ColdRefused, Wallet, read
from custody.commands.errors import NotDone
from custody.keystore import PassphraseFile
from custody.signers.software import SoftwareSigner
from custody.velocity import Reservation, VelocityLog
from wallets.chains import registry

BITCOIN = registry.rules("bitcoin", network="regtest")
ETHEREUM = registry.rules("ethereum", chain_id=31337)
ADDRESS = BITCOIN.address(b"\x00\x14" + b"\x07" * 20)
CHEAP = keystore.Cost(memory_kib=19_456, iterations=2, lanes=1)


class PowerLost(BaseException):
    pass


@pytest.fixture
def folder(tmp_path, settings, monkeypatch):
    place = tmp_path / "signer"
    settings.KEYSTORE_PATH = str(place / "keystore.json")
    settings.KEYSTORE_PASSPHRASE_FILE = str(place / "passphrase")
    settings.VELOCITY_LOG_PATH = str(place / "velocity.log")
    settings.SIGNER_LIMITS_FILE = ""
    settings.KEYSTORE_VAULT_ADDR = ""
    monkeypatch.setattr(keystore, "Cost", keystore_cost)
    return place


def keystore_cost(*given):
    return type(CHEAP)(*given) if given else CHEAP


def new_seed():
    return words.seed(words.of_entropy(secrets.token_bytes(32)))


def establish(seed, **more):
    return establishing.establish(seed, say=lambda text: None, **more)


def opened(folder):
    return keystore.open_seed(folder / "keystore.json", key=PassphraseFile(folder / "passphrase"))


@pytest.mark.parametrize("written", range(12))
def test_a_making_that_is_cut_short_anywhere_is_begun_again(folder, monkeypatch, written):
    """The power goes at the n-th thing that the disk is asked to keep; the next attempt, with another seed, ends well."""
    real, asked = private_files.sync_folder, []

    def failing(where):
        asked.append(where)
        if len(asked) > written:
            raise PowerLost
        real(where)

    with monkeypatch.context() as patch:
        patch.setattr(private_files, "sync_folder", failing)
        try:
            first = establish(new_seed())
        except PowerLost:
            first = None
    if (folder / "keystore.json").exists():
        # The last step of all was done: what stands is whole, and is not touched.
        seed = opened(folder)
        VelocityLog.open(folder / "velocity.log", key=SoftwareSigner(seed).log_key()).close()
        with pytest.raises(NotDone, match="never overwritten"):
            establish(new_seed())
        assert opened(folder) == seed
        return
    assert first is None
    seed = new_seed()
    made = establish(seed)
    assert opened(folder) == seed
    VelocityLog.open(folder / "velocity.log", key=made.log_key()).close()
    assert limits.read(folder / "limits.json")["bitcoin"].asset_id == 1


def test_a_log_that_was_signed_with_stops_another_seed_and_serves_its_own(folder):
    seed = new_seed()
    made = establish(seed)
    log = VelocityLog.open(folder / "velocity.log", key=made.log_key())
    log.reserve(Reservation("job", 1, "digest", {"bitcoin": 5}, {"bitcoin:a:0": "9"}, ("w",)))
    log.close()
    kept = (folder / "velocity.log").read_bytes()
    (folder / "keystore.json").unlink()
    with pytest.raises(NotDone, match="belongs to another keystore"):
        establish(new_seed())
    assert not (folder / "keystore.json").exists()
    establish(seed, rotated=Accounts({"bitcoin": (1, 3)}))
    assert (folder / "velocity.log").read_bytes() == kept
    assert accounts.read(folder / "accounts.json").hot("bitcoin") == (1, 3)


# --- the small files --------------------------------------------------------------------------------------------------


def test_accounts_come_back_and_a_wrong_file_is_refused(tmp_path):
    path = tmp_path / "accounts.json"
    assert accounts.read(path).hot("bitcoin") == (1,)
    rotated = Accounts().with_next("bitcoin").with_next("bitcoin").with_next("bsc")
    accounts.write(path, rotated)
    assert accounts.read(path) == rotated
    assert [rotated.hot(name) for name in ("bitcoin", "bsc", "ethereum")] == [(1, 3, 5), (1, 3), (1,)]
    for content in (b"[]", b"{", b'{"bitcoin": []}', b'{"bitcoin": [1, 5]}', b'{"bitcoin": [3]}', b'{"bitcoin": "1"}'):
        private_files.replace(path, content)
        with pytest.raises(AccountsUnreadable):
            accounts.read(path)
    private_files.replace(path, b"{}")
    path.chmod(0o644)
    with pytest.raises(private_files.FileExposed):
        accounts.read(path)


def test_rotations_come_to_an_end(tmp_path):
    rotated = Accounts()
    for _ in range(31):
        rotated = rotated.with_next("bitcoin")
    assert rotated.hot("bitcoin")[-1] == 63
    with pytest.raises(AccountsUnreadable, match="has had all"):
        rotated.with_next("bitcoin")
    path = tmp_path / "accounts.json"
    accounts.write(path, rotated)
    assert accounts.read(path) == rotated


def test_cold_wallets_are_added_once_compared_and_removed(tmp_path):
    wallet = Wallet(ADDRESS, "vault", "2026-11-20")
    cold = ColdAddresses().with_wallet("bitcoin", BITCOIN, wallet)
    with pytest.raises(ColdRefused, match="stands already"):
        cold.with_wallet("bitcoin", BITCOIN, wallet)
    for network, rules, text in (
        ("bitcoin", BITCOIN, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("bitcoin", BITCOIN, "wpkh(nothing)#00000000"),
        ("ethereum", ETHEREUM, ADDRESS),
        ("ethereum", ETHEREUM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"),
    ):
        with pytest.raises(ColdRefused, match="neither an address nor a descriptor"):
            cold.with_wallet(network, rules, Wallet(text, "", ""))
    assert cold.without("bitcoin", ADDRESS).wallets["bitcoin"] == ()
    with pytest.raises(ColdRefused, match="has no cold wallet"):
        cold.without("bitcoin", "another")
    assert read(tmp_path / "none.json") == ColdAddresses()
