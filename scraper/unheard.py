"""Standard streams that people read, or do not: that nobody hears what is said is no reason to fail."""

from __future__ import annotations

import io
from typing import Any


class _Raw(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:  # a terminal that is gone, a reader that has left, a full disk
            return memoryview(data).nbytes


def stream(descriptor: int, encoding: str | None = None) -> io.TextIOWrapper:
    """A text stream on a descriptor, like Python's own for stderr, but what cannot be written is dropped."""
    buffer = io.BufferedWriter(_Raw(descriptor, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=True)
