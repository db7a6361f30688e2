"""The state's file as a ledger: a connection, its lock, named values, and transactions that keep the counters true."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from scraper.counters import Counters
from scraper.schedule import database

_encode = msgspec.json.Encoder().encode
_decode_counters = msgspec.json.Decoder(Counters).decode


class Ledger:
    """What every part of the state shares; for many threads, one at a time. A context manager.

    Attributes:
        lock: held while the state is read or written, and by the writer over a whole commit. It is there for I/O.
        counters: what the state holds now.
        fsync: whether a commit waits for the disk; if not, power loss may undo the last ones.
        is_durable: whether it outlives the process; else it is a temporary file, and nothing is committed to it.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        """Use `connection`, to the file at `path`; None for a temporary one."""
        self.lock = threading.RLock()  # guards everything below
        self._database = connection
        self._path = path
        self.is_durable = path is not None
        self.fsync = True
        self.counters = Counters()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        # It tries to tidy its log up, on a full disk as well.
        with self.lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

    @property
    def about(self) -> bytes:
        """What the run is, as its maker said."""
        with self.lock, database.trouble(self._path):
            return self.get("about") or b"{}"

    def describe(self, about: bytes) -> None:
        """What the run is from now on.

        Raises:
            RunError: it cannot be written.
        """
        with self.lock, self.transaction(durable=False):
            self.put("about", about)

    @property
    def lengths(self) -> dict[str, int]:
        """Committed length, in bytes, of each file that the run appends to."""
        with self.lock, database.trouble(self._path):
            return dict(msgspec.json.decode(self.get("lengths") or b"{}", type=dict[str, int]))

    def recall(self) -> None:
        """The counters as they were committed last; the caller minds the lock and `database.trouble`."""
        self.counters = _decode_counters(self.get("counters") or b"{}")

    def get(self, name: str) -> bytes | None:
        """A named value; the caller minds the lock and `database.trouble`."""
        row = self._database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, name: str, value: bytes) -> None:
        """Keep a named value; to be called in a transaction."""
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (name, value))

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Counters]:
        """All or nothing; the caller holds the lock.

        Args:
            durable: whether to wait for the disk; a list, for one, can be read again.

        Yields:
            A copy of the counters, which become the counters if all goes well.

        Raises:
            RunError: the disk is full, cannot be written, or fails.
        """
        run = self._database.execute
        counters = self.counters.copy()
        with database.trouble(self._path):
            run(f"PRAGMA synchronous={'FULL' if durable and self.fsync else 'NORMAL'}")
            run("BEGIN IMMEDIATE")
            try:
                yield counters
                self.put("counters", _encode(counters))
                run("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    run("ROLLBACK")
                with contextlib.suppress(sqlite3.Error):
                    self.recall()  # a COMMIT that failed may have taken place all the same
                raise
        self.counters = counters
