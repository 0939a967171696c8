"""The tiers of fees, for whoever shows them. What a customer pays now is said by trading.selectors.fees."""

from __future__ import annotations

from exchange.core import amounts
from trading.models import FeeTier
from trading.presentation import TierView
from trading.selectors import USD_DECIMALS


def tiers() -> list[TierView]:
    """Every tier, lowest first. One query."""
    return [
        TierView(
            name=row.name,
            volume_from=amounts.format(int(row.volume_from), decimals=USD_DECIMALS),
            maker_fee=amounts.format(row.maker_fee_ppm, decimals=6),
            taker_fee=amounts.format(row.taker_fee_ppm, decimals=6),
        )
        for row in FeeTier.objects.order_by("volume_from")
    ]
