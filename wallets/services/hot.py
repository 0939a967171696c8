"""Which address of ours sends now, by which path the signer finds its key, and what one transaction may cost.

What must never happen here: an address of a retired account chosen to send or to take change, or a fee without a cap where the
operator set one.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from wallets.models import Address, Withdrawal
from wallets.routes import Routes


class CannotReserve(Exception):
    """Not now; `why` is the word that the withdrawal shows until it can."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def address(network_id: int, *, lock: bool = False) -> Address | None:
    """The current hot address: where change goes on a UTXO chain, who sends on the others. None before there is one."""
    rows = Address.objects.select_related("xpub").filter(
        network_id=network_id, purpose=Address.Purpose.HOT, xpub__retired_at=None
    )
    if lock:
        rows = rows.select_for_update(of=("self",))
    return rows.order_by("-branch").first()


def path(address: Address) -> str:
    """The derivation path that the signer takes; a cold address's below its wallet. Reads address.xpub."""
    if address.purpose == Address.Purpose.COLD:
        return f"cold/{address.branch}/{address.index}"
    assert address.xpub is not None
    return f"{address.xpub.path}/{address.branch}/{address.index}"


def fee_cap(routes: Routes, withdrawals: Iterable[Withdrawal] = ()) -> int | None:
    """The most one transaction may cost, in the chain's own coin; None without a limit.

    WALLETS_FEE_CAP is the house's limit a transaction, by network, or by family for one that is not named. Where the customers
    pay their fee in the same coin, it is at most WALLETS_FEE_CAP_SHARE percent of what they agreed to as well: the house does
    not pay any price for them.
    """
    caps = []
    limits = getattr(settings, "WALLETS_FEE_CAP", {})
    absolute = limits.get(routes.network.code, limits.get(routes.network.family))
    if absolute is not None:
        caps.append(int(absolute))
    share = getattr(settings, "WALLETS_FEE_CAP_SHARE", None)
    agreed = [each.fee for each in withdrawals if each.asset_id == routes.own_coin.asset_id]
    if share is not None and sum(agreed):
        caps.append(sum(agreed) * int(share) // 100)
    return min(caps, default=None)
