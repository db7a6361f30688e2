"""Who may be asked for at all: by robots.txt, and by whether the host is there.

target ──► admit ──► its host's stock in `Politeness`
             │ ├───► held, while its origin's robots.txt is on its way ──learn──► admit
             │ └───► ended: disallowed, or its host was given up
             └ outside the lock, since matching takes time
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from scraper import urls
from scraper.records import LIST, PAGE, ROBOTS, Failure, Hop, Outcome, Page, Target
from scraper.schedule import ruling
from scraper.schedule.exchange import Draw, StoredRobots
from scraper.schedule.host import Rules
from scraper.schedule.pace import Answer
from scraper.schedule.politeness import Politeness
from scraper.schedule.rulebook import Rule, Rulebook, Verdict


class Gate:
    """Stands before `Politeness`; for many threads at once."""

    def __init__(
        self,
        rules: Callable[[str], Rules],
        robots: ruling.Policy | None,
        window: int,
        clock: Callable[[], float],
    ) -> None:
        """See `Schedule`."""
        self._rules = rules
        self._robots = robots
        self._clock = clock
        self._lock = threading.Lock()  # guards everything below, and what `Schedule` adds
        self._ready = threading.Condition(self._lock)  # for fetch threads
        self._work = threading.Condition(self._lock)  # for the feeder
        self._politeness = Politeness(rules, window=window)
        self._rulebook = Rulebook()
        self._lost: dict[str, Verdict] = {}
        self._ended: list[Outcome] = []
        self._undelivered = 0
        self._awaited = float("inf")  # until when the one fetch thread waits that minds the clock

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
            self._end([Outcome(target.url, failure=verdict.on(target), id=target.id)])

    def _end(self, outcomes: list[Outcome]) -> None:
        self._ended += outcomes
        self._undelivered += len(outcomes)

    def _observe(self, target: Target, result: Page | Hop | Failure, seconds: float) -> None:
        lost = self._politeness.observe(target, Answer.of(result, seconds), self._clock())
        if lost is None:
            return
        assert isinstance(result, Failure)
        message = f"{result.message}; its host was given up, since it could not be reached time and again"
        verdict = self._lost[target.host] = Verdict(result.error, message)
        for each in lost.targets:
            self._bury(each, verdict)
        self._work.notify()

    def _wake(self, number: int) -> None:
        """Something changed: wake threads to look, all where whoever minds the clock would sleep too long."""
        if self._politeness.next_change() < self._awaited:
            self._ready.notify_all()
        else:
            self._ready.notify(number)
