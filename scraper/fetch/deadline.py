"""A deadline for a whole exchange, from connect to the last byte.

A socket timeout starts anew with every byte, so a server that drips its header holds a fetch thread for as long as it
likes. Here a watchdog shuts the socket down when the time is over, which wakes whatever blocks on it: `recv`, `send`,
a TLS handshake. (Closing it from another thread would wake nobody.)
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from urllib3.util import Timeout

#: How often the watchdog looks, in seconds; the most by which a deadline is overrun.
TICK: Final = 0.1


class DeadlineExceeded(Exception):
    """The exchange's time was over before it could go on."""

    def __init__(self) -> None:
        super().__init__("the deadline for the whole exchange passed")


class Guard:
    """A duplicate of a connection's descriptor, by which the watchdog shuts the connection down.

    A duplicate, since http.client may close its own early ("Connection: close") while the body is still being read, and
    the number might then belong to another socket. It is closed when nobody refers to the guard any more: neither the
    connection nor an exchange.
    """

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = socket.fromfd(sock.fileno(), sock.family, sock.type)

    def shut_down(self) -> None:
        """Wake whatever blocks on the connection."""
        with contextlib.suppress(OSError):  # the peer was quicker
            self._socket.shutdown(socket.SHUT_RDWR)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # there was no descriptor left to duplicate
            self._socket.close()


class Exchange(Timeout):
    """One fetch of one target under one deadline; may span several requests (redirects in place).

    A `urllib3.util.Timeout`, because that is what travels unchanged through ``HTTPAdapter.send`` down to the
    connection; its own connect and read timeouts stay unused.

    Attributes:
        deadline: monotonic time at which it ends.
        fired: whether the watchdog has ended it.
        connected: whether the current request has a connection, TLS and tunnel included.
        handshaking: whether a server has been reached that TLS has yet to be spoken with.
        sent: is called whenever a request is on its way.
    """

    def __init__(
        self, watchdog: Watchdog, timeout: float, connect_timeout: float, sent: Callable[[], object] = bool
    ) -> None:
        super().__init__()
        self.sent = sent
        self.deadline = time.monotonic() + timeout
        self.fired = False
        self.connected = False
        self.handshaking = False
        self._watchdog = watchdog
        self._connect_timeout = connect_timeout
        self._guard: Guard | None = None

    def connect_budget(self) -> float:
        """Seconds that one connection attempt may take.

        Raises:
            DeadlineExceeded: none are left.
        """
        left = self.deadline - time.monotonic()
        if self.fired or left <= 0 or self._watchdog.aborted:
            raise DeadlineExceeded
        return min(left, self._connect_timeout)

    def check(self) -> None:
        """See whether there is time left, where no socket would notice.

        Raises:
            DeadlineExceeded: there is none.
        """
        if self.fired or time.monotonic() >= self.deadline or self._watchdog.aborted:
            raise DeadlineExceeded

    def watch(self, guard: Guard) -> None:
        """From now on the deadline shuts down what `guard` guards.

        Raises:
            DeadlineExceeded: the time is over already.
        """
        if not self._watchdog.attach(self, guard):
            raise DeadlineExceeded

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock: time this process spends waiting for its own memory is not the server's fault."""
        left = self.deadline - time.monotonic()
        self.deadline = math.inf
        try:
            yield
        finally:
            self.deadline = time.monotonic() + left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watchdog.detach(self)


class Watchdog:
    """Ends exchanges that are over their deadline; one thread for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _watched, _aborted and every exchange's _guard and fired
        self._aborted = False
        self._watched: set[Exchange] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch-watchdog", daemon=True)
        self._thread.start()

    def attach(self, exchange: Exchange, guard: Guard) -> bool:
        """Take `guard` in place of the exchange's former one; False if its time is over."""
        with self._lock:
            exchange.fired = exchange.fired or self._aborted
            exchange._guard = guard
            self._watched.add(exchange)
            return not exchange.fired

    def detach(self, exchange: Exchange) -> None:
        """The exchange is over; forget it."""
        with self._lock:
            self._watched.discard(exchange)
            exchange._guard = None

    def abort(self) -> None:
        """End every exchange now, as if its time were over, and every one that comes later at once."""
        with self._lock:
            self._aborted = True
        self._end_those_before(math.inf)

    @property
    def aborted(self) -> bool:
        """Whether exchanges are no longer wanted."""
        return self._aborted

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(TICK):
            self._end_those_before(time.monotonic())

    def _end_those_before(self, moment: float) -> None:
        # shutdown never blocks, so it may happen under the lock; that keeps the guard from being let go meanwhile.
        with self._lock:
            for exchange in self._watched:
                if not exchange.fired and exchange.deadline <= moment:
                    exchange.fired = True
                    if exchange._guard is not None:
                        exchange._guard.shut_down()
