"""One exchange with something on every page: a customer who has everything, one who has nothing yet, staff, and cases for them.

Made through the services, so that what the pages show is what the rooms would have written. What must never happen here: a
page made to look well by a row that no service could have written; `specimens.py` alone does that, for staff's lists of what
needs nodes, signers and hardware.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from allauth.account.internal.flows import login
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.test import Client, override_settings
from django.utils import timezone
from embit import bip32
from fido2.utils import websafe_encode

from exchange.accounts.keys import services as keys
from exchange.accounts.models import User
from exchange.accounts.services import customers, exporting, mail_words, not_me
from exchange.assets import selectors as assets
from exchange.assets.models import Rate, RateHistory
from exchange.core.ids import uuid7
from exchange.invoices.services import invoices
from exchange.ledger.journal import Entry, Transfer
from exchange.ledger.services import accounts, days, transfers
from kyc.services import levels
from tests import mailing, verification
from tests.factors import BACKEND, App, give_factor, log_in_staff
from tests.passkey import Passkey
from wallets.models import Address, Cursor, Deposit, Health
from wallets.services import address_book, addresses, withdrawals, xpubs

PASSWORD = "correct horse battery staple"
# Where a room has content of its own for its pages, `fill(world, now)` of its module puts it in.
ROOMS = ("casework", "world_trade", "world_wallet", "world_notify", "world_languages", "world_backoffice")
TIP = 800_002
THEIRS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PRICES = {"BTC": 64_000, "LTC": 82, "ETH": 3_100, "USDT": 1}
DAYS = 90
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class World:
    """Who is there, and what stands in the addresses of the pages about them."""

    customer: int = 0
    empty: int = 0
    staff: int = 0
    other_staff: int = 0
    names: dict[str, str] = field(default_factory=dict)  # what an address names: "withdrawal" → its id
    apps: dict[str, App] = field(default_factory=dict)

    def browser(self, viewer: str) -> Client:
        """A window without scripts, logged in as one of the viewers."""
        client = Client(raise_request_exception=False, HTTP_USER_AGENT=FIREFOX, HTTP_HOST="localhost")
        if viewer in ("customer", "staff"):  # who have a factor, and have just shown it
            log_in_staff(client, getattr(self, viewer))
        elif viewer == "empty":
            client.force_login(User.objects.get(pk=self.empty), backend=BACKEND)
            # The password, just now: whoever has no factor yet is asked for that.
            shown = client.session
            shown[login.AUTHENTICATION_METHODS_SESSION_KEY] = [
                {"method": "password", "at": time.time(), "reauthenticated": True}
            ]
            shown[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(self.empty)
            shown.save()
        return client

    def cookie(self, viewer: str) -> str:
        """The session of such a window, for a real browser."""
        return str(self.browser(viewer).cookies[settings.SESSION_COOKIE_NAME].value)


def seed(*, now: datetime) -> World:
    """All of it. The engine need not run: orders and trades are `trading.py`'s."""
    quick = {
        "WITHDRAWAL_EMAIL_CONFIRMATION": True, "CREDENTIAL_PAUSE_H": 0, "WITHDRAWAL_ADDRESS_COOLDOWN_H": 0,
        "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
        # As the web process of a journey checks them.
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.Argon2PasswordHasher"],
    }  # fmt: skip
    world = World()
    with override_settings(**quick):
        mail.outbox = []
        _people(world, now)
        _prices(now)
        _coins(world, now)
        _account(world, now)
        for room in ROOMS:
            if importlib.util.find_spec(f"tests.pages.{room}") is not None:
                importlib.import_module(f"tests.pages.{room}").fill(world, now)
        mailing.deliver(now=now)
        days.gather()
        _links(world, now)
        renew()
    return world


def renew() -> None:
    """Prices and nodes as a worker that runs would keep them: both are called stale where nobody has looked for some minutes."""
    now = timezone.now()
    Rate.objects.update(as_of=now, fetched_at=now)
    for network in assets.networks():
        seen = {"tip_height": TIP, "tip_hash": "0" * 64, "checked_at": now, "last_ok_at": now}
        Health.objects.update_or_create(network_id=network.id, defaults=seen)
        at = {"height": TIP, "hash": "0" * 64, "started_height": 1, "updated_at": now}
        Cursor.objects.update_or_create(network_id=network.id, defaults=at)


def person(name: str, *, display_name: str = "", level: int = 4, now: datetime) -> int:
    user_id = customers.open(
        email=f"{name}@example.com", password=PASSWORD, email_verified=True, display_name=display_name, now=now
    )
    levels.assign(user_id=user_id, level=level, reason="Part of the tests", actor_id=None, now=now)
    return user_id


def _people(world: World, now: datetime) -> None:
    since = now - timedelta(days=DAYS)
    world.customer = person("rich", display_name="Ruth Reich", now=since)
    world.empty = person("empty", level=1, now=now)
    for name, field_ in (("boss", "staff"), ("second", "other_staff")):
        user_id = person(name, display_name=f"{name.capitalize()} of staff", now=since)
        User.objects.filter(pk=user_id).update(is_staff=True, is_superuser=True)
        setattr(world, field_, user_id)
    for name, user_id in (("rich", world.customer), ("boss", world.staff)):
        world.apps[name] = App(give_factor(user_id))


def _prices(now: datetime) -> None:
    """Ninety days of them, with a way up and down that a chart can show."""
    for code, dollars in PRICES.items():
        asset_id = assets.asset(code).id
        moves = [Decimal(1)] * (DAYS + 1) if code == "USDT" else [_wave(day) for day in range(DAYS + 1)]
        RateHistory.objects.bulk_create(
            RateHistory(asset_id=asset_id, price=dollars * move, as_of=now - timedelta(days=DAYS - day), source="test")
            for day, move in enumerate(moves)
        )
        known = {"price": dollars * moves[-1], "as_of": now, "fetched_at": now, "source": "test"}
        Rate.objects.update_or_create(asset_id=asset_id, defaults=known)


def _wave(day: int) -> Decimal:
    """Between 0.85 and 1.15, the same in every run."""
    slow, quick = abs(day % 60 - 30), abs(day % 14 - 7)
    return Decimal(85 + slow // 2 + 2 * quick) / 100


def _coins(world: World, now: datetime) -> None:
    _public_keys(now)
    held = {"BTC": 150_000_000, "ETH": 4 * 10**18, "LTC": 25 * 10**8, "USDT": 48_250_750_000}
    for part in range(4):
        for number, (code, amount) in enumerate(held.items()):
            pay_in(world.customer, code, amount // 4, now=now - timedelta(days=80 - 20 * part - number))
    book = {"Cold wallet": THEIRS, "Savings": _address(7), "An exchange elsewhere": _address(8)}
    for label, address in book.items():
        entry = address_book.add(user_id=world.customer, network="bitcoin", address=address, label=label, now=now)
        world.names["entry"] = str(entry.id)
    _withdrawals(world, now)
    _deposits(world, now)


def pay_in(user_id: int, code: str, amount: int, *, now: datetime) -> UUID:
    """Coins from outside, as a deposit books them."""
    asset_id = assets.asset(code).id
    outside = accounts.open(kind="chain_wallet", asset_id=asset_id, label="test", now=now)
    own = accounts.open_customer(owner_id=user_id, asset_ids=[asset_id], now=now)[asset_id]
    entries = (Entry(outside, -amount), Entry(own, amount))
    made = uuid7()
    transfers.post(transfers=[Transfer(id=made, kind="deposit", entries=entries)], now=now)
    return made


def _withdrawals(world: World, now: datetime) -> None:
    for number, amount in enumerate(("0.05", "0.002", "0.01")):
        view = withdrawals.request(
            user_id=world.customer, asset="BTC", network="bitcoin", address=THEIRS, amount=amount,
            idempotency_key=f"page-{number}", now=now - timedelta(minutes=9 - number),
        )  # fmt: skip
        world.names["withdrawal"] = str(view.id)
    first = withdrawals.request(
        user_id=world.customer, asset="BTC", network="bitcoin", address=_address(7), amount="0.003",
        idempotency_key="page-cancelled", now=now - timedelta(hours=5),
    )  # fmt: skip
    withdrawals.cancel(user_id=world.customer, withdrawal_id=first.id, now=now)


def _deposits(world: World, now: datetime) -> None:
    """One that waits for its block, one with confirmations to come, and one long since credited."""
    shown = addresses.deposit_address(user_id=world.customer, asset="BTC", network="bitcoin", now=now).address
    row = Address.objects.get(address=shown)
    for number, (state, height) in enumerate((("seen", None), ("confirming", 800_001), ("credited", 790_000))):
        credited = now - timedelta(days=16) if state == "credited" else None
        transfer = pay_in(world.customer, "BTC", 12_500_000, now=credited) if credited else None
        made = Deposit.objects.create(
            network_id=1, asset_id=1, address=row, owner_id=world.customer, position=str(number), amount=12_500_000,
            txid=f"{number + 1:064x}", state=state, confirmations_required=3, block_height=height,
            block_hash="0" * 63 + str(number) if height else "", seen_at=credited or now - timedelta(minutes=12),
            credited_at=credited, credits=1 if credited else 0, transfer_id=transfer,
        )  # fmt: skip
        world.names["deposit"] = str(made.id)


def _account(world: World, now: datetime) -> None:
    mail_words.choose(user_id=world.customer, word="lantern", now=now)
    for label, more in (("Trading bot", {"trade": True}), ("Read only", {}), ("Treasury", {"withdraw": True})):
        made = keys.create(
            user_id=world.customer, label=label, kind="hmac", networks=("192.0.2.0/24",), now=now, **more
        )
        world.names["key"] = made.key.key_id
    # Without its signals: a new factor would end the other log-ins.
    user = {"id": websafe_encode(str(world.customer).encode())}
    credential = Passkey("https://exchange.example").create(
        {"publicKey": {"user": user, "challenge": websafe_encode(bytes(32)), "rp": {"id": "exchange.example"}}}
    )
    passkey = Authenticator(user_id=world.customer, type="webauthn", data={"name": "Laptop", "credential": credential})
    Authenticator.objects.bulk_create([passkey])
    world.names["passkey"] = str(Authenticator.objects.get(user_id=world.customer, type="webauthn").pk)
    world.names["export"] = str(exporting.request(user_id=world.customer, now=now))
    for number, amount in enumerate(("0.01", "0.25")):
        invoices.create(
            merchant_id=world.customer, asset="BTC", network="bitcoin", amount=amount, order_reference=f"order-{number}", now=now
        )  # fmt: skip
    for agent in (FIREFOX, FIREFOX.replace("X11; Linux x86_64", "Macintosh")):
        Client(HTTP_USER_AGENT=agent, HTTP_HOST="localhost").post(
            "/accounts/login/", {"login": "empty@example.com", "password": PASSWORD}
        )
    # The empty customer has begun to say who he is: one draft, so that its pages have something to show.
    application = verification.filled(world.empty, 2, now=now)
    world.names["application"] = str(application.id)


def _links(world: World, now: datetime) -> None:
    """What mails lead to; of a withdrawal from the mail itself, for nothing else knows its token."""
    found = [re.search(r"/wallet/withdrawals/confirm/([^/\s]+)/", str(each.body)) for each in mail.outbox]
    world.names["withdrawal_token"] = next(each[1] for each in reversed(found) if each)
    world.names["not_me"] = not_me.make(user_id=world.empty, sent_to="empty@example.com", about="test", now=now).split(
        "/"
    )[-2]
    somebody = User.objects.get(pk=world.empty)
    # Of another: with an address that waits, nobody may set up an app.
    waiting = EmailAddress.objects.create(user_id=world.other_staff, email="new-address@example.com", verified=False)
    world.names["confirm_email"] = EmailConfirmationHMAC(waiting).key
    world.names["reset"] = f"{user_pk_to_url_str(somebody)}-{default_token_generator.make_token(somebody)}"


def _address(number: int) -> str:
    """A good address that is nobody's here."""
    from embit import script
    from embit.networks import NETWORKS

    return str(script.Script(b"\x00\x14" + bytes([number]) * 20).address(NETWORKS["regtest"]))


def _public_keys(now: datetime) -> None:
    root = bip32.HDKey.from_seed(bytes(range(64)))
    listed = []
    for network, version, purpose in (
        ("bitcoin", b"\x04\x35\x87\xcf", "m/84'/1'"),
        ("litecoin", b"\x04\x35\x87\xcf", "m/84'/1'"),
        ("ethereum", b"\x04\x88\xb2\x1e", "m/44'/60'"),
    ):
        for number, role in enumerate(("deposit", "hot")):
            path = f"{purpose}/{number}'"
            xpub = root.derive(path).to_public().to_base58(version)
            listed.append({"network": network, "role": role, "path": path, "xpub": xpub})
    chains = {"bitcoin": "regtest", "litecoin": "regtest", "ethereum": 31337}
    document = {"version": 1, "fingerprint": root.my_fingerprint.hex(), "chains": chains, "accounts": listed}
    xpubs.import_file(document=document, now=now)
