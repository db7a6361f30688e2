"""One budget of memory for all bodies being read and all bodies waiting to be parsed."""

from __future__ import annotations

import sys
import threading


class Budget:
    """Bytes shared by many readers; whoever asks for more than there is waits.

    The reader that holds most may always go on, else readers in the middle of their bodies could wait for each other
    for ever. So the limit is exceeded by one body at most.
    """

    def __init__(self, limit: int) -> None:
        """Share out `limit` bytes."""
        self._limit = limit
        self._changed = threading.Condition()  # guards _used and _reading
        self._used = 0
        self._reading: dict[object, int] = {}

    def reserve(self, reader: object, size: int) -> None:
        """Take `size` more bytes for `reader`, waiting for room."""
        with self._changed:
            self._changed.wait_for(lambda: self._used + size <= self._limit or self._holds_most(reader))
            self._used += size
            self._reading[reader] = self._reading.get(reader, 0) + size

    def keep(self, reader: object) -> None:
        """The body is complete: it stays reserved until `release`, but its reader needs no more."""
        with self._changed:
            self._reading.pop(reader, None)
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

    def _holds_most(self, reader: object) -> bool:
        mine = self._reading.get(reader, 0)
        return all(mine >= held for other, held in self._reading.items() if other is not reader)
