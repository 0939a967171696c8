"""What the outputs were that a transaction spent: an input only names them.

What must never happen here: an output believed of a transaction whose bytes do not hash to the txid that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from wallets.chains.protocol import MalformedData, NodeRefused, hexadecimal, integer, text
from wallets.chains.utxo import transaction


class Keeper(Protocol):
    """Who keeps transactions' bytes."""

    def raw_transaction(self, txid: str, *, block_hash: str = "") -> bytes: ...


def told(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Outpoint → script, from `getrawtransaction` with verbosity 2; nothing from a node that does not tell them."""
    inputs = found.get("vin")
    if not isinstance(inputs, list):
        raise MalformedData("getrawtransaction gave no inputs")
    scripts: dict[str, bytes] = {}
    for each in inputs:
        output = each.get("prevout") if isinstance(each, dict) else None
        if isinstance(output, dict):
            script = output.get("scriptPubKey")
            if not isinstance(script, dict):
                raise MalformedData("getrawtransaction gave an output without a script")
            named = f"{text(each.get('txid'), 'txid')}:{integer(each.get('vout'), 'vout')}"
            scripts[named] = hexadecimal(script.get("hex"), "script")
    return scripts


def looked_up(keeper: Keeper, outpoints: Iterable[str]) -> dict[str, bytes]:
    """Outpoint → script, each from the transaction that made it; those that the keeper does not know are left out."""
    scripts: dict[str, bytes] = {}
    for outpoint in outpoints:
        txid, _, vout = outpoint.partition(":")
        try:
            made = transaction.decode(keeper.raw_transaction(txid))
        except NodeRefused:
            continue
        if made.txid != txid:
            raise MalformedData("these are the bytes of another transaction")
        if int(vout) < len(made.outputs):
            scripts[outpoint] = made.outputs[int(vout)].script
    return scripts
