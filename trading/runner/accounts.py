"""Which ledger accounts a customer trades with: asked once of the ledger, then remembered, for an account never changes.

What must never happen here: a balance, or an account remembered that was never found.
"""

from __future__ import annotations

from collections.abc import Iterable

from exchange.ledger import selectors as ledger

CUSTOMERS_MAX = 500_000


class Directory:
    """Account ids by customer and asset."""

    def __init__(self) -> None:
        self._known: dict[int, dict[int, int]] = {}

    def pair(self, user_id: int, base_asset_id: int, quote_asset_id: int) -> tuple[int, int] | None:
        """The customer's accounts in both assets, as far as `learn` has seen them; None where one is not open."""
        known = self._known.get(user_id)
        if known is None or base_asset_id not in known or quote_asset_id not in known:
            return None
        return known[base_asset_id], known[quote_asset_id]

    def learn(self, user_ids: Iterable[int]) -> None:
        """Ask for these customers' accounts, all in one query."""
        found = ledger.account_ids_of(owner_ids=user_ids)
        if len(self._known) + len(found) > CUSTOMERS_MAX:
            self._known.clear()
        self._known.update(found)
