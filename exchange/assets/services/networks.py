"""How an asset moves over a network: what staff and set-up may change."""

from __future__ import annotations

from exchange.core.errors import InvalidRequest


class ContractInvalid(InvalidRequest):
    code = "contract_invalid"
