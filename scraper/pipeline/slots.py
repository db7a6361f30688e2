"""What the pipeline keeps beside the flow: how busy its fetch threads are, and that they end with the program."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from typing import Protocol


class FetchSlot:
    """How long one fetch thread was busy."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._before = 0.0

    def stop(self) -> float:
        """It has nothing in hand any more; for how many seconds it had."""
        if self.since is None:
            return 0.0
        seconds = time.monotonic() - self.since
        self._before += seconds
        self.since = None
        return seconds

    def seconds(self, now: float) -> float:
        """Seconds that it was busy so far."""
        since = self.since
        return self._before + (now - since if since is not None else 0.0)


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None: ...


def close_at_exit(pipeline: Closable) -> None:
    """Close the pipeline when the program ends, however it is still referred to.

    The interpreter joins all threads before it lets go of a generator that nobody finished, so its threads must be told
    to end before. concurrent.futures has the same need and meets it in the same way; hooks run in reverse order.
    """
    reference = weakref.ref(pipeline)

    def close() -> None:
        living = reference()
        if living is not None:
            living.close()

    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with contextlib.suppress(RuntimeError):  # the program is ending already
            register(close)
