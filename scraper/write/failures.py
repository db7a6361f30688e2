"""failures.jsonl: a view of the state, written anew as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from scraper import atomic
from scraper.errors import RunError
from scraper.records import Failure

FAILURES: Final = "failures.jsonl"

_encode = msgspec.json.Encoder().encode


def write_failures(directory: Path, failures: Iterable[Failure], *, sync: bool = False) -> None:
    """Replace failures.jsonl: a reader sees the old one or the new one, with `sync` also after power loss.

    Raises:
        RunError: it cannot be written.
    """
    try:
        atomic.replace(directory / FAILURES, map(failure_line, failures), sync=sync)
    except OSError as error:
        raise RunError(f"cannot write {directory / FAILURES}: {error.strerror}") from None


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
    return _encode(row) + b"\n"
