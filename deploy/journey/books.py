"""The last check: the books, recomputed, against what the nodes themselves hold. This step looks into the database."""

from __future__ import annotations

from decimal import Decimal

from deploy.journey.person import JourneyError, patiently
from deploy.journey.stage import Stage

CODES = {1: "BTC", 2: "LTC", 3: "ETH", 4: "USDT"}


def check(stage: Stage) -> None:
    """Every asset sums to zero; the ledger verifies from its first entry; nodes and books agree to the base unit."""
    for asset_id, total, entries in stage.ask(
        "SELECT a.asset_id, sum(e.amount), count(*) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id "
        "GROUP BY 1 ORDER BY 1"
    ):
        stage.say(f"{CODES[int(str(asset_id))]:<5} {entries} entries, sum {total}")
        if total != 0:
            raise JourneyError(f"asset {asset_id} does not sum to zero")
    stage.say(stage.manage("ledger", "verify", "--quiet").strip().splitlines()[-1])
    patiently("books and nodes to agree", lambda: _agree(stage))
    booked, held = _booked(stage), _held_by_nodes(stage)
    for code, amount in held.items():
        stage.say(f"{code:<5} the nodes hold {amount} base units at our addresses, the books say {booked[code]}")
    stopped = stage.ask("SELECT scope, reason FROM ledger_stop WHERE lifted_at IS NULL")
    if stopped:
        raise JourneyError(f"something was stopped on the way: {stopped}")


def transfers(stage: Stage) -> None:
    """Prints every ledger transfer of the journey, oldest first."""
    for uuid, kind, reference, movements in stage.ask(
        "SELECT t.uuid, t.kind, t.reference, string_agg(a.kind || ' ' || a.asset_id || ' ' || e.amount, ', ' ORDER BY e.id) "
        "FROM ledger_transfer t JOIN ledger_entry e ON e.transfer_id = t.id JOIN ledger_account a ON a.id = e.account_id "
        "GROUP BY t.id, t.uuid, t.kind, t.reference ORDER BY t.id"
    ):
        stage.say(f"{str(uuid)[:13]}… {kind:<14} {str(reference)[:40]:<40} {movements}")


def _agree(stage: Stage) -> bool:
    return _booked(stage) == _held_by_nodes(stage)


def _booked(stage: Stage) -> dict[str, int]:
    rows = stage.ask(
        "SELECT asset_id, -sum(balance) FROM ledger_account WHERE kind = 'chain_wallet' GROUP BY 1 ORDER BY 1"
    )
    return {CODES[int(str(asset_id))]: int(str(amount)) for asset_id, amount in rows}


def _held_by_nodes(stage: Stage) -> dict[str, int]:
    """Asked of the nodes by address, without any of the exchange's own code."""
    addresses: dict[str, list[str]] = {"bitcoin": [], "litecoin": [], "ethereum": []}
    for network, address in stage.ask(
        "SELECT n.code, a.address FROM wallets_address a JOIN assets_network n ON n.id = a.network_id ORDER BY a.id"
    ):
        addresses[str(network)].append(str(address))
    held = {}
    for code, node, network in (("BTC", stage.bitcoind, "bitcoin"), ("LTC", stage.litecoind, "litecoin")):
        scan = node.rpc("scantxoutset", "start", [f"addr({address})" for address in addresses[network]])
        held[code] = int(Decimal(scan["total_amount"]).scaleb(8))
    held["ETH"] = sum(stage.anvil.balance(address) for address in addresses["ethereum"])
    held["USDT"] = sum(
        stage.anvil.read("TestToken", stage.token, "balanceOf", address) for address in addresses["ethereum"]
    )
    return held
