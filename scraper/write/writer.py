"""The one locked writer: outcomes in, committed lines out.

Outcomes are committed in groups, all of a page's lines together: append the lines of the whole group, flush, fsync,
then mark their URLs in the state, together with the new length of the file. Whatever instant the process dies at, the
file is cut back to the length that the state has, and both say the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Protocol

from scraper import terminal
from scraper.errors import RunError
from scraper.records import Attempt, Outcome
from scraper.write.appendfile import AppendFile

#: A group is committed when it holds this many pages or bytes, or its first has waited this many seconds.
GROUP_PAGES: Final = 1000
GROUP_BYTES: Final = 16 << 20
GROUP_SECONDS: Final = 1.0

#: The same where a page of the group leads to others: those can be asked for only when it is committed.
LEADING_SECONDS: Final = 0.1

RECORDS: Final = "records.jsonl"


class State(Protocol):
    """What the writer needs of the state store."""

    @property
    def lock(self) -> threading.RLock: ...

    @property
    def lengths(self) -> Mapping[str, int]: ...

    def commit(
        self, outcomes: list[Outcome], attempts: Mapping[int, int], lengths: Mapping[str, int], seconds: float
    ) -> None: ...


class Writer:
    """Appends to a run's files in step with its state; for any thread. A context manager.

    Attributes:
        seconds: spent writing.
    """

    def __init__(self, directory: Path, state: State, *, fsync: bool = True) -> None:
        """Open the files in `directory`, which must exist, and cut them back to what was committed.

        Raises:
            UsageError: they cannot be opened for writing, or are shorter than what was committed.
            RunError: they cannot be cut.
        """
        # One lock for the group, the files and the state: what is committed together is written together. It is held
        # over I/O, which is what it is for.
        self._lock = state.lock
        self._state = state
        self._group: list[Outcome] = []
        self._attempts: dict[int, int] = {}
        self._bytes = 0
        self._since = 0.0
        self._leads_on = False  # a page of the group leads to others, which somebody may wait for
        self._broken = False
        self._closed = False
        self._fsync = fsync
        self.seconds = 0.0
        self._records = AppendFile(directory / RECORDS, state.lengths.get(RECORDS, 0))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entries: list[Outcome | Attempt], seconds: float = 0.0, *, urgent: bool = False) -> None:
        """Take outcomes, and attempts that were none, into the group, and commit it when it is due.

        Args:
            entries: what came.
            seconds: for how long the run goes on, in all its sessions.
            urgent: nothing else can be done before.

        Raises:
            RunError: writing failed.
        """
        with self._lock:
            if not self._group and not self._attempts:
                self._since = time.monotonic()
            for entry in entries:
                if isinstance(entry, Attempt):
                    self._attempts[entry.id] = entry.attempts
                else:
                    self._group.append(entry)
                    self._bytes += len(entry.lines)
                    self._leads_on = self._leads_on or bool(entry.links)
            if urgent:
                self._commit(seconds)
            else:
                self._commit_if_due(seconds)

    def close(self, seconds: float = 0.0) -> None:
        """Commit what is left and close the files.

        Raises:
            RunError: writing failed.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._commit(seconds)
            finally:
                self._records.close()

    def _commit_if_due(self, seconds: float) -> None:
        full = len(self._group) >= GROUP_PAGES or self._bytes >= GROUP_BYTES
        patience = LEADING_SECONDS if self._leads_on else GROUP_SECONDS
        due = full or time.monotonic() - self._since >= patience
        if due and (self._group or self._attempts):
            self._commit(seconds)

    def _commit(self, seconds: float) -> None:
        group, attempts, self._group, self._attempts, self._bytes = self._group, self._attempts, [], {}, 0
        self._leads_on = False
        if self._broken or not (group or attempts):
            return
        began = time.monotonic()
        self._broken = True  # until all is well: after a half-done commit only a new start knows what stands
        self._append(b"".join([outcome.lines for outcome in group]))
        self._state.commit(group, attempts, {self._records.name: self._records.length}, seconds)
        self._broken = False
        self.seconds += time.monotonic() - began

    def _append(self, data: bytes) -> None:
        if not data:
            return
        before = self._records.length
        try:
            self._records.append(data)
            if self._fsync:
                self._records.sync()
        except OSError as error:
            self._records.cut(before)  # no half a line, and no half a group, stays to be seen
            raise RunError(
                f"cannot write the records: {error.strerror}; the same command goes on when that is mended"
            ) from None


class StreamWriter:
    """Writes records to an open stream and keeps nothing: ``-o -``; to a terminal without what one would obey."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._is_read = stream.isatty()
        self.seconds = 0.0

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entries: list[Outcome | Attempt], _seconds: float = 0.0, **_: bool) -> None:
        """Write the records out.

        Raises:
            RunError: the reader went away, or writing failed.
        """
        began = time.monotonic()
        try:
            lines = b"".join([entry.lines for entry in entries if isinstance(entry, Outcome)])
            self._stream.write(terminal.json(lines.decode()).encode() if self._is_read else lines)
            self._stream.flush()
        except BrokenPipeError:
            raise  # whoever read them has seen enough: not worth a word
        except OSError as error:
            raise RunError(f"cannot write the records: {error.strerror}") from None
        self.seconds += time.monotonic() - began

    def close(self, _seconds: float = 0.0) -> None:
        """The stream is not ours to close."""
