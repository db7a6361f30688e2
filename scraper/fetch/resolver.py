"""Host names → addresses that may be connected to; the one place where names are looked up.

The system's look-up cannot be interrupted, and may hang. So it runs in a thread of its own, for which a fetch waits no
longer than its deadline; those who want the same name meanwhile wait for the same answer.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from scraper.fetch.addresses import AddressGuard
from scraper.fetch.deadline import TICK, Exchange


class Place(NamedTuple):
    """Where to connect to.

    Attributes:
        family: of the socket.
        address: as `socket.connect` takes it, by number.
    """

    family: int
    address: tuple[Any, ...]


class Resolver:
    """Looks names up for many threads at once, and judges what comes."""

    def __init__(self, guard: AddressGuard, most: int) -> None:
        """Let through what `guard` does; have at most `most` look-ups under way at once, however many of them hang."""
        self._guard = guard
        self._lock = threading.Lock()
        self._under_way: dict[str, _Lookup] = {}
        self._room = threading.BoundedSemaphore(most)

    def places(self, host: str, port: int, exchange: Exchange) -> list[Place]:
        """All places that a host is at, in the order in which to try them.

        Args:
            host: a name, or an address; that of IPv6 in brackets.
            port: to be connected to.
            exchange: whose time this takes.

        Raises:
            socket.gaierror, UnicodeError: the name does not resolve.
            Refused: ``blocked_address``: one of its addresses is not public, and not allowed either.
            DeadlineExceeded: the exchange's time is over.
        """
        found = _by_number(host.strip("[]"))
        if found is None:
            found = self._looked_up(host, exchange)
        self._guard.check(host, [str(place.address[0]) for place in found])
        return [Place(family, (address[0], port, *address[2:])) for family, address in found]

    def _looked_up(self, host: str, exchange: Exchange) -> list[Place]:
        while True:
            lookup, is_mine = self._join(host)
            if is_mine:
                self._start(host, lookup, exchange)
            _wait(lookup.done.wait, exchange)
            if not lookup.given_up:
                return lookup.result()

    def _start(self, host: str, lookup: _Lookup, exchange: Exchange) -> None:
        try:
            _wait(self._room.acquire, exchange)
        except BaseException:
            self._leave(host, lookup)
            lookup.given_up = True  # others that wait for it may have more time
            lookup.done.set()
            raise
        threading.Thread(target=self._look_up, args=(host, lookup), name="resolver", daemon=True).start()

    def _join(self, host: str) -> tuple[_Lookup, bool]:
        with self._lock:
            lookup = self._under_way.get(host)
            if lookup is not None:
                return lookup, False
            lookup = self._under_way[host] = _Lookup()
            return lookup, True

    def _leave(self, host: str, lookup: _Lookup) -> None:
        with self._lock:
            if self._under_way.get(host) is lookup:
                del self._under_way[host]

    def _look_up(self, host: str, lookup: _Lookup) -> None:
        """A daemon thread: a process that ends does not wait for it."""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            lookup.places = [Place(family, address) for family, _, _, _, address in found]
        except BaseException as error:  # noqa: BLE001  raised again by those who wait
            lookup.error = error
        finally:
            self._leave(host, lookup)
            self._room.release()
            lookup.done.set()


class _Lookup:
    """One look-up under way, for all who wait for it."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.places: list[Place] = []
        self.error: BaseException | None = None
        self.given_up = False

    def result(self) -> list[Place]:
        if self.error is not None:
            raise type(self.error)(*self.error.args)  # each has its own, for each adds its own traceback to it
        return self.places


def _wait(until: Callable[..., bool], exchange: Exchange) -> None:
    """Wait for something as long as the exchange has time, and is wanted.

    Raises:
        DeadlineExceeded: it is over.
    """
    while not until(timeout=min(TICK, exchange.connect_budget())):
        pass


def _by_number(host: str) -> list[Place] | None:
    """The place that an address names, in the spelling that the URL Standard's serialiser gives; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return [Place(family, (host, 0) if family == socket.AF_INET else (host, 0, 0, 0))]
    return None
