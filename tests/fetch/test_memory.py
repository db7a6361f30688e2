"""The memory budget of all bodies: who asks for more than there is waits, but never all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from scraper.fetch.memory import Budget

#: How long something that should not happen is waited for, in seconds.
BRIEFLY = 0.05


class Reservation:
    """A `Budget.reserve` under way in a thread of its own."""

    def __init__(self, budget: Budget, reader: str, size: int) -> None:
        self._done = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(budget, reader, size), daemon=True)
        self.thread.start()

    def _run(self, budget: Budget, reader: str, size: int) -> None:
        budget.reserve(reader, size)
        self._done.set()

    def waits(self) -> bool:
        """Whether it is still not granted."""
        return not self._done.wait(BRIEFLY)

    def granted(self) -> bool:
        """Whether it comes to be granted."""
        return self._done.wait(5)


Reserve = Callable[[Budget, str, int], Reservation]


@pytest.fixture
def reserve() -> Iterator[Reserve]:
    """Reserve in a thread; at the end of the test nobody waits any more."""
    started: list[tuple[Budget, Reservation]] = []

    def start(budget: Budget, reader: str, size: int) -> Reservation:
        started.append((budget, Reservation(budget, reader, size)))
        return started[-1][1]

    yield start
    for budget, reservation in started:
        budget.lift()
        reservation.thread.join(5)
        assert not reservation.thread.is_alive()


def test_within_the_limit_nobody_waits() -> None:
    """What fits is granted at once, up to the last byte."""
    budget = Budget(100)
    budget.reserve("a", 60)
    budget.reserve("b", 40)
    assert budget.used == 100


def test_beyond_the_limit_the_smaller_waits(reserve: Reserve) -> None:
    """A reader that holds less than another waits for room."""
    budget = Budget(100)
    budget.reserve("a", 80)
    assert reserve(budget, "b", 30).waits()
    assert not budget.take("c", 30)
    assert budget.used == 80


def test_the_largest_may_always_finish(reserve: Reserve) -> None:
    """The reader that holds most goes on beyond the limit, or readers could wait for each other for ever."""
    budget = Budget(100)
    budget.reserve("b", 40)
    budget.reserve("a", 50)
    assert reserve(budget, "a", 500).granted()
    assert budget.used == 590


def test_not_even_the_largest_goes_on_while_bodies_wait_to_be_parsed(reserve: Reserve) -> None:
    """Complete bodies will be given back; until then the limit holds, or bodies would pile up one after another."""
    budget = Budget(100)
    budget.reserve("b", 40)
    budget.keep("b", 40)
    budget.reserve("a", 50)
    waiting = reserve(budget, "a", 500)
    assert waiting.waits()
    budget.release(40)
    assert waiting.granted()
    assert budget.used == 550


def test_the_last_quarter_is_for_the_largest_of_those_who_wait(reserve: Reserve) -> None:
    """Else all bodies would grow together, and few become complete; a slow one that holds more keeps nobody waiting."""
    budget = Budget(100)
    budget.reserve("slow", 50)
    budget.reserve("a", 10)
    budget.reserve("b", 20)
    waiting = {reader: reserve(budget, reader, 30) for reader in ("a", "b")}
    assert all(reservation.waits() for reservation in waiting.values())
    budget.keep("slow", 30)
    assert waiting["b"].granted()
    assert waiting["a"].waits()
    assert not budget.take("c", 1)
    budget.release(30)
    assert waiting["a"].granted()
    assert budget.used == 90


def test_one_body_alone_may_exceed_the_limit(reserve: Reserve) -> None:
    """A single body larger than the whole budget is still read."""
    budget = Budget(10)
    assert reserve(budget, "a", 1000).granted()
    assert budget.used == 1000


def test_equals_do_not_block_each_other(reserve: Reserve) -> None:
    """Two readers that hold the same are both the largest: one of them at least goes on."""
    budget = Budget(100)
    budget.reserve("a", 50)
    budget.reserve("b", 50)
    assert reserve(budget, "a", 10).granted()
    assert reserve(budget, "b", 10).waits()


@pytest.mark.parametrize(
    "free",
    [
        pytest.param(lambda budget: (budget.keep("a", 80), budget.release(80)), id="released after parsing"),
        pytest.param(lambda budget: budget.drop("a"), id="given up"),
        pytest.param(lambda budget: budget.lift(), id="limit lifted"),
    ],
)
def test_room_wakes_those_who_wait(reserve: Reserve, free: Callable[[Budget], object]) -> None:
    """Whatever makes room, or makes a waiting reader the largest, wakes it."""
    budget = Budget(100)
    budget.reserve("a", 80)
    waiting = reserve(budget, "b", 30)
    assert waiting.waits()
    free(budget)
    assert waiting.granted()


def test_all_who_fit_are_woken(reserve: Reserve) -> None:
    """Room for many wakes many."""
    budget = Budget(100)
    budget.reserve("a", 100)
    waiting = [reserve(budget, f"b{number}", 10) for number in range(8)]
    assert waiting[-1].waits()
    budget.drop("a")
    assert all(reservation.granted() for reservation in waiting)
    assert budget.used == 80


def test_the_sum_is_kept() -> None:
    """Kept bodies count until released, dropped ones no more; unknown readers hold nothing."""
    budget = Budget(1000)
    budget.reserve("a", 100)
    budget.reserve("b", 200)
    budget.reserve("a", 50)
    budget.keep("a", 150)
    assert budget.used == 350
    budget.drop("b")
    assert budget.used == 150
    budget.drop("a")  # kept: its bytes are the page's now
    budget.drop("never seen")
    budget.keep("never seen", 0)
    assert budget.used == 150
    budget.release(150)
    assert budget.used == 0


def test_many_readers_come_to_an_end() -> None:
    """Readers in the middle of bodies that do not fit together all finish, and nothing is left over."""
    budget = Budget(1000)

    def read(number: int) -> None:
        for _ in range(50):
            budget.reserve(number, 20 + number)
        budget.keep(number, 50 * (20 + number))
        budget.release(50 * (20 + number))

    threads = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert budget.used == 0
