"""A house with public keys of its own and real nodes; money and coins are counted the way an auditor would."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from embit import bip32

from config.regtest import Anvil
from custody.services import policies
from exchange.assets.models import Rate
from exchange.assets.services import networks
from exchange.core.ids import uuid7
from exchange.ledger import selectors as ledger
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, transfers
from kyc.kinds import DAY_S, DEPOSIT, MONTH_S, WITHDRAWAL
from kyc.services import levels
from tests.integration.wallets.limited import DOLLARS, Clock
from tests.integration.wallets.signer import SignerProcess
from tests.simulation.paper_chain import PaperChain
from wallets import nodes, selectors
from wallets.models import Address, Deposit
from wallets.services import addresses, payouts, scanning, xpubs

ACCOUNTS = (
    ("bitcoin", "deposit", "m/84'/1'/0'"),
    ("bitcoin", "hot", "m/84'/1'/1'"),
    ("litecoin", "deposit", "m/84'/1'/0'"),
    ("litecoin", "hot", "m/84'/1'/1'"),
    ("ethereum", "deposit", "m/44'/60'/0'"),
    ("ethereum", "hot", "m/44'/60'/1'"),
)
CHAIN_IDS = {"bitcoin": "regtest", "litecoin": "regtest", "ethereum": 31337}
ALICE, BOB = 101, 102


def public_keys(seed: bytes) -> dict[str, Any]:
    """What `custody show` would print for this seed."""
    root = bip32.HDKey.from_seed(seed)
    accounts = []
    for network, role, path in ACCOUNTS:
        version = b"\x04\x88\xb2\x1e" if network == "ethereum" else b"\x04\x35\x87\xcf"
        xpub = root.derive(path).to_public().to_base58(version)
        accounts.append({"network": network, "role": role, "path": path, "xpub": xpub})
    return {"version": 1, "fingerprint": root.my_fingerprint.hex(), "chains": CHAIN_IDS, "accounts": accounts}


@dataclass
class House:
    """The wallets room of one test, driven by hand."""

    nodes: dict[str, Any] = field(default_factory=dict)

    def now(self) -> datetime:
        return timezone.now()

    def address(self, user_id: int, asset: str, network: str) -> str:
        return addresses.deposit_address(user_id=user_id, asset=asset, network=network, now=self.now()).address

    def hot(self, network: str) -> str:
        return next(view.address for view in selectors.hot_addresses() if view.network == network)

    def scan(self, network: str, *, limit: int = 2000) -> scanning.ScanReport:
        report = scanning.scan(network=network, now=self.now(), limit=limit)
        assert not report.busy
        return report

    def advance(
        self, user_id: int, withdrawal_id: Any, state: str, *, seconds: float = 180
    ) -> selectors.WithdrawalView:
        """Runs the workers' job until the withdrawal is in this state; the signer answers in its own time."""
        deadline = time.monotonic() + seconds
        while True:
            payouts.advance_all(now=self.now())
            view = selectors.withdrawal(user_id, withdrawal_id)
            if view.state == state:
                return view
            assert time.monotonic() < deadline, view
            time.sleep(0.05)

    def balance(self, user_id: int, asset_id: int) -> int:
        return next((b.balance for b in ledger.balances(owner_id=user_id) if b.asset_id == asset_id), 0)

    def total(self, kind: str, asset_id: int) -> int:
        """The raw signed balance of all accounts of a kind in an asset."""
        return sum(t.balance for t in ledger.totals() if t.kind == kind and t.asset_id == asset_id)

    def sums_to_zero(self) -> bool:
        sums: dict[int, int] = {}
        for total in ledger.totals():
            sums[total.asset_id] = sums.get(total.asset_id, 0) + total.balance
        return not any(sums.values())


@pytest.fixture
def chains(settings) -> Callable[..., None]:
    """Points the settings at these nodes; of the other networks, a node is configured that does not answer."""
    settings.WALLETS_REBROADCAST_SECONDS = 0

    def point(**nodes: Any) -> None:
        for network, node in nodes.items():
            settings.CHAINS = {**settings.CHAINS, network: {**settings.CHAINS[network], "url": node.url}}

    return point


@pytest.fixture
def seed() -> bytes:
    """Another keystore for each test: nodes are shared, and what one test paid must not show up in the next."""
    return os.urandom(64)


@pytest.fixture
def keys(seed) -> dict[str, Any]:
    return public_keys(seed)


def register(keys: dict[str, Any]) -> None:
    """Imports keys as if after the blocks that stand: the first scan starts at the tip, not in the node's whole past."""
    xpubs.import_file(document=keys, now=timezone.now() + 2 * scanning.CLOCK_SLACK)


@pytest.fixture
def house(chains, valkey, keys) -> House:
    """Public keys registered, nothing scanned yet. `valkey` keeps one test's messages from the next."""
    register(keys)
    assert Address.objects.count() == 5  # the hot wallets' own: receive and change on two chains, one on the third
    return House()


@pytest.fixture
def ethereum(house, chains, tmp_path) -> Iterator[Anvil]:
    """A chain of the test's own."""
    with Anvil(folder=tmp_path / "ethereum", persistent=False) as node:
        chains(ethereum=node)
        yield node


@pytest.fixture
def other_keys() -> dict[str, Any]:
    """The house's next keystore."""
    return public_keys(os.urandom(64))


@pytest.fixture
def private_key(seed) -> str:
    return bip32.HDKey.from_seed(seed).derive("m/84'/1'/0'").to_base58(b"\x04\x35\x83\x94")


@pytest.fixture
def usdt() -> str:
    """A token contract that is registered but need not exist: for tests that ask no node."""
    contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    networks.set_contract(asset="USDT", network="ethereum", contract=contract, now=timezone.now())
    return contract


@pytest.fixture
def rules(db) -> Callable[[list[dict[str, Any]]], None]:
    """Puts these rules of the policy into force, as two people did two days ago; a last one lets the rest pass."""

    def enforce(made: list[dict[str, Any]]) -> None:
        then = timezone.now() - timedelta(days=2)
        rest = {"name": "the rest", "effect": "allow"}
        edit_id = policies.propose_edit(rules=[*made, rest], note="for a test", actor_id=901, now=then)
        policies.approve_edit(edit_id=edit_id, actor_id=902, now=then)

    return enforce


@pytest.fixture
def spend() -> Callable[[int, int, int], None]:
    """Takes money from a customer, as a lost trade would."""

    def take(user_id: int, asset_id: int, amount: int) -> None:
        now = timezone.now()
        fees = accounts.open(kind="house_fees", asset_id=asset_id, label="shard-0", now=now)
        entries = (Entry(ledger.account_ids(owner_id=user_id)[asset_id], -amount), Entry(fees, amount))
        transfers.post(transfers=[Transfer(id=uuid7(), kind="trade", entries=entries)], now=now)

    return take


@pytest.fixture
def fund() -> Callable[[int, int, int], None]:
    """Gives a customer money in the books alone; for tests that ask no node."""

    def give(user_id: int, asset_id: int, amount: int) -> None:
        now = timezone.now()
        wallet = accounts.open(kind="chain_wallet", asset_id=asset_id, label="test", now=now)
        customer = accounts.open_customer(owner_id=user_id, asset_ids=[asset_id], now=now)[asset_id]
        entries = (Entry(wallet, -amount), Entry(customer, amount))
        transfers.post(transfers=[Transfer(id=uuid7(), kind="deposit", entries=entries)], now=now)

    return give


@pytest.fixture
def prices(db) -> None:
    """Rates of today, which limits are reckoned with."""
    for asset_id, usd in ((1, "10000"), (2, "80"), (3, "250"), (4, "1"), (5, "1")):
        now = timezone.now()
        Rate.objects.update_or_create(
            asset_id=asset_id, defaults={"price": usd, "as_of": now, "fetched_at": now, "source": "test"}
        )


@pytest.fixture(scope="module")
def signer(django_db_setup, tmp_path_factory) -> Iterator[SignerProcess]:
    """The real signer, one a module: its keys are new, so each test needs a chain on which they have no past."""
    signer = SignerProcess(
        tmp_path_factory.mktemp("signer"), database_url=django_db_setup.url, redis_url=django_settings.REDIS_URL
    )
    signer.public_keys()
    yield signer
    signer.stop()


@pytest.fixture
def signing_house(chains, valkey, prices, signer) -> Iterator[House]:
    """A house whose keys the running signer holds."""
    register(signer.public_keys())
    signer.start()
    yield House()
    signer.pause()


@pytest.fixture
def clock(prices):
    return Clock()


@pytest.fixture
def limited(settings, clock):
    """Alice is at the first level: $10,000 a day, $15,000 in 30 days; a bitcoin is worth $10,000. Nothing limits Bob."""
    amounts = {
        (kind, seconds): amount * DOLLARS
        for kind in (DEPOSIT, WITHDRAWAL)
        for seconds, amount in ((DAY_S, 10_000), (MONTH_S, 15_000))
    }
    levels.set_limits(level=1, amounts=amounts, reason="For a test", actor_id=1, now=clock.now)
    levels.assign(user_id=ALICE, level=1, reason="For a test", actor_id=1, now=clock.now)


@pytest.fixture
def paper(monkeypatch, settings, keys, valkey):
    settings.CHAINS = {**settings.CHAINS, "bitcoin": {**settings.CHAINS["bitcoin"], "url": "paper"}}
    made = PaperChain(Random(1))
    monkeypatch.setattr(nodes, "first", lambda network: made)
    xpubs.import_file(document=keys, now=timezone.now())
    return made


@pytest.fixture
def pay(paper, clock):
    """Pays a customer, several amounts in one block, and mines until they are deep enough."""
    scanning.scan(network="bitcoin", now=clock.now)

    def send(*amounts, user_id=ALICE):
        view = addresses.deposit_address(user_id=user_id, asset="BTC", network="bitcoin", now=clock.now)
        script = bytes(Address.objects.get(address=view.address).script)
        for amount in amounts:
            paper.pay(script, amount)
        for _ in range(8):
            paper.mine()
        scanning.scan(network="bitcoin", now=clock.now)
        return list(Deposit.objects.filter(owner_id=user_id).order_by("-id")[: len(amounts)])

    return send
