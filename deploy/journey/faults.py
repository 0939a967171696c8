"""Kills, at random moments drawn from a seed: any process of the exchange and its two servers, while the story goes on.

What must never happen here: a fault that the run does not name, or a kill of anything that the stage did not start.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

from deploy.journey.stage import Stage

VICTIMS = ("web", "engine", "worker", "signer", "beat", "postgres", "valkey")
PAUSE_S = (2.0, 5.0)
ROUNDS_MAX = 3  # of all victims: on a slow machine the story must come to its end, too
MEET_ALL_S = 120.0


class Killer:
    """A thread that kills one of VICTIMS every few seconds until told to end. `hits` counts whom it met."""

    def __init__(self, stage: Stage, *, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(seed)  # noqa: S311 - a seed that can be given again is the point
        self.hits: Counter[str] = Counter()
        self.failure: Exception | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """When everybody has been met at least once, which a short story does not wait for. No kill comes after this returns.
        Raises what went wrong in the thread."""
        until = time.monotonic() + MEET_ALL_S
        while self._thread.is_alive() and not self.hits.keys() >= set(VICTIMS) and time.monotonic() < until:
            time.sleep(0.1)
        self._ending.set()
        self._thread.join()
        if self.failure:
            raise self.failure

    def _run(self) -> None:
        # Every victim once, in a drawn order, before any comes again: a short run meets them all.
        queue: list[str] = []
        rounds = 0
        while not self._ending.wait(self.random.uniform(*PAUSE_S)):
            if not queue:
                rounds += 1
                if rounds > ROUNDS_MAX:
                    return
                queue = self.random.sample(VICTIMS, len(VICTIMS))
            victim = queue.pop()
            try:
                pid = self.stage.kill(victim)
            except ProcessLookupError:
                queue.append(victim)  # it had just ended and is being started again: the next kill is its
                continue
            except Exception as error:
                self.failure = error
                return
            self.hits[victim] += 1
            self.stage.say(f"kill -9 {victim} (process {pid})")
