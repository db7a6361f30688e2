"""One host among those that are at work: its limits, its targets in memory, and when it may be asked next."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from scraper.records import Target
from scraper.schedule.pace import Answer, Pace


class Rules(NamedTuple):
    """A host's limits.

    Attributes:
        per_host: most requests in flight.
        delay: seconds between the starts of two requests.
        longest: seconds to which `delay` may grow while the host is in trouble, and of the longest pause.
        fixed: the user has set `delay` for this very host, whatever its robots.txt asks for.
        adaptive: its pace follows how it answers.
    """

    per_host: int
    delay: float
    longest: float = 60.0
    fixed: bool = False
    adaptive: bool = True


class Host:
    """What is known of a host; about a kilobyte, and its targets.

    Attributes:
        name: empty until it is known.
        number: in the state; -1 if that does not know it.
        rules: its limits.
        pace: how it answers.
        gap: seconds between the starts of two requests, as things are.
        stock: targets that may go when it is its turn.
        held: targets that wait for its robots.txt.
        unread: URLs that are still to be drawn; below 0 while some came before they were expected.
        after: the last row that was drawn.
        drawing: URLs that the draw under way must find; 0 if none is.
        size: targets that it is to have in memory.
        in_flight: requests.
        sending: the one that was handed out, but may not be on its way yet; None if the host has no delay.
        started: when the last request was on its way.
        next_start: when the next may be.
        entry: number of its entry in `Turns`; 0 if it has none.
        score: seconds that its URLs will take, as they were when it was entered there.
    """

    __slots__ = (
        "after",
        "drawing",
        "entry",
        "gap",
        "held",
        "in_flight",
        "name",
        "next_start",
        "number",
        "pace",
        "rules",
        "score",
        "sending",
        "size",
        "started",
        "stock",
        "unread",
    )

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.number = -1
        self.rules = rules
        self.pace = Pace()
        self.gap = rules.delay
        self.stock: deque[Target] = deque()
        self.held = self.unread = self.after = self.drawing = 0
        self.size = 1
        self.in_flight = 0
        self.sending: Target | None = None
        self.started = self.next_start = float("-inf")
        self.entry = 0
        self.score = 0.0

    @property
    def is_free(self) -> bool:
        """One more request may be in flight, when it is time for it."""
        return self.in_flight < (1 if self.pace.is_down else self.rules.per_host) and self.sending is None

    @property
    def remaining(self) -> int:
        """URLs that are waiting, in memory or not."""
        return len(self.stock) + self.held + self.unread

    @property
    def seconds(self) -> float:
        """Seconds that its waiting URLs will take."""
        return self.remaining * max(self.gap, self.pace.usual / self.rules.per_host)

    @property
    def is_nearly_out(self) -> bool:
        """Its targets will soon be used up."""
        return len(self.stock) + self.held <= self.size // 4

    @property
    def is_idle(self) -> bool:
        """There is nothing to do for it, apart from waiting for its delay to pass."""
        return not (self.stock or self.held or self.in_flight or self.entry or self.drawing or self.unread)

    def follow(self, rules: Rules) -> None:
        """Keep to other limits from now on."""
        self.rules = rules
        self.gap = self.pace.delay(rules.delay, rules.longest)

    def learn(self, answer: Answer, now: float) -> float:
        """Take note of how it answered.

        Returns:
            When it may be asked next, as far as that follows from it.
        """
        if not self.rules.adaptive:
            return now + answer.pause if answer.pause else self.next_start
        until = self.pace.note(answer, self.rules.longest, now)
        self.gap = self.pace.delay(self.rules.delay, self.rules.longest)
        return max(until, self.started + self.gap)
