"""Opens the demo's people and addresses, and says which payments from outside they wait for. Safe to repeat.

What must never happen here: a balance. Whoever runs the demo sends the payments on the chains; the wallets find them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange.accounts import selectors as accounts
from exchange.accounts.second_factors import enrolling, selectors
from exchange.accounts.services import customers, staff
from exchange.assets import selectors as assets
from exchange.assets.services import networks
from exchange.site.demo import cast, refuse_production
from kyc import selectors as kyc
from kyc.services import levels
from wallets import selectors as wallets
from wallets.services import addresses, xpubs


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment that the demo waits for. `id` stays the same whenever it is asked again; `amount` in base units."""

    id: str
    network: str
    asset: str
    address: str
    amount: int


@dataclass(frozen=True, slots=True)
class LogIn:
    email: str
    password: str
    factor: str = ""  # the secret of an authenticator app, which `make code` then plays


def seed(
    *, customer: LogIn, member_of_staff: LogIn, token: str, keys: Mapping[str, Any], now: datetime
) -> list[Payment]:
    """Everything the demo needs in the database. `keys` is the signer's public document, `token` the contract of USDT."""
    refuse_production()
    _token(token, now=now)
    if not wallets.hot_addresses():
        xpubs.import_file(document=dict(keys), now=now)
    if accounts.by_email(member_of_staff.email) is None:
        staff.open(
            email=member_of_staff.email,
            password=member_of_staff.password,
            display_name="Demo staff",
            superuser=True,
            now=now,
        )
    _factor(member_of_staff)
    _offices(member_of_staff, now=now)
    payments = _house()
    payments += _customer(customer.email, customer.password, "Demo customer", cast.CUSTOMERS_FUNDS, level=2, now=now)
    for trader in cast.TRADERS:
        # Nobody logs in as a demo trader: the password is thrown away.
        password = secrets.token_urlsafe(32)
        payments += _customer(trader.email, password, trader.display_name, cast.TRADERS_FUNDS, level=4, now=now)
    _factor(customer)
    return payments


def _offices(member_of_staff: LogIn, *, now: datetime) -> None:
    """One of each office, with the password and the authenticator app of the demo's first member of staff."""
    domain = member_of_staff.email.partition("@")[2]
    for office in cast.OFFICES:
        log_in = LogIn(f"{office.lower()}@{domain}", member_of_staff.password, member_of_staff.factor)
        if accounts.by_email(log_in.email) is None:
            staff.open(
                email=log_in.email,
                password=log_in.password,
                display_name=f"Demo {office.lower()}",
                offices=[office],
                now=now,
            )
        _factor(log_in)


def _factor(log_in: LogIn) -> None:
    """The authenticator app of somebody who has no factor yet."""
    person = accounts.by_email(log_in.email)
    if log_in.factor and person is not None and not selectors.has_factor(person.id):
        enrolling.totp(user_id=person.id, secret=log_in.factor)


def _token(contract: str, *, now: datetime) -> None:
    network = cast.NETWORKS["USDT"]
    if assets.asset_network(asset="USDT", network=network).contract.lower() != contract.lower():
        networks.set_contract(asset="USDT", network=network, contract=contract, replace=True, now=now)


def _customer(
    email: str, password: str, name: str, funds: Mapping[str, int], *, level: int, now: datetime
) -> list[Payment]:
    """A demo customer at a level whose limits let the funds in; traders at the one without limits."""
    person = accounts.by_email(email)
    user_id = (
        person.id
        if person is not None
        else customers.open(email=email, password=password, email_verified=True, display_name=name, now=now)
    )
    if kyc.level(user_id).number < level:
        levels.assign(user_id=user_id, level=level, reason="Part of the demo", actor_id=None, now=now)
    payments = []
    for asset, amount in funds.items():
        network = cast.NETWORKS[asset]
        address = addresses.deposit_address(user_id=user_id, asset=asset, network=network, now=now).address
        payments.append(Payment(f"{email} {asset}", network, asset, address, amount))
    return payments


def _house() -> list[Payment]:
    """What the hot wallet starts with; the books show it as the house's own capital."""
    hot = {view.network: view.address for view in wallets.hot_addresses()}
    return [
        Payment(f"house {asset}", cast.NETWORKS[asset], asset, hot[cast.NETWORKS[asset]], amount)
        for asset, amount in cast.HOUSE_FUNDS.items()
    ]
