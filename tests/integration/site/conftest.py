"""People in front of the pages: somebody logged out, a newcomer, and Alice, who has money and addresses."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from embit import bip32

from exchange.accounts.services import customers
from exchange.assets.models import Rate
from exchange.core.ids import uuid7
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, transfers
from wallets.services import xpubs

PASSWORD = "correct horse battery staple"
BACKEND = "django.contrib.auth.backends.ModelBackend"
BTC, USDT = 1, 4


@dataclass
class Person:
    """A customer with a browser of their own that runs no script."""

    user_id: int
    email: str
    browser: Client

    def get(self, path: str, **options: Any) -> Any:
        return self.browser.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> Any:
        return self.browser.post(path, data, **options)


def fund(user_id: int, asset_id: int, amount: int) -> None:
    """Coins from outside, as a deposit books them."""
    now = timezone.now()
    outside = accounts.open(kind="chain_wallet", asset_id=asset_id, label="test", now=now)
    own = accounts.open_customer(owner_id=user_id, asset_ids=[asset_id], now=now)[asset_id]
    entries = (Entry(outside, -amount), Entry(own, amount))
    transfers.post(transfers=[Transfer(id=uuid7(), kind="deposit", entries=entries)], now=now)


@pytest.fixture
def person(db: None) -> Any:
    """Makes a customer of a name, logged in."""
    from exchange.accounts.models import User

    def make(name: str) -> Person:
        email = f"{name}@example.com"
        user_id = customers.open(email=email, password=PASSWORD, email_verified=True, now=timezone.now())
        browser = Client()
        browser.force_login(User.objects.get(pk=user_id), backend=BACKEND)
        return Person(user_id, email, browser)

    return make


@pytest.fixture
def newcomer(person: Any) -> Person:
    return person("newcomer")


@pytest.fixture
def prices(db: None) -> None:
    """A bitcoin is worth a thousand dollars; of USDT nobody knows."""
    now = timezone.now()
    Rate.objects.update_or_create(
        asset_id=BTC, defaults={"price": Decimal(1_000), "as_of": now, "fetched_at": now, "source": "test"}
    )


@pytest.fixture
def alice(person: Any, public_keys: None, prices: None) -> Person:
    """Two bitcoin and a thousand dollars of USDT."""
    found = person("alice")
    fund(found.user_id, BTC, 2 * 10**8)
    fund(found.user_id, USDT, 1_000 * 10**6)
    return found


@pytest.fixture
def public_keys(db: None) -> None:
    """Account xpubs of a test seed, so that addresses can be given out."""
    root = bip32.HDKey.from_seed(bytes(range(64)))
    listed = []
    for network, version, paths in (
        ("bitcoin", b"\x04\x35\x87\xcf", ("m/84'/1'/0'", "m/84'/1'/1'")),
        ("litecoin", b"\x04\x35\x87\xcf", ("m/84'/1'/0'", "m/84'/1'/1'")),
        ("ethereum", b"\x04\x88\xb2\x1e", ("m/44'/60'/0'", "m/44'/60'/1'")),
    ):
        for role, path in zip(("deposit", "hot"), paths, strict=True):
            xpub = root.derive(path).to_public().to_base58(version)
            listed.append({"network": network, "role": role, "path": path, "xpub": xpub})
    chains = {"bitcoin": "regtest", "litecoin": "regtest", "ethereum": 31337}
    document = {"version": 1, "fingerprint": root.my_fingerprint.hex(), "chains": chains, "accounts": listed}
    xpubs.import_file(document=document, now=timezone.now())
