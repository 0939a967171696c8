"""Real nodes for tests: the fixtures `bitcoind`, `litecoind` and `anvil`.

One of each a test session (under xdist: a worker), started when the first test asks for it, on free ports, ended with the
session however it ends. Tests share a chain, so none may count on an empty one: take heights and balances before and after.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.regtest import Anvil, Bitcoind, Litecoind
from tests.esplora import EsploraServer, esplora


@pytest.fixture(scope="session")
def bitcoind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bitcoind]:
    with Bitcoind(folder=tmp_path_factory.mktemp("bitcoind")) as node:
        yield node


@pytest.fixture(scope="session")
def litecoind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Litecoind]:
    with Litecoind(folder=tmp_path_factory.mktemp("litecoind")) as node:
        yield node


@pytest.fixture(scope="session")
def bitcoin_esplora(bitcoind: Bitcoind) -> Iterator[EsploraServer]:
    """Esplora's paths over the session's bitcoind."""
    with esplora(bitcoind) as service:
        yield service


@pytest.fixture(scope="session")
def litecoin_esplora(litecoind: Litecoind) -> Iterator[EsploraServer]:
    """Esplora's paths over the session's litecoind."""
    with esplora(litecoind) as service:
        yield service


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with Anvil(folder=tmp_path_factory.mktemp("anvil"), persistent=False) as node:
        yield node
