"""The directory of a run."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from scraper import atomic
from scraper.errors import RunError, UsageError
from scraper.write.failures import FAILURES
from scraper.write.writer import RECORDS

SUMMARY: Final = "summary.json"
STATE: Final = "state.db"
LOCK: Final = "run.lock"

#: Where a lock lies on systems that lock bytes of a file.
LOCKED_BYTE: Final = 1 << 20


def check(directory: Path) -> None:
    """See that a new run may begin in `directory`; changes nothing.

    Args:
        directory: need not exist.

    Raises:
        UsageError: it is no place for a run.
    """
    try:
        nearest = _nearest(directory)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise _unwritable(directory, error) from None
    if not nearest.is_dir():
        raise UsageError(f"{nearest} is not a directory; name another with -o")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write into {directory}: permission denied; name another place with -o")


def prepare(directory: Path, *, restart: bool) -> Hold:
    """Make `directory` ready for a new run, moving a former one aside under a dated name if `restart`.

    Returns:
        The directory's lock, held until it is closed.

    Raises:
        UsageError: it cannot be created or written, another process writes there, or it holds a run already.
    """
    check(directory)
    try:
        if holds_run(directory):
            with Hold(directory):
                if not restart:  # whoever looked before saw none
                    raise UsageError(
                        f"another process has just begun a run in {directory}; the same command resumes it"
                    )
                directory.rename(_dated(directory))
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from None
    return Hold(directory)


class Hold:
    """The right to write into a run's directory: a lock that the kernel drops when its holder dies."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            UsageError: another process has it, or it cannot be had.
            RunError: it cannot be had in a directory that holds a run.
        """
        try:
            self._file = (directory / LOCK).open("a+b")
        except OSError as error:
            if holds_run(directory):  # nowhere else would it go on
                raise RunError(
                    f"cannot write into {directory}: {error.strerror}; the same command goes on when that is mended"
                ) from None
            raise _unwritable(directory, error) from None
        try:
            _lock(self._file)
        except OSError:
            self._file.seek(0)
            holder = self._file.read(64).decode("ascii", "replace").strip() or "unknown"
            self._file.close()
            raise UsageError(f"{directory} is in use by process {holder}; wait for it, or name another place") from None
        with contextlib.suppress(OSError):  # a full disk, say: the number is only there to be told to others
            os.ftruncate(self._file.fileno(), 0)
            os.write(self._file.fileno(), f"{os.getpid()}\n".encode())

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back; the file stays, since removing it would race with the next who comes."""
        self._file.close()


def _lock(file: IO[bytes]) -> None:
    """Lock a file for this process alone.

    Raises:
        OSError: another process has it.
    """
    if sys.platform == "win32":
        import msvcrt

        file.seek(LOCKED_BYTE)  # far behind the holder's number, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def holds_run(directory: Path) -> bool:
    """Whether a run has left its files there."""
    return any((directory / name).exists() for name in (STATE, RECORDS, FAILURES, SUMMARY))


def write_summary(directory: Path, content: bytes) -> None:
    """Replace summary.json as a whole: a reader sees the old one or the new one.

    Raises:
        RunError: it cannot be written.
    """
    try:
        atomic.replace(directory / SUMMARY, [content])
    except OSError as error:
        raise RunError(f"cannot write {directory / SUMMARY}: {error.strerror}") from None


def _nearest(directory: Path) -> Path:
    """The directory itself, or what there is of the way to it."""
    while not directory.exists():
        directory = directory.parent
    return directory


def _unwritable(directory: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write into {directory}: {error.strerror}; name another place with -o")


def _dated(directory: Path) -> Path:
    """A name beside `directory` that is free: its own with the moment added."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    candidate = directory.with_name(f"{directory.name}.{stamp}")
    serial = 1
    while candidate.exists():
        serial += 1
        candidate = directory.with_name(f"{directory.name}.{stamp}-{serial}")
    return candidate
