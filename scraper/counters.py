"""What a run counts, exactly: every outcome passes through here once."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from scraper.records import Outcome

K = TypeVar("K", int, str)


class Filling(Struct):
    """How full the records of one set are.

    Attributes:
        pages: that were parsed.
        records: that they gave.
        filled: records in which each field has a value.
    """

    pages: int = 0
    records: int = 0
    filled: dict[str, int] = msgspec.field(default_factory=dict)

    def copy(self) -> Filling:
        """Another one with the same totals."""
        return Filling(self.pages, self.records, dict(self.filled))


class Counters(Struct):
    """Totals of a run, over all its sessions.

    Attributes:
        total: distinct URLs listed so far, invalid ones included.
        duplicate: list entries that name a page listed before.
        ok: pages whose records are kept; `empty` of them had none.
        failed: URLs that ended as a failure.
        records: records kept.
        bytes: body bytes received.
        seconds: for how long fetching went on.
        failures: failed URLs by kind.
        statuses: answered URLs by HTTP status.
        followed: URLs among `total` that no list named, but a page.
        filling: by the name of a set; empty for the main one.
    """

    total: int = 0
    duplicate: int = 0
    ok: int = 0
    empty: int = 0
    failed: int = 0
    records: int = 0
    bytes: int = 0
    seconds: float = 0.0
    failures: dict[str, int] = msgspec.field(default_factory=dict)
    statuses: dict[int, int] = msgspec.field(default_factory=dict)
    followed: int = 0
    filling: dict[str, Filling] = msgspec.field(default_factory=dict)

    @property
    def done(self) -> int:
        """URLs with an outcome."""
        return self.ok + self.failed

    @property
    def pending(self) -> int:
        """URLs without one."""
        return self.total - self.done

    def add(self, outcome: Outcome) -> None:
        """Count one URL's end."""
        self.bytes += outcome.size
        if outcome.status is not None:
            _shift(self.statuses, outcome.status, 1)
        if outcome.filled is not None:
            self._fill(outcome.type or "", outcome.records, outcome.filled)
        if outcome.failure is not None:
            self.failed += 1
            _shift(self.failures, outcome.failure.error, 1)
            return
        self.ok += 1
        self.records += outcome.records
        self.empty += not outcome.records

    def withdraw(self, error: str, status: int | None, number: int = 1) -> None:
        """Failed URLs are pending again."""
        self.failed -= number
        _shift(self.failures, error, -number)
        if status is not None:
            _shift(self.statuses, status, -number)

    def copy(self) -> Counters:
        """Another one with the same totals."""
        return msgspec.structs.replace(
            self,
            failures=dict(self.failures),
            statuses=dict(self.statuses),
            filling={name: each.copy() for name, each in self.filling.items()},
        )

    def _fill(self, name: str, records: int, filled: dict[str, int]) -> None:
        filling = self.filling.get(name)
        if filling is None:
            filling = self.filling[name] = Filling()
        filling.pages += 1
        filling.records += records
        totals = filling.filled
        for field, number in filled.items():
            totals[field] = totals.get(field, 0) + number


def _shift(counts: dict[K, int], key: K, by: int) -> None:
    count = counts.get(key, 0) + by
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)
