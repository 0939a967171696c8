"""A service written once, waited for in two ways: by an event loop, or by a thread.

A service is a generator of steps. It yields what has to be waited for, a question to the engine or work with the database,
and gets the answer back, or the error thrown where it yielded. `run` does the steps in an event loop, the database's part in
the threads that keep their connections; `run_sync` does them in the calling thread, on its own connection and inside its own
transaction.
What must never happen here: a judgement. This waits, and hands on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeVar

from exchange.accounts.api import threads
from trading.services import line

T = TypeVar("T")


class Ask(NamedTuple):
    """One command to the engine of a shard; the answer is its reply."""

    shard: int
    encode: line.Encode


class AskMany(NamedTuple):
    """Several, in one trip; the answer is a list of replies, an error in the place of a reply that there is none of."""

    asked: Sequence[tuple[int, line.Encode]]


class Work(NamedTuple):
    """Something that blocks, as the database does; the answer is its result."""

    do: Callable[..., Any]
    named: dict[str, Any]


Step = Ask | AskMany | Work
Steps = Generator[Step, Any, T]


def work(do: Callable[..., Any], **named: Any) -> Work:
    return Work(do, named)


async def run(steps: Steps[T]) -> T:
    """Do the steps in the running event loop."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await _answer(step)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


async def _answer(step: Step) -> Any:
    if type(step) is Ask:
        return await line.ask(shard=step.shard, encode=step.encode)
    if type(step) is AskMany:
        return await line.ask_many(step.asked)
    return await threads.run(step.do, **step.named)  # type: ignore[union-attr]


def run_sync(steps: Steps[T]) -> T:
    """Do the steps in this thread."""
    try:
        step = next(steps)
        while True:
            try:
                answer = _answer_sync(step)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def _answer_sync(step: Step) -> Any:
    if type(step) is Ask:
        return line.ask_sync(shard=step.shard, encode=step.encode)
    if type(step) is AskMany:
        return line.ask_many_sync(step.asked)
    return step.do(**step.named)  # type: ignore[union-attr]
