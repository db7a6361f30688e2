"""What a run counts: exactly, whatever ends, fails and is asked for again."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.counters import Counters
from scraper.records import Failure, Outcome

URL: Final = "https://a.example/"


def outcome(what: int | str, status: int | None, size: int = 0) -> Outcome:
    """So many records, or a failure of this kind."""
    if isinstance(what, int):
        return Outcome(URL, what, status=status, size=size)
    return Outcome(URL, failure=Failure(URL, what, "", status), status=status, size=size)


ends = st.lists(
    st.builds(
        outcome,
        st.one_of(st.integers(0, 3), st.sampled_from(["timeout", "http_error", "parse_error"])),
        st.sampled_from([None, 200, 404, 503]),
        st.integers(0, 1000),
    )
)


def counted(*outcomes: Outcome, total: int = 0) -> Counters:
    counters = Counters(total=total)
    for each in outcomes:
        counters.add(each)
    return counters


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (outcome(3, 200, 10), Counters(ok=1, records=3, bytes=10, statuses={200: 1})),
        (outcome(1, 203), Counters(ok=1, records=1, statuses={203: 1})),
        (outcome(0, 204), Counters(ok=1, empty=1, statuses={204: 1})),
        (outcome("timeout", None), Counters(failed=1, failures={"timeout": 1})),
        (outcome("http_error", 404), Counters(failed=1, failures={"http_error": 1}, statuses={404: 1})),
        (
            outcome("parse_error", 200, 7),
            Counters(failed=1, bytes=7, failures={"parse_error": 1}, statuses={200: 1}),
        ),
    ],
)
def test_each_end(end: Outcome, expected: Counters) -> None:
    """Once, where it belongs; a failed page's bytes and status came all the same."""
    assert counted(end) == expected


def test_done_and_pending() -> None:
    """Everything listed is either; empty pages are among those that are ok."""
    counters = counted(outcome(2, 200), outcome(0, 200), outcome("timeout", None), total=10)
    assert (counters.ok, counters.empty, counters.failed) == (2, 1, 1)
    assert (counters.done, counters.pending) == (3, 7)


@given(ends)
def test_sums(outcomes: list[Outcome]) -> None:
    """As a recount has it."""
    counters = counted(*outcomes, total=len(outcomes))
    failures = Counter(each.failure.error for each in outcomes if each.failure is not None)
    assert counters.failures == failures
    assert counters.failed == failures.total()
    assert counters.statuses == Counter(each.status for each in outcomes if each.status is not None)
    assert counters.records == sum(each.records for each in outcomes)
    assert counters.bytes == sum(each.size for each in outcomes)
    assert counters.pending == 0


@given(ends, ends)
def test_withdrawn_failures_were_never_there(stay: list[Outcome], go: list[Outcome]) -> None:
    """Taken back by kind and status, in any number at once, nothing of them is left but the bytes that came."""
    counters = counted(*stay, *go)
    groups = Counter((each.failure.error, each.status) for each in go if each.failure is not None)
    for (error, status), number in groups.items():
        counters.withdraw(error, status, number)
    expected = counted(*stay, *(each for each in go if each.failure is None))
    assert msgspec.structs.replace(counters, bytes=0) == msgspec.structs.replace(expected, bytes=0)
    assert 0 not in {*counters.failures.values(), *counters.statuses.values()}


def test_withdraw_one() -> None:
    """The pages' own counts are not touched."""
    counters = counted(outcome(1, 200), outcome("parse_error", 200), outcome("http_error", 429), total=3)
    counters.withdraw("parse_error", 200)
    assert counters == Counters(
        total=3, ok=1, failed=1, records=1, failures={"http_error": 1}, statuses={200: 1, 429: 1}
    )
    assert counters.pending == 1


def test_a_copy_goes_its_own_way() -> None:
    """What is counted in it does not show in the original: a transaction may come to nothing."""
    original = counted(outcome("timeout", None), outcome(1, 200), total=5)
    copy = original.copy()
    assert copy == original
    for _ in range(2):
        copy.add(outcome("timeout", 200))
    copy.withdraw("timeout", None)
    copy.total += 1
    assert original == counted(outcome("timeout", None), outcome(1, 200), total=5)


@given(ends)
def test_they_can_be_kept(outcomes: list[Outcome]) -> None:
    """As JSON, statuses included, whose keys are text there."""
    counters = counted(*outcomes)
    assert msgspec.json.decode(msgspec.json.encode(counters), type=Counters) == counters
