"""Brings statements to the database in a thread of its own, in their order, while the caller composes the next ones.

One transaction's statements need no answer from one another, so the engine need not stand still while each is executed.
What must never happen here: a statement carried out after one that failed, or two threads on one connection. Whoever wants
the connection for itself calls `wait`, or `abandon` where the transaction is to be rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Courier:
    """Jobs on one connection, one after another. After one that raised, all others raise the same, until `abandon`."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._failed: BaseException | None = None
        self._here = False
        self._thread = Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def go_oneself(self, here: bool) -> None:
        """Whether what is sent from now on is done at once, by the caller: for a few commands, handing ten statements over and
        back takes longer than they do. Only while everything sent before is done."""
        self._here = here

    def send(self, job: Callable[..., Answer], *args: Any, **named: Any) -> Future[Answer]:
        """Have it done after everything sent before."""
        answer: Future[Answer] = Future()
        if self._here:
            self._do(answer, lambda: job(*args, **named))
        else:
            self._jobs.put((answer, lambda: job(*args, **named)))
        return answer

    def wait(self) -> None:
        """Return when everything sent is done; raises what the first that failed has raised. Then the connection is free."""
        self.send(lambda: None).result()

    def abandon(self) -> None:
        """Wait until the connection is free, whatever came of the jobs, and forget that one failed."""
        done = self.send(lambda: None)
        done.exception()
        self._failed = None

    def close(self) -> None:
        """End the thread after what was sent."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            self._do(*item)

    def _do(self, answer: Future[Any], job: Callable[[], Any]) -> None:
        try:
            if self._failed is not None:
                raise self._failed
            answer.set_result(job())
        except BaseException as error:
            self._failed = error
            answer.set_exception(error)
