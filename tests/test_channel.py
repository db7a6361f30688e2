"""The channel between two stages: bounded, with an end, for many threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from scraper.channel import Channel

LIMIT = 10.0


class Waiting:
    """A call in a thread of its own, which may have to wait."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.answer: Any = None
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Any:
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "waits for ever"
        return self.answer

    def still_waits(self) -> bool:
        self._thread.join(0.05)
        return self._thread.is_alive()

    def _run(self) -> None:
        self.answer = self._call()


def filled(*items: Any, capacity: int = 10) -> Channel[Any]:
    channel: Channel[Any] = Channel(capacity)
    for item in items:
        channel.put(item)
    return channel


def test_first_in_first_out() -> None:
    """Items come out in order."""
    channel = filled(1, 2, 3)
    assert len(channel) == 3
    assert [channel.take() for _ in range(3)] == [1, 2, 3]
    assert len(channel) == 0


def test_put_waits_for_room() -> None:
    """A full channel holds its producer back until something is taken."""
    channel = filled(1, 2, capacity=2)
    third = Waiting(lambda: channel.put(3))
    assert third.still_waits()
    assert len(channel) == 2
    assert channel.take() == 1
    assert third.result() is True
    assert [channel.take(), channel.take()] == [2, 3]


def test_take_waits_for_an_item() -> None:
    """An empty channel holds its consumer."""
    channel = filled()
    taker = Waiting(channel.take)
    assert taker.still_waits()
    channel.put("item")
    assert taker.result() == "item"


def test_take_times_out() -> None:
    """None, while the channel has not ended."""
    channel = filled()
    assert channel.take(0.001) is None
    assert not channel.ended


def test_close_lets_the_rest_out() -> None:
    """What is in it can be taken; then it has ended, for all who wait."""
    channel = filled(1)
    channel.close()
    assert not channel.ended
    assert channel.take() == 1
    assert channel.ended
    assert channel.take() is None
    assert channel.take_batch(5, len, 5) == []


@pytest.mark.parametrize("end", [Channel.close, Channel.cancel])
def test_end_wakes_takers(end: Callable[[Channel[Any]], object]) -> None:
    """All of them, of either kind."""
    channel = filled()
    takers = [Waiting(channel.take), Waiting(channel.take), Waiting(lambda: channel.take_batch(5, len, 5))]
    assert all(taker.still_waits() for taker in takers)
    end(channel)
    assert [taker.result() for taker in takers] == [None, None, []]


def test_cancel_drops_and_returns_what_waits() -> None:
    """Nobody wants the rest: putters wake and learn of it, as do later ones."""
    channel = filled(1, 2, capacity=2)
    putters = [Waiting(lambda: channel.put(3)), Waiting(lambda: channel.put(4))]
    assert all(putter.still_waits() for putter in putters)
    assert channel.cancel() == [1, 2]
    assert [putter.result() for putter in putters] == [False, False]
    assert channel.put(5) is False
    assert channel.cancel() == []
    assert channel.ended
    assert channel.take() is None


@pytest.mark.parametrize(
    ("sizes", "most", "heaviest", "expected"),
    [
        ([1, 1, 1], 16, 100, [[1, 1, 1]]),
        ([1, 1, 1], 2, 100, [[1, 1], [1]]),
        ([1] * 7, 3, 100, [[1, 1, 1], [1, 1, 1], [1]]),
        ([4, 4, 4], 16, 8, [[4, 4], [4]]),
        ([4, 4, 4], 16, 7, [[4], [4], [4]]),
        ([100, 1, 100], 16, 8, [[100], [1], [100]]),
        ([1, 100, 1], 16, 8, [[1], [100], [1]]),
        ([0, 0, 9], 16, 8, [[0, 0], [9]]),
    ],
)
def test_batches(sizes: list[int], most: int, heaviest: int, expected: list[list[int]]) -> None:
    """Up to so many, up to so heavy, at least one; in order."""
    channel = filled(*sizes)
    channel.close()
    batches = []
    while batch := channel.take_batch(most, int, heaviest):
        batches.append(batch)
    assert batches == expected


def test_batch_takes_what_there_is() -> None:
    """It waits for the first item, not for company."""
    channel = filled()
    taker = Waiting(lambda: channel.take_batch(16, int, 100))
    assert taker.still_waits()
    channel.put(1)
    assert taker.result() == [1]


def test_batch_makes_room_for_all_it_took() -> None:
    """As many putters go on as items were taken."""
    channel = filled(1, 2, 3, capacity=3)
    putters = [Waiting(lambda: channel.put(4)) for _ in range(3)]
    assert all(putter.still_waits() for putter in putters)
    assert channel.take_batch(3, int, 100) == [1, 2, 3]
    assert [putter.result() for putter in putters] == [True] * 3


@pytest.mark.parametrize("capacity", [1, 3, 100])
def test_many_threads(capacity: int) -> None:
    """Every item comes out once, whoever puts and takes; never more wait than there is room for."""
    channel: Channel[int] = Channel(capacity)
    fullest = 0

    def produce(first: int) -> None:
        for number in range(first, first + 500):
            channel.put(number)

    def consume(batches: bool) -> list[int]:
        nonlocal fullest
        taken: list[int] = []
        while not channel.ended:
            fullest = max(fullest, len(channel))
            one = None if batches else channel.take()
            taken += channel.take_batch(7, lambda _: 1, 5) if batches else [] if one is None else [one]
        return taken

    producers = [Waiting(lambda first=first: produce(first)) for first in range(0, 2000, 500)]
    consumers = [Waiting(lambda batches=batches: consume(batches)) for batches in (True, True, False, False)]
    for producer in producers:
        producer.result()
    channel.close()
    assert Counter(number for consumer in consumers for number in consumer.result()) == Counter(range(2000))
    assert fullest <= capacity
