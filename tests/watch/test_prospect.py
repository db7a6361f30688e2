"""How long it will still take: the larger of two estimates, and the host behind it."""

from __future__ import annotations

import pytest

from scraper.watch.prospect import SPAN, Prospect, Rate, prospect


@pytest.mark.parametrize(
    ("pending", "rate", "turns", "expected"),
    [
        (100, 10.0, 0.0, Prospect(10.0)),
        (100, 10.0, 9.9, Prospect(10.0)),
        (100, 10.0, 10.1, Prospect(10.1, "slow.example")),
        (0, 10.0, 0.0, Prospect(0.0)),
        (5, 0.0, 0.0, Prospect()),
        (5, 0.0, 30.0, Prospect()),
    ],
)
def test_the_larger_of_two(pending: int, rate: float, turns: float, expected: Prospect) -> None:
    """All pages at this rate, or the turns of one host; nothing is said before anything has ended."""
    assert prospect(pending, rate, turns, "slow.example") == expected


def test_the_rate_is_that_of_late() -> None:
    """What was long ago does not count; a session that goes on with a run begins with its own."""
    rate = Rate(100.0, 5000)
    assert rate.per_second() == 0
    rate.note(110.0, 5100)
    assert rate.per_second() == 10
    for second in range(111, 400):
        rate.note(float(second), 5100 + (second - 110))
    assert rate.per_second() == pytest.approx(1.0)
    assert len(rate._samples) <= SPAN + 2


def test_samples_are_taken_every_so_often() -> None:
    """However often it is told."""
    rate = Rate(0.0, 0)
    for tenth in range(1, 100):
        rate.note(tenth / 10, tenth)
    assert len(rate._samples) <= 11
    assert rate.per_second() == pytest.approx(10)
