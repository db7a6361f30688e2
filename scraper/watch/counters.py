"""What a run counts, exactly: every outcome passes through here once, in one thread."""

from __future__ import annotations

from collections import Counter

from scraper.records import Outcome


class Counters:
    """Totals of a run.

    Attributes:
        total: distinct URLs listed so far, invalid ones included.
        duplicate: list entries that name a page listed before.
        ok: pages whose records are kept; `empty` of them had none.
        failed: URLs that ended as a failure.
        records: records kept.
        bytes: body bytes received.
        failures: failed URLs by kind.
        statuses: answered URLs by HTTP status.
    """

    def __init__(self) -> None:
        self.total = 0
        self.duplicate = 0
        self.ok = 0
        self.empty = 0
        self.failed = 0
        self.records = 0
        self.bytes = 0
        self.failures: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    @property
    def done(self) -> int:
        """URLs with an outcome."""
        return self.ok + self.failed

    def add(self, outcome: Outcome) -> None:
        """Count one URL's end."""
        self.bytes += outcome.size
        if outcome.status is not None:
            self.statuses[outcome.status] += 1
        if outcome.failure is not None:
            self.failed += 1
            self.failures[outcome.failure.error] += 1
            return
        self.ok += 1
        self.records += outcome.records
        self.empty += not outcome.records
