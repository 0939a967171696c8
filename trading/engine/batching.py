"""A batch: match everything on credit, lock the accounts of all it touched, then judge who can pay.

Matching first is what lets all accounts, takers' and makers', be locked at once and in one order. Where somebody falls
short, everything from that command on is undone and matched again without it, each command now judged as it comes.
Matching on credit and judging are two steps, so that a batch may be matched while the one before it is being committed.
What must never happen here: an event given out that the locked balances do not cover.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from trading.engine.commands import Command
from trading.engine.events import Event, Refused, Traded
from trading.engine.funds import AccountNotLocked, Funds, Standing, accounts_of, gather_accounts
from trading.engine.matching import Engine

TRADES_PER_BATCH_MAX = 3_000
ACCOUNTS_PER_BATCH_MAX = 10_000  # before its last command: a market's stops may be those of many customers

Lock = Callable[[Collection[int]], Mapping[int, Standing]]


class Matched(NamedTuple):
    """One list of events a command, for the commands that were taken; the rest waits for the next batch."""

    events: list[list[Event]]
    funds: Funds


class OnCredit(NamedTuple):
    """Commands matched as if everybody could pay: what came of each, the mark before each, and whom they touched."""

    start: int
    marks: list[int]
    events: list[list[Event]]
    accounts: set[int]


class MoreAccountsNeeded(Exception):
    """After a refusal, others met makers whose accounts are not locked. Lock these as well, from the beginning."""

    def __init__(self, accounts: set[int]) -> None:
        super().__init__(f"{len(accounts)} accounts")
        self.accounts = accounts


def match(engine: Engine, commands: Sequence[Command], lock: Lock, *, also: Collection[int] = ()) -> Matched:
    """Match the commands, or as many of them as one batch may fill. On any error the engine is as it was before.

    `lock` is called once, with every account the batch touches and those in `also`. Raises MoreAccountsNeeded, which a
    batch of a single command never does.
    """
    start = engine.mark()
    try:
        credit = on_credit(engine, commands, also=also)
        return judge(engine, commands, credit, lock(credit.accounts))
    except BaseException:
        engine.undo(start)
        raise


def on_credit(engine: Engine, commands: Sequence[Command], *, also: Collection[int] = ()) -> OnCredit:
    """Match the commands, or as many of them as one batch may fill, without a look at what anybody has."""
    credit = OnCredit(engine.mark(), [], [], set(also))
    trades = 0
    for command in commands:
        if trades >= TRADES_PER_BATCH_MAX or (credit.events and len(credit.accounts) >= ACCOUNTS_PER_BATCH_MAX):
            break
        credit.marks.append(engine.mark())
        done = engine.apply(command)
        credit.events.append(done)
        gather_accounts(done, credit.accounts)
        trades += _trades(done)
    return credit


def judge(engine: Engine, commands: Sequence[Command], credit: OnCredit, standings: Mapping[int, Standing]) -> Matched:
    """Who of them can pay, as the locked rows say? Nothing after them may have been matched.

    Raises MoreAccountsNeeded; the engine then has to be undone to `credit.start` by who calls.
    """
    funds, events = Funds(standings), credit.events
    for place, done in enumerate(events):
        if code := funds.judge(done):
            engine.undo(credit.marks[place])
            rest = commands[place + 1 : len(events)]
            events[place:] = [[Refused(code)]]
            _one_by_one(engine, rest, events, funds, credit.accounts)
            break
    return Matched(events, funds)


def _one_by_one(
    engine: Engine, commands: Sequence[Command], events: list[list[Event]], funds: Funds, locked: set[int]
) -> None:
    trades = sum(_trades(done) for done in events)
    for command in commands:
        if trades >= TRADES_PER_BATCH_MAX:
            break
        mark = engine.mark()
        done = engine.apply(command)
        try:
            funds.require(done)
        except AccountNotLocked as error:
            raise MoreAccountsNeeded(locked | accounts_of(done)) from error
        if code := funds.judge(done):
            engine.undo(mark)
            done = [Refused(code)]
        events.append(done)
        trades += _trades(done)


def _trades(events: list[Event]) -> int:
    return sum([isinstance(event, Traded) for event in events]) if len(events) > 2 else 0
