"""Parsing in the main process: for tests and debugging."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from scraper.channel import Channel
from scraper.parse.batch import Deliver, take_batch, to_outcome
from scraper.parse.extract import Extractor, Plan, Verdict
from scraper.records import Page

#: Seconds that an aborted inline parser may take for the page in hand.
ABANDON_AFTER: Final = 2.0


class InlineParser:
    """Parses in one thread of this process: for tests and debugging. No limits of time or memory."""

    def __init__(self, plan: Plan, *, pages: Channel[Page], deliver: Deliver, ended: Callable[[], object]) -> None:
        """As `ParsePool`."""
        self._ended = ended
        self._plan = plan
        self._pages = pages
        self._deliver = deliver
        self._since: float | None = None
        self._busy = 0.0
        self._aborted = False
        # A daemon, since a parser that hangs here cannot be killed: then the program may still end.
        self._thread = threading.Thread(target=self._run, name="parse-inline", daemon=True)

    def start(self) -> None:
        """Compile the plan, then begin.

        Raises:
            BadPlan, ParserError: the plan cannot be carried out.
        """
        self._extractor = Extractor(self._plan)
        self._thread.start()

    def join(self) -> None:
        """Wait until every page of the ended channel is delivered; after `abort`, no longer than a page should take."""
        given_up = time.monotonic() + ABANDON_AFTER
        while self._thread.is_alive() and not (self._aborted and time.monotonic() > given_up):
            self._thread.join(0.1)

    def abort(self) -> None:
        """Nothing to kill: the page in hand is finished, the others are given up."""
        self._aborted = True

    def busy(self) -> int:
        """1 while a page is in hand."""
        return int(self._since is not None)

    def busy_seconds(self) -> float:
        """Seconds spent parsing."""
        return self._busy

    def pids(self) -> list[int]:
        """There are no processes."""
        return []

    def _run(self) -> None:
        try:
            self._parse_all()
        finally:
            self._ended()

    def _parse_all(self) -> None:
        while batch := take_batch(self._pages):
            for page in batch:
                if self._aborted:
                    return
                self._since = since = time.monotonic()
                try:
                    verdict = self._extractor(page)
                except MemoryError:
                    verdict = Verdict(0, error="parse_crashed", message="memory limit")
                self._busy += time.monotonic() - since
                self._since = None
                self._deliver([to_outcome(page, verdict)])
