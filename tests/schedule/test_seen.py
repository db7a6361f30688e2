"""Which pages were listed already."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.schedule import Seen


@pytest.fixture
def seen() -> Iterator[Seen]:
    """An empty set."""
    fresh = Seen()
    yield fresh
    fresh.close()


def test_new_once(seen: Seen) -> None:
    """A text is new the first time, and only then."""
    assert [seen.add(text) for text in ("a", "b", "a", "A", "", "", "b")] == [
        True,
        True,
        False,
        True,
        True,
        False,
        False,
    ]


def test_lone_surrogates(seen: Seen) -> None:
    """Whatever a Python string may hold."""
    assert seen.add("\ud800")
    assert seen.add("\ud801")
    assert not seen.add("\ud800")


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=3)))
def test_like_a_set(texts: list[str]) -> None:
    """It agrees with a set in memory."""
    seen, model = Seen(), set[str]()
    for text in texts:
        assert seen.add(text) == (text not in model)
        model.add(text)
    seen.close()


def test_many_in_little_memory(seen: Seen) -> None:
    """Python keeps nothing of the pages; SQLite's own cache is small."""
    seen.add("")
    tracemalloc.start()
    try:
        assert all(seen.add(f"https://a.example/{number}") for number in range(30_000))
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    assert not seen.add("https://a.example/7777")


def test_nothing_is_left() -> None:
    """A closed set has no open file."""
    before = psutil.Process().num_fds()
    seen = Seen()
    for number in range(50_000):
        seen.add(str(number))
    seen.close()
    assert psutil.Process().num_fds() == before
