"""How many blocks a second the scanner reads and matches, without the node's own time, and what ten million addresses cost.

Full blocks are parsed and put through the same `matching.look` that the scanner calls, with the registries, the database's
confirmation of every hit and all its queries; fetching and the commit that follows are left out of the figures, the commit is
printed beside them. Each size runs in a process of its own, whose whole memory is counted. What must never happen here: a
registry that is asked for nothing it holds, or a figure of a block of which something was not found.

Run by `make bench-scan`; BENCH_SCALE=0.1 makes a short run of it, with a tenth of the addresses.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import ground, scan_blocks

DATABASE = "bench_scan"
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
SIZES = {"1k": 1_000, "1m": 1_000_000, "10m": 10_000_000}
COINS = 100_000
BLOCKS = 12
ROUNDS = 5
BITCOIN, ETHEREUM = 1, 3
LEAST = {
    "utxo_blocks_per_s_1k": 50,
    "utxo_blocks_per_s_1m": 50,
    "utxo_blocks_per_s_10m": 50,
    "evm_blocks_per_s_1m": 50,
}
MOST = {"match_ms_10m": 5, "memory_mb_10m": 400}
# The indexes that the scanner uses; the others are left out, so that ten million rows are written in a minute.
NEEDED = ("wallets_address_pkey", "wallets_address_index_once", "wallets_address_script_once")


def addresses(cursor: Any, network_id: int, start: int, end: int, xpub_id: int) -> None:
    prefix = r"'\x0014'::bytea || " if network_id == BITCOIN else ""
    cursor.execute(
        f"""
        INSERT INTO wallets_address
            (network_id, address, script, purpose, owner_id, xpub_id, branch, "index", reference, created_at)
        SELECT %s, 'bench-' || n, {prefix}substr(sha256(n::text::bytea), 1, 20), 'deposit', n, %s, 0, n, '', now()
        FROM generate_series(%s, %s) AS n
        """,
        [network_id, xpub_id, start, end - 1],
    )
    cursor.execute("UPDATE wallets_xpub SET next_index = %s WHERE id = %s", [end, xpub_id])


def accounts(cursor: Any) -> dict[int, int]:
    found = {}
    for network_id in (BITCOIN, ETHEREUM):
        cursor.execute(
            "INSERT INTO wallets_xpub (network_id, purpose, xpub, path, next_index, created_at) "
            "VALUES (%s, 'deposit', %s, 'm/84''/1''/0''', 0, now()) RETURNING id",
            [network_id, f"bench {network_id}"],
        )
        found[network_id] = cursor.fetchone()[0]
    return found


def coins(cursor: Any) -> None:
    """Coins of ours, so that finding which of a block's inputs spend one is part of the work."""
    cursor.execute("SELECT min(id) FROM wallets_address WHERE network_id = %s", [BITCOIN])
    address_id = cursor.fetchone()[0]
    cursor.execute(
        "INSERT INTO wallets_coin (network_id, txid, vout, address_id, amount, block_height, mature_height, spent_txid, spends, "
        "gone_txid) "
        "SELECT %s, encode(sha256(('coin ' || n)::bytea), 'hex'), n %% 4, %s, 1000 + n, 1, 1, '', '[]', '' "
        "FROM generate_series(0, %s) AS n",
        [BITCOIN, address_id, COINS - 1],
    )


def bare(cursor: Any) -> list[str]:
    """Takes the indexes away that filling would keep up row by row; how to make them again."""
    cursor.execute(
        "SELECT i.indexname, i.indexdef, c.conname FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname "
        "WHERE i.tablename = 'wallets_address'"
    )
    again = []
    for name, definition, constraint in cursor.fetchall():
        if name == "wallets_address_pkey":
            continue
        cursor.execute(f"ALTER TABLE wallets_address DROP CONSTRAINT {name}" if constraint else f"DROP INDEX {name}")
        if name in NEEDED:
            again.append(definition)
    return again


def rss_mb() -> tuple[float, float]:
    """(now, at the most) of this process."""
    status = Path("/proc/self/status").read_text()
    found = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Vm")}
    return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024


def measure(size: str) -> dict[str, float]:
    """In a process of its own: fills the registries, then parses and matches. The figures of this size."""
    connect()
    watched = watched_of(size)
    from wallets.services import watching

    before, _ = rss_mb()
    began = time.perf_counter()
    watch = watching.of(BITCOIN).refresh()
    coin_set = watching.coins(BITCOIN).refresh()
    began = time.perf_counter() - began
    assert len(watch) == watched and len(coin_set) == COINS, (len(watch), len(coin_set))
    gc.collect()
    gc.freeze()
    parse_ms, match_ms, busy_ms = utxo(watched)
    now_mb, most_mb = rss_mb()
    print(
        f"{size}: start-up {began:.1f} s, parse {parse_ms:.2f} ms, match {match_ms:.2f} ms "
        f"({busy_ms:.2f} of our processor's), memory {now_mb:.0f} MB ({before:.0f} before, {most_mb:.0f} at the most)",
        file=sys.stderr,
    )
    figures = {
        f"utxo_blocks_per_s_{size}": 1_000 / (parse_ms + match_ms),
        f"start_s_{size}": began,
        f"match_ms_{size}": match_ms,
        f"memory_mb_{size}": now_mb,
    }
    if size == "1m":
        figures["evm_blocks_per_s_1m"] = evm(watched)
    return figures


def utxo(watched: int) -> tuple[float, float, float]:
    """(parse, match, match by the processor's clock) of one block in milliseconds: the median of every block's fastest round."""
    from wallets import routes
    from wallets.chains.utxo import block
    from wallets.services import matching

    bitcoin = routes.of("bitcoin")
    made = [scan_blocks.utxo(seed, watched, COINS) for seed in range(BLOCKS)]
    parsing: list[float] = []
    looking: list[float] = []
    busy: list[float] = []
    for raw, block_hash in made:
        parse_s, look_s, busy_s = [], [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            parsed = block.parse(raw, height=1, block_hash=block_hash)
            middle, worked = time.perf_counter(), time.thread_time()
            found = matching.look(chain=None, routes=bitcoin, block=parsed)
            ended = time.perf_counter()
            busy_s.append(time.thread_time() - worked)
            parse_s.append(middle - began)
            look_s.append(ended - middle)
            assert len(parsed) == scan_blocks.TRANSACTIONS and len(found.credits) == scan_blocks.OURS, len(
                found.credits
            )
            assert len(found.spends) == scan_blocks.OURS, len(found.spends)
        parsing.append(min(parse_s))
        looking.append(min(look_s))
        busy.append(min(busy_s))
    return statistics.median(parsing) * 1e3, statistics.median(looking) * 1e3, statistics.median(busy) * 1e3


def evm(watched: int) -> float:
    """EVM blocks a second, with the reading of their JSON."""
    from exchange.assets.services import networks
    from wallets import routes
    from wallets.chains import nested
    from wallets.chains.evm import block
    from wallets.services import matching, watching

    token = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    networks.set_contract(asset="USDT", network="ethereum", contract=token, replace=True, now=datetime.now(UTC))
    ethereum = routes.of("ethereum")
    assert len(watching.of(ETHEREUM).refresh()) == watched
    taken = []
    for seed in range(BLOCKS):
        head, receipts = scan_blocks.evm(seed, watched, token)
        rounds = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            parsed = block.parse(nested.loads(head)["result"], nested.loads(receipts)["result"])
            found = matching.look(chain=None, routes=ethereum, block=parsed)
            rounds.append(time.perf_counter() - began)
            assert len(parsed) == scan_blocks.EVM_TRANSACTIONS
            assert len(found.credits) >= scan_blocks.OURS, len(found.credits)
        taken.append(min(rounds))
    return 1 / statistics.median(taken)


def watched_of(size: str) -> int:
    return max(1_000, int(SIZES[size] * SCALE)) if size != "1k" else SIZES[size]


def connect() -> None:
    """Django on the database that the parent prepared."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django

    django.setup()


def run() -> dict[str, float]:
    ground.prepare(DATABASE)
    import psycopg2

    figures: dict[str, float] = {}
    owner = psycopg2.connect(os.environ["DATABASE_OWNER_URL"])
    owner.autocommit = True
    with owner.cursor() as cursor:
        xpubs = accounts(cursor)
        again = bare(cursor)
        filled = 0
        for size in SIZES:
            watched = watched_of(size)
            for definition in again:
                cursor.execute(f"DROP INDEX IF EXISTS {definition.split()[3]}")
            addresses(cursor, BITCOIN, filled, watched, xpubs[BITCOIN])
            if size == "1m":
                addresses(cursor, ETHEREUM, 0, watched, xpubs[ETHEREUM])
            if not filled:
                coins(cursor)
            filled = watched
            for definition in again:
                cursor.execute(definition)
            cursor.execute("VACUUM ANALYZE wallets_address")
            cursor.execute("ANALYZE wallets_coin")
            figures |= child(size)
    owner.close()
    return figures


def child(size: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scan", "--size", size]
    done = subprocess.run(command, cwd=ground.ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES)
    size = parser.parse_args().size
    if size is not None:
        print(json.dumps(measure(size)))
        return
    figures = {name: round(value, 2) for name, value in run().items()}
    missed = [f"{name} {figures[name]} < {least}" for name, least in LEAST.items() if figures[name] < least]
    missed += [f"{name} {figures[name]} > {most}" for name, most in MOST.items() if figures[name] > most]
    if missed:
        print(f"beside the target: {', '.join(missed)}")
    print(json.dumps({"bench": "scan", "figures": figures}))


if __name__ == "__main__":
    main()
