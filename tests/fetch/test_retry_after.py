"""Retry-After: what servers say, and what a fetch makes of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from responses import RequestsMock

from scraper.fetch.retry_after import retry_after
from scraper.records import RETRYABLE_STATUSES, Failure, Target
from scraper.schedule import Rules, Schedule

URL: Final = "https://a.example/page"

#: The moment of RFC 9110's example dates.
EXAMPLE: Final = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("1", 1), ("120", 120), (" 120 ", 120), ("007", 7), ("0" * 14 + "7", 7), ("86400", 86_400)],
)
def test_seconds(value: str, seconds: float) -> None:
    """Whatever the time is."""
    assert retry_after(value, 0.0) == retry_after(value, EXAMPLE) == seconds


@pytest.mark.parametrize("value", ["9" * 20, "9" * 5000])
def test_very_many_seconds(value: str) -> None:
    """A joke, but a number; longer than anyone would wait."""
    assert 10**12 < retry_after(value, 0.0) < math.inf


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",  # as RFC 9110 wants it
        "Sunday, 06-Nov-94 08:49:37 GMT",  # RFC 850
        "Sun Nov  6 08:49:37 1994",  # asctime
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 09:49:37 +0100",
        "06 Nov 1994 08:49:37 GMT",
        "  Sun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_dates(monkeypatch: pytest.MonkeyPatch, value: str, zone: str) -> None:
    """In all forms that HTTP ever had, wherever this machine stands; one that has passed asks for nothing."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert retry_after(value, EXAMPLE - 90) == 90
        assert retry_after(value, EXAMPLE - 0.25) == 0.25
        assert retry_after(value, EXAMPLE) == 0
        assert retry_after(value, EXAMPLE + 1) == 0
        assert retry_after(value, EXAMPLE + 10**9) == 0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "value",
    [
        None, "", " ", "soon", "-5", "+5", "1.5", "1e3", "0x10", "10, 20", "10s", "12abc", "\u0661\u0662", "\u00b2",
        "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +9999", "06 Nov 99999999999999999999 08:49:37 GMT", "1994-11-06T08:49:37Z", "\0",
    ],
)  # fmt: skip
def test_nonsense(value: str | None) -> None:
    """Is as if nothing had been said."""
    assert retry_after(value, EXAMPLE - 1000) == 0


words = st.sampled_from(
    [
        "Sun,",
        "06",
        "Nov",
        "1994",
        "08:49:37",
        "GMT",
        "+9999",
        "-0000",
        "9" * 20,
        "Dec",
        ":",
        "-",
        "EST",
        "(x",
        "1:2:3:4",
    ]
)


@given(st.one_of(st.text(), st.lists(words, max_size=8).map(" ".join)))
def test_any_text(value: str) -> None:
    """Whatever a server sends, it is a time to wait and no error."""
    assert 0 <= retry_after(value, EXAMPLE) < math.inf


# What a fetch makes of it


@pytest.fixture
def ask(web: RequestsMock, open_client: Callable[..., Any]) -> Callable[..., Failure]:
    """Fetch a page that is answered with a status and a Retry-After."""

    def call(value: str | None, *, status: int = 429, **politeness: float) -> Failure:
        web.get(URL, status=status, headers={} if value is None else {"Retry-After": value})
        failure: Failure = open_client(politeness=politeness).failure(URL)
        assert (failure.error, failure.status) == ("http_error", status)
        return failure

    return call


def again(failure: Failure) -> bool:
    """Whether the schedule would ask once more."""
    schedule = Schedule(lambda host: Rules(1, 0.0), retries=3)
    schedule.add([Target(URL, URL, "a.example")])
    target = schedule.take()
    assert target is not None
    return schedule.retry(target, failure)


@pytest.mark.parametrize("status", sorted(RETRYABLE_STATUSES))
def test_a_pause_that_is_granted(ask: Callable[..., Failure], status: int) -> None:
    """Up to the longest that the settings allow, the page is asked for again when the server wants that."""
    failure = ask("60", status=status)
    assert (failure.pause, failure.retryable) == (60.0, True)
    assert again(failure)


@pytest.mark.parametrize("status", sorted(RETRYABLE_STATUSES))
def test_a_pause_that_is_too_long(ask: Callable[..., Failure], status: int) -> None:
    """The page fails at once, is not asked for again, and its host not kept waiting; the message says why."""
    failure = ask("61", status=status)
    assert (failure.pause, failure.retryable) == (0.0, False)
    assert not again(failure)
    assert failure.message.startswith(f"the server answered {status}")
    assert failure.message.endswith("and asks to wait for 61 s; politeness.max_delay is 60 s")


@pytest.mark.parametrize(
    ("value", "longest", "pause"), [("5", 5, 5.0), ("6", 5, None), ("3600", 7200, 3600.0), ("1", 0.5, None)]
)
def test_the_settings_decide(ask: Callable[..., Failure], value: str, longest: float, pause: float | None) -> None:
    """`politeness.max_delay`, and nothing else, is what is too long."""
    failure = ask(value, max_delay=longest)
    assert failure.retryable is (pause is not None)
    assert failure.pause == (pause or 0.0)
    assert (f"politeness.max_delay is {longest:g} s" in failure.message) is (pause is None)


def test_dates_count_from_now(ask: Callable[..., Failure]) -> None:
    """A date is as good as seconds: near, far or past."""
    now = time.time()
    near = ask(format_datetime(datetime.fromtimestamp(now + 50, UTC), usegmt=True))
    assert near.retryable
    assert 30 < near.pause <= 50


def test_a_far_date(ask: Callable[..., Failure]) -> None:
    """As too many seconds are."""
    failure = ask(format_datetime(datetime.fromtimestamp(time.time() + 10_000, UTC), usegmt=True))
    assert not failure.retryable
    assert "asks to wait for" in failure.message


@pytest.mark.parametrize("value", [None, "0", "soon", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_no_pause(ask: Callable[..., Failure], value: str | None) -> None:
    """Nothing said, nothing that can be understood, or a moment that has passed: an ordinary retry."""
    failure = ask(value, status=503)
    assert (failure.pause, failure.retryable) == (0.0, True)
    assert failure.message == "the server answered 503 Service Unavailable"


@pytest.mark.parametrize("status", [404, 403, 501])
@pytest.mark.parametrize("value", ["5", "5000"])
def test_statuses_that_do_not_pass(ask: Callable[..., Failure], status: int, value: str) -> None:
    """A page that is not asked for again has no pause to keep, and nothing to say of one."""
    failure = ask(value, status=status)
    assert (failure.pause, failure.retryable) == (0.0, False)
    assert "wait" not in failure.message
