"""Where URLs stand: entered once, counted exactly, handed out in order, and remembered."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from scraper.records import MOST_CRASHES, Failure, Outcome, Stamp, Target
from scraper.schedule import Store

STAMP: Final = Stamp(1, 2, "digest")
MOST: Final = 1000

Read = Callable[[Store], Any]  # gives all that is pending


def target(name: str, spelling: str = "") -> Target:
    return Target(f"https://a.example/{name}{spelling}", f"https://a.example/{name}", "a.example")


def invalid(text: str) -> Failure:
    return Failure(text, "invalid_url", f"{text} is no URL", attempts=0)


def names(targets: Iterable[Target]) -> str:
    """Their last letters in a row."""
    return "".join(each.href[-1] for each in targets)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A new run's state."""
    with Store.create(path, b'{"a":1}') as new:
        yield new


def read_list(store: Store, *entries: Target | Failure, name: str = "l", batch: int = MOST) -> None:
    """A list, to its end, in batches."""
    store.begin_list()
    for start in range(0, len(entries), batch):
        store.enter([*entries[start : start + batch]])
    store.end_list(name, STAMP)


def load(store: Store, letters: str, batch: int = MOST) -> None:
    """All lists, of which there is one, with pages named by letters."""
    store.begin_loading()
    read_list(store, *map(target, letters), batch=batch)
    store.end_loading()


def ended(one: Target, error: str | None = None, status: int | None = 200, records: int = 1) -> Outcome:
    """How a pending page ended."""
    if error is None:
        return Outcome(one.url, records, status=status, size=10, id=one.id)
    failure = Failure(one.url, error, f"{error} it is", status, one.attempts + 1, one.href, "2026-11-23T00:00:00.000Z")
    return Outcome(one.url, failure=failure, status=status, size=3, id=one.id)


def commit(store: Store, *outcomes: Outcome, attempts: dict[int, int] | None = None) -> None:
    store.commit([*outcomes], attempts or {}, {"records.jsonl": 10}, 1.5)


@contextlib.contextmanager
def killed(path: Path) -> Iterator[Store]:
    """The state as the next session finds it if this one dies at this instant."""
    grave = path.parent.parent / f"{path.parent.name} killed"
    shutil.copytree(path.parent, grave)
    try:
        with Store.open(grave / path.name) as store:
            yield store
    finally:
        shutil.rmtree(grave)


# Entering


def test_new_run(store: Store, pending: Read) -> None:
    """Nothing is known of it but what its maker said."""
    assert store.about == b'{"a":1}'
    assert store.lengths == {}
    assert not store.is_listed
    assert store.counters.total == 0
    assert pending(store) == ([], [])
    assert [*store.pending_hosts()] == []


def test_targets_come_back_as_they_were(store: Store, path: Path, pending: Read) -> None:
    """All that the list says of a page, in this session and in the next."""
    rich = Target(
        "https://B.example/ü#x", "https://b.example/%C3%BC", "b.example",
        headers={"X-A": "1"}, input={"sku": "A\0-7", "nest": [1, None, {"b": 1.5}]}, authorization="Basic abc",
    )  # fmt: skip
    store.begin_list()
    store.enter([target("a"), rich])
    for each in (store, None):
        with contextlib.nullcontext(each) if each is not None else killed(path) as read:
            first, second = pending(read).targets
        assert (first.id, second.id) == (1, 2)
        assert first == Target(target("a").url, target("a").href, "a.example", id=1)
        assert second == Target(
            rich.url, rich.href, rich.host, rich.headers, rich.input, rich.authorization, id=2
        )  # fmt: skip


def test_first_spelling_stands(store: Store, pending: Read) -> None:
    """Of several spellings of a page, also where a later session comes to it by another."""
    store.begin_loading()
    read_list(store, target("a", "#1"), target("a", "#2"))
    store.begin_loading()
    read_list(store, target("a", "#3"))
    assert [each.url for each in pending(store).targets] == ["https://a.example/a#1"]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "ü\udfff漢"])
def test_odd_text(store: Store, text: str, pending: Read) -> None:
    """What neither SQLite's JSON nor UTF-8 can hold is replaced, and is still told from others."""
    store.begin_list()
    store.enter([invalid(text), invalid(text), invalid("plain")])
    first, second = pending(store).outcomes
    assert first.failure is not None
    assert "\ufffd" in first.url
    assert "\ufffd" in first.failure.message
    assert second.url == "plain"
    assert store.counters.duplicate == 1


@pytest.mark.parametrize("batch", [1, 3, MOST])
@pytest.mark.parametrize(
    ("sessions", "order", "duplicates"),
    [
        (["abcab"], "abc", 2),
        (["abcab", "abcab", "abcab"], "abc", 2),
        (["abcab", "bacba"], "abc", 2),
        (["abcab", "abcabdda"], "abcd", 4),
        (["aab", "ddaab"], "abd", 2),
        (["aaab", "b"], "ab", 0),
        (["", "aa"], "a", 1),
    ],
)
def test_duplicates_of_each_reading(
    store: Store, path: Path, batch: int, sessions: list[str], order: str, duplicates: int, pending: Read
) -> None:
    """However often a list is read, changed or not: what counts is how often it names a page again."""
    for session in sessions:
        load(store, session, batch)
    assert names(pending(store).targets) == order
    assert (store.counters.total, store.counters.duplicate) == (len(order), duplicates)
    with killed(path) as again:
        assert again.counters == store.counters


@pytest.mark.parametrize("place", range(7))
def test_duplicates_after_an_interruption(store: Store, path: Path, place: int, pending: Read) -> None:
    """A session that ends within the list, wherever, makes none of its duplicates count twice."""
    letters = "abacbda"
    store.begin_loading()
    store.begin_list()
    store.enter([target(letter) for letter in letters[:place]])
    with killed(path) as again:
        assert not again.is_listed
        load(again, letters, 2)
        assert names(pending(again).targets) == "abcd"
        assert (again.counters.total, again.counters.duplicate) == (4, 3)
        assert again.is_listed


def test_duplicates_across_lists(store: Store, path: Path) -> None:
    """A later list names pages of an earlier one; one that is as it was is not read for that."""
    store.begin_loading()
    read_list(store, *map(target, "aab"), name="first")
    read_list(store, *map(target, "bbc"), name="second")
    assert store.counters.duplicate == 3
    with killed(path) as again:
        assert {name: each.stamp for name, each in again.readings().items()} == {"first": STAMP, "second": STAMP}
        again.begin_loading()
        assert again.counters.duplicate == 0
        again.skip_list("first")
        assert again.counters.duplicate == 1
        read_list(again, *map(target, "bbcd"), name="second")
        assert (again.counters.total, again.counters.duplicate) == (4, 3)
        again.begin_loading()
        again.skip_list("first")
        again.skip_list("second")
        assert (again.counters.total, again.counters.duplicate) == (4, 3)


# Pending


def test_invalid_entries_end_unasked(store: Store, pending: Read) -> None:
    """They come as outcomes, in their order among the pages; once committed they come no more."""
    store.begin_list()
    store.enter([invalid("x"), target("a"), invalid("y"), invalid("x")])
    chunk = pending(store)
    assert names(chunk.targets) == "a"
    x, y = chunk.outcomes
    assert x == Outcome("x", failure=Failure("x", "invalid_url", "x is no URL", attempts=0), id=1)
    assert (y.url, y.id) == ("y", 3)
    commit(store, x, y)
    assert pending(store).outcomes == []
    assert store.counters.failures == {"invalid_url": 2}
    assert (store.counters.pending, store.counters.statuses) == (1, {})


# Ends


def test_outcomes_survive(store: Store, path: Path, pending: Read) -> None:
    """What ended is pending no more, here and in the next session; failures keep all that they say."""
    load(store, "abcde")
    a, b, c, d, _ = pending(store).targets
    commit(store, ended(a, records=3), ended(b, records=0), ended(d, "http_error", 404), ended(c, "timeout", None))
    for each in (store, None):
        with contextlib.nullcontext(each) if each is not None else killed(path) as read:
            assert names(pending(read).targets) == "e"
            assert [each.url[-1] for each in read.failures()] == ["c", "d"]
            assert [*read.failures()][1] == ended(d, "http_error", 404).failure
            assert read.lengths == {"records.jsonl": 10}
            counts = read.counters
        assert (counts.total, counts.ok, counts.empty, counts.failed, counts.pending) == (5, 2, 1, 2, 1)
        assert (counts.records, counts.bytes, counts.seconds) == (3, 26, 1.5)
        assert (counts.failures, counts.statuses) == ({"timeout": 1, "http_error": 1}, {200: 2, 404: 1})


def test_ended_pages_stay_so_when_they_are_listed_again(store: Store, path: Path, pending: Read) -> None:
    """A resumed or extended list brings back no page that has its outcome."""
    load(store, "abc")
    a, b, _ = pending(store).targets
    commit(store, ended(a), ended(b, "timeout", None))
    with killed(path) as again:
        load(again, "cbad")
        assert names(pending(again).targets) == "cd"


@pytest.mark.parametrize("twice", [True, False])
def test_no_second_end(store: Store, twice: bool, pending: Read) -> None:
    """An outcome for a page that has one, or that is not there, is a mistake, of which nothing is stored."""
    load(store, "ab")
    a, b = pending(store).targets
    commit(store, ended(a))
    before = store.counters
    wrong = ended(a) if twice else Outcome("https://a.example/z", 1, id=99)
    with pytest.raises(AssertionError, match="pending"):
        store.commit([ended(b), wrong], {b.id: 3}, {"records.jsonl": 99}, 9.0)
    assert store.counters == before
    assert store.lengths == {"records.jsonl": 10}
    assert [(each.href[-1], each.attempts) for each in pending(store).targets] == [("b", 0)]


def test_attempts_survive(store: Store, path: Path, pending: Read) -> None:
    """How often a page was asked for that may be asked again."""
    load(store, "abc")
    a, b, c = pending(store).targets
    commit(store, ended(a), attempts={b.id: 2, c.id: 1})
    with killed(path) as again:
        assert [(names([each]), each.attempts) for each in pending(again).targets] == [("b", 2), ("c", 1)]


def test_crashes_survive(store: Store, path: Path, pending: Read) -> None:
    """How many parse workers a page has cost: at once, since the next may be this process; at the most, its end."""
    load(store, "abc")
    one, other, _ = pending(store).targets
    commit(store, attempts={one.id: 1})
    failure = Failure(one.url, "parse_crashed", "the worker was\0killed", 200, 2, "https://a.example/final")
    store.crashed(one.id, 1, failure)
    store.crashed(other.id, MOST_CRASHES - 1, failure)
    with killed(path) as again:
        assert [each.crashes for each in pending(again).targets] == [1, MOST_CRASHES - 1, 0]
    store.crashed(one.id, MOST_CRASHES, failure)
    with killed(path) as again:
        chunk = pending(again)
        assert names(chunk.targets) == "bc"
        (outcome,) = chunk.outcomes
        assert (outcome.id, outcome.status, outcome.records) == (one.id, 200, 0)
        assert outcome.failure == Failure(
            one.url, "parse_crashed", "the worker was\ufffdkilled", 200, 2, "https://a.example/final"
        )  # fmt: skip
        again.commit(chunk.outcomes, {}, {}, 2.0)
        assert again.counters.failures == {"parse_crashed": 1}


def test_what_was_read_before_is_forgotten_when_a_list_is_read_anew() -> None:
    """Cut short and put back, it must not pass for what the state holds; nor may a list behind it."""
    with Store.temporary() as store:
        store.begin_loading()
        for name in ("a", "b", "c"):
            store.begin_list()
            store.end_list(name, Stamp(1, 1, name))
        store.begin_loading()
        store.skip_list("a")
        store.begin_list()
        assert set(store.readings()) == {"a"}
