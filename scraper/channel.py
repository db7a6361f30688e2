"""The bounded queue that joins two stages, with an end: a slow stage slows the ones before it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """A bounded queue for many threads that can be closed (no more comes) or cancelled (nobody wants the rest)."""

    def __init__(self, capacity: int) -> None:
        """Hold at most `capacity` items; `put` waits when it is full."""
        self.capacity = capacity
        self._lock = threading.Lock()  # guards _items, _closed and _cancelled
        self._filled = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._items: deque[T] = deque()
        self._closed = False
        self._cancelled = False

    def put(self, item: T) -> bool:
        """Append `item`, waiting for room; False if the channel was cancelled and the item is dropped."""
        with self._lock:
            while len(self._items) >= self.capacity and not self._cancelled:
                self._emptied.wait()
            if self._cancelled:
                return False
            self._items.append(item)
            self._filled.notify()
            return True

    def take(self, timeout: float | None = None) -> T | None:
        """The oldest item; None after `timeout` seconds or when the channel has ended (see `ended`)."""
        with self._lock:
            if not self._items and not self._closed:
                self._filled.wait(timeout)
            if not self._items:
                return None
            self._emptied.notify()
            return self._items.popleft()

    def take_batch(self, most: int, weight: Callable[[T], int], heaviest: int) -> list[T]:
        """Whatever waits, at least one item: up to `most`, together no heavier than `heaviest` unless one alone is.

        Waits for the first; an empty list means that the channel has ended.
        """
        with self._lock:
            while not self._items and not self._closed:
                self._filled.wait()
            batch: list[T] = []
            total = 0
            while self._items and len(batch) < most:
                total += weight(self._items[0])
                if batch and total > heaviest:
                    break
                batch.append(self._items.popleft())
            self._emptied.notify(len(batch))
            return batch

    def close(self) -> None:
        """No more will be put; what is in it can still be taken."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()

    def cancel(self) -> list[T]:
        """Drop and return what is in it and whatever is yet to be put; takers and putters wake."""
        with self._lock:
            self._closed = self._cancelled = True
            dropped = list(self._items)
            self._items.clear()
            self._filled.notify_all()
            self._emptied.notify_all()
            return dropped

    @property
    def ended(self) -> bool:
        """Closed and empty."""
        with self._lock:
            return self._closed and not self._items

    def __len__(self) -> int:
        return len(self._items)
