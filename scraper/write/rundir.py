"""The directory of a run."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from scraper.errors import UsageError
from scraper.write.writer import FAILURES, RECORDS

SUMMARY: Final = "summary.json"


def check(directory: Path, *, restart: bool) -> None:
    """See that a new run may begin in `directory`; changes nothing.

    Args:
        directory: need not exist.
        restart: a former run there is no obstacle.

    Raises:
        UsageError: it is no place for a run, or it holds one already.
    """
    try:
        nearest = _nearest(directory)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise _unwritable(directory, error) from None
    if not nearest.is_dir():
        raise UsageError(f"{nearest} is not a directory; name another with -o")
    if holds_run(directory) and not restart:
        raise UsageError(
            f"{directory} holds an unfinished run; --restart moves it aside and begins anew, -o names another place"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write into {directory}: permission denied; name another place with -o")


def prepare(directory: Path, *, restart: bool) -> None:
    """Make `directory` ready for a new run, moving a former one aside under a dated name if `restart`.

    Raises:
        UsageError: it cannot be created or written, or it holds a run already.
    """
    check(directory, restart=restart)
    try:
        if holds_run(directory):
            directory.rename(_dated(directory))
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from None


def holds_run(directory: Path) -> bool:
    """Whether a run has left its files there."""
    return any((directory / name).exists() for name in (RECORDS, FAILURES, SUMMARY))


def is_complete(directory: Path) -> bool:
    """Whether the run there came to its end."""
    try:
        return bool(msgspec.json.decode((directory / SUMMARY).read_bytes()).get("complete"))
    except (OSError, msgspec.DecodeError, AttributeError):
        return False


def write_summary(directory: Path, content: bytes) -> None:
    """Replace summary.json as a whole: a reader sees the old one or the new one."""
    temporary = directory / f"{SUMMARY}.new"
    temporary.write_bytes(content)
    temporary.replace(directory / SUMMARY)


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
