"""Opens a new customer's accounts in the ledger: accounts below announces the customer, the ledger beside keeps the book.

What must never happen here: a customer without an account for an asset that is listed.
"""

from datetime import datetime

from exchange.assets import selectors
from exchange.ledger.services import accounts as ledger_accounts


def open_accounts(user_id: int, now: datetime) -> None:
    """One account for each asset, those switched off included; harmless to repeat."""
    asset_ids = [asset.id for asset in selectors.assets(enabled_only=False)]
    ledger_accounts.open_customer(owner_id=user_id, asset_ids=asset_ids, now=now)
