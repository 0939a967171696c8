"""How many transactions, and what fees, 1,000 withdrawals take to final: batched, against one transaction each.

Everything is real: a bitcoind on its own private chain, customers with deposits that it mined, the services as the workers run
them, and a signer of its own process, keystore and database role. Batching is compared with a sample of SINGLES withdrawals that
leave alone at the same fee rate, so the ratio is of fees for one payout. What must never happen here: a payout counted that the
chain does not show. The blocks are read afterwards, output by output, and the run fails if anything is paid twice, or not at all,
or if the books differ from the node by a satoshi.

Run by `make bench-withdrawals`; BENCH_SCALE=0.1 makes a short run of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import ground

SCALE = float(os.environ.get("BENCH_SCALE", "1"))
PAYOUTS = max(20, int(1_000 * SCALE))
SINGLES = max(10, int(100 * SCALE))
CUSTOMERS = max(5, PAYOUTS // 20)
BTC, COIN = 1, 10**8
AMOUNT, AMOUNT_TEXT = 100_000, "0.001"
DEPOSIT = COIN // 4
HOT_COINS, HOT_COIN = SINGLES + 20, COIN // 50
LIMITS = ("--asset-id", "1", "--symbol", "BTC", "--decimals", "8", "--each", "1", "--hour", "1000", "--day", "1000")
WAIT_S = 600.0


@dataclass(frozen=True)
class Run:
    """What some withdrawals took."""

    transactions: int
    fees: int
    vbytes: int
    seconds: float


@contextmanager
def signer(folder: Path) -> Iterator[Path]:
    """The real signer with a keystore of its own; yields the file of its public keys."""
    public = folder / "public.json"
    environment = {
        **{name: os.environ[name] for name in ("PATH", "REDIS_URL", "SIGNER_DATABASE_URL")},
        "HOME": str(folder),
        "PYTHONPATH": str(ground.ROOT),
        "DJANGO_SETTINGS_MODULE": "config.settings.signer",
        "LOG_LEVEL": "WARNING",
        "KEYSTORE_PATH": str(folder / "keystore"),
        "KEYSTORE_PASSPHRASE_FILE": str(folder / "passphrase"),
        "VELOCITY_LOG_PATH": str(folder / "velocity.log"),
        "BITCOIN_NETWORK": "regtest",
        "LITECOIN_NETWORK": "regtest",
        "ETHEREUM_CHAIN_ID": "31337",
    }
    for words in (("init", "--public", str(public)), ("limit", "bitcoin", *LIMITS, "--fee", "0.01")):
        subprocess.run(
            [sys.executable, str(ground.ROOT / "manage.py"), "custody", *words],
            env=environment, cwd=ground.ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    with (folder / "signer.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "custody.signer_app", "worker", "-Q", "signing", "-P", "solo",
             "-n", "signer@bench", "--without-gossip", "--without-mingle"],
            env=environment, cwd=ground.ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield public
    finally:
        process.terminate()
        process.wait(timeout=60)


class House:
    """The wallets' services, driven as the workers drive them."""

    def __init__(self, node: Any) -> None:
        self.node = node

    def open(self, public: Path) -> None:
        """Registers the public keys, and gives the hot wallet and every customer coins that the chain has."""
        from django.utils import timezone

        from exchange.assets.models import Rate
        from wallets import selectors
        from wallets.services import addresses, xpubs

        now = timezone.now()
        Rate.objects.create(asset_id=BTC, price="10000", as_of=now, fetched_at=now, source="bench")
        xpubs.import_file(document=json.loads(public.read_text()), now=now)
        self.scan()
        hot = next(view.address for view in selectors.hot_addresses() if view.network == "bitcoin")
        self.customers = range(1, CUSTOMERS + 1)
        for user in self.customers:
            given = addresses.deposit_address(user_id=user, asset="BTC", network="bitcoin", now=now).address
            self.node.send(given, DEPOSIT)
        for _ in range(HOT_COINS):
            self.node.send(hot, HOT_COIN)
        self.mine(6)

    def mine(self, count: int) -> None:
        self.node.mine(count)
        self.scan()

    def scan(self) -> None:
        from django.utils import timezone

        from wallets.services import scanning

        report = scanning.scan(network="bitcoin", now=timezone.now(), limit=2_000)
        assert not report.error, report

    def ask(self, addresses: list[str], *, key: str) -> list[UUID]:
        """One withdrawal to each of these addresses, the customers in turn."""
        from django.utils import timezone

        from wallets.services import withdrawals

        return [
            withdrawals.request(
                user_id=self.customers[number % CUSTOMERS], asset="BTC", network="bitcoin", address=address,
                amount=AMOUNT_TEXT, idempotency_key=f"{key}-{number}", now=timezone.now(),
            ).id
            for number, address in enumerate(addresses)
        ]  # fmt: skip

    def to_final(self, ids: list[UUID]) -> Run:
        """From approved to final, however many transactions that takes; what they were."""
        from wallets.models import Payout, PayoutVersion, Withdrawal

        begun = time.monotonic()
        rows = Withdrawal.objects.filter(pk__in=ids)
        self._until("broadcast", lambda: rows.filter(state="broadcast").count() == len(ids), lambda: None)
        self._until("final", lambda: rows.filter(state="final").count() == len(ids), lambda: self.mine(1))
        payouts = Payout.objects.filter(withdrawals__in=ids).distinct()
        versions = [PayoutVersion.objects.get(txid=payout.txid) for payout in payouts]
        sizes = [int(self.node.rpc("getrawtransaction", version.txid, True)["vsize"]) for version in versions]
        fees = sum(int(payout.booked_fee or 0) for payout in payouts)
        return Run(len(versions), fees, sum(sizes), time.monotonic() - begun)

    def _until(self, what: str, done: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        from django.utils import timezone

        from wallets.services import payouts

        deadline = time.monotonic() + WAIT_S
        while not done():
            if time.monotonic() > deadline:
                raise SystemExit(f"not all withdrawals became {what}")
            if not payouts.advance_all(now=timezone.now()):
                time.sleep(0.02)
            meanwhile()


def on_the_chain(node: Any, addresses: list[str]) -> Counter[str]:
    """How often the chain pays each of these addresses exactly what was asked, read from its blocks one by one."""
    wanted, paid = set(addresses), Counter[str]()
    for height in range(node.height() + 1):
        for transaction in node.rpc("getblock", node.rpc("getblockhash", height), 2)["tx"]:
            for output in transaction["vout"]:
                address = output["scriptPubKey"].get("address", "")
                if address in wanted:
                    if int(output["value"] * COIN) != AMOUNT:
                        raise SystemExit(f"{address} was paid {output['value']}")
                    paid[address] += 1
    return paid


def check_books() -> None:
    """The books verify, and equal what the node holds for us, to the satoshi."""
    from django.core.management import call_command
    from django.utils import timezone

    from exchange.ledger import reconciliation

    call_command("ledger", "verify")
    report = reconciliation.run(now=timezone.now())
    if report.mismatches or "wallets:bitcoin" in report.unreachable:
        raise SystemExit(f"the books differ from the node: {report}")


def main() -> None:
    ground.prepare("bench_withdrawals")
    from django.conf import settings

    from config.regtest import Bitcoind

    settings.WITHDRAWAL_EMAIL_CONFIRMATION = False
    settings.WALLETS_BATCH_SECONDS = 0
    folder = Path(tempfile.mkdtemp(prefix="bourse-bench-"))
    try:
        with Bitcoind(folder=folder / "node") as node, signer(folder) as public:
            settings.CHAINS["bitcoin"]["url"] = node.url
            measure(House(node), public)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(house: House, public: Path) -> None:
    from django.conf import settings

    house.open(public)
    outside = [house.node.new_address() for _ in range(PAYOUTS + SINGLES)]
    settings.WALLETS_BATCH_MAX = 1
    single = house.to_final(house.ask(outside[PAYOUTS:], key="single"))
    settings.WALLETS_BATCH_MAX = 100
    begun = time.monotonic()
    ids = house.ask(outside[:PAYOUTS], key="batched")
    asking_s = time.monotonic() - begun
    batched = house.to_final(ids)
    paid = on_the_chain(house.node, outside)
    twice = sum(count - 1 for count in paid.values())
    missing = len(outside) - len(paid)
    check_books()
    ratio = round((batched.fees / PAYOUTS) / (single.fees / SINGLES), 3)
    say("", "payouts", "transactions", "vbytes", "fees", "fee a payout", "seconds")
    say("one each (a sample)", SINGLES, *figures(single, SINGLES))
    say("batched", PAYOUTS, *figures(batched, PAYOUTS))
    print(
        f"{len(ids)} requests took {asking_s:.1f} s; fees in satoshi, at the private chain's fallback rate, the same for both;"
    )
    print(
        f"read from the chain's blocks: {len(paid)} addresses paid, {twice} twice, {missing} not at all; the books verify"
    )
    if twice or missing:
        raise SystemExit("a withdrawal was paid twice, or not at all")
    found = {
        "payouts_final": sum(paid[address] == 1 for address in outside[:PAYOUTS]),
        "paid_twice": twice,
        "transactions": batched.transactions,
        "fee_ratio_batched_to_single": ratio,
    }
    print(json.dumps({"bench": "withdrawals", "figures": found}))


def figures(run: Run, payouts: int) -> tuple[Any, ...]:
    return run.transactions, run.vbytes, run.fees, run.fees // payouts, f"{run.seconds:.1f}"


def say(*cells: Any) -> None:
    print("".join(f"{cell!s:>14}" if number else f"{cell!s:<22}" for number, cell in enumerate(cells)))


if __name__ == "__main__":
    main()
