"""The withdraw page before anything is asked for: over which networks, at what fee, to which addresses of one's own list.

Nothing here moves money, and nothing here is the judge: the wallets room quotes and checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from exchange.accounts import selectors as accounts
from exchange.assets import selectors as assets
from exchange.core.errors import Unavailable
from exchange.ledger import selectors as ledger
from exchange.site.selectors import health
from wallets import selectors as wallets
from wallets.services import address_book, quoting


class NotWithdrawable(Unavailable):
    """The asset moves over no network that is switched on."""

    code = "withdrawals_unavailable"


@dataclass(frozen=True, slots=True)
class Route:
    """One network the asset can leave over, and how long that usually takes."""

    link: assets.AssetNetworkView
    usual_s: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What one asset's withdraw page needs to know; amounts in base units. `book` holds the list's addresses of its networks."""

    asset: assets.AssetView
    routes: tuple[Route, ...]
    available: int
    down: tuple[wallets.NetworkHealthView, ...]
    recent: tuple[wallets.WithdrawalView, ...]
    codes: tuple[str, ...]
    book: tuple[address_book.Entry, ...]
    mode: address_book.Mode
    email_confirmation: bool
    paused_until: datetime | None

    @property
    def links(self) -> tuple[assets.AssetNetworkView, ...]:
        return tuple(route.link for route in self.routes)

    def link(self, network: str) -> assets.AssetNetworkView:
        """The chosen network's terms; raises NetworkNotFound."""
        found = next((link for link in self.links if link.network == network), None)
        return found or assets.asset_network(asset=self.asset.code, network=network)


def terms(*, user_id: int, asset: str, now: datetime) -> Terms:
    """Raises AssetNotFound, NotWithdrawable."""
    found = assets.asset(asset)
    moving = assets.asset_networks()
    links = tuple(link for link in moving if link.asset_id == found.id)
    if not links:
        raise NotWithdrawable(f"{found.code} cannot be withdrawn at the moment.", param="asset")
    available = next((each.available for each in ledger.balances(owner_id=user_id) if each.asset_id == found.id), 0)
    names = {link.network for link in links}
    return Terms(
        asset=found,
        routes=tuple(Route(link, quoting.usual_s(link)) for link in links),
        available=available,
        down=tuple(each for each in health.silent(now) if each.network in names),
        recent=tuple(wallets.withdrawals(user_id, asset=asset, limit=5)),
        codes=tuple(each.code for each in assets.assets() if any(link.asset_id == each.id for link in moving)),
        book=tuple(each for each in address_book.listing(user_id, now=now) if each.network in names),
        mode=address_book.mode(user_id, now=now),
        email_confirmation=settings.WITHDRAWAL_EMAIL_CONFIRMATION,
        paused_until=accounts.paused_until(user_id, now),
    )
