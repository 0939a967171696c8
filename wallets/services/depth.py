"""When a block is deep enough to be relied on: by the network's own word where it gives one, by confirmations elsewhere.

What must never happen here: two answers. Credits and settlements ask the same question.
"""

from __future__ import annotations

from django.db.models import F, IntegerField, Q
from django.db.models.functions import Cast

from wallets.models import Cursor
from wallets.routes import Routes


def deep_enough(routes: Routes, cursor: Cursor) -> Q:
    """For rows with `block_height` and `confirmations_required`: those that may be relied on while the cursor stands here."""
    if not routes.network.finalized:
        return Q(block_height__lte=cursor.height + 1 - Cast(F("confirmations_required"), IntegerField()))
    if cursor.finalized_height is None:
        return Q(block_height__lt=0)
    return Q(block_height__lte=min(cursor.finalized_height, cursor.height))
