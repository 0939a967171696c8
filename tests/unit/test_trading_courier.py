"""The courier's promise: one after another, nothing after a failure, and free again once that one is abandoned."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, get_ident

import pytest

from trading.runner.courier import Courier


@pytest.fixture
def courier() -> Iterator[Courier]:
    one = Courier()
    yield one
    one.close()
    one._thread.join(timeout=60)
    assert not one._thread.is_alive()


def test_jobs_are_done_in_their_order_by_one_other_thread(courier: Courier) -> None:
    done: list[int] = []
    threads = {courier.send(lambda n=n: (done.append(n), get_ident())[1]).result() for n in range(50)}
    assert done == list(range(50))
    assert len(threads) == 1 and get_ident() not in threads


def test_the_caller_goes_on_while_a_job_is_done(courier: Courier) -> None:
    going_on = Event()
    answer = courier.send(going_on.wait, 60.0)
    assert not answer.done()
    going_on.set()
    assert answer.result() is True


def test_nothing_is_done_after_a_failure_until_it_is_abandoned(courier: Courier) -> None:
    done: list[str] = []

    def fail() -> None:
        raise LookupError("lost")

    before = courier.send(done.append, "before")
    failed = courier.send(fail)
    after = courier.send(done.append, "after")
    with pytest.raises(LookupError, match="lost"):
        courier.wait()
    assert before.exception() is None and failed.exception() is after.exception()
    assert done == ["before"]
    courier.abandon()
    courier.send(done.append, "again")
    courier.wait()
    assert done == ["before", "again"]


def test_going_oneself_means_the_callers_own_thread_and_the_same_promise(courier: Courier) -> None:
    courier.go_oneself(True)
    assert courier.send(get_ident).result() == get_ident()
    done: list[str] = []

    def fail() -> None:
        raise LookupError("lost")

    failed, after = courier.send(fail), courier.send(done.append, "after")
    assert failed.exception() is after.exception() is not None
    assert done == []
    courier.abandon()
    courier.go_oneself(False)
    assert courier.send(get_ident).result() != get_ident()
