"""What the state knows of hosts: how many of their URLs are pending, which come next, how they answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final

import pytest

from scraper.errors import RunError
from scraper.records import MOST_CRASHES, Failure, Outcome, Stamp, Target
from scraper.schedule import Store, hostbook
from scraper.schedule.exchange import Draw, HostNote, StoredRobots, Want

STAMP: Final = Stamp(1, 2, "digest")
MOST: Final = 1000
RULES: Final = b"User-agent: *\nDisallow: /\n"

Read = Callable[[Store], Any]  # gives all that is pending


def target(name: str) -> Target:
    """A page by a letter, of its host, and a number."""
    return Target(f"https://{name[0]}.example/{name}#x", f"https://{name[0]}.example/{name}", f"{name[0]}.example")


def no_url(text: str, error: str = "invalid_url", status: int | None = None) -> Failure:
    return Failure(text, error, f"{text} is no URL", status, attempts=0)


def names(draw: Draw) -> list[str]:
    return [each.href.rpartition("/")[2] for each in draw.targets]


def enter(store: Store, listed: str) -> dict[str, int]:
    """Pages of a list, with spaces between; how many were new, by the letter of their host."""
    store.begin_list()
    numbers = store.enter([*map(target, listed.split())])
    known = store.numbers_of([f"{letter}.example" for letter in ascii_lowercase])
    letters = {number: host[0] for host, number in known.items()}
    return {letters[host]: number for host, number in numbers}


def numbers(store: Store, letters: str) -> list[int]:
    """The numbers of hosts."""
    known = store.numbers_of([f"{letter}.example" for letter in letters])
    return [known[f"{letter}.example"] for letter in letters]


def waiting(store: Store) -> dict[int, int]:
    """How many URLs are pending, by the number of their host."""
    return {host: number for some in store.pending_hosts() for host, number in some}


def ok(one: Target) -> Outcome:
    return Outcome(one.url, 1, status=200, id=one.id)


def failed(one: Target) -> Outcome:
    failure = Failure(one.url, "timeout", "so it is", None, 1, one.href, "now")
    return Outcome(one.url, failure=failure, id=one.id)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A new run's state, of which the lists are about to be read."""
    with Store.create(path, b"{}") as new:
        new.begin_loading()
        yield new


def reopened(store: Store, path: Path) -> Store:
    """The state in the next session."""
    store.close()
    return Store.open(path)


# How many


def test_what_is_new_by_host(store: Store) -> None:
    """Duplicates are not, in the same batch or a later one, nor is what a later session's list names again."""
    assert enter(store, "a1 b1 a2 a1 a2") == {"a": 2, "b": 1}
    assert enter(store, "a2 c1 b1 c1") == {"c": 1}
    assert enter(store, "a1 b1 c1") == {}
    store.begin_loading()
    assert enter(store, "b1 b2 a1") == {"b": 1}
    assert sorted(waiting(store).values()) == [1, 2, 2]


def test_what_is_pending_by_host(store: Store, path: Path, pending: Read) -> None:
    """Less with each end, more with each failure that is asked for again; a host with nothing left is not named."""
    enter(store, "a1 a2 b1 c1 c2")
    a, b, c = numbers(store, "abc")
    a1, a2, b1, c1, _ = pending(store).targets
    assert waiting(store) == {a: 2, b: 1, c: 2}
    store.commit([ok(a1), failed(a2), failed(b1), failed(c1)], {}, {}, 1.0)
    assert waiting(store) == {c: 1}
    with reopened(store, path) as again:
        assert waiting(again) == {c: 1}
        assert again.retry() == 3
        assert waiting(again) == {a: 1, b: 1, c: 2}


def test_hosts_by_the_thousand(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in parts, none is lost at their borders, though the others' URLs end between."""
    monkeypatch.setattr(hostbook, "CHUNK", 4)
    store.begin_list()
    store.enter(
        [no_url("x"), *(Target(f"https://{host}/", f"https://{host}/", host) for host in map("h{}".format, range(11)))]
    )
    read = store.pending_hosts()
    first = next(read)
    assert first == [(0, 1), (1, 1), (2, 1), (3, 1)]
    (draw,) = store.draw([Want(6, 0)], MOST)
    store.commit([ok(one) for one in draw.targets], {}, {}, 1.0)
    assert [[host for host, _ in some] for some in read] == [[4, 5, 7, 8], [9, 10, 11]]


@pytest.mark.parametrize("number", [3, 4, 5, 8])
def test_no_part_is_empty(store: Store, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Also where the last one is full."""
    monkeypatch.setattr(hostbook, "CHUNK", 4)
    store.begin_list()
    store.enter([Target(f"https://{host}/", f"https://{host}/", host) for host in map("h{}".format, range(number))])
    parts = [*store.pending_hosts()]
    assert all(parts)
    assert sum(map(len, parts)) == number


def test_numbers_of_hosts(store: Store, path: Path) -> None:
    """They stay the same; hosts that no list has named have none."""
    enter(store, "b1 a1")
    before = store.numbers_of(["a.example", "b.example", "c.example", "A.example"])
    assert before.keys() == {"a.example", "b.example"}
    assert 0 not in before.values()
    enter(store, "c1 a2")
    with reopened(store, path) as again:
        after = again.numbers_of(["c.example", "b.example", "a.example"])
        assert len(set(after.values())) == 3
        assert {name: after[name] for name in before} == before
        assert again.numbers_of([]) == {}


# Draws


def test_a_draw_gives_so_many_in_order(store: Store) -> None:
    """Each from behind the last one, until there is no more."""
    enter(store, "a1 b1 a2 a3 b2 a4 a5")
    (a,) = numbers(store, "a")
    drawn, last = [], 0
    for _ in range(3):
        (draw,) = store.draw([Want(a, last)], 2)
        assert (draw.host, draw.name, draw.outcomes) == (a, "a.example", [])
        drawn.append((names(draw), draw.is_all))
        last = draw.last
    assert drawn == [(["a1", "a2"], False), (["a3", "a4"], False), (["a5"], True)]
    assert last == 7


def test_the_last_draw_may_be_empty(store: Store) -> None:
    """Where exactly so many were left; a draw behind all is no error, and goes on when more is listed."""
    enter(store, "a1 a2")
    (a,) = numbers(store, "a")
    (full,) = store.draw([Want(a, 0)], 2)
    assert (names(full), full.is_all, full.last) == (["a1", "a2"], False, 2)
    (empty,) = store.draw([Want(a, full.last)], 2)
    assert empty == Draw(a, "a.example", [], [], 2, True)
    enter(store, "a1 b1 a3")
    (more,) = store.draw([Want(a, empty.last)], 2)
    assert (names(more), more.is_all) == (["a3"], True)


def test_several_hosts_in_one_draw(store: Store) -> None:
    """In the order in which they were wanted, equally many of each, each from its own place on."""
    enter(store, "a1 b1 c1 a2 b2 c2 a3 b3 c3 c4")
    a, b, c = numbers(store, "abc")
    draws = store.draw([Want(c, 0), Want(a, 4), Want(b, 8)], 3)
    assert [(draw.host, names(draw), draw.last, draw.is_all) for draw in draws] == [
        (c, ["c1", "c2", "c3"], 9, False),
        (a, ["a3"], 7, True),
        (b, [], 8, True),
    ]
    assert store.draw([], 3) == []


def test_what_has_ended_is_not_drawn(store: Store, path: Path) -> None:
    """Nor does it count for the number that is drawn."""
    enter(store, "a1 a2 a3 a4 a5")
    (a,) = numbers(store, "a")
    (draw,) = store.draw([Want(a, 0)], MOST)
    store.commit([ok(draw.targets[0]), failed(draw.targets[2])], {draw.targets[1].id: 2}, {}, 1.0)
    with reopened(store, path) as again:
        (draw,) = again.draw([Want(a, 0)], 2)
        assert [(each.href[-2:], each.attempts) for each in draw.targets] == [("a2", 2), ("a4", 0)]
        assert not draw.is_all
        assert again.retry() == 1
        (draw,) = again.draw([Want(a, 0)], 2)
        assert names(draw) == ["a2", "a3"]


def test_pages_that_have_cost_too_much_are_drawn_as_outcomes(store: Store) -> None:
    """Of the right host, and each counts for one."""
    enter(store, "a1 b1 a2 a3")
    a, b = numbers(store, "ab")
    for id_ in (1, 2, 3):
        store.crashed(id_, MOST_CRASHES - (id_ == 3), Failure("", "parse_crashed", "gone", 200))
    first, second = store.draw([Want(a, 0), Want(b, 0)], 2)
    assert ([each.id for each in first.outcomes], names(first), first.is_all) == ([1], ["a2"], False)
    assert first.targets[0].crashes == MOST_CRASHES - 1
    assert ([each.id for each in second.outcomes], names(second), second.is_all) == ([2], [], True)
    (rest,) = store.draw([Want(a, first.last)], 2)
    assert (rest.outcomes, names(rest)) == ([], ["a3"])


# Entries that are no URL


def test_entries_that_are_no_url_are_of_no_host(store: Store, path: Path) -> None:
    """They are host 0, end unasked as they say, and are not asked for again."""
    store.begin_list()
    listed = [no_url("x"), target("a1"), no_url("list.yaml", "http_error", 503), no_url("other.yaml", "timeout")]
    assert dict(store.enter([*listed])) == {0: 3, 1: 1}
    with reopened(store, path) as again:
        assert waiting(again) == {0: 3, 1: 1}
        (draw,) = again.draw([Want(0, 0)], MOST)
        assert (draw.name, draw.targets, draw.last, draw.is_all) == ("", [], 4, True)
        assert draw.outcomes == [
            Outcome(each.url, failure=each, status=each.status, id=number)
            for number, each in enumerate(listed, 1)
            if isinstance(each, Failure)
        ]
        again.commit(draw.outcomes, {}, {}, 1.0)
        assert waiting(again) == {1: 1}
        assert [(each.url, each.error, each.status) for each in again.failures()] == [
            ("x", "invalid_url", None), ("list.yaml", "http_error", 503), ("other.yaml", "timeout", None),
        ]  # fmt: skip
        assert again.counters.failures == {"invalid_url": 1, "http_error": 1, "timeout": 1}
        assert again.counters.statuses == {503: 1}
        assert again.retry() == again.retry(["timeout"], [range(500, 600)]) == 0
        assert waiting(again) == {1: 1}


def test_entries_that_are_no_url_in_pieces(store: Store) -> None:
    """As any host's, and each text once, whatever is said of it."""
    store.begin_list()
    store.enter([no_url("x"), no_url("y", "timeout"), no_url("x", "timeout"), no_url("z")])
    assert store.counters.duplicate == 1
    (first,) = store.draw([Want(0, 0)], 2)
    (rest,) = store.draw([Want(0, first.last)], 2)
    assert [each.url for draw in (first, rest) for each in draw.outcomes] == ["x", "y", "z"]
    assert (first.is_all, rest.is_all) == (False, True)


# How hosts answered


NOTES: Final = [HostNote("a.example", 8, 4.0, 1), HostNote("b.example", 2, 3.0, 5), HostNote("z.example", 4, 0.5, 0)]


def told(store: Store, number: int = MOST) -> dict[str, list[str]]:
    """The letters of the first hosts in each order."""
    return {order: [note.host[0] for note in store.most(order, number)] for order in ("busiest", "slowest", "refusing")}


def test_notes_on_hosts(store: Store, path: Path) -> None:
    """Kept with the next commit and added up over sessions, also of hosts that no list names."""
    enter(store, "a1 b1 c1")
    store.note_hosts(NOTES[:1])
    store.note_hosts(NOTES[1:])
    assert store.most("busiest", MOST) == []
    store.commit([], {}, {}, 1.0)
    assert sorted(store.most("busiest", MOST)) == NOTES
    with reopened(store, path) as again:
        assert sorted(again.most("busiest", MOST)) == NOTES
        assert told(again) == {"busiest": ["a", "z", "b"], "slowest": ["b", "a", "z"], "refusing": ["b", "a"]}
        assert told(again, 1) == {"busiest": ["a"], "slowest": ["b"], "refusing": ["b"]}
        again.note_hosts([HostNote("z.example", 6, 30.0, 7), HostNote("c.example", 1, 0.0, 0)])
        again.commit([], {}, {}, 2.0)
        assert again.most("refusing", 1) == [HostNote("z.example", 10, 30.5, 7)]
        expected = {"busiest": ["z", "a", "b", "c"], "slowest": ["z", "b", "a", "c"], "refusing": ["z", "b", "a"]}
        assert told(again) == expected


def test_notes_change_no_count_of_urls(store: Store) -> None:
    """A host that was only redirected to has none, until a list names it."""
    enter(store, "a1")
    store.note_hosts(NOTES)
    store.commit([], {}, {}, 1.0)
    assert waiting(store) == {1: 1}
    assert enter(store, "z1 a1 z2") == {"z": 2}
    assert sorted(waiting(store).values()) == [1, 2]
    assert sorted(store.most("busiest", MOST)) == NOTES


def test_equally_busy_hosts(store: Store) -> None:
    """Come in the order in which they were named first."""
    enter(store, "c1 a1 b1")
    store.note_hosts([HostNote(f"{letter}.example", 2, 1.0, 1) for letter in "abc"])
    store.commit([], {}, {}, 1.0)
    assert told(store) == {"busiest": ["c", "a", "b"], "slowest": ["c", "a", "b"], "refusing": ["c", "a", "b"]}


# robots.txt


@pytest.mark.parametrize("content", [RULES, b"", None, bytes(range(256)) * 100])
def test_robots_come_back_as_they_were(store: Store, path: Path, content: bytes | None) -> None:
    """At once, after a commit and in the next session; an origin without any is told from an empty one."""
    kept = StoredRobots("https://a.example", 1000.25, content)
    store.note_robots(kept)
    store.note_robots(StoredRobots("https://a.example:8443", 1000.0, b"other"))
    assert store.robots(["https://a.example", "http://a.example"], 0.0) == [kept]
    store.commit([], {}, {}, 1.0)
    assert store.robots(["https://a.example", "http://a.example"], 0.0) == [kept]
    with reopened(store, path) as again:
        assert again.robots(["https://a.example", "http://a.example"], 0.0) == [kept]
        assert again.robots([], 0.0) == []


@pytest.mark.parametrize("committed", [False, True])
def test_old_robots_are_not_given(store: Store, committed: bool) -> None:
    """What was fetched before a moment; at that moment is early enough."""
    store.note_robots(StoredRobots("https://a.example", 100.0, RULES))
    store.note_robots(StoredRobots("https://b.example", 200.0, None))
    if committed:
        store.commit([], {}, {}, 1.0)
    origins = ["https://a.example", "https://b.example"]
    for since, given in ((100.0, "ab"), (100.5, "b"), (200.0, "b"), (200.5, "")):
        assert [each.origin[8] for each in store.robots(origins, since)] == [*given]


def test_newer_robots_replace_older(store: Store, path: Path) -> None:
    """Where both are told, since one is not committed yet, the newer comes last."""
    old = StoredRobots("https://a.example", 100.0, RULES)
    new = StoredRobots("https://a.example", 200.0, None)
    store.note_robots(old)
    store.commit([], {}, {}, 1.0)
    store.note_robots(new)
    assert store.robots(["https://a.example"], 0.0) == [old, new]
    store.commit([], {}, {}, 1.0)
    assert store.robots(["https://a.example"], 0.0) == [new]
    with reopened(store, path) as again:
        assert again.robots(["https://a.example"], 0.0) == [new]


def test_robots_not_committed_are_gone(store: Store, path: Path) -> None:
    """So are notes on hosts: with the process that had them."""
    store.note_robots(StoredRobots("https://a.example", 100.0, RULES))
    store.note_hosts(NOTES)
    with reopened(store, path) as again:
        assert again.robots(["https://a.example"], 0.0) == []
        assert again.most("busiest", MOST) == []


def test_damaged_robots(store: Store) -> None:
    """Content that cannot be unpacked is no reason to end the run: it is asked for again."""
    store.note_robots(StoredRobots("https://a.example", 100.0, RULES))
    store.commit([], {}, {}, 1.0)
    store._database.execute("UPDATE robots SET content = x'00ff00ff'")
    assert store.robots(["https://a.example"], 0.0) == []


# A disk that fails


@pytest.mark.parametrize("fails_at", ["the last statement", "a note", "an outcome"])
def test_a_commit_that_fails_keeps_its_notes(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    """They are written once, with the next commit that goes well."""
    enter(store, "a1")
    robots = StoredRobots("https://a.example", 100.0, bytes(range(256)) * 200)
    store.note_hosts(NOTES)
    store.note_robots(robots)
    with monkeypatch.context() as patch:
        expected: type[Exception] = RunError
        outcomes = []
        if fails_at == "the last statement":
            put = store.put
            patch.setattr(store, "put", lambda name, value: put(name, value) if name != "counters" else refuse())
        elif fails_at == "a note":
            fill_up(store)
            store.note_hosts([HostNote(f"{number}.example" * 20, 1, 1.0, 0) for number in range(2000)])
        else:
            expected = AssertionError
            outcomes = [Outcome("https://a.example/", 1, id=99)]
        with pytest.raises(expected):
            store.commit(outcomes, {}, {}, 1.0)
    assert store.most("busiest", MOST) == []
    assert store.robots([robots.origin], 0.0) == [robots]
    store._database.execute("PRAGMA max_page_count=1000000")
    store.note_hosts([HostNote("a.example", 1, 1.0, 0)])
    for seconds in (1.0, 2.0):
        store.commit([], {}, {}, seconds)
    with reopened(store, path) as again:
        assert again.most("busiest", 1) == [HostNote("a.example", 9, 5.0, 1)]
        assert again.robots([robots.origin], 0.0) == [robots]


def fill_up(store: Store) -> None:
    """Let the state's file have no room to grow."""
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count={pages}")


def refuse() -> None:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("how", ["pending_hosts", "draw", "numbers_of", "most", "robots"])
def test_reading_that_fails(store: Store, path: Path, how: str) -> None:
    """One line with the name of the file."""
    enter(store, "a1")
    store._database.execute("ALTER TABLE hosts RENAME TO gone")
    store._database.execute("ALTER TABLE robots RENAME TO gone_too")
    calls: dict[str, Callable[[], object]] = {
        "pending_hosts": lambda: [*store.pending_hosts()],
        "draw": lambda: store.draw([Want(1, 0)], 1),
        "numbers_of": lambda: store.numbers_of(["a.example"]),
        "most": lambda: store.most("busiest", 1),
        "robots": lambda: store.robots(["https://a.example"], 0.0),
    }
    with pytest.raises(RunError) as caught:
        calls[how]()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
