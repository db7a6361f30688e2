"""The schedule: hands each fetch thread the next target that may go now.

`Politeness` decides whose turn it is and `Gate` who may go at all, under one lock; this class adds the waiting. A
thread that finds nothing to do waits here, idle; none ever sleeps for a particular host or retry. The feeder waits here
too, until hosts run out of targets, or URLs have ended that nobody asked for.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from scraper.records import ROBOTS, Failure, Hop, Outcome, Page, Target
from scraper.schedule import retry, ruling
from scraper.schedule.exchange import Draw, HostNote, Want
from scraper.schedule.gate import Gate
from scraper.schedule.host import Rules
from scraper.schedule.larder import WINDOW
from scraper.schedule.politeness import Outlook

#: What the system's clocks can wait for, in seconds; a later turn never comes.
LONGEST_WAIT: Final = threading.TIMEOUT_MAX / 2


class Work(NamedTuple):
    """What the feeder is to do.

    Attributes:
        ended: URLs that ended without being asked for, to be delivered.
        wants: hosts of which more URLs are to be drawn.
        most: how many of each.
        hungry: nothing, but more of the list would be welcome.
    """

    ended: list[Outcome]
    wants: list[Want]
    most: int
    hungry: bool


class Schedule(Gate):
    """Targets between the state and the fetch threads; for many threads at once."""

    def __init__(
        self,
        rules: Callable[[str], Rules],
        *,
        retries: int,
        robots: ruling.Policy | None = None,
        window: int = WINDOW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up.

        Args:
            rules: the limits of a host.
            retries: times that a page which failed in passing is fetched once more.
            robots: how robots.txt is obeyed; None: it is not asked for.
            window: targets in memory.
            clock: the time, in seconds.
        """
        super().__init__(rules, robots, window, clock)
        self._retries = retries
        self._window = window
        self._loaded = False
        self._stopped = False
        self._timed = False
        self._idle = 0
        self._ahead = float("inf")
        self._told = False  # that it is hungry
        self._unsettled = 0  # pages that may still lead to others

    # For the feeder

    def begin(self, *, ahead: float = float("inf"), keep_notes: bool = False) -> None:
        """How things are used.

        Args:
            ahead: URLs beyond which no more are wanted, though threads are idle.
            keep_notes: somebody will `take_notes`.
        """
        with self._lock:
            self._ahead = ahead
            self._politeness.keep_notes = keep_notes

    def weigh(self, numbers: dict[str, int]) -> None:
        """The numbers, in the state, of hosts that have limits of their own."""
        with self._lock:
            for host, number in numbers.items():
                self._politeness.weigh(number, host)

    def expect(self, hosts: Iterable[tuple[int, int]]) -> None:
        """The state holds that many more URLs of the hosts with these numbers."""
        with self._lock:
            now = self._clock()
            for number, more in hosts:
                self._politeness.expect(number, more, now)
            self._told = False
            self._work.notify()

    def finish(self) -> None:
        """No more will be expected."""
        with self._lock:
            self._loaded = True
            self._ready.notify_all()
            self._work.notify()

    def work(self) -> Work | None:
        """What the feeder is to do next, waiting for it; None when there will be nothing more."""
        with self._lock:
            while not self._stopped:
                if self._ended:
                    ended, self._ended = self._ended, []
                    return Work(ended, [], 0, hungry=False)
                if self._is_wanting(self._clock()):
                    wants, most = self._politeness.wanted()
                    if wants:
                        return Work([], wants, most, hungry=False)
                if self._is_hungry():
                    self._told = True
                    return Work([], [], 0, hungry=True)
                if self._is_over():
                    self._ready.notify_all()
                    return None
                self._work.wait()
            return None

    def fill(self, draws: list[Draw]) -> None:
        """What was drawn for `Work.wants`."""
        with self._lock:
            now = self._clock()
            for draw in draws:
                self._politeness.filled(draw)
                if draw.outcomes:
                    self._end(draw.outcomes)
                    self._politeness.drop(draw.name, len(draw.outcomes), now)
        self._admit([target for draw in draws for target in draw.targets])

    def delivered(self, number: int) -> None:
        """So many of the URLs that ended without being asked for are delivered."""
        with self._lock:
            self._undelivered -= number
            if self._is_over():
                self._ready.notify_all()
                self._work.notify()

    # For fetch threads

    def add(self, targets: Iterable[Target]) -> bool:
        """Queue targets that the state does not hold; False once the schedule is stopped."""
        received = list(targets)
        with self._lock:
            if self._stopped:
                return False
            for target in received:
                self._politeness.receive(target)
        self._admit(received)
        return True

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
            self._work.notify()
            return None

    def sent(self, target: Target) -> None:
        """A request for a target that `take` gave is on its way; may be told again, for redirects within a host."""
        if self._politeness.has_delay(target.host):  # looked at without the lock, which most runs at full speed spare
            with self._lock:
                self._politeness.sent(target, self._clock())
                self._wake(1)

    def observe(self, target: Target, result: Page | Hop | Failure, seconds: float) -> None:
        """What came of a target that `take` gave, which is still in flight, and how long it took."""
        with self._lock:
            self._observe(target, result, seconds)

    def done(self, target: Target, result: Page | None = None, seconds: float = 0.0, *, leads_on: bool = False) -> None:
        """A target that `take` gave has been fetched, for better or worse.

        Args:
            target: it.
            result: as for `observe`, if that was not called.
            seconds: as for `observe`.
            leads_on: it may lead to other pages, as `settle` is to tell: until then this is not the end.
        """
        with self._lock:
            self._unsettled += leads_on
            if result is not None:
                self._observe(target, result, seconds)
            self._finish_one(target)

    def settle(self, pages: int) -> None:
        """What so many pages lead to is expected by now."""
        with self._lock:
            self._unsettled -= pages
            if self._is_over():
                self._ready.notify_all()
                self._work.notify()

    @property
    def is_starved(self) -> bool:
        """There is nothing to do but to wait for what pages lead to."""
        return self._unsettled > 0 and self._politeness.waiting == 0 and self._politeness.in_flight == 0

    def replace(self, target: Target, hop: Target) -> None:
        """`target` redirects to another host: `hop` waits for its turn there."""
        self.add([hop])
        self.done(target)

    def retry(self, target: Target, failure: Failure) -> bool:
        """Ask again later if that may help and attempts are left.

        Returns:
            Whether the target's end is still open; a stopped schedule leaves it so without asking again.
        """
        settled = target.kind == ROBOTS and ruling.is_unavailable(failure)
        if settled or not failure.retryable or target.attempts >= self._retries:
            return False
        with self._lock:
            if self._politeness.is_lost(target.host):
                return False
            later = msgspec.structs.replace(target, attempts=target.attempts + 1)
            pause = retry.pause(later.attempts, random.random())
            self._politeness.add_later(later, self._clock() + max(pause, failure.pause))
            self._finish_one(target)
        return True

    def stop(self) -> None:
        """Hand out no more; what is in flight goes on."""
        with self._lock:
            self._stopped = True
            self._ready.notify_all()
            self._work.notify_all()

    # For who watches

    @property
    def waiting(self) -> int:
        """URLs that are neither in flight nor done, in memory or not."""
        return self._politeness.waiting

    def take_notes(self) -> list[HostNote]:
        """How hosts have answered since the last call."""
        with self._lock:
            return self._politeness.take_notes()

    def outlook(self) -> Outlook:
        """The host that will take longest, and how long."""
        with self._lock:
            return self._politeness.outlook(self._clock())

    # How it is done

    def _finish_one(self, target: Target) -> None:
        self._politeness.done(target, self._clock())
        self._wake(1)
        if self._is_over():
            self._ready.notify_all()
            self._work.notify()

    def _pass_on(self, now: float) -> None:
        """Wake who may go on: another fetch thread if more is ready or nobody minds the time, and the feeder."""
        if self._politeness.is_ready(now) or not self._timed or self._politeness.next_change() < self._awaited:
            self._wake(1)
        if self._is_wanting(now) or self._is_hungry():
            self._work.notify()

    def _is_wanting(self, now: float) -> bool:
        return self._politeness.is_wanting(idle=self._idle > 0, now=now)

    def _is_hungry(self) -> bool:
        """More of the list would be welcome, and nobody was told since some came."""
        waiting = self._politeness.waiting
        return (
            not self._told
            and not self._loaded
            and (waiting <= self._window // 2 or (self._idle > 0 and waiting < self._ahead))
        )

    def _is_over(self) -> bool:
        politeness = self._politeness
        at_rest = politeness.waiting == 0 and politeness.in_flight == 0
        return self._loaded and at_rest and self._undelivered == 0 and self._unsettled == 0

    def _wait(self, now: float) -> None:
        """Wait for a change; one thread at a time also minds the clock for all."""
        self._idle += 1
        if self._is_wanting(now) or self._is_hungry():
            self._work.notify()
        try:
            if self._timed:
                self._ready.wait()
            else:
                self._mind_clock(now)
        finally:
            self._idle -= 1

    def _mind_clock(self, now: float) -> None:
        self._timed, self._awaited = True, self._politeness.next_change()
        try:
            endless = self._awaited - now > LONGEST_WAIT
            self._ready.wait(None if endless else max(self._awaited - now, 0))
        finally:
            self._timed, self._awaited = False, float("inf")
