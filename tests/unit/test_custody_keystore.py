"""The keystore opens for its passphrase and its own user, and for nothing else."""

import json
import os
import secrets
import stat

import pytest

from custody import keystore, limits, private_files
from custody.keystore import Cost, KeystoreUnreadable, PassphraseFile, PassphraseWeak
from custody.private_files import FileExposed

CHEAP = Cost(memory_kib=19_456, iterations=2, lanes=1)
SEED = bytes(range(32))


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "signer"
    folder.mkdir(mode=0o700)
    passphrase = folder / "passphrase"
    private_files.write_new(passphrase, b"correct horse battery staple\n")
    path = folder / "keystore.json"
    keystore.create(path, key=PassphraseFile(passphrase), seed=SEED, fingerprint="01020304", cost=CHEAP)
    return path, passphrase


def test_the_seed_comes_back_and_is_nowhere_in_the_file(place):
    path, passphrase = place
    assert keystore.open_seed(path, key=PassphraseFile(passphrase)) == SEED
    content = path.read_bytes()
    assert SEED not in content
    assert SEED.hex().encode() not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_keystores_of_one_seed_have_nothing_in_common(place, tmp_path):
    path, passphrase = place
    other = path.with_name("other.json")
    keystore.create(other, key=PassphraseFile(passphrase), seed=SEED, fingerprint="01020304", cost=CHEAP)
    one, two = json.loads(path.read_text()), json.loads(other.read_text())
    for name in ("salt", "wrapped_key", "sealed_seed"):
        assert one[name] != two[name]


def test_another_passphrase_does_not_open_it(place):
    path, passphrase = place
    other = passphrase.with_name("other")
    private_files.write_new(other, b"correct horse battery stapler\n")
    with pytest.raises(KeystoreUnreadable):
        keystore.open_seed(path, key=PassphraseFile(other))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fingerprint", "ffffffff"),
        ("iterations", 3),
        ("memory_kib", 19_457),
        ("memory_kib", 8),
        ("memory_kib", 2**40),
        ("lanes", 2),
        ("version", 2),
        ("kdf", "scrypt"),
        ("salt", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("wrapped_key", "AAAA"),
        ("sealed_seed", "not base64!"),
        ("iterations", "2"),
        ("iterations", True),
        ("extra", 1),
    ],
)
def test_a_changed_file_does_not_open(place, name, value):
    path, passphrase = place
    body = json.loads(path.read_text())
    body[name] = value
    private_files.replace(path, json.dumps(body).encode())
    with pytest.raises(KeystoreUnreadable):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


def test_swapped_parts_do_not_open(place):
    path, passphrase = place
    body = json.loads(path.read_text())
    body["wrapped_key"], body["sealed_seed"] = body["sealed_seed"], body["wrapped_key"]
    private_files.replace(path, json.dumps(body).encode())
    with pytest.raises(KeystoreUnreadable):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b"null"])
def test_what_is_no_keystore_is_said_to_be_none(place, content):
    path, passphrase = place
    private_files.replace(path, content)
    with pytest.raises(KeystoreUnreadable):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622, 0o601])
@pytest.mark.parametrize("which", ["keystore", "passphrase"])
def test_a_file_that_others_can_read_is_refused(place, mode, which):
    path, passphrase = place
    (path if which == "keystore" else passphrase).chmod(mode)
    with pytest.raises(FileExposed):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


def test_a_folder_that_others_can_write_to_is_refused(place):
    path, passphrase = place
    path.parent.chmod(0o777)
    with pytest.raises(FileExposed):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


def test_a_link_is_not_followed(place):
    path, passphrase = place
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(OSError, match=r"(?i)symbolic"):
        keystore.open_seed(link, key=PassphraseFile(passphrase))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_another_user_is_refused(place):
    path, passphrase = place
    os.chown(path, 12345, 12345)
    with pytest.raises(FileExposed):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


def test_a_keystore_is_never_overwritten(place):
    path, passphrase = place
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        keystore.create(path, key=PassphraseFile(passphrase), seed=secrets.token_bytes(32), fingerprint="x", cost=CHEAP)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["keystore.json", "passphrase"]


def test_a_short_passphrase_is_refused(place):
    path, passphrase = place
    private_files.replace(passphrase, b"short\n")
    with pytest.raises(PassphraseWeak):
        keystore.open_seed(path, key=PassphraseFile(passphrase))


def test_limits_come_back_and_a_wrong_file_is_refused(tmp_path):
    path = tmp_path / "limits.json"
    rows = {"bitcoin": limits.Limit(1, "BTC", 8, 100, 200, 300, 5)}
    limits.write(path, rows)
    assert limits.read(path) == rows
    path.chmod(0o644)
    assert limits.read(path) == rows
    path.chmod(0o666)
    with pytest.raises(FileExposed):
        limits.read(path)
    path.chmod(0o600)
    good = json.loads(path.read_text())
    for body in (
        [],
        {"bitcoin": {}},
        {"bitcoin": good["bitcoin"] | {"each": -1}},
        {"bitcoin": good["bitcoin"] | {"day": "300"}},
    ):
        private_files.replace(path, json.dumps(body).encode())
        with pytest.raises(limits.LimitsUnreadable):
            limits.read(path)
    private_files.replace(path, b"{")
    with pytest.raises(limits.LimitsUnreadable):
        limits.read(path)
    path.unlink()
    with pytest.raises(limits.LimitsUnreadable):
        limits.read(path)
