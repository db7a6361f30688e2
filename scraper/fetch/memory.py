"""One budget of memory for all bodies being read and all bodies waiting to be parsed."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterable
from typing import Final

#: Blocks of memory from this size on go back to the system as soon as they are free.
LARGE: Final = 1 << 17

#: glibc's number for it (mallopt(3)).
_M_MMAP_THRESHOLD: Final = -3


def return_large_blocks() -> None:
    """Keep the memory of bodies that are gone from piling up in the allocator.

    By default glibc learns from each large block that is freed to keep the next ones, up to 32 MiB each, and does so
    for every thread: a run with many fetch threads would hold several times what its bodies take. Naming a threshold,
    any, ends that. Other C libraries have no such option and no need of it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)


class Budget:
    """Bytes shared by many readers; whoever asks for more than there is waits.

    The last quarter is for bodies that are nearest to their end: of those who wait for it, the one that holds most goes
    on, the first of equals. Else all would grow together, and few become complete.

    Complete bodies are given back sooner or later. But when nothing is held except by readers in the middle of their
    bodies, they could wait for each other for ever: then the one that holds most may go on beyond the limit, which is
    so exceeded by one body at most.
    """

    def __init__(self, limit: int) -> None:
        """Share out `limit` bytes."""
        self._limit = limit
        self._changed = threading.Condition()  # guards all the following
        self._used = 0
        self._kept = 0
        self._reading: dict[object, int] = {}
        self._waiting: dict[object, None] = {}  # in the order in which they came

    def reserve(self, reader: object, size: int) -> None:
        """Take `size` more bytes for `reader`, waiting for room."""
        with self._changed:
            self._reading.setdefault(reader, 0)
            self._waiting[reader] = None
            self._changed.wait_for(lambda: self._has_room(reader, size))
            del self._waiting[reader]
            self._used += size
            self._reading[reader] += size
            self._changed.notify_all()  # another one is the largest of those who wait

    def take(self, reader: object, size: int) -> bool:
        """Take `size` more bytes for `reader` if that can be done without waiting; returns whether it was."""
        with self._changed:
            self._reading.setdefault(reader, 0)
            if not self._has_room(reader, size):
                return False
            self._used += size
            self._reading[reader] += size
            return True

    def keep(self, reader: object, size: int) -> None:
        """The body is complete: `size` bytes of it stay reserved until `release`; its reader needs no more."""
        with self._changed:
            self._used += size - self._reading.pop(reader, 0)
            self._kept += size
            self._changed.notify_all()

    def drop(self, reader: object) -> None:
        """The body is given up: return what its reader holds."""
        with self._changed:
            self._used -= self._reading.pop(reader, 0)
            self._changed.notify_all()

    def release(self, size: int) -> None:
        """A kept body of `size` bytes was dealt with."""
        with self._changed:
            self._used -= size
            self._kept -= size
            self._changed.notify_all()

    def lift(self) -> None:
        """No more limit: the run is being torn down, and nobody shall wait."""
        with self._changed:
            self._limit = sys.maxsize
            self._changed.notify_all()

    @property
    def used(self) -> int:
        """Bytes reserved now."""
        return self._used

    def _has_room(self, reader: object, size: int) -> bool:
        used = self._used + size
        if used <= self._limit - self._limit // 4:
            return True
        if used <= self._limit:
            return self._is_largest(reader, {**self._waiting, reader: None})
        return self._kept == 0 and self._is_largest(reader, self._reading)

    def _is_largest(self, reader: object, of: Iterable[object]) -> bool:
        return max(of, key=self._reading.__getitem__) is reader
