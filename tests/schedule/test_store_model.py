"""The state against a plain model of it, through lists, outcomes, retries, ends and kills in any order."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Struct

from scraper.counters import Counters
from scraper.records import MOST_CRASHES, Failure, Outcome, Stamp, Target
from scraper.schedule import Store
from scraper.schedule.exchange import Want

STAMP: Final = Stamp(1, 0, "digest")
MOST: Final = 1000

#: An end of a page: records, or the kind of its failure; and the status of its answer.
ENDS: Final = [(3, 200), (0, 204), ("timeout", None), ("http_error", 429), ("http_error", 503), ("parse_error", 200)]

#: What is asked for again, and the model's own idea of it.
FILTERS: Final[list[tuple[list[str] | None, list[range]]]] = [
    (None, []),
    (["timeout"], []),
    ([], [range(429, 430)]),
    (["parse_error"], [range(500, 600)]),
    (["invalid_url"], [range(100, 600)]),
]

#: A page by number, in one of two spellings; below 0, an entry that is no URL.
entries = st.lists(st.tuples(st.integers(-3, 8), st.integers(0, 1)), min_size=1, max_size=8)


class Pending(NamedTuple):
    """All that is pending, in the order of the list."""

    targets: list[Target]
    outcomes: list[Outcome]


def pending(store: Store) -> Pending:
    """Read it, host by host."""
    wants = [Want(number, 0) for hosts in store.pending_hosts() for number, _ in hosts]
    draws = store.draw(wants, 100_000)
    assert all(draw.is_all for draw in draws)
    return Pending(
        sorted((each for draw in draws for each in draw.targets), key=lambda each: each.id),
        sorted((each for draw in draws for each in draw.outcomes), key=lambda each: each.id),
    )


class Page(Struct):
    """What the model knows of a URL."""

    number: int
    url: str
    end: tuple[Any, Any] | None = None
    attempts: int = 0
    crashes: int = 0


class StoreMachine(RuleBasedStateMachine):
    """A store that is used like one is in a run, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.sessions = 0
        self.pages: dict[int, Page] = {}
        self.ended: list[tuple[set[int], int]] = []  # lists that were read to their end: pages, duplicates
        self.counters = Counters()

    @initialize()
    def create(self) -> None:
        self.place = self.folder / "0"
        self.place.mkdir()
        self.store = Store.create(self.place / "state.db", b"{}")
        self.load()

    def load(self) -> None:
        """What a session does first."""
        self.store.begin_loading()
        self.counters.duplicate = 0
        self.named: set[int] = set()  # by the lists that this session has gone through so far
        self.position = 0
        self.reading: tuple[set[int], int] | None = None

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # Sessions

    @rule(kill=st.booleans(), unchanged=st.integers(0, 2))
    def reopen(self, kill: bool, unchanged: int) -> None:
        """The next session finds the files as they are at this instant, or as an orderly end leaves them."""
        if kill:
            self.sessions += 1
            self.place = Path(shutil.copytree(self.place, self.folder / str(self.sessions)))
        self.store.close()
        self.store = Store.open(self.place / "state.db")
        self.load()
        for _ in range(min(unchanged, len(self.ended))):
            self.skip_list()

    # Lists

    @precondition(lambda self: self.reading is None)
    @rule(batch=entries)
    def begin_list(self, batch: list[tuple[int, int]]) -> None:
        """The list at this place has changed, or was never read to its end; so may have those behind it."""
        self.store.begin_list()
        self.reading = set(), self.counters.duplicate
        del self.ended[self.position :]
        self.enter(batch)

    def skip_list(self) -> None:
        """The list at this place is as it was, and so are those before it."""
        self.store.skip_list(f"list {self.position}")
        pages, duplicates = self.ended[self.position]
        self.named |= pages
        self.counters.duplicate += duplicates
        self.position += 1

    @precondition(lambda self: self.reading is not None)
    @rule(batch=entries)
    def enter(self, batch: list[tuple[int, int]]) -> None:
        assert self.reading is not None
        listed: list[Target | Failure] = []
        for number, spelling in batch:
            url = f"https://a.example/{number}#{spelling}" if number >= 0 else f"bad {number}"
            listed.append(
                Target(url, f"https://a.example/{number}", "a.example")
                if number >= 0
                else Failure(url, "invalid_url", f"{spelling} is no URL", attempts=0)
            )
            self.counters.duplicate += number in self.named
            self.named.add(number)
            self.reading[0].add(number)
            self.pages.setdefault(number, Page(number, url))
        self.store.enter(listed)

    @precondition(lambda self: self.reading is not None)
    @rule()
    def end_list(self) -> None:
        assert self.reading is not None
        self.store.end_list(f"list {self.position}", STAMP)
        pages, before = self.reading
        self.ended.append((pages, self.counters.duplicate - before))
        self.reading = None
        self.position += 1

    # Ends

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        """Some pages end, some others are to be asked for again; invalid entries end as the store says."""
        chunk = pending(self.store)
        outcomes = [each for each in chunk.outcomes if data.draw(st.booleans())]
        number = len(chunk.targets)
        ends = data.draw(st.lists(st.sampled_from([*ENDS, None]), min_size=(number + 1) // 2, max_size=number))
        attempts: dict[int, int] = {}
        for target, end in zip(chunk.targets, ends, strict=False):
            page = self.page(target.url)
            if end is None:
                page.attempts = attempts[target.id] = target.attempts + 1
                continue
            outcomes.append(outcome(target, *end))
            page.end = end
        for each in chunk.outcomes:
            if each in outcomes:
                assert each.failure is not None
                self.page(each.url).end = (each.failure.error, each.status)
        self.counters.seconds += 0.5
        self.counters.bytes += sum(each.size for each in outcomes)
        self.counters.records += sum(each.records for each in outcomes)
        length = self.counters.records * 10
        self.store.commit(outcomes, attempts, {"records.jsonl": length}, self.counters.seconds)
        assert self.store.lengths == {"records.jsonl": length}

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """A page costs a parse worker."""
        targets = pending(self.store).targets
        if targets:
            target = data.draw(st.sampled_from(targets))
            page = self.page(target.url)
            page.crashes += 1
            self.store.crashed(target.id, page.crashes, Failure(target.url, "parse_crashed", "it is gone", 200))

    @rule(chosen=st.sampled_from(FILTERS))
    def retry(self, chosen: tuple[list[str] | None, list[range]]) -> None:
        errors, statuses = chosen
        number = 0
        for page in self.failed():
            assert page.end is not None
            kind, status = page.end
            wanted = errors is None or kind in errors or any(status in span for span in statuses)
            if wanted and kind != "invalid_url":
                number += 1
                page.end, page.attempts, page.crashes = None, 0, 0
        assert self.store.retry(errors, statuses) == number

    # What always holds

    @invariant()
    def counts_are_a_recount(self) -> None:
        ends = [page.end for page in self.pages.values() if page.end is not None]
        kinds = [kind for kind, _ in ends if isinstance(kind, str)]
        statuses = [status for _, status in ends if status is not None]
        self.counters.total = len(self.pages)
        self.counters.ok = len(ends) - len(kinds)
        self.counters.empty = sum(end[0] == 0 for end in ends)
        self.counters.failed = len(kinds)
        self.counters.failures = {kind: kinds.count(kind) for kind in kinds}
        self.counters.statuses = {status: statuses.count(status) for status in statuses}
        assert self.store.counters == self.counters

    @invariant()
    def hosts_are_a_recount(self) -> None:
        """What each host has pending, and what can be drawn of it, whole or piece by piece."""
        rows = self.store._database.execute("SELECT host, id FROM urls WHERE state=0 ORDER BY id").fetchall()
        counted = dict(each for hosts in self.store.pending_hosts() for each in hosts)
        assert counted == dict(Counter(host for host, _ in rows))
        for host in counted:
            last, seen, whole = 0, [], False
            while not whole:
                (draw,) = self.store.draw([Want(host, last)], 2)
                seen += sorted([each.id for each in draw.targets] + [each.id for each in draw.outcomes])
                last, whole = draw.last, draw.is_all
            assert seen == [id_ for each, id_ in rows if each == host]

    @invariant()
    def pending_is_what_has_not_ended(self) -> None:
        """In the order of the list, whichever way it is read."""
        chunk = pending(self.store)
        open_ = [page for page in self.pages.values() if page.end is None]
        asked = [page for page in open_ if page.number >= 0 and page.crashes < MOST_CRASHES]
        found = [(target.url, target.attempts, target.crashes) for target in chunk.targets]
        assert found == [(page.url, page.attempts, page.crashes) for page in asked]
        assert [each.url for each in chunk.outcomes] == [page.url for page in open_ if page not in asked]

    @invariant()
    def failures_are_told(self) -> None:
        told = [(each.url, each.error, each.status) for each in self.store.failures()]
        assert told == [(page.url, *page.end) for page in self.failed() if page.end is not None]

    def page(self, url: str) -> Page:
        return next(page for page in self.pages.values() if page.url == url)

    def failed(self) -> list[Page]:
        return [page for page in self.pages.values() if page.end is not None and isinstance(page.end[0], str)]


def outcome(target: Target, what: int | str, status: int | None) -> Outcome:
    """A page's end, as one of `ENDS` says."""
    if isinstance(what, int):
        return Outcome(target.url, what, status=status, size=7, id=target.id)
    failure = Failure(target.url, what, "as it is", status, target.attempts + 1, target.href, "now")
    return Outcome(target.url, failure=failure, status=status, size=5, id=target.id)


TestStoreModel = StoreMachine.TestCase
TestStoreModel.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
