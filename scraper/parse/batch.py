"""A batch of pages on its way to an outcome each, however many workers that takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from scraper.channel import Channel
from scraper.parse.extract import Verdict
from scraper.parse.process import WorkerDied
from scraper.records import MOST_CRASHES, Failure, Outcome, Page, now

#: A batch: whatever waits, up to this many pages and bytes.
BATCH_PAGES: Final = 16
BATCH_BYTES: Final = 4 << 20

#: Deaths in a row that no page can be blamed for, before the first page of the batch is suspected.
BLAMELESS: Final = 3

Deliver = Callable[[list[Outcome]], object]

#: Told of a page that has cost so many workers by now, and how it ends if that is too many.
Crashed = Callable[[Page, int, Failure], object]


def take_batch(pages: Channel[Page]) -> list[Page]:
    """Whatever waits, at least one page; empty when the channel has ended."""
    return pages.take_batch(BATCH_PAGES, _weight, BATCH_BYTES)


class Batch:
    """The pages of one batch on their way to an outcome each, however many workers that takes."""

    def __init__(self, pages: list[Page], crashed: Crashed) -> None:
        """`crashed` is told of each worker that a page costs, before the page gets another."""
        self._crashed = crashed
        self._fresh = deque(pages)
        self._suspects: deque[Page] = deque()
        self._blameless = 0

    @property
    def is_done(self) -> bool:
        """Whether every page has its outcome."""
        return not self._fresh and not self._suspects

    def work_off(
        self, attempt: Callable[[list[Page], Callable[[list[Verdict]], object]], None], deliver: Deliver
    ) -> None:
        """Give every page an outcome; `attempt` runs some pages on a worker and raises `WorkerDied`.

        Nothing holds a page any more when its outcome is delivered.
        """
        while not self.is_done:
            alone = not self._fresh
            left: dict[int, Page] = dict(enumerate([self._suspects.popleft()] if alone else self._fresh))
            if not alone:
                self._fresh.clear()

            def take(verdicts: list[Verdict], left: dict[int, Page] = left) -> None:
                deliver([to_outcome(left.pop(verdict.index), verdict) for verdict in verdicts])

            try:
                attempt(list(left.values()), take)
            except WorkerDied as death:
                self._blame(death, left, alone=alone, deliver=deliver)

    def _blame(self, death: WorkerDied, left: dict[int, Page], *, alone: bool, deliver: Deliver) -> None:
        suspect = left.get(death.in_hand)
        if suspect is None:
            self._blameless += 1
            if self._blameless <= BLAMELESS or not left:
                (self._suspects if alone else self._fresh).extend(left.values())
                return
            suspect = next(iter(left.values()))
        self._fresh.extend(page for page in left.values() if page is not suspect)
        number = suspect.crashes + 1
        message = str(death) or "parsing took longer than the limit"
        outcome = to_outcome(suspect, Verdict(0, error=death.kind, message=message))
        assert outcome.failure is not None
        self._crashed(suspect, number, outcome.failure)
        if number >= MOST_CRASHES:
            deliver([outcome])
        else:
            self._suspects.append(msgspec.structs.replace(suspect, crashes=number))


def to_outcome(page: Page, verdict: Verdict) -> Outcome:
    """What the run keeps of a page."""
    failure = None
    if verdict.error is not None:
        failure = Failure(
            url=page.url,
            error=verdict.error,
            message=verdict.message,
            status=page.status,
            attempts=page.attempts,
            final_url=page.final_url,
            failed_at=now(),
        )
    return Outcome(
        page.url,
        verdict.records,
        verdict.lines,
        failure,
        page.status,
        len(page.body),
        page.id,
        page.type,
        verdict.filled,
        verdict.links,
    )


def _weight(page: Page) -> int:
    return len(page.body)
