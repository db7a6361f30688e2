"""What ``--only`` takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.cli.only import parse_only
from scraper.errors import UsageError
from scraper.records import KINDS


@pytest.mark.parametrize(
    ("text", "kinds", "statuses"),
    [
        ("timeout", ["timeout"], []),
        ("429", [], [range(429, 430)]),
        ("5xx", [], [range(500, 600)]),
        ("4XX", [], [range(400, 500)]),
        ("100,999", [], [range(100, 101), range(999, 1000)]),
        ("timeout,429,5xx", ["timeout"], [range(429, 430), range(500, 600)]),
        ("5xx,dns_error,404,timeout", ["dns_error", "timeout"], [range(500, 600), range(404, 405)]),
        (" timeout , 429 ", ["timeout"], [range(429, 430)]),
        (",timeout,,", ["timeout"], []),
    ],
)
def test_kinds_and_statuses(text: str, kinds: list[str], statuses: list[range]) -> None:
    """In any order and number, with blanks or without."""
    assert parse_only(text) == (kinds, statuses)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"invalid_url"}))
def test_every_kind(kind: str) -> None:
    """All that can be asked for again."""
    assert parse_only(kind) == ([kind], [])


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("timeuot", "timeout"),
        ("timeouts", "timeout"),
        ("TimeOut", "timeout"),
        ("http-error", "http_error"),
        ("parse_eror", "parse_error"),
        ("robots_unreachabel", "robots_unreachable"),
    ],
)
def test_the_nearest_kind_is_named(word: str, near: str) -> None:
    """For what is not quite one, also among others that are."""
    for text in (word, f"429,{word},timeout"):
        with pytest.raises(UsageError) as told:
            parse_only(text)
        assert str(told.value) == (
            f"--only {word}: neither a failure kind nor a status such as 429 or 5xx; did you mean {near!r}?"
        )


@pytest.mark.parametrize(
    "word", ["zzz", "dns", "12", "42x", "5x", "0xx", "099", "1000", "xxx", "5xxx", "4٠٤", "timeout 429"]
)
def test_what_is_like_none(word: str) -> None:
    """One line that names the word and what there is to choose from."""
    with pytest.raises(UsageError) as told:
        parse_only(word)
    said = str(told.value)
    assert said.startswith(f"--only {word}: neither a failure kind nor a status such as 429 or 5xx; ")
    assert "did you mean 'timeout'?" in said or all(kind in said for kind in KINDS if kind != "invalid_url")
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_nothing(text: str) -> None:
    """Nothing chosen is not everything chosen."""
    with pytest.raises(UsageError, match="name failure kinds or statuses"):
        parse_only(text)


@pytest.mark.parametrize("text", ["invalid_url", "timeout,invalid_url"])
def test_invalid_entries_are_not_asked_for(text: str) -> None:
    """There is nothing to ask; the list is what needs mending."""
    with pytest.raises(UsageError, match="mend the list"):
        parse_only(text)


@given(st.text(max_size=12))
def test_any_text(text: str) -> None:
    """Is understood or refused, and what is understood chooses something."""
    try:
        kinds, statuses = parse_only(text)
    except UsageError:
        return
    assert kinds or statuses
    assert set(kinds) <= set(KINDS)
    assert all(100 <= span.start < span.stop <= 1000 for span in statuses)
