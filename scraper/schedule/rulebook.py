"""What the robots.txt of each origin allows, and who waits to know it.

    target ──admit──► allowed | refused (a `Verdict`) | held until its origin's robots.txt has come ──learn──► the same

Pure: takes `now` (any monotonic time in seconds). Not thread-safe; `Schedule` holds the lock. Matching a URL against
rules takes its time, so `Schedule` does that with `Rule.judge` outside the lock.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from scraper.records import ROBOTS, Failure, Target
from scraper.schedule.robots import Robots

#: Seconds for which a robots.txt is good (RFC 9309 §2.4).
LIFETIME: Final = 24 * 3600.0

#: Origins of which the rules are kept in memory, and bytes of their robots.txt, together.
KEPT: Final = 20_000
KEPT_BYTES: Final = 32 << 20


class Verdict(NamedTuple):
    """Why pages of a host or an origin end without being asked for.

    Attributes:
        error: failure kind.
        message: one line for a person.
    """

    error: str
    message: str

    def on(self, target: Target) -> Failure:
        """The end of a page."""
        moved = target.href if target.redirects else None
        return Failure(target.url, self.error, self.message, None, target.attempts, moved)


_DISALLOWED: Final = Verdict("robots_disallowed", "its robots.txt does not allow this page")


class Rule:
    """What is known of an origin."""

    __slots__ = ("_robots", "_verdict", "size", "until")

    def __init__(self, robots: Robots | None, verdict: Verdict | None, size: int, until: float) -> None:
        """See `Rulebook.learn`."""
        self._robots = robots
        self._verdict = verdict
        self.size = size
        self.until = until

    @property
    def delay(self) -> float:
        """Seconds between two requests that the origin asks for; 0 if it does not."""
        return 0.0 if self._robots is None else self._robots.crawl_delay or 0.0

    def judge(self, href: str) -> Verdict | None:
        """None if the page may be asked for."""
        if self._verdict is not None:
            return self._verdict
        return None if self._robots is None or self._robots.allows(href) else _DISALLOWED


class Rulebook:
    """Rules by origin."""

    def __init__(self) -> None:
        self._rules: OrderedDict[str, Rule] = OrderedDict()
        self._held: dict[str, list[Target]] = {}
        self._bytes = 0

    def known(self, origin: str, now: float) -> Rule | None:
        """What is known of an origin, if that is still good."""
        rule = self._rules.get(origin)
        return rule if rule is not None and rule.until > now else None

    def hold(self, origin: str, target: Target) -> Target | None:
        """Let `target` wait for its origin's robots.txt, of which nothing is known.

        Returns:
            What has to be fetched for that, unless it is on its way already.
        """
        held = self._held.get(origin)
        if held is not None:
            held.append(target)
            return None
        self._held[origin] = [target]
        href = f"{origin}/robots.txt"
        return Target(href, href, target.host, kind=ROBOTS)

    def learn(self, origin: str, rule: Rule) -> list[Target]:
        """What an origin's robots.txt says, or means by not being there.

        Returns:
            The targets that have waited for it.
        """
        self._drop(origin)
        self._rules[origin] = rule
        self._bytes += rule.size
        while len(self._rules) > KEPT or (self._bytes > KEPT_BYTES and len(self._rules) > 1):
            self._drop(next(iter(self._rules)))
        return self._held.pop(origin, [])

    def _drop(self, origin: str) -> None:
        rule = self._rules.pop(origin, None)
        if rule is not None:
            self._bytes -= rule.size
