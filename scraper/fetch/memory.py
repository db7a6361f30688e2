"""One budget of memory for all bodies being read and all bodies waiting to be parsed."""

from __future__ import annotations

import sys
import threading


class Budget:
    """Bytes shared by many readers; whoever asks for more than there is waits.

    Complete bodies are given back sooner or later. But when nothing is held except by readers in the middle of their
    bodies, they could wait for each other for ever: then the one that holds most may go on, the first of equals. So the
    limit is exceeded by one body at most.
    """

    def __init__(self, limit: int) -> None:
        """Share out `limit` bytes."""
        self._limit = limit
        self._changed = threading.Condition()  # guards _used, _kept and _reading
        self._used = 0
        self._kept = 0
        self._reading: dict[object, int] = {}

    def reserve(self, reader: object, size: int) -> None:
        """Take `size` more bytes for `reader`, waiting for room."""
        with self._changed:
            self._reading.setdefault(reader, 0)
            self._changed.wait_for(lambda: self._used + size <= self._limit or self._may_exceed(reader))
            self._used += size
            self._reading[reader] += size

    def take(self, reader: object, size: int) -> bool:
        """Take `size` more bytes for `reader` if that can be done without waiting; returns whether it was."""
        with self._changed:
            self._reading.setdefault(reader, 0)
            if self._used + size > self._limit and not self._may_exceed(reader):
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

    def _may_exceed(self, reader: object) -> bool:
        return self._kept == 0 and max(self._reading, key=self._reading.__getitem__) is reader
