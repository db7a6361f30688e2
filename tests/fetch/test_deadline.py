"""One deadline for a whole exchange, held by a watchdog that wakes whatever blocks on the socket."""

from __future__ import annotations

import gc
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from scraper.fetch import deadline
from scraper.fetch.deadline import DeadlineExceeded, Exchange, Guard, Watchdog

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    """A watchdog; stopped at the end of the test."""
    watchdog = Watchdog()
    yield watchdog
    watchdog.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two sockets connected to each other."""
    here, there = socket.socketpair()
    with here, there:
        there.settimeout(5)
        here.settimeout(5)
        yield here, there


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the time that exchanges and their watchdog see; it starts at 0."""
    now = [0.0]
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def set_to(seconds: float) -> None:
        now[0] = seconds

    return set_to


def test_wakes_a_reader_when_the_time_is_over(watchdog: Watchdog, pair: Pair) -> None:
    """A `recv` that would wait for ever returns shortly after the deadline, and the exchange knows why."""
    here, _ = pair
    started = time.monotonic()
    with Exchange(watchdog, timeout=0.2, connect_timeout=5) as exchange:
        exchange.watch(Guard(here))
        assert here.recv(1) == b""
        assert exchange.fired
    assert 0.2 <= time.monotonic() - started < 0.2 + 5 * deadline.TICK


def test_wakes_a_writer_when_the_time_is_over(watchdog: Watchdog, pair: Pair) -> None:
    """A `send` to a peer that reads nothing ends, too."""
    here, _ = pair
    with Exchange(watchdog, timeout=0.1, connect_timeout=5) as exchange:
        exchange.watch(Guard(here))
        with pytest.raises(BrokenPipeError):
            here.sendall(b"x" * (1 << 24))
        assert exchange.fired


def test_guards_what_outlives_the_descriptor(watchdog: Watchdog, pair: Pair) -> None:
    """The connection is shut down though its own descriptor was closed while a file of it is still read."""
    here, _ = pair
    with Exchange(watchdog, timeout=0.1, connect_timeout=5) as exchange:
        exchange.watch(Guard(here))
        with here.makefile("rb") as stream:
            here.close()
            assert stream.read(1) == b""
        assert exchange.fired


def test_leaves_alone_what_is_over(watchdog: Watchdog, pair: Pair) -> None:
    """After its exchange a connection is nobody's: it stays open for the next one."""
    here, there = pair
    guard = Guard(here)
    with Exchange(watchdog, timeout=30, connect_timeout=5) as exchange:
        exchange.watch(guard)
    watchdog.abort()
    assert not exchange.fired
    there.send(b"!")
    assert here.recv(1) == b"!"


def test_only_the_latest_connection_is_shut_down(watchdog: Watchdog, pair: Pair) -> None:
    """An exchange that moved on to another connection (a redirect) gives up its claim to the former."""
    here, there = pair
    other, peer = socket.socketpair()
    with other, peer, Exchange(watchdog, timeout=30, connect_timeout=5) as exchange:
        exchange.watch(Guard(here))
        exchange.watch(Guard(other))
        watchdog.abort()
        assert peer.recv(1) == b""
        there.send(b"!")
        assert here.recv(1) == b"!"


def test_abort_ends_all_at_once(watchdog: Watchdog, pair: Pair) -> None:
    """Aborting ends every exchange whatever time it has left, and what they try next."""
    here, there = pair
    with Exchange(watchdog, 30, 5) as first, Exchange(watchdog, 30, 5) as second:
        first.watch(Guard(here))
        second.watch(Guard(there))
        watchdog.abort()
        assert here.recv(1) == there.recv(1) == b""
        assert first.fired
        assert second.fired
        with pytest.raises(DeadlineExceeded):
            first.watch(Guard(here))
        with pytest.raises(DeadlineExceeded):
            first.connect_budget()


@pytest.mark.parametrize(
    ("timeout", "connect_timeout", "budget"), [(30, 5, 5), (3, 5, 3), (5, 5, 5)], ids=["connect", "total", "either"]
)
def test_a_connection_attempt_gets_the_shorter_time(
    watchdog: Watchdog, timeout: float, connect_timeout: float, budget: float
) -> None:
    """Connecting may take the connect timeout, or what is left of the whole."""
    with Exchange(watchdog, timeout, connect_timeout) as exchange:
        assert exchange.connect_budget() == pytest.approx(budget, abs=0.5)


def test_no_attempt_without_time(watchdog: Watchdog) -> None:
    """With no time left there is nothing to try."""
    with Exchange(watchdog, timeout=0, connect_timeout=5) as exchange, pytest.raises(DeadlineExceeded):
        exchange.connect_budget()


def test_a_pause_stops_the_clock(watchdog: Watchdog, pair: Pair, clock: Callable[[float], None]) -> None:
    """Time spent in a pause does not count, however long it is; what was left before is left after."""
    here, there = pair
    with Exchange(watchdog, timeout=30, connect_timeout=5) as exchange:
        exchange.watch(Guard(here))
        clock(29)
        with exchange.paused():
            clock(1000)
            assert exchange.deadline == math.inf
        assert exchange.deadline == pytest.approx(1001)
        assert not exchange.fired
        there.send(b"!")
        assert here.recv(1) == b"!"


def test_abort_ends_a_paused_exchange(watchdog: Watchdog, pair: Pair) -> None:
    """A pause protects from the clock only."""
    here, _ = pair
    with Exchange(watchdog, timeout=30, connect_timeout=5) as exchange:
        exchange.watch(Guard(here))
        with exchange.paused():
            watchdog.abort()
        assert exchange.fired


def test_a_guard_gives_its_descriptor_back(pair: Pair) -> None:
    """The duplicate is closed with the last reference to the guard."""
    here, there = pair
    guard = Guard(here)
    here.close()
    there.send(b"!")  # still open, thanks to the duplicate
    del guard
    gc.collect()
    with pytest.raises(OSError, match=r"[Bb]roken pipe|reset"):
        there.send(b"!")


def test_shutting_down_what_is_gone_is_no_error(pair: Pair) -> None:
    """The peer may have been quicker."""
    here, there = pair
    guard = Guard(here)
    there.close()
    guard.shut_down()
    guard.shut_down()


def test_no_descriptor_left(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that could not be made says so once, and not again when it is thrown away."""

    def refuse(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "fromfd", refuse)
    with pytest.raises(OSError, match="Too many"):
        Guard(pair[0])
    gc.collect()


def test_closing_joins_the_thread() -> None:
    """After `close` no thread is left; closing twice is harmless."""
    before = threading.active_count()
    watchdog = Watchdog()
    assert threading.active_count() == before + 1
    watchdog.close()
    watchdog.close()
    assert threading.active_count() == before
