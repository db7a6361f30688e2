"""Pauses before asking again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.schedule.retry import FIRST_PAUSE, LONGEST_PAUSE, pause


@pytest.mark.parametrize(
    ("attempts", "shortest", "longest"),
    [(1, 0.25, 0.5), (2, 0.5, 1), (3, 1, 2), (7, 16, 32), (8, 30, 60), (1000, 30, 60)],
)
def test_pauses_double(attempts: int, shortest: float, longest: float) -> None:
    """From half a second to a minute; chance shortens each by up to a half."""
    assert pause(attempts, 0.0) == shortest
    assert pause(attempts, 1.0) == longest
    assert pause(attempts, 0.5) == (shortest + longest) / 2


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_bounds(attempts: int, chance: float) -> None:
    """Never at once, never longer than the longest."""
    assert FIRST_PAUSE / 2 <= pause(attempts, chance) <= LONGEST_PAUSE
