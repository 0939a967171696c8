"""`manage.py custody`: makes keys, prints what is public, sets limits. It needs no database and no broker."""

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from wallets.chains.utxo import descriptors

from .conftest import BITCOIN, ROOT


@pytest.fixture
def custody(tmp_path):
    folder = tmp_path / "new" / "signer"

    def run(*arguments, **variables):
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.signer",
            "KEYSTORE_PATH": str(folder / "keystore.json"),
            "KEYSTORE_PASSPHRASE_FILE": str(folder / "passphrase"),
            "VELOCITY_LOG_PATH": str(folder / "velocity.log"),
            "SIGNER_DATABASE_URL": "postgresql://bourse_signer@127.0.0.1:9/nothing",
            "REDIS_URL": "redis://127.0.0.1:9/0",
            "BITCOIN_NETWORK": "regtest",
            "LITECOIN_NETWORK": "regtest",
            "ETHEREUM_CHAIN_ID": "31337",
        }
        command = [sys.executable, "manage.py", "custody", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment | variables, capture_output=True, text=True)

    run.folder = folder
    return run


def test_init_makes_keys_once_and_show_prints_the_same_public_half(custody):
    public = custody.folder.parent / "public.json"
    made = custody("init", "--public", str(public))
    assert made.returncode == 0, made.stderr
    document = json.loads(public.read_text())
    accounts = [(a["network"], a["role"], a["path"]) for a in document["accounts"]]
    assert accounts[:6] == [
        ("bitcoin", "deposit", "m/84'/1'/0'"),
        ("bitcoin", "hot", "m/84'/1'/1'"),
        ("litecoin", "deposit", "m/84'/1'/0'"),
        ("litecoin", "hot", "m/84'/1'/1'"),
        ("ethereum", "deposit", "m/44'/60'/0'"),
        ("ethereum", "hot", "m/44'/60'/1'"),
    ]
    assert accounts[6:] == [
        (network, role, f"m/44'/60'/{number}'")
        for network in ("bsc", "polygon", "avalanche", "fantom")
        for number, role in enumerate(("deposit", "hot"))
    ]
    known = {"bitcoin": "regtest", "litecoin": "regtest", "ethereum": 31337, "bsc": 56, "polygon": 137}
    assert document["chains"] == known | {"avalanche": 43114, "fantom": 250}
    assert not any("prv" in account["xpub"] for account in document["accounts"])
    BITCOIN.derive(document["accounts"][0]["xpub"], index=0)
    for entry in custody.folder.iterdir():
        assert stat.S_IMODE(entry.stat().st_mode) == 0o600, entry
    shown = custody("show")
    assert json.loads(shown.stdout) == document
    before = (custody.folder / "keystore.json").read_bytes()
    again = custody("init")
    assert again.returncode == 1
    assert "never overwritten" in again.stderr
    (custody.folder / "passphrase").chmod(0o644)
    exposed = custody("show")
    assert (exposed.returncode, exposed.stderr.count("\n")) == (1, 1), exposed.stderr
    assert "open to other users" in exposed.stderr
    (custody.folder / "passphrase").chmod(0o600)
    quiet = custody("init", "--if-missing", "--public", str(public))
    assert quiet.returncode == 0
    assert (custody.folder / "keystore.json").read_bytes() == before
    assert json.loads(public.read_text()) == document


def test_an_init_that_was_cut_short_can_be_run_again(custody):
    assert custody("init").returncode == 0
    (custody.folder / "keystore.json").unlink()
    assert custody("init").returncode == 0
    log = custody.folder / "velocity.log"
    log.write_bytes(log.read_bytes() + b"a line of something that was signed\n")
    (custody.folder / "keystore.json").unlink()
    refused = custody("init")
    assert refused.returncode == 1
    assert "belongs to another keystore" in refused.stderr
    assert log.exists()


def test_limits_are_set_by_the_command_and_a_wrong_amount_is_refused(custody):
    assert custody("init").returncode == 0
    token = "ethereum:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
    arguments = [
        "--asset-id",
        "4",
        "--symbol",
        "USDT",
        "--decimals",
        "6",
        "--hour",
        "200",
        "--day",
        "500.5",
        "--fee",
        "0.05",
    ]
    done = custody("limit", token, "--each", "50", *arguments)
    assert done.returncode == 0, done.stderr
    rows = json.loads((custody.folder / "limits.json").read_text())
    assert rows[token.lower()] == {
        "asset_id": 4,
        "symbol": "USDT",
        "decimals": 6,
        "each": 50_000_000,
        "hour": 200_000_000,
        "day": 500_500_000,
        "fee": 5 * 10**16,
    }
    assert {"bitcoin", "litecoin", "ethereum"} < set(rows)
    for asset, each in ((token, "0.0000001"), (token + "0", "1"), ("bitcoin:0x00", "1"), ("dogecoin", "1")):
        refused = custody("limit", asset, f"--each={each}", *arguments)
        assert refused.returncode == 1
        assert refused.stderr.startswith("CommandError: "), refused.stderr
    assert json.loads((custody.folder / "limits.json").read_text()) == rows


def test_cold_wallets_are_told_to_the_signer_at_its_machine_alone(custody):
    xpub = "tpubDC5FSnBiZDMmhiuCmWAYsLwgLYrrT9rAqvTySfuCCrgsWz8wxMXUS9Tb9iVMvcRbvFcAHGkMD5Kx8koh4GquNGNTfohfk7pgjhaPCdXpoba"
    body = f"wpkh([01020304/84'/1'/0']{xpub}/<0;1>/*)"
    text = f"{body}#{descriptors.checksum(body)}"
    first = descriptors.parse(text, BITCOIN.parameters).address(0, 0).text
    added = custody("cold", "add", "bitcoin", text, "--label", "safe")
    assert added.returncode == 0, added.stderr
    assert f"first address {first}" in added.stdout
    assert f"bitcoin safe (since {datetime.now(UTC).year}" in custody("cold", "list").stdout
    for arguments, complaint in (
        (("add", "bitcoin", text), "stands already"),
        (("add", "bitcoin", text[:-1]), "checksum does not match"),
        (("add", "dogecoin", text), "There is no network dogecoin"),
    ):
        refused = custody("cold", *arguments)
        assert (refused.returncode, complaint in refused.stderr) == (1, True), refused.stderr
    assert custody("cold", "remove", "bitcoin", text).returncode == 0
    assert custody("cold", "list").stdout == ""
    nothing = custody("log")
    assert (nothing.returncode, "no ceremony was held" in nothing.stderr) == (1, True)
