"""Where every URL of a run stands: the one place that reads and writes the run's state.

    list ──enter──► urls, pending ──draw──► schedule ──► fetch, parse ──► commit ──► ok, empty or failed

Everything goes through one connection, in transactions that either happened or did not. A pending URL may be in
flight: that is not stored, since after a restart it has to be asked for anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from scraper import storable
from scraper.errors import UsageError
from scraper.records import Failure, Outcome, Stamp, Target
from scraper.schedule import database, rows
from scraper.schedule.exchange import Draw, Want
from scraper.schedule.linkbook import LinkBook

#: Rows read at once where all are read, so that others get their turn between.
CHUNK: Final = 1000

_encode = msgspec.json.Encoder().encode
_decode_pairs = msgspec.json.Decoder(list[tuple[int, int]]).decode
_decode_rows = msgspec.json.Decoder(list[list[Any]]).decode


class Reading(Struct, frozen=True):
    """A list that was read to its end.

    Attributes:
        stamp: what it looked like.
        number: of the pass in which it was read.
        duplicate: entries in it that named a page listed before.
    """

    stamp: Stamp
    number: int
    duplicate: int


class Store(LinkBook):
    """The state of a run's URLs; for many threads, one at a time. A context manager."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        """Use `create`, `open` or `temporary`."""
        super().__init__(connection, path)
        self._notes, self._robots = [], []
        self._passes: list[int] = []  # whose rows were named by the lists as they are now
        self._duplicate_before = 0  # when the list being read was begun

    @classmethod
    def create(cls, path: Path, about: bytes) -> Store:
        """The state of a new run.

        Args:
            path: of the file, which must not exist.
            about: what the run is, for `about` to give back.

        Raises:
            UsageError, RunError: it cannot be made.
        """
        database.create(path, about)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Store:
        """The state that a former run left.

        Raises:
            UsageError: it is no such thing, or damaged.
            RunError: the disk does not let it be read or written.
        """
        store = cls(database.open_(path), path)
        try:
            with database.trouble(path, damaged=UsageError):
                store.recall()
                (store._last,) = store._database.execute("SELECT ifnull(max(id), 0) FROM urls").fetchone()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def temporary(cls) -> Store:
        """A state that is gone when it is closed."""
        return cls(database.temporary(), None)

    # Loading

    def readings(self) -> dict[str, Reading]:
        """Lists that were read to their end, by name."""
        with self.lock, database.trouble(self._path):
            return dict(msgspec.json.decode(self.get("readings") or b"{}", type=dict[str, Reading]))

    def begin_loading(self) -> None:
        """The lists are about to be gone through, from the first on."""
        with self.lock:
            with self.transaction(durable=False) as counters:
                counters.duplicate = 0
                self.put("listed", b"0")
            self._passes = []

    def begin_list(self) -> None:
        """The entries of a list come next."""
        with self.lock:
            number = int(self.get("pass") or b"0") + 1
            # What this list and those behind it held before says nothing any more, should its reading be cut short.
            kept = {name: reading for name, reading in self.readings().items() if reading.number in self._passes}
            with self.transaction(durable=False):
                self.put("pass", b"%d" % number)
                self.put("readings", _encode(kept))
            self._passes.append(number)
            self._duplicate_before = self.counters.duplicate

    def end_list(self, name: str, stamp: Stamp) -> None:
        """All entries of the list that was begun have come."""
        with self.lock:
            reading = Reading(stamp, self._passes[-1], self.counters.duplicate - self._duplicate_before)
            with self.transaction(durable=False):
                self.put("readings", _encode({**self.readings(), name: reading}))

    def skip_list(self, name: str) -> None:
        """A list is as it was when it was read to its end, so that its entries do not come again."""
        with self.lock:
            reading = self.readings()[name]
            with self.transaction(durable=False) as counters:
                counters.duplicate += reading.duplicate
            self._passes.append(reading.number)

    def enter(self, entries: list[Target | Failure]) -> list[tuple[int, int]]:
        """Take list entries in, each URL once; those that are there already keep their state.

        Returns:
            Numbers of hosts, and how many URLs of each were not there.

        Raises:
            RunError: they could not be stored.
        """
        with self.lock:
            first, current = self._last + 1, self._passes[-1]
            run = self._database.execute
            with self.transaction(durable=False) as counters:
                names = rows.hosts_of(entries)
                run(rows.NAME_HOSTS, (names,))
                keys, values = rows.entered(entries, self._numbers(names))
                before = self._database.total_changes
                run(rows.ENTER.format(passes=",".join(map(str, self._passes))), (first, current, keys, values))
                named = self._database.total_changes - before
                (packed,) = run(rows.ENTERED, (first,)).fetchone()
                run(rows.LISTED, (packed,))
                new = _decode_pairs(packed)
                counters.total += sum(number for _, number in new)
                counters.duplicate += len(entries) - named
            self._last += len(entries)
            return new

    def end_loading(self) -> None:
        """All lists were gone through to their end."""
        with self.lock, self.transaction(durable=False):
            self.put("listed", b"1")

    @property
    def is_listed(self) -> bool:
        """All lists were gone through to their end."""
        with self.lock, database.trouble(self._path):
            return self.get("listed") == b"1"

    def draw(self, wants: list[Want], most: int) -> list[Draw]:
        """Up to `most` pending URLs of each host, in the order of the list.

        Raises:
            RunError: they could not be read.
        """
        with self.lock, database.trouble(self._path):
            found = self._packed(rows.DRAW, _encode(wants).decode(), most)
            ids = [row[0] for _, drawn in found for row in drawn]
            crashes = self._database.execute(rows.CRASHES, (_encode(ids).decode(),)).fetchall()
        crashed = {row[0]: row for row in crashes}
        return [
            _drawn(want, name, drawn, crashed, is_all=len(drawn) < most)
            for want, (name, drawn) in zip(wants, found, strict=True)
        ]

    # Ends

    def commit(
        self, outcomes: list[Outcome], attempts: Mapping[int, int], lengths: Mapping[str, int], seconds: float
    ) -> None:
        """How some URLs ended, together with the lengths of the files that hold their records.

        Args:
            outcomes: of URLs that were pending.
            attempts: of others, which will be asked for again.
            lengths: bytes of each append file by now.
            seconds: that the run has taken so far, in all its sessions.

        Raises:
            RunError: it could not be stored; then none of it was, or all of it.
        """
        with self.lock:
            with self.transaction() as counters:
                run = self._database.execute
                ended = sum(run(rows.END, parameters).rowcount for parameters in rows.ended(outcomes))
                if ended != len(outcomes):
                    raise AssertionError(f"of {len(outcomes)} outcomes only {ended} were of pending URLs")
                run(rows.ENDED, (_encode([outcome.id for outcome in outcomes]).decode(), 1))
                run(rows.FAIL, (rows.failed(outcomes),))
                for parameters in rows.attempted(attempts):
                    run(rows.ATTEMPTED, parameters)
                self.put("lengths", _encode(lengths))
                self._write_notes()
                followed = self._enter_links(outcomes, counters)
                for outcome in outcomes:
                    counters.add(outcome)
                counters.seconds = seconds
            self._forget_notes()
            self._note_followed(followed)

    def crashed(self, id_: int, number: int, failure: Failure) -> None:
        """A page has cost `number` parse workers so far; `failure` is how it ends if it may cost no more.

        Raises:
            RunError: it could not be stored.
        """
        row = (id_, number, failure.error, storable.text(failure.message), failure.status, failure.final_url)
        with self.lock, self.transaction():
            self._database.execute("INSERT OR REPLACE INTO crashes VALUES (?,?,?,?,?,?)", row)

    def failures(self) -> Iterator[Failure]:
        """All failed URLs, in the order of the list."""
        last = 0
        while True:
            with self.lock, database.trouble(self._path):
                found = self._packed(rows.FAILURES, last, CHUNK)
            for row in found:
                yield Failure(*row[1:])
            if len(found) < CHUNK:
                return
            last = found[-1][0]

    def _packed(self, statement: str, *parameters: int | str) -> list[list[Any]]:
        """What a statement gives as one JSON array."""
        (packed,) = self._database.execute(statement, parameters).fetchone()
        return _decode_rows(packed)

    def retry(self, errors: Iterable[str] | None = None, statuses: Iterable[range] = ()) -> int:
        """Failed URLs are pending again, with no attempts behind them; invalid ones stay as they are.

        Args:
            errors: of these kinds, or with one of `statuses`; None means all.
            statuses: ranges of HTTP statuses.

        Returns:
            How many.

        Raises:
            RunError: it could not be stored; then nothing has changed.
        """
        where, parameters = rows.failures_where(errors, statuses)
        with self.lock, self.transaction() as counters:
            run = self._database.execute
            groups = run(f"SELECT error, status, count(*) FROM failures WHERE {where} GROUP BY 1, 2", parameters)
            for error, status, number in groups.fetchall():
                counters.withdraw(error, status, number)
            chosen = f"(SELECT id FROM failures WHERE {where})"
            (ids,) = run(f"SELECT json_group_array(id) FROM failures WHERE {where}", parameters).fetchone()
            run(rows.ENDED, (ids, -1))
            changed = run(f"UPDATE urls SET state=0, attempts=0 WHERE id IN {chosen}", parameters).rowcount
            run(f"DELETE FROM crashes WHERE id IN {chosen}", parameters)
            run(f"DELETE FROM failures WHERE {where}", parameters)
        return changed


def _drawn(
    want: Want, name: str, found: list[list[Any]], crashed: Mapping[int, Sequence[Any]], *, is_all: bool
) -> Draw:
    draw = Draw(want.host, name, [], [], found[-1][0] if found else want.after, is_all)
    for row in found:
        entry = rows.entry(row, name, crashed.get(row[0]))
        if isinstance(entry, Target):
            draw.targets.append(entry)
        else:
            draw.outcomes.append(Outcome(entry.url, failure=entry, status=entry.status, id=row[0]))
    return draw
