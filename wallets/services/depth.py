"""When a block is deep enough to be relied on: by the network's own word where it gives one, by confirmations elsewhere.

What must never happen here: two answers. Credits and settlements ask the same question. Nor a customer who waits less for
many small deposits than for the one large one that they are together.
"""

from __future__ import annotations

from django.db.models import F, IntegerField, Q, Sum
from django.db.models.functions import Cast

from exchange.assets.selectors import AssetNetworkView
from wallets.models import Cursor, Deposit
from wallets.routes import Routes


def deep_enough(routes: Routes, cursor: Cursor) -> Q:
    """For rows with `block_height` and `confirmations_required`: those that may be relied on while the cursor stands here."""
    if not routes.network.finalized:
        return Q(block_height__lte=cursor.height + 1 - Cast(F("confirmations_required"), IntegerField()))
    if cursor.finalized_height is None:
        return Q(block_height__lt=0)
    return Q(block_height__lte=min(cursor.finalized_height, cursor.height))


def final_height(routes: Routes, cursor: Cursor, *, confirmations: int) -> int | None:
    """The highest block that `deep_enough` would call so for these confirmations; None where there is none yet."""
    if routes.network.finalized:
        return None if cursor.finalized_height is None else min(cursor.finalized_height, cursor.height)
    return cursor.height + 1 - confirmations


def confirmations(link: AssetNetworkView, *, owner_id: int | None, amount: int, height: int) -> int:
    """Blocks before what a block at this height brings to one owner is relied on; `amount` is all of it together.

    What came to him in the blocks before counts as well, as far back as the largest deposits wait: so whatever one reorganisation
    can take back of what he was credited with is never worth more than its depth. The house's own arrivals stand alone.
    """
    if owner_id is None or len(link.depths) == 1:
        return link.confirmations_for(amount)
    others = (
        Deposit.objects.filter(owner_id=owner_id, network_id=link.network_id, asset_id=link.asset_id)
        .filter(state__in=(Deposit.State.CONFIRMING, Deposit.State.CREDITED, Deposit.State.HELD))
        .filter(block_height__gt=height - link.depths[-1])
        .exclude(block_height=height)
    )
    return link.confirmations_for(amount + int(others.aggregate(sum=Sum("amount"))["sum"] or 0))
