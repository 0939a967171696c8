"""The world around an exchange whose processes are killed: customers with coins, miners, traffic, and the last count.

Amounts are base units. What must never happen here: two payments to one address, or one that nobody wrote down; the count at
the end could not tell them apart.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any

from config.regtest import rpc
from deploy.journey.person import JourneyError, Person, patiently
from deploy.journey.stage import Stage
from wallets.chains.evm import address as evm_address

NETWORKS = {"BTC": "bitcoin", "LTC": "litecoin", "ETH": "ethereum", "USDT": "ethereum"}
DECIMALS = {"BTC": 8, "LTC": 8, "ETH": 18, "USDT": 6}
FIRST = {"BTC": 10**8, "LTC": 50 * 10**8, "ETH": 5 * 10**18, "USDT": 20_000 * 10**6}
DEPOSIT = {"BTC": 150_000, "LTC": 5_000_000, "ETH": 2 * 10**16, "USDT": 30 * 10**6}
NEWCOMER = 500 * 10**6
WITHDRAWAL = {"BTC": 100_000, "LTC": 4_000_000, "ETH": 10**16, "USDT": 20 * 10**6}
NAMES = ("alice", "bob", "carol")
MINE_EVERY_S = 0.5
# A sweep is looked for twice a minute: a newcomer for each look is enough.
NEWCOMER_EVERY_S = 40.0
DONE = {"final"}
DEAD = {"failed", "rejected", "cancelled"}


@dataclass
class Deposit:
    name: str
    asset: str
    txid: str
    amount: int


@dataclass
class Withdrawal:
    name: str
    asset: str
    id: str
    address: str
    amount: int
    total: int


class Miner:
    """Blocks on all three chains, again and again. Held, where a chain is to be changed by hand."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.held = threading.Lock()
        self.failure: Exception | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Miner:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        if self.failure and error is None:
            raise self.failure

    def check(self) -> None:
        if self.failure:
            raise JourneyError(f"the miner stopped: {self.failure}")

    def _run(self) -> None:
        while not self._ending.wait(MINE_EVERY_S):
            try:
                with self.held:
                    self.stage.bitcoind.mine(1)
                    self.stage.litecoind.mine(1)
                    self.stage.anvil.mine(3)
            except Exception as error:
                self.failure = error
                return


@dataclass
class Customers:
    """Three people with an address for each asset, and what each was sent and sent away."""

    stage: Stage
    rng: random.Random
    people: dict[str, Person] = field(default_factory=dict)
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)

    def arrive(self, miner: Miner) -> None:
        # They move more than people whom nobody knows may; what a limit holds back has tests of its own.
        self.stage.change("UPDATE kyc_limit SET amount = NULL")
        for name in NAMES:
            self.come(name, tuple(NETWORKS))
        self.stage.say(f"{', '.join(NAMES)} have addresses for {', '.join(NETWORKS)}")
        miner.check()

    def come(self, name: str, assets: tuple[str, ...]) -> None:
        person = self.people[name] = self.stage.person(name)
        person.sign_up()
        person.log_in()
        for asset in assets:
            given = person.post("/deposit-addresses", {"asset": asset, "network": NETWORKS[asset]})
            self.addresses[name, asset] = given["address"]


@dataclass
class Traffic:
    """Deposits and withdrawals of all assets, each written down."""

    stage: Stage
    customers: Customers
    miner: Miner
    rng: random.Random
    deposits: list[Deposit] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    newcomer_at: float = 0.0

    def __post_init__(self) -> None:
        for name in NAMES:
            for asset, amount in FIRST.items():
                self.deposit(name, asset, amount)
        for name in NAMES:
            for asset in NETWORKS:
                patiently(
                    f"{name} to have {asset}", lambda who=name, what=asset: self._available(who, what), seconds=180
                )
        self.stage.say("all have coins")

    def towards(self, point: str) -> None:
        """A little of what leads a process past this point."""
        self.miner.check()
        if point.startswith("deposit.reverse"):
            self.reorganise()
        elif point.startswith(("gas", "sweep")):
            self.newcomer()
        elif point.startswith("deposit"):
            for asset in NETWORKS:
                self.deposit(self.rng.choice(NAMES), asset, DEPOSIT[asset])
        else:
            for asset in self.rng.sample(tuple(NETWORKS), 2):
                self.withdraw(self.rng.choice(NAMES), asset)

    def newcomer(self) -> None:
        """Somebody who has tokens at an address that never saw the chain's own coin: it needs gas before it can be swept."""
        if time.monotonic() - self.newcomer_at < NEWCOMER_EVERY_S:
            return
        self.newcomer_at = time.monotonic()
        name = f"newcomer-{len(self.customers.people) - len(NAMES) + 1}"
        self.customers.come(name, ("USDT",))
        self.deposit(name, "USDT", NEWCOMER)

    def deposit(self, name: str, asset: str, amount: int) -> Deposit:
        to = self.customers.addresses[name, asset]
        with self.miner.held:
            if asset == "USDT":
                txid = self.stage.anvil.transact("TestToken", self.stage.token, "transfer", [to, amount])
            elif asset == "ETH":
                txid = self.stage.anvil.send(to, amount)
            else:
                txid = (self.stage.bitcoind if asset == "BTC" else self.stage.litecoind).send(to, amount)
        self.deposits.append(Deposit(name, asset, txid, amount))
        return self.deposits[-1]

    def withdraw(self, name: str, asset: str) -> None:
        address, amount = self._fresh_address(asset), WITHDRAWAL[asset]
        body = {"asset": asset, "network": NETWORKS[asset], "address": address, "amount": _text(asset, amount)}
        person = self.customers.people[name]
        row = person.post("/withdrawals", body, idempotency_key=str(uuid.uuid4()))
        person.confirm_withdrawal(row)
        total = int(Decimal(row["total"]).scaleb(DECIMALS[asset]))
        self.withdrawals.append(Withdrawal(name, asset, row["id"], address, amount, total))

    def reorganise(self) -> None:
        """A credited deposit's block is replaced by a longer branch without it; the miner puts it into a block again."""
        deposit = self.deposit(self.rng.choice(NAMES), "BTC", DEPOSIT["BTC"])
        node = self.stage.bitcoind
        patiently("the deposit to be credited", lambda: self._state(deposit) == "credited")
        with self.miner.held:
            block = node.rpc("getrawtransaction", deposit.txid, True)["blockhash"]
            depth = node.height() - int(node.rpc("getblockheader", block)["height"]) + 1
            node.invalidate(block)
            for _ in range(depth + 1):
                node.rpc("generateblock", node.new_address(), [])
            self._send_again()

    def _send_again(self) -> None:
        """A node forgets what was in more than ten blocks that it leaves; their senders would send again, and so does this."""
        for deposit in self.deposits:
            if deposit.asset == "BTC":
                raw = self.stage.bitcoind.wallet("gettransaction", deposit.txid)["hex"]
                with contextlib.suppress(rpc.RpcError):  # it has it, or it is in a block
                    self.stage.bitcoind.rpc("sendrawtransaction", raw)

    def _fresh_address(self, asset: str) -> str:
        if asset == "BTC":
            return self.stage.bitcoind.new_address()
        if asset == "LTC":
            return self.stage.litecoind.new_address()
        return evm_address.checksummed(os.urandom(20))

    def _available(self, name: str, asset: str) -> bool:
        return Decimal(self.customers.people[name].balance(asset)["available"]) > 0

    def _state(self, deposit: Deposit) -> str:
        rows = self.customers.people[deposit.name].get("/deposits")["data"]
        return next((row["state"] for row in rows if row["txid"] == deposit.txid), "")


def _text(asset: str, amount: int) -> str:
    return f"{Decimal(amount).scaleb(-DECIMALS[asset]).normalize():f}"


def outcome(stage: Stage, customers: Customers, traffic: Traffic, *, seconds: float) -> dict[str, int]:
    """Waits until everything has come to its end, then counts. Raises JourneyError with all that is wrong."""
    stage.say(f"{len(traffic.deposits)} deposits and {len(traffic.withdrawals)} withdrawals come to their end")
    deadline = time.monotonic() + seconds
    while open_rows := _open(stage):
        if time.monotonic() > deadline:
            raise JourneyError(f"stuck: {open_rows}")
        time.sleep(1)
    wrong = [*_deposits(stage, traffic), *_withdrawals(stage, traffic), *_balances(customers, traffic), *_left(stage)]
    if wrong:
        raise JourneyError("\n  ".join(["not as it should be:", *wrong]))
    return {
        "deposits_credited": len(traffic.deposits),
        "withdrawals_final": len(traffic.withdrawals),
        "paid_twice": sum(_received(stage, each) > each.amount for each in traffic.withdrawals),
    }


def tamper(stage: Stage, traffic: Traffic) -> tuple[str, str]:
    """One address is paid once more, by other hands, and one deposit is struck out: what the count must then name."""
    paid = next(each for each in traffic.withdrawals if each.asset == "BTC")
    stage.bitcoind.send(paid.address, paid.amount)
    stage.bitcoind.mine(1)
    lost = next(each for each in traffic.deposits if each.asset == "LTC")
    stage.change(f"UPDATE wallets_deposit SET state = 'below_minimum' WHERE txid = '{lost.txid}'")
    return paid.id, lost.txid


def _open(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask(
        "SELECT 'withdrawal', state, waiting, count(*) FROM wallets_withdrawal WHERE closed_at IS NULL GROUP BY 2, 3 "
        "UNION ALL SELECT 'payout', state, kind, count(*) FROM wallets_payout WHERE closed_at IS NULL GROUP BY 2, 3 "
        "UNION ALL SELECT 'deposit', state, '', count(*) FROM wallets_deposit "
        "WHERE state IN ('seen', 'confirming', 'orphaned') OR reversal_due GROUP BY 2"
    )


def _deposits(stage: Stage, traffic: Traffic) -> list[str]:
    """Each one credited once (a reorganised one once more than it was taken back), and none that nobody sent."""
    rows = stage.ask(
        "SELECT txid, state, amount, credits - (reversed_at IS NOT NULL)::int FROM wallets_deposit WHERE owner_id IS NOT NULL"
    )
    seen = {str(txid): (str(state), int(str(amount)), int(str(net))) for txid, state, amount, net in rows}
    wrong = [
        f"{txid} was credited and nobody sent it" for txid in seen.keys() - {each.txid for each in traffic.deposits}
    ]
    for each in traffic.deposits:
        state, amount, _ = seen.get(each.txid, ("unknown", 0, 0))
        if (state, amount) != ("credited", each.amount):
            wrong.append(f"deposit {each.asset} {each.txid} of {each.amount} is {state}, {amount}")
    if len(rows) != len(seen):
        wrong.append("a deposit has two rows")
    return wrong


def _withdrawals(stage: Stage, traffic: Traffic) -> list[str]:
    """Asked of the chains: each address got its amount, once."""
    states = {str(id): str(state) for id, state in stage.ask("SELECT id, state FROM wallets_withdrawal")}
    wrong = [f"withdrawal {id} was never asked for" for id in states.keys() - {each.id for each in traffic.withdrawals}]
    for each in traffic.withdrawals:
        state, received = states.get(each.id, "unknown"), _received(stage, each)
        if state != "final" or received != each.amount:
            wrong.append(f"withdrawal {each.asset} {each.id} of {each.amount} is {state}; its address got {received}")
    return wrong


def _received(stage: Stage, each: Withdrawal) -> int:
    if each.asset == "BTC":
        return stage.bitcoind.received(each.address, confirmations=1)
    if each.asset == "LTC":
        return stage.litecoind.received(each.address, confirmations=1)
    if each.asset == "ETH":
        return stage.anvil.balance(each.address)
    return int(stage.anvil.read("TestToken", stage.token, "balanceOf", each.address))


def _balances(customers: Customers, traffic: Traffic) -> list[str]:
    wrong = []
    for name, person in customers.people.items():
        for asset in {asset for who, asset in customers.addresses if who == name}:
            came = sum(each.amount for each in traffic.deposits if (each.name, each.asset) == (name, asset))
            went = sum(each.total for each in traffic.withdrawals if (each.name, each.asset) == (name, asset))
            row: dict[str, Any] = person.balance(asset)
            if Decimal(row["balance"]).scaleb(DECIMALS[asset]) != came - went or Decimal(row["held"]):
                wrong.append(f"{name} should own {_text(asset, came - went)} {asset}: {row}")
    return wrong


def _left(stage: Stage) -> list[str]:
    """Promises that nobody keeps: coins or nonces reserved for what has ended, signing jobs without an answer."""
    (row,) = stage.ask(
        "SELECT (SELECT count(*) FROM wallets_reservation r JOIN wallets_payout p ON p.id = r.payout_id"
        "   WHERE r.released_at IS NULL AND p.state = 'released'),"
        " (SELECT count(*) FROM wallets_nonce n JOIN wallets_payout p ON p.id = n.payout_id"
        "   WHERE n.released_at IS NULL AND p.state = 'released'),"
        " (SELECT count(*) FROM custody_signing_job j WHERE NOT EXISTS (SELECT FROM custody_signature s WHERE s.job_id = j.id)"
        "   AND NOT EXISTS (SELECT FROM custody_refusal r WHERE r.job_id = j.id))"
    )
    names = ("coins reserved for a released payout", "nonces of a released payout", "signing jobs unanswered")
    return [f"{count} {name}" for name, count in zip(names, row, strict=True) if count]
