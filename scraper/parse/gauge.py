"""Shared memory of one worker and its owner: which page is in hand, since when, and how much was done."""

from __future__ import annotations

import time
from multiprocessing.heap import Arena
from typing import Any, Final

_IN_HAND, _SINCE, _BUSY, _PAGES = range(4)
_SIZE: Final = 4096


class Gauge:
    """Four numbers in shared memory; the worker writes, its owner reads. Each is one aligned 8-byte store.

    On `multiprocessing`'s own shared block, since that travels to a started process by every start method; a
    ``RawValue`` would keep a descriptor open for the life of the program.
    """

    def __init__(self) -> None:
        self._arena: Any = Arena(_SIZE)
        self._open()
        self.reset()

    def reset(self) -> None:
        """For a new worker: nothing in hand, nothing done."""
        self._cells[_IN_HAND] = -1.0
        self._cells[_SINCE] = time.monotonic()
        self._cells[_BUSY] = 0.0
        self._cells[_PAGES] = 0.0

    def take(self, index: int) -> None:
        """The worker begins with page `index` of its batch."""
        self._cells[_SINCE] = time.monotonic()
        self._cells[_IN_HAND] = float(index)

    def put_down(self) -> float:
        """The worker is done with the page; returns the monotonic time."""
        now = time.monotonic()
        cells = self._cells
        cells[_IN_HAND] = -1.0
        cells[_BUSY] += now - cells[_SINCE]
        cells[_PAGES] += 1.0
        cells[_SINCE] = now
        return now

    @property
    def in_hand(self) -> int:
        """Index of the page being parsed, -1 between pages."""
        return int(self._cells[_IN_HAND])

    @property
    def since(self) -> float:
        """Monotonic time of the last change of `in_hand`."""
        return self._cells[_SINCE]

    @property
    def pages(self) -> int:
        """Pages parsed."""
        return int(self._cells[_PAGES])

    def busy(self, now: float) -> float:
        """Seconds spent parsing so far, the page in hand included."""
        running = now - self._cells[_SINCE] if self._cells[_IN_HAND] >= 0 else 0.0
        return self._cells[_BUSY] + max(running, 0.0)

    def close(self) -> None:
        """Give the memory back."""
        self._cells.release()
        self._arena.buffer.close()
        self._arena = None  # lets go of its descriptor

    def _open(self) -> None:
        self._cells: memoryview[float] = memoryview(self._arena.buffer).cast("d")

    def __getstate__(self) -> Any:
        return self._arena

    def __setstate__(self, arena: Any) -> None:
        self._arena = arena
        self._open()
