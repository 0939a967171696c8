"""Keeps engines under load from a thread, at a steady pace, while the caller breaks things."""

from __future__ import annotations

import time
from threading import Event, Thread

from tests.simulation.rig.orders import Traders
from tests.simulation.rig.recorder import Recorder

WAITING_MAX = 2_000


class Load:
    """A context: commands flow inside it. They pause while too many wait for their answer, as web processes do."""

    def __init__(self, recorder: Recorder, traders: Traders, *, per_s: int, each_s: float = 0.01) -> None:
        self._recorder = recorder
        self._traders = traders
        self._portion = max(1, round(per_s * each_s))
        self._each_s = each_s
        self._ending = Event()
        self._failed: BaseException | None = None
        self._thread = Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._ending.is_set():
                if self._recorder.unanswered < WAITING_MAX:
                    self._recorder.send(self._traders.commands(self._portion))
                due = max(due + self._each_s, time.monotonic() - 0.1)
                self._ending.wait(max(0.0, due - time.monotonic()))
        except BaseException as error:
            self._failed = error
