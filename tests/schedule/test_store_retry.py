"""Failed URLs that are asked for again, and a disk that fails the state."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from scraper.errors import RunError
from scraper.records import MOST_CRASHES, Failure, Outcome, Stamp, Target
from scraper.schedule import Store
from scraper.schedule.exchange import Want

Read = Callable[[Store], Any]  # gives all that is pending

#: Pages by a letter, and how they fail.
ENDS: Final[dict[str, tuple[str, int | None]]] = {
    "t": ("timeout", None),
    "u": ("timeout", None),
    "n": ("http_error", 404),
    "m": ("http_error", 429),
    "l": ("http_error", 430),
    "s": ("http_error", 500),
    "v": ("http_error", 599),
    "p": ("parse_error", 200),
    "c": ("parse_crashed", 200),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path, pending: Read) -> Iterator[Store]:
    """A run that has come to its end: an invalid entry, a page that is ok, one that is empty, and each of `ENDS`."""
    with Store.create(path, b"{}") as new:
        new.begin_loading()
        new.begin_list()
        urls = [f"https://a.example/{name}" for name in ("o", "e", *ENDS)]
        new.enter([Failure("x", "invalid_url", "no URL"), *(Target(url, url, "a.example") for url in urls)])
        new.end_list("l", Stamp(0, 0, ""))
        new.end_loading()
        chunk = pending(new)
        by_name = {each.url[-1]: each for each in chunk.targets}
        for number in range(MOST_CRASHES):
            new.crashed(by_name["c"].id, number + 1, Failure("", "parse_crashed", "gone", 200))
        new.commit([], {each.id: 2 for each in chunk.targets}, {}, 0.5)
        fails = [failed(by_name[name], *end) for name, end in ENDS.items()]
        good = [Outcome(by_name[name].url, name == "o", status=200, id=by_name[name].id) for name in "oe"]
        new.commit([*chunk.outcomes, *good, *fails], {}, {"records.jsonl": 5}, 1.0)
        yield new


def failed(target: Target, error: str, status: int | None) -> Outcome:
    failure = Failure(target.url, error, "so it is", status, 3, target.url, "now")
    return Outcome(target.url, failure=failure, status=status, id=target.id)


def recount(store: Store) -> dict[str, Any]:
    """The counters, and those of the hosts, as the URLs themselves have them."""
    run = store._database.execute
    (total, ok, empty, lost) = run(
        "SELECT count(*), sum(state IN (1, 2)), sum(state = 2), sum(state = 3) FROM urls"
    ).fetchone()
    failures = dict(run("SELECT error, count(*) FROM failures GROUP BY 1").fetchall())
    hosts = run("SELECT host, count(*), sum(state > 0) FROM urls GROUP BY 1 ORDER BY 1").fetchall()
    return {"total": total, "ok": ok, "empty": empty, "failed": lost, "failures": failures, "hosts": hosts}


def counted(store: Store) -> dict[str, Any]:
    counters = store.counters
    counted = {name: getattr(counters, name) for name in ("total", "ok", "empty", "failed", "failures")}
    hosts = store._database.execute("SELECT id, listed, ended FROM hosts WHERE listed > 0 ORDER BY 1").fetchall()
    return {**counted, "hosts": hosts}


@pytest.mark.parametrize(
    ("errors", "statuses", "again"),
    [
        (None, [], "tunmlsvpc"),
        (["timeout"], [], "tu"),
        (["http_error"], [], "nmlsv"),
        ([], [range(429, 430)], "m"),
        ([], [range(500, 600)], "sv"),
        (["timeout", "parse_error"], [range(404, 405), range(500, 501)], "tunsp"),
        ([], [range(200, 300)], "pc"),
        (["dns_error"], [range(300, 400)], ""),
        (["invalid_url"], [range(100, 600)], "nmlsvpc"),
    ],
)
def test_retry(
    store: Store, path: Path, errors: list[str] | None, statuses: list[range], again: str, pending: Read
) -> None:
    """Chosen failures are pending as if they had never been asked for; the others, and invalid entries, stay."""
    assert store.retry(errors, statuses) == len(again)
    stay = [name for name in ENDS if name not in again]
    for session in range(2):
        chunk = pending(store)
        assert chunk.outcomes == []
        found = [(each.url[-1], each.attempts, each.crashes) for each in chunk.targets]
        assert found == [(name, 0, 0) for name in again]
        assert [each.url[-1] for each in store.failures()] == ["x", *stay]
        assert counted(store) == recount(store)
        assert store.counters.pending == len(again)
        assert store.counters.statuses.get(404, 0) == ("n" not in again)
        assert store.counters.statuses[200] == 2 + ("p" not in again) + ("c" not in again)
        assert (store.counters.records, store.lengths) == (1, {"records.jsonl": 5})
        if session == 0:
            store.close()
            store = Store.open(path)
    store.close()


def test_retried_pages_end_anew(store: Store, pending: Read) -> None:
    """Their new ends replace the old ones; one of several fails again in another way."""
    store.retry()
    targets = pending(store).targets
    fine = [Outcome(each.url, 2, status=200, id=each.id) for each in targets[1:]]
    store.commit([failed(targets[0], "dns_error", None), *fine], {}, {}, 2.0)
    assert [each.error for each in store.failures()] == ["invalid_url", "dns_error"]
    assert counted(store) == recount(store)
    assert store.counters.statuses == {200: 1 + len(ENDS)}
    assert store.retry() == 1


def test_failures_by_the_thousand(path: Path, pending: Read) -> None:
    """Read in parts, none is lost at their borders; others may use the state between."""
    with Store.create(path, b"{}") as store:
        store.begin_list()
        store.enter([Failure(f"bad {number}", "invalid_url", "no URL") for number in range(2500)])
        store.commit(pending(store).outcomes, {}, {}, 1.0)
        told = []
        for failure in store.failures():
            told.append(failure.url)
            assert [*store.pending_hosts()] == []
    assert told == [f"bad {number}" for number in range(2500)]


def fill_up(store: Store) -> None:
    """Let the state's file have no room to grow."""
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count={pages}")


def test_full_disk(store: Store, path: Path, pending: Read) -> None:
    """One clear line, and nothing of what was to be stored is counted or there; with room again it goes on."""
    before = store.counters.copy()
    fill_up(store)
    urls = [f"https://b.example/{number}" for number in range(3000)]
    targets = [Target(url, url, "b.example") for url in urls]
    with pytest.raises(RunError, match="full") as told:
        store.enter(targets)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    assert store.counters == before
    assert counted(store) == recount(store)
    store._database.execute("PRAGMA max_page_count=1000000")
    store.enter(targets)
    assert store.counters.total == before.total + 3000
    assert [each.url for each in pending(store).targets] == urls


def test_a_commit_that_fails_counts_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, pending: Read) -> None:
    """Whichever of its statements the disk refuses: all is as it was, also what this process believes."""
    store.retry()
    before = store.counters.copy()
    targets = pending(store).targets
    put = store.put

    def refuse(name: str, value: bytes) -> None:
        if name == "counters":
            raise sqlite3.OperationalError("disk I/O error")
        put(name, value)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put", refuse)
        with pytest.raises(RunError, match="disk I/O error"):
            store.commit([failed(targets[0], "timeout", None)], {targets[1].id: 7}, {"records.jsonl": 99}, 9.0)
        with pytest.raises(RunError, match="disk I/O error"):
            store.retry()
    assert store.counters == before
    assert counted(store) == recount(store)
    assert store.lengths == {"records.jsonl": 5}
    assert pending(store).targets == targets


@pytest.mark.parametrize(("fsync", "expected"), [(True, 2), (False, 1)])
def test_ends_wait_for_the_disk(store: Store, fsync: bool, expected: int, pending: Read) -> None:
    """Outcomes and crashes do, unless nobody wants that; the list does not, since it can be read again."""
    store.fsync = fsync
    said: list[str] = []
    store._database.set_trace_callback(said.append)

    def level() -> int:
        """FULL is 2, NORMAL is 1."""
        (number,) = store._database.execute("PRAGMA synchronous").fetchone()
        return int(number)

    store.retry()
    assert level() == expected
    store.enter([Target("https://b.example/", "https://b.example/", "b.example")])
    assert level() == 1
    (one, *_) = pending(store).targets
    store.crashed(one.id, 1, Failure(one.url, "parse_crashed", "gone"))
    assert level() == expected
    store.end_loading()
    store.commit([Outcome(one.url, 1, id=one.id)], {}, {}, 1.0)
    assert level() == expected
    assert said.count("BEGIN IMMEDIATE") == said.count("COMMIT") == 5


def test_temporary_state(pending: Read) -> None:
    """It does all the same, and leaves no file."""
    with Store.temporary() as store:
        assert not store.is_durable
        store.begin_loading()
        store.begin_list()
        store.enter([Target("https://a.example/", "https://a.example/", "a.example")] * 2)
        (one,) = pending(store).targets
        store.commit([Outcome(one.url, 1, id=one.id)], {}, {}, 1.0)
        assert (store.counters.ok, store.counters.duplicate) == (1, 1)
        assert store._database.execute("PRAGMA database_list").fetchall() == [(0, "main", "")]


def test_closed_state(store: Store) -> None:
    """Closing it twice is no error; using it then is one."""
    store.close()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.draw([Want(1, 0)], 1)
