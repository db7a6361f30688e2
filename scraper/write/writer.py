"""The one locked writer: outcomes in, committed lines out.

Outcomes are committed in groups, all of a page's lines together: append the lines of the whole group, flush, fsync.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import IO, Final

import msgspec

from scraper.errors import RunError, UsageError
from scraper.records import Failure, Outcome

#: A group is committed when it holds this many pages or bytes, or its first has waited this many seconds.
GROUP_PAGES: Final = 1000
GROUP_BYTES: Final = 16 << 20
GROUP_SECONDS: Final = 1.0

RECORDS: Final = "records.jsonl"
FAILURES: Final = "failures.jsonl"

_encode = msgspec.json.Encoder().encode


class Writer:
    """Appends to a run's files; for any thread. A context manager."""

    def __init__(self, directory: Path, *, fsync: bool = True) -> None:
        """Open the files in `directory`, which must exist.

        Raises:
            UsageError: they cannot be opened for writing.
        """
        self._lock = threading.Lock()  # guards the group and the files: what one thread commits stays together
        self._group: list[Outcome] = []
        self._bytes = 0
        self._since = 0.0
        self._fsync = fsync
        self.seconds = 0.0
        self._records = _open(directory / RECORDS)
        try:
            self._failures = _open(directory / FAILURES)
        except UsageError:
            self._records.close()
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, outcomes: list[Outcome]) -> None:
        """Take outcomes into the group, and commit it when it is due.

        Raises:
            RunError: writing failed.
        """
        with self._lock:
            if not self._group:
                self._since = time.monotonic()
            self._group += outcomes
            self._bytes += sum(len(outcome.lines) for outcome in outcomes)
            self._commit_if_due()

    def tick(self) -> None:
        """Commit if the group has waited long enough; to be called every now and then.

        Raises:
            RunError: writing failed.
        """
        with self._lock:
            self._commit_if_due()

    def close(self) -> None:
        """Commit what is left and close the files.

        Raises:
            RunError: writing failed.
        """
        with self._lock:
            try:
                self._commit()
            finally:
                for file in (self._records, self._failures):
                    with contextlib.suppress(OSError):  # it tries again to flush what a failed commit left in it
                        file.close()

    def _commit_if_due(self) -> None:
        full = len(self._group) >= GROUP_PAGES or self._bytes >= GROUP_BYTES
        due = full or time.monotonic() - self._since >= GROUP_SECONDS
        if self._group and due:
            self._commit()

    def _commit(self) -> None:
        group, self._group, self._bytes = self._group, [], 0
        if not group:
            return
        began = time.monotonic()
        lengths = [os.fstat(file.fileno()).st_size for file in (self._records, self._failures)]
        try:
            self._append(self._records, b"".join([outcome.lines for outcome in group]))
            failures = [failure_line(outcome.failure) for outcome in group if outcome.failure is not None]
            self._append(self._failures, b"".join(failures))
        except OSError as error:
            for file, length in zip((self._records, self._failures), lengths, strict=True):
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), length)  # no half a line, and no half a group, stays
            raise RunError(f"cannot write the records: {error.strerror}") from None
        self.seconds += time.monotonic() - began

    def _append(self, file: IO[bytes], data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        if data and self._fsync:
            os.fsync(file.fileno())


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("ab", buffering=0)  # groups are the buffer
    except OSError as error:
        raise UsageError(f"cannot write into {path.parent}: {error.strerror}") from None


class StreamWriter:
    """Writes records to an open stream and keeps nothing: ``-o -``."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seconds = 0.0

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, outcomes: list[Outcome]) -> None:
        """Write the records out.

        Raises:
            RunError: the reader went away, or writing failed.
        """
        began = time.monotonic()
        try:
            self._stream.write(b"".join([outcome.lines for outcome in outcomes]))
            self._stream.flush()
        except BrokenPipeError:
            raise  # whoever read them has seen enough: not worth a word
        except OSError as error:
            raise RunError(f"cannot write the records: {error.strerror}") from None
        self.seconds += time.monotonic() - began

    def tick(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """The stream is not ours to close."""


def failure_line(failure: Failure) -> bytes:
    """A failure as failures.jsonl has it."""
    row = {
        "url": failure.url,
        "error": failure.error,
        "message": failure.message,
        "status": failure.status,
        "attempts": failure.attempts,
        "final_url": failure.final_url,
        "failed_at": failure.failed_at,
    }
    try:
        return _encode(row) + b"\n"
    except UnicodeEncodeError:
        clean = {key: _storable(value) if isinstance(value, str) else value for key, value in row.items()}
        return _encode(clean) + b"\n"


def _storable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
