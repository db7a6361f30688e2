"""The schedule: hands each fetch thread the next target that may go now.

`Politeness` decides, under one lock; this class adds the lock, the clock, the waiting and the counts. A thread that
finds nothing to do waits here, idle; none ever sleeps for a particular host or retry.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from scraper.records import Failure, Target
from scraper.schedule import retry
from scraper.schedule.politeness import Politeness, Rules

#: Targets held in memory; the loader waits when there are more.
WINDOW: Final = 10_000

#: What the system's clocks can wait for, in seconds; a later turn never comes.
LONGEST_WAIT: Final = threading.TIMEOUT_MAX / 2


class Schedule:
    """Targets between the list and the fetch threads; for many threads at once."""

    def __init__(
        self,
        rules: Callable[[str], Rules],
        *,
        retries: int,
        window: int = WINDOW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep to `rules` for each host and fetch a page that failed in passing up to `retries` times more."""
        self._politeness = Politeness(rules)
        self._retries = retries
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()  # guards everything below, and _politeness
        self._ready = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._loaded = False
        self._stopped = False
        self._awaited = float("inf")  # until when the one timed waiter waits
        self._timed = False

    def add(self, targets: Iterable[Target]) -> bool:
        """Queue targets in order, waiting while the window is full; False once the schedule is stopped."""
        with self._lock:
            for target in targets:
                while self._politeness.waiting >= self._window and not self._stopped:
                    self._room.wait()
                if self._stopped:
                    return False
                self._politeness.add(target, self._clock())
                self._wake()
        return True

    def finish(self) -> None:
        """No more targets will be added."""
        with self._lock:
            self._loaded = True
            self._ready.notify_all()

    def take(self) -> Target | None:
        """The next target that may be fetched now, waiting for one; None when there will be none."""
        with self._lock:
            while not self._stopped:
                now = self._clock()
                target = self._politeness.next(now)
                if target is not None:
                    self._pass_on(now)
                    return target
                if self._is_over():
                    break
                self._wait(now)
            self._ready.notify_all()
            return None

    def done(self, target: Target) -> None:
        """A target that `take` gave has been fetched, for better or worse."""
        with self._lock:
            self._finish_one(target)

    def replace(self, target: Target, hop: Target) -> None:
        """`target` redirects to another host: `hop` waits for its turn there."""
        with self._lock:
            self._politeness.add(hop, self._clock())
            self._finish_one(target)

    def retry(self, target: Target, failure: Failure) -> bool:
        """Ask again later if that may help and attempts are left; leave the host alone if its server asks for that.

        Returns:
            Whether the target's end is still open; a stopped schedule leaves it so without asking again.
        """
        again = failure.retryable and target.attempts < self._retries
        with self._lock:
            now = self._clock()
            if failure.pause:
                self._politeness.pause(target, now + failure.pause)
            if again:
                later = msgspec.structs.replace(target, attempts=target.attempts + 1)
                pause = retry.pause(later.attempts, random.random())
                self._politeness.add_later(later, now + max(pause, failure.pause))
                self._finish_one(target)
        return again

    def stop(self) -> None:
        """Hand out no more; what is in flight goes on."""
        with self._lock:
            self._stopped = True
            self._ready.notify_all()
            self._room.notify_all()

    @property
    def waiting(self) -> int:
        """Targets that are neither in flight nor done."""
        return self._politeness.waiting

    def _finish_one(self, target: Target) -> None:
        self._politeness.done(target, self._clock())
        self._wake()

    def _wake(self) -> None:
        """Something changed: wake one thread to look, or all where whoever minds the clock would sleep too long."""
        if self._politeness.next_change() < self._awaited:
            self._ready.notify_all()
        else:
            self._ready.notify()

    def _pass_on(self, now: float) -> None:
        """Wake who may go on: another fetch thread if more is ready or nobody minds the time, and the loader."""
        if self._politeness.is_ready(now) or not self._timed or self._politeness.next_change() < self._awaited:
            self._wake()
        if self._politeness.waiting < self._window:
            self._room.notify()

    def _is_over(self) -> bool:
        return self._loaded and self._politeness.waiting == 0 and self._politeness.in_flight == 0

    def _wait(self, now: float) -> None:
        """Wait for a change; one thread at a time also minds the clock for all."""
        if self._timed:
            self._ready.wait()
            return
        self._timed, self._awaited = True, self._politeness.next_change()
        try:
            endless = self._awaited - now > LONGEST_WAIT
            self._ready.wait(None if endless else max(self._awaited - now, 0))
        finally:
            self._timed, self._awaited = False, float("inf")
