"""The schedule: hands each fetch thread the next target that may go now.

`Politeness` decides whose turn it is and `Rulebook` what robots.txt allows, both under one lock; this class adds the
lock, the clock and the waiting. A thread that finds nothing to do waits here, idle; none ever sleeps for a particular
host or retry. The feeder waits here too, until hosts run out of targets, or URLs have ended that nobody asked for.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from scraper import urls
from scraper.records import LIST, PAGE, ROBOTS, Failure, Hop, Outcome, Page, Target
from scraper.schedule import retry, ruling
from scraper.schedule.exchange import Draw, HostNote, StoredRobots, Want
from scraper.schedule.pace import Answer
from scraper.schedule.politeness import WINDOW, Outlook, Politeness, Rules
from scraper.schedule.rulebook import Rule, Rulebook, Verdict

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


class Schedule:
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
        self._rules = rules
        self._retries = retries
        self._robots = robots
        self._window = window
        self._clock = clock
        self._lock = threading.Lock()  # guards everything below
        self._politeness = Politeness(rules, window=window)
        self._rulebook = Rulebook()
        self._ready = threading.Condition(self._lock)
        self._work = threading.Condition(self._lock)
        self._loaded = False
        self._stopped = False
        self._awaited = float("inf")  # until when the one timed waiter waits
        self._timed = False
        self._idle = 0
        self._ended: list[Outcome] = []
        self._undelivered = 0
        self._lost: dict[str, Verdict] = {}
        self._ahead = float("inf")
        self._told = False  # that it is hungry

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

    def unknown(self, draws: Iterable[Draw]) -> set[str]:
        """Origins of drawn targets of which nobody knows the rules."""
        if self._robots is None:
            return set()
        return self.unknown_origins(target.href for draw in draws for target in draw.targets)

    def unknown_origins(self, hrefs: Iterable[str]) -> set[str]:
        """Origins of URLs of which nobody knows the rules."""
        if self._robots is None:
            return set()
        origins = set(map(urls.origin, hrefs))
        with self._lock:
            now = self._clock()
            return {origin for origin in origins if self._rulebook.known(origin, now) is None}

    def recall(self, stored: Iterable[StoredRobots], now: float) -> None:
        """What was kept of robots.txt.

        Args:
            stored: of some origins.
            now: seconds since the epoch.
        """
        for each in stored:
            self._learn(each.origin, self._rule_of(each.origin, each.content, max(now - each.fetched, 0.0)))

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

    def observe(self, target: Target, result: Page | Hop | Failure, seconds: float) -> None:
        """What came of a target that `take` gave, which is still in flight, and how long it took."""
        answer = Answer.of(result, seconds)
        with self._lock:
            lost = self._politeness.observe(target, answer, self._clock())
            if lost is None:
                return
            assert isinstance(result, Failure)
            message = f"{result.message}; its host was given up, since it could not be reached time and again"
            verdict = self._lost[target.host] = Verdict(result.error, message)
            for each in lost.targets:
                self._bury(each, verdict)
            self._work.notify()

    def permit(self, href: str) -> bool | None:
        """Whether the robots.txt of a URL's origin allows to ask for it; None if that is not known."""
        if self._robots is None:
            return True
        with self._lock:
            rule = self._rulebook.known(urls.origin(href), self._clock())
        return None if rule is None else rule.judge(href) is None

    def learn(self, target: Target, result: Page | Failure) -> StoredRobots | None:
        """What came in the end of a robots.txt, asked for as `target`, which is still in flight.

        Returns:
            What is worth keeping.
        """
        origin = urls.origin(target.url)
        if isinstance(result, Failure) and not ruling.is_unavailable(result):
            self._learn(origin, ruling.refusal_of(result, self._clock()))
            return None
        content = ruling.content_of(result)
        self._learn(origin, self._rule_of(origin, content, 0.0))
        return StoredRobots(origin, time.time(), content)

    def done(self, target: Target) -> None:
        """A target that `take` gave has been fetched, for better or worse."""
        with self._lock:
            self._finish_one(target)

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

    def _admit(self, targets: list[Target]) -> None:
        """Let targets that `Politeness` has received go to their hosts, wait for robots.txt, or end."""
        known: list[tuple[Target, Rule | None]] = []
        with self._lock:
            now = self._clock()
            for target in targets:
                if target.host in self._lost and self._politeness.is_lost(target.host) and target.kind != LIST:
                    self._bury(target, self._lost[target.host], held=True)
                elif self._robots is None or target.kind != PAGE:
                    known.append((target, None))
                else:
                    origin = urls.origin(target.href)
                    rule = self._rulebook.known(origin, now)
                    if rule is not None:
                        known.append((target, rule))
                    elif (first := self._rulebook.hold(origin, target)) is not None:
                        self._politeness.add_first(first, now)
        judged = [(target, rule, None if rule is None else rule.judge(target.href)) for target, rule in known]
        with self._lock:
            now = self._clock()
            for target, rule, verdict in judged:
                if verdict is not None:
                    self._bury(target, verdict, held=True)
                    continue
                self._politeness.add(target, now)
                if rule is not None and rule.delay and not self._rules(target.host).fixed:
                    self._politeness.slow_down(target.host, rule.delay, now)
            self._wake(len(targets))
            self._work.notify()

    def _rule_of(self, origin: str, content: bytes | None, age: float) -> Rule:
        assert self._robots is not None
        own_delay = self._rules(urls.take_apart(f"{origin}/").host).fixed
        return ruling.rule_of(content, self._robots, self._clock(), age=age, own_delay=own_delay)

    def _learn(self, origin: str, rule: Rule) -> None:
        with self._lock:
            held = self._rulebook.learn(origin, rule)
        self._admit(held)

    def _bury(self, target: Target, verdict: Verdict, *, held: bool = False) -> None:
        """A target ends without being asked for; `held`: `Politeness` still counts it."""
        if held:
            self._politeness.drop(target.host, 1, self._clock())
        if target.kind == LIST:  # somebody waits for it: it shall find out by itself
            self._politeness.receive(target)
            self._politeness.add(target, self._clock())
        elif target.kind == ROBOTS:
            # Those that wait for it are of the same host, or have been redirected from there.
            for waiting in self._rulebook.learn(urls.origin(target.url), Rule(None, verdict, 0, float("inf"))):
                self._bury(waiting, verdict, held=True)
        else:
            failure = verdict.on(target)
            self._end([Outcome(target.url, failure=failure, status=failure.status, id=target.id)])

    def _end(self, outcomes: list[Outcome]) -> None:
        self._ended += outcomes
        self._undelivered += len(outcomes)

    def _finish_one(self, target: Target) -> None:
        self._politeness.done(target, self._clock())
        self._wake(1)
        if self._is_over():
            self._ready.notify_all()
            self._work.notify()

    def _wake(self, number: int) -> None:
        """Something changed: wake threads to look, all where whoever minds the clock would sleep too long."""
        if self._politeness.next_change() < self._awaited:
            self._ready.notify_all()
        else:
            self._ready.notify(number)

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
        return self._loaded and politeness.waiting == 0 and politeness.in_flight == 0 and self._undelivered == 0

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
