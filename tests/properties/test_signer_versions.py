"""What the signer takes for a later version of what, against the plainest reference: every set of signed transactions is tried.

Transactions that share an input exclude each other, and that is all the reference knows. Whatever was signed in whatever
order, no two that pay one withdrawal can both be mined, and what the log counts bounds what can leave. And the other way round:
a machine that only helps its own transactions along, or takes them back, is never refused.
"""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody import admission
from custody.accounts import Accounts
from custody.cold_addresses import ColdAddresses
from custody.examine import Kept, Knowledge, Paid, Reading, Refused
from custody.limits import Limit
from custody.velocity import VelocityLog
from wallets.chains import registry

BITCOIN = registry.rules("bitcoin", network="regtest")
ENDLESS = 10**15
KNOWLEDGE = Knowledge(
    None,
    {"bitcoin": BITCOIN},
    {"bitcoin": 1},
    {"bitcoin": Limit(1, "BTC", 8, ENDLESS, ENDLESS, ENDLESS, ENDLESS)},
    Accounts(),
    ColdAddresses(),
)
# Each withdrawal and each fee is another power of two, so no two sums are alike by chance.
WORTH = {"one": 1 << 20, "two": 1 << 21, "three": 1 << 22}


class Memory(VelocityLog):
    """The log without its file: what it answers is the same."""

    def __init__(self, entries=()):
        super().__init__(Path("nowhere"), -1, b"")
        for entry in entries:
            self.reserve(entry)

    def reserve(self, entry):
        self._accept(entry, b"")


def job(kind, coins, withdrawals=(), fee=1):
    paid = tuple(Paid(each, "somewhere", WORTH[each]) for each in withdrawals)
    return kind, Reading(
        None, BITCOIN, "bitcoin", "bitcoin", paid, (Kept("hot", 1),), fee, {f"bitcoin:{coin}": "9" for coin in coins}
    )


def sign(log, wanted, number):
    """Signs one job as the signer would. Raises Refused."""
    kind, reading = wanted
    admission.check_kind(kind, reading, knowledge=KNOWLEDGE)
    log.reserve(
        admission.reservation(
            kind, reading, job_id=f"job{number}", content="", log=log, knowledge=KNOWLEDGE, now=number
        )
    )


def minable(entries):
    """Every set of transactions that could all be mined: no two of them share an input."""
    for count in range(1, len(entries) + 1):
        for chosen in combinations(entries, count):
            if all(not one.spends.keys() & two.spends.keys() for one, two in combinations(chosen, 2)):
                yield chosen


def check(log, entries):
    most = 0
    for chosen in minable(entries):
        paid = [withdrawal for entry in chosen for withdrawal in entry.withdrawals]
        assert len(paid) == len(set(paid)), [(entry.withdrawals, [*entry.spends], entry.replaces) for entry in entries]
        most = max(most, sum(entry.charges["bitcoin"] for entry in chosen))
    assert log.charged("bitcoin", since=-1) >= most


def subsets(things, most):
    return [chosen for count in range(1, most + 1) for chosen in combinations(things, count)]


JOBS = [
    *(job("payout", coins, paid) for coins in subsets("ABC", 2) for paid in subsets(("one", "two"), 2)),
    *(job("replacement", coins, paid, 2) for coins in subsets("ABC", 2) for paid in [(), *subsets(("one", "two"), 2)]),
    *(job("cancel", coins, (), 4) for coins in subsets("ABC", 2)),
    *(job("consolidation", coins) for coins in subsets("ABC", 2)),
]


def test_every_three_jobs_over_three_coins_in_every_order():
    stack = [()]
    signed = 0
    while stack:
        before = stack.pop()
        for wanted in JOBS:
            log = Memory(before)
            try:
                sign(log, wanted, len(before))
            except Refused:
                continue
            entries = (*before, log.job(f"job{len(before)}"))
            check(log, entries)
            signed += 1
            if len(entries) < 3:
                stack.append(entries)
    assert signed > 5_000


jobs = st.builds(
    job,
    st.sampled_from(["payout", "replacement", "replacement", "cancel", "consolidation"]),
    st.sets(st.sampled_from("ABCDE"), min_size=1, max_size=3).map(sorted),
    st.sets(st.sampled_from(sorted(WORTH)), max_size=2).map(sorted),
    st.integers(0, 12).map(lambda bit: 1 << bit),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(jobs, max_size=25))
def test_no_sequence_of_jobs_pays_a_withdrawal_twice_or_leaves_uncounted(sequence):
    log, entries = Memory(), []
    for number, wanted in enumerate(sequence):
        try:
            sign(log, wanted, number)
        except Refused:
            continue
        entries.append(log.job(f"job{number}"))
        check(log, entries)
        if len(entries) == 9:
            return


class Machine:
    """An honest house: what it asks for is never refused."""

    def __init__(self):
        self.log, self.free, self.open, self.asked, self.paid = Memory(), set("ABCDEFGH"), [], 0, 0

    def ask(self, wanted):
        sign(self.log, wanted, self.asked)
        self.asked += 1

    def begin(self, draw, pays):
        if not self.free:
            return
        coins = draw(st.sets(st.sampled_from(sorted(self.free)), min_size=1, max_size=2))
        withdrawals = ()
        if pays:
            withdrawals, self.paid = (f"w{self.paid}",), self.paid + 1
            WORTH[withdrawals[0]] = 1_000
        self.ask(job("payout" if pays else "consolidation", sorted(coins), withdrawals))
        self.free -= coins
        self.open.append([withdrawals, [coins], False])

    def again(self, draw, cancel):
        waiting = [each for each in self.open if not (each[2] and not cancel)]
        if not waiting:
            return
        payout = draw(st.sampled_from(waiting))
        withdrawals, versions, _ = payout
        newest = versions[-1]
        if cancel:
            payout[2] = True
            self.ask(job("cancel", sorted(newest), (), 2))
            versions.append(newest)
            return
        added = draw(st.sets(st.sampled_from(sorted(self.free)), max_size=1)) if self.free else set()
        self.ask(job("replacement", sorted(newest | added), withdrawals, 2))
        self.free -= added
        versions.append(newest | added)

    def mine(self, draw):
        if not self.open:
            return
        payout = draw(st.sampled_from(self.open))
        self.open.remove(payout)
        mined = draw(st.sampled_from(payout[1]))
        # What a later version added and the mined one left lies there again for another.
        self.free |= set().union(*payout[1]) - mined


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_an_honest_machine_is_never_refused(data):
    machine = Machine()
    for step in data.draw(
        st.lists(st.sampled_from(["pay", "pay", "move", "bump", "bump", "cancel", "mine"]), max_size=25)
    ):
        match step:
            case "pay" | "move":
                machine.begin(data.draw, step == "pay")
            case "bump" | "cancel":
                machine.again(data.draw, step == "cancel")
            case "mine":
                machine.mine(data.draw)


@pytest.mark.parametrize("pays", [True, False])
@pytest.mark.parametrize("then", ["replacement", "cancel"])
def test_a_coin_that_a_bump_added_and_gave_back_makes_no_version(pays, then):
    log = Memory()
    first, later = (("one",), ("two",)) if pays else ((), ())
    kind = "payout" if pays else "consolidation"
    sign(log, job(kind, "A", first), 0)
    sign(log, job("replacement", "AB", first, 2), 1)  # the first one is mined; B is free again
    sign(log, job(kind, "B", later), 2)
    sign(log, job(then, "B", later if then == "replacement" else (), 64), 3)
    assert log.job("job3").replaces == "job2"
    worth = WORTH["two"] if pays and then == "replacement" else 0
    dearest = max(worth + 64, (WORTH["two"] if pays else 0) + 1)
    assert log.charged("bitcoin", since=1) == dearest
