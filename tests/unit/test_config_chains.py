"""Networks as configuration: what the environment says becomes rows, the same ones for the signer, without a URL."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import chains
from wallets.chains import registry

IDS = {"bitcoin": 1, "litecoin": 2, "ethereum": 3, "bsc": 4, "polygon": 5, "avalanche": 6, "fantom": 7}
PUBLIC = {"ethereum": 1, "bsc": 56, "polygon": 137, "avalanche": 43114, "fantom": 250}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    import os

    for name in list(os.environ):
        if name.endswith(("_RPC_URL", "_RPC_URL_2", "_CHAIN_ID", "_TRACE", "_KIND")) or name == "EVM_NETWORKS":
            monkeypatch.delenv(name)


def test_every_network_has_its_id_its_family_and_its_public_chain():
    rows = chains.rows()
    assert {name: row["id"] for name, row in rows.items()} == IDS
    assert {name: row["chain_id"] for name, row in rows.items() if row["family"] == "evm"} == PUBLIC
    assert {name for name, row in rows.items() if row["url"]} == set()
    assert {name for name, row in rows.items() if row.get("legacy_fees")} == {"bsc"}
    assert not any(row.get("trace") for row in rows.values())


def test_the_environment_names_sources_keys_and_ways_of_asking(monkeypatch, tmp_path):
    key = tmp_path / "key"
    key.write_text("https://node.example/v3/key\n")
    monkeypatch.setenv("POLYGON_RPC_URL_FILE", str(key))
    monkeypatch.setenv("POLYGON_RPC_URL_2", "https://other.example")
    monkeypatch.setenv("POLYGON_RPC_HEADER", "X-Key: secret")
    monkeypatch.setenv("POLYGON_TRACE", "1")
    monkeypatch.setenv("POLYGON_LEGACY_FEES", "1")
    monkeypatch.setenv("BITCOIN_KIND", "esplora")
    row = chains.rows()["polygon"]
    assert (row["url"], row["second_url"]) == ("https://node.example/v3/key", "https://other.example")
    assert (row["header"], row["trace"], row["legacy_fees"]) == ("X-Key: secret", True, True)
    assert chains.rows()["bitcoin"]["kind"] == "esplora"
    assert registry.connect("polygon", **row).name == "polygon"
    assert registry.second("polygon", **row).name == "polygon"
    assert registry.second("bsc", **chains.rows()["bsc"]) is None


def test_the_signer_knows_the_same_networks_and_no_node(monkeypatch):
    monkeypatch.setenv("ETHEREUM_RPC_URL", "https://node.example/key")
    monkeypatch.setenv("EVM_NETWORKS", "base:8453:8")
    web, signer = chains.rows(), chains.rows(nodes=False)
    assert {name: row["id"] for name, row in signer.items()} == {name: row["id"] for name, row in web.items()}
    assert signer["base"] == {"id": 8, "family": "evm", "chain_id": 8453}
    assert "example" not in repr(signer)
    assert registry.rules("base", **signer["base"]).chain_id == 8453
    assert registry.rules("bitcoin", **signer["bitcoin"]).parameters.name == "bitcoin"


@pytest.mark.parametrize(
    "word",
    [
        "base",
        "base:8453",
        "base:x:8",
        "Base:8453:8",
        "bsc:97:9",
        "base:8453:4",
        "base:0:8",
        "base:8453:99999",
        "a b:1:9",
    ],
)
def test_a_further_network_that_is_not_well_said_is_refused(monkeypatch, word):
    monkeypatch.setenv("EVM_NETWORKS", word)
    with pytest.raises(ImproperlyConfigured):
        chains.rows()


@pytest.mark.parametrize(
    "row", [{}, {"family": "evm"}, {"network": "regtest", "chain_id": 1}, {"family": "utxo", "chain_id": 1}]
)
def test_a_row_that_does_not_say_its_family_is_refused(row):
    with pytest.raises(registry.NotConfigured):
        registry.rules("ethereum", **row)
