"""Hosts that wait for their first turn: a number each, the largest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.schedule.reserve import Reserve

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 6), st.integers(1, 5)),
        st.tuples(st.just("pop")),
        st.tuples(st.just("weigh"), st.integers(0, 6), st.sampled_from([0.0, 0.5, 2.0, 300.0])),
    ),
    max_size=60,
)


@given(STEPS)
def test_against_a_plain_model(steps: list[tuple[str, ...]]) -> None:
    """Any steps in any order: the one with most seconds comes out, of equals the first; counts are kept."""
    reserve, urls, weights = Reserve(), dict.fromkeys(range(7), 0), dict.fromkeys(range(7), 1.0)
    for name, *values in steps:
        match name, values:
            case "add", [host, more]:
                reserve.add(int(host), int(more))
                urls[int(host)] += int(more)
            case "weigh", [host, weight]:
                reserve.weigh(int(host), float(weight))
                weights[int(host)] = float(weight)
            case _:
                waiting = [host for host in urls if urls[host]]
                expected = max(waiting, key=lambda host: (urls[host] * weights[host], -host), default=None)
                assert reserve.first() == (0, 0) if expected is None else (expected, urls[expected])
                assert reserve.pop() == ((0, 0) if expected is None else (expected, urls[expected]))
                if expected is not None:
                    urls[expected] = 0
        assert reserve.hosts == sum(map(bool, urls.values()))
        assert reserve.urls == sum(urls.values())


def test_it_does_not_grow_with_what_comes_again_and_again() -> None:
    """A list that names few hosts in turn, for ever."""
    reserve = Reserve()
    for number in range(100_000):
        reserve.add(number % 10, 1)
    assert len(reserve._heap) < 5000
    assert reserve.pop() == (0, 10_000)


def test_what_was_drawn_is_remembered() -> None:
    """By host; nothing for one that was never at work."""
    reserve = Reserve()
    reserve.add(5, 1)
    reserve.pop()
    reserve.remember(5, 77)
    reserve.add(9, 1)
    assert [reserve.after(host) for host in (5, 9)] == [77, 0]
