"""The way of URLs from the lists through the store into the schedule: in time, in order, no further than wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest

from scraper.errors import RunError, SourceError
from scraper.pipeline import supply as supply_module
from scraper.pipeline.supply import Item
from scraper.records import LIST, Failure, ListEnd, ListStart, Outcome, Page, Stamp, Target
from scraper.schedule import Store

LIMIT: Final = 10.0
STAMP: Final = Stamp(1, 2, "digest")

Make = Callable[..., Any]  # of a `Rig`


def target(number: int) -> Target:
    url = f"https://host-{number % 7}/{number}"
    return Target(url, url, f"host-{number % 7}")


def whole(*entries: Target | Failure, name: str = "l") -> list[Item]:
    """A list with its start and its end."""
    return [ListStart(name), *entries, ListEnd(name, STAMP)]


def running() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"loader", "keeper", "feeder"}


# The way through


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("window", [5, 10_000])
@pytest.mark.parametrize("number", [0, 1, 10, 30, 50, 1000])
def test_all_arrive(rig: Make, number: int, window: int) -> None:
    """Every target once, then the end; and the store has the list as read to its end."""
    supplied = rig(whole(*map(target, range(number))), window=window)
    supplied.start()
    taken = supplied.take_all()
    assert sorted(taken) == sorted(target(each).url for each in range(number))
    assert supplied.supply.listed
    assert supplied.store.is_listed
    assert {name: each.stamp for name, each in supplied.store.readings().items()} == {"l": STAMP}
    assert (supplied.counters.total, supplied.counters.duplicate) == (number, 0)
    assert supplied.errors == []


def test_order_of_the_list(rig: Make) -> None:
    """A host's pages are asked for in it; duplicates are counted, not handed out."""
    supplied = rig(whole(*(target(7 * (number % 40)) for number in range(100))))
    supplied.start()
    assert supplied.take_all() == [target(7 * number).url for number in range(40)]
    assert (supplied.counters.total, supplied.counters.duplicate) == (40, 60)


def test_fetching_starts_before_the_list_ends(rig: Make) -> None:
    """What has been read is handed out while the list's next entry is still waited for; then the rest is."""
    supplied = rig(whole(*map(target, range(20))), hold=6)
    supplied.start()
    assert {supplied.take() for _ in range(5)} == {target(number).url for number in range(5)}
    assert supplied.lists.waits.wait(LIMIT)
    assert not supplied.lists.ended.is_set()
    assert not supplied.supply.listed
    assert not supplied.store.is_listed
    supplied.lists.go_on.set()
    assert len(supplied.take_all()) == 15


def of(host: str, number: int) -> Target:
    return Target(f"https://{host}/{number}", f"https://{host}/{number}", host)


def test_a_list_that_trickles_in(rig: Make) -> None:
    """Each entry is fetched as it comes, though the schedule knows of many URLs of a host that must not be asked."""
    slow = [of("slow", number) for number in range(50)]
    supplied = rig(whole(*slow, of("a", 1), of("b", 2)), hold=52, delays={"slow": 3600.0})
    supplied.start()
    assert {supplied.take(), supplied.take()} == {"https://slow/0", "https://a/1"}
    assert supplied.lists.waits.wait(LIMIT)
    supplied.lists.go_on.set()
    assert supplied.take() == "https://b/2"


def test_entries_come_one_by_one(rig: Make) -> None:
    """Each is fetched before the next one is there, though some were there before and some are no URL."""
    bad = Failure("bad", "invalid_url", "no URL", attempts=0)
    listed = [target(0), bad, target(0), target(7), target(1), bad, target(2), target(14)]
    supplied = rig(whole(*listed), stepwise=True)
    supplied.start()
    for one, is_new in zip(listed, [True, False, False, True, True, False, True, True], strict=True):
        supplied.lists.steps.release()
        if is_new:
            assert supplied.take() == one.url
    assert supplied.take() is None
    assert len(supplied.outcomes) == 1
    assert (supplied.counters.total, supplied.counters.duplicate) == (6, 2)


def test_lists_come_one_by_one(rig: Make) -> None:
    """Some are empty, and one begins with what another had."""
    first, last = whole(target(1), target(2), name="first"), whole(target(2), target(3), target(4), name="last")
    supplied = rig([*whole(name="empty"), *first, *whole(name="empty too"), *last], stepwise=True)
    supplied.start()
    for number in (1, 2):
        supplied.lists.steps.release()
        assert supplied.take() == target(number).url
    supplied.lists.steps.release(2)
    assert supplied.take() == target(3).url
    supplied.lists.steps.release()
    assert supplied.take() == target(4).url
    assert supplied.take() is None


@pytest.mark.usefixtures("small")
def test_a_list_sorted_by_host(rig: Make, store: Store) -> None:
    """The first host has far more URLs than fit into memory: those behind it get their turn all the same."""
    listed = [of("large", number) for number in range(600)] + [of(f"h{number}", number) for number in range(20)]
    supplied = rig(whole(*listed), window=20, delays={"large": 3600.0})
    supplied.supply._eager = True
    supplied.start()
    if not store.is_durable:
        return  # it is read no further than it is used
    taken = {supplied.take() for _ in range(21)}
    assert taken == {"https://large/0"} | {f"https://h{number}/{number}" for number in range(20)}


def test_pages_of_former_sessions_count_once(rig: Make, store: Store) -> None:
    """They are handed out at once, though the list that names them is read again beside."""
    store.begin_loading()
    store.begin_list()
    store.enter([target(number) for number in range(30)])
    supplied = rig(whole(*map(target, range(40))))
    supplied.start()
    assert sorted(supplied.take_all()) == sorted(target(number).url for number in range(40))
    assert supplied.counters.total == 40


def test_a_list_that_has_to_be_fetched(rig: Make) -> None:
    """It goes through the schedule like a page, and its answer back to who reads the lists."""
    wanted = msgspec.structs.replace(of("a", 9), kind=LIST)
    supplied = rig([ListStart("l"), wanted, ListEnd("l", None)])
    got: list[Page | Failure] = []

    def read(*arguments: Any) -> Iterator[Item]:
        got.append(arguments[1](wanted))
        yield ListStart("l")
        yield of("b", 1)
        yield ListEnd("l", None)

    supplied.lists.read = read  # type: ignore[method-assign]
    supplied.start()
    one = supplied.schedule.take()
    assert one == wanted
    assert supplied.supply.is_asking
    answer = Page(wanted.url, wanted.href, 200, "", [], b"the list")
    supplied.supply.answer(answer)
    supplied.schedule.done(one)
    assert supplied.take_all() == ["https://b/1"]
    assert got == [answer]
    assert not supplied.supply.is_asking


def test_a_list_that_is_fetched_when_the_run_ends(rig: Make) -> None:
    """Its reader is let go, and that is no error."""
    wanted = msgspec.structs.replace(of("a", 9), kind=LIST)
    supplied = rig([])

    def read(*arguments: Any) -> Iterator[Item]:
        arguments[1](wanted)
        raise AssertionError("there was an answer")
        yield wanted

    supplied.lists.read = read  # type: ignore[method-assign]
    supplied.start()
    assert supplied.schedule.take() == wanted
    supplied.end()
    assert running() == set()
    assert supplied.errors == []
    assert not supplied.supply.listed


def test_invalid_entries_are_delivered(rig: Make) -> None:
    """Unasked, with the moment of their end; pages around them go their way."""
    bad = Failure("bad", "invalid_url", "no URL", attempts=0)
    supplied = rig(whole(target(1), bad, target(2), bad))
    supplied.start()
    assert len(supplied.take_all()) == 2
    (outcome,) = supplied.outcomes
    assert (outcome.url, outcome.id) == ("bad", 2)
    assert outcome.failure is not None
    assert outcome.failure.message == "no URL"
    assert outcome.failure.failed_at.endswith("Z")
    assert supplied.counters.duplicate == 1


def test_a_store_that_has_all(rig: Make, store: Store) -> None:
    """Without lists, what is pending is handed out, with the counts as they are."""
    store.begin_loading()
    store.begin_list()
    store.enter([target(number) for number in (1, 2, 3, 1)])
    store.commit([Outcome(target(2).url, 1, id=2)], {}, {}, 1.0)
    supplied = rig(None)
    assert supplied.supply.listed
    supplied.start()
    assert supplied.supply.primed.is_set()
    assert sorted(supplied.take_all()) == [target(1).url, target(3).url]
    assert (supplied.counters.total, supplied.counters.duplicate) == (3, 1)


def test_known_lists_are_passed_over(rig: Make, store: Store) -> None:
    """They are told of to who reads the lists; their pending pages come from the store, their duplicates count."""
    store.begin_loading()
    store.begin_list()
    store.enter([target(1), target(1)])
    store.end_list("old", STAMP)
    supplied = rig([ListEnd("old", STAMP, unread=True), *whole(target(1), target(2), name="new")])
    supplied.start({"old": STAMP})
    assert sorted(supplied.take_all()) == [target(1).url, target(2).url]
    assert supplied.lists.known == {"old": STAMP}
    assert (supplied.counters.total, supplied.counters.duplicate) == (2, 2)
    assert set(store.readings()) == {"old", "new"}


def test_a_list_without_a_stamp_is_read_again(rig: Make, store: Store) -> None:
    """Of one that nobody can tell from another, none is kept."""
    supplied = rig([ListStart("-"), target(1), ListEnd("-", None)])
    supplied.start()
    assert len(supplied.take_all()) == 1
    assert store.readings() == {}
    assert store.is_listed


# How far it reads


@pytest.mark.usefixtures("small")
def test_how_far_the_list_is_read(rig: Make, store: Store) -> None:
    """For a durable store to its end, though nobody fetches; else no further than a little ahead of the fetching."""
    supplied = rig(whole(*map(target, range(500))), window=10)
    lists = supplied.lists
    supplied.start()
    if store.is_durable:
        assert lists.ended.wait(LIMIT), f"stopped at {lists.count}"
        assert len(supplied.take_all()) == 500
        return
    assert not lists.ended.wait(0.1), "nothing holds it back"
    # The window, what is in the feeder's hand, what waits for it in the store, what waits before that.
    room = 10 + 10 + 30 + 20
    for taken in range(500):
        assert lists.count <= taken + room
        assert supplied.take() is not None
    assert supplied.take() is None


@pytest.mark.usefixtures("small")
def test_before_there_is_a_store(rig: Make) -> None:
    """Some entries are read, so that an error among them is found before anything is fetched, and then no more."""
    supplied = rig(whole(*map(target, range(200))))
    supplied.supply.start({})
    assert supplied.supply.primed.wait(LIMIT)
    assert not supplied.lists.ended.wait(0.05)
    assert supplied.lists.count == supply_module.PRIME
    supplied.supply.open(supplied.store)
    assert len(supplied.take_all()) == 200


def test_a_short_list_primes_at_its_end(rig: Make) -> None:
    """There is no more to wait for."""
    supplied = rig(whole(target(1)))
    supplied.supply.start({})
    assert supplied.supply.primed.wait(LIMIT)


# Errors


@pytest.mark.parametrize("error", [SourceError("l.yaml:3: broken"), RuntimeError("a generator of the user's")])
@pytest.mark.parametrize("opened", [False, True])
def test_errors_of_the_lists_are_told(rig: Make, error: Exception, opened: bool) -> None:
    """To who started it all, as they are, also where nobody has opened a store yet; the list has no end then."""
    supplied = rig([ListStart("l"), target(1), error])
    if opened:
        supplied.start()
    else:
        supplied.supply.start({})
    assert supplied.failed.wait(LIMIT)
    assert supplied.errors == [error]
    assert supplied.supply.primed.wait(LIMIT)
    assert not supplied.supply.listed
    supplied.end()
    assert supplied.store.readings() == {}
    assert not supplied.store.is_listed


@pytest.mark.parametrize("method", ["enter", "begin_list", "end_list", "draw", "pending_hosts"])
def test_errors_of_the_store_are_told(rig: Make, store: Store, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """A disk that fills up ends the run, and no thread dies in silence."""
    error = RunError("cannot write state.db: disk full")

    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(store, method, refuse)
    supplied = rig(whole(target(1)))
    supplied.start()
    assert supplied.failed.wait(LIMIT)
    assert supplied.errors == [error]
    supplied.end()
    if not method.startswith(("draw", "pending")):
        assert not store.is_listed


# Ends


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("hold", [None, 1, 4, 100, 300])
@pytest.mark.parametrize("window", [5, 10_000])
def test_stop_lets_go_of_all_threads(rig: Make, hold: int | None, window: int) -> None:
    """Wherever they wait: for room in the schedule, for more of the list, or for one another."""
    supplied = rig(whole(*map(target, range(400))), hold=hold, window=window)
    supplied.start()
    if hold != 1:
        assert supplied.take() is not None
    assert running() & {"keeper", "feeder"}
    # Some of them are at rest by now, if they come to rest at all.
    supplied.lists.ended.wait(0.02)
    supplied.lists.go_on.set()
    supplied.end()
    assert running() == set()
    assert supplied.errors == []


def test_stop_before_there_is_a_store(rig: Make) -> None:
    """Where the fields turn out to be of no use, say: the loader waits with what it has."""
    supplied = rig(whole(*map(target, range(supply_module.PRIME + 10))))
    supplied.supply.start({})
    assert supplied.supply.primed.wait(LIMIT)
    assert running() == {"loader"}
    supplied.end()
    assert running() == set()


def test_join_does_not_wait_for_an_iterator(rig: Make) -> None:
    """It may never come back; the loader that waits for it is a daemon, so that the process can end."""
    supplied = rig(whole(target(1), target(2)), hold=2)
    supplied.start()
    assert supplied.take() is not None
    assert supplied.lists.waits.wait(LIMIT)
    supplied.end()
    (loader,) = (thread for thread in threading.enumerate() if thread.name == "loader")
    assert loader.daemon
    assert running() == {"loader"}
    supplied.lists.go_on.set()
    loader.join(LIMIT)


def test_nobody_wants_the_outcomes(rig: Make) -> None:
    """The writer is gone: the feeder goes, too, without a word."""
    supplied = rig(whole(Failure("bad", "invalid_url", "no URL"), target(1)))
    supplied.wanted = False
    supplied.start()
    supplied.supply._feeder.join(LIMIT)
    assert not supplied.supply._feeder.is_alive()
    assert supplied.errors == []
