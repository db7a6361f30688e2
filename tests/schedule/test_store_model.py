"""The state against a plain model of it, through lists, outcomes, retries, ends and kills in any order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Struct

from scraper.counters import Counters
from scraper.records import MOST_CRASHES, Failure, Outcome, Stamp, Target
from scraper.schedule import Store
from scraper.schedule.exchange import Draw, HostNote, StoredRobots, Want

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
    (["http_error"], []),
    (["invalid_url"], [range(100, 600)]),
]

#: What an entry that is no URL says of itself.
NO_URLS: Final[dict[int, tuple[str, int | None]]] = {
    -1: ("invalid_url", None),
    -2: ("http_error", 429),
    -3: ("timeout", None),
}

HOSTS: Final = ["a.example", "b.example", "c.example", "d.example"]

#: A page by number, in one of two spellings; below 0, an entry that is no URL.
entries = st.lists(st.tuples(st.integers(-3, 8), st.integers(0, 1)), min_size=1, max_size=8)


class Page(Struct):
    """What the model knows of a URL."""

    number: int
    url: str
    end: tuple[Any, Any] | None = None
    attempts: int = 0
    crashes: int = 0

    @property
    def host(self) -> str:
        return host_of(self.number)


def host_of(number: int) -> str:
    """The host of a page; none of an entry that is no URL."""
    return HOSTS[number % 3] if number >= 0 else ""


class StoreMachine(RuleBasedStateMachine):
    """A store that is used like one is in a run, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.sessions = 0
        self.pages: dict[int, Page] = {}
        self.ended: list[tuple[set[int], int]] = []  # lists that were read to their end: pages, duplicates
        self.counters = Counters()
        self.notes: dict[str, HostNote] = {}
        self.robots: dict[str, StoredRobots] = {}
        self.fetched = 0.0

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
        self.new_notes: list[HostNote] = []  # since the last commit, and so is the next
        self.new_robots: dict[str, StoredRobots] = {}

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
        new: dict[str, int] = {}
        for number, spelling in batch:
            self.counters.duplicate += number in self.named
            self.named.add(number)
            self.reading[0].add(number)
            if number not in self.pages:
                self.pages[number] = Page(number, entry(number, spelling).url)
                new[host_of(number)] = new.get(host_of(number), 0) + 1
        entered = self.store.enter([entry(*each) for each in batch])
        names = {draw.host: draw.name for draw in self.store.draw([Want(host, 0) for host, _ in entered], 1)}
        assert {names[host]: count for host, count in entered} == new

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
        targets, undone = self.pending()
        outcomes = [each for each in undone if data.draw(st.booleans())]
        for each in outcomes:
            assert each.failure is not None
            self.page(each.url).end = (each.failure.error, each.status)
        number = len(targets)
        ends = data.draw(st.lists(st.sampled_from([*ENDS, None]), min_size=(number + 1) // 2, max_size=number))
        attempts: dict[int, int] = {}
        for target, end in zip(targets, ends, strict=False):
            page = self.page(target.url)
            if end is None:
                page.attempts = attempts[target.id] = target.attempts + 1
                continue
            outcomes.append(outcome(target, *end))
            page.end = end
        self.counters.seconds += 0.5
        self.counters.bytes += sum(each.size for each in outcomes)
        self.counters.records += sum(each.records for each in outcomes)
        length = self.counters.records * 10
        self.store.commit(outcomes, attempts, {"records.jsonl": length}, self.counters.seconds)
        assert self.store.lengths == {"records.jsonl": length}
        for note in self.new_notes:
            _, *before = self.notes.get(note.host, HostNote(note.host, 0, 0.0, 0))
            self.notes[note.host] = HostNote(note.host, *map(sum, zip(before, note[1:], strict=True)))
        self.robots |= self.new_robots
        self.new_notes, self.new_robots = [], {}

    @rule(notes=st.lists(st.builds(HostNote, st.sampled_from(HOSTS), *[st.integers(1, 9)] * 3), max_size=3))
    def note_hosts(self, notes: list[HostNote]) -> None:
        """How hosts have answered, also one of which there is no URL; nothing of it is there before a commit."""
        self.store.note_hosts(notes)
        self.new_notes += notes

    @rule(host=st.sampled_from(HOSTS), content=st.sampled_from([None, b"", b"User-agent: *\nDisallow: /\n"]))
    def note_robots(self, host: str, content: bytes | None) -> None:
        self.fetched += 1
        self.new_robots[host] = StoredRobots(host, self.fetched, content)
        self.store.note_robots(self.new_robots[host])

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """A page costs a parse worker."""
        targets, _ = self.pending()
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
            if wanted and page.number >= 0:
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
    def pending_is_what_has_not_ended(self) -> None:
        """In the order of the list."""
        targets, undone = self.pending()
        open_ = [page for page in self.pages.values() if page.end is None]
        asked = [page for page in open_ if page.number >= 0 and page.crashes < MOST_CRASHES]
        found = [(target.url, target.attempts, target.crashes) for target in targets]
        assert found == [(page.url, page.attempts, page.crashes) for page in asked]
        assert [each.url for each in undone] == [page.url for page in open_ if page not in asked]

    @invariant()
    def hosts_counts_are_a_recount(self) -> None:
        run = self.store._database.execute
        counted = run("SELECT id, listed, ended FROM hosts WHERE listed > 0 ORDER BY id").fetchall()
        assert counted == run("SELECT host, count(*), sum(state > 0) FROM urls GROUP BY host ORDER BY host").fetchall()
        open_ = run("SELECT host, count(*) FROM urls WHERE state = 0 GROUP BY host ORDER BY host").fetchall()
        assert [each for some in self.store.pending_hosts() for each in some] == open_

    @invariant()
    def draws_give_what_is_pending(self) -> None:
        """Of each host its own, in the order of the list, whether all at once or in pieces."""
        run = self.store._database.execute
        hosts = [host for some in self.store.pending_hosts() for host, _ in some]
        draws = self.store.draw([Want(host, 0) for host in hosts], MOST)
        assert [draw.host for draw in draws] == hosts
        assert all(draw.is_all for draw in draws)
        for draw in draws:
            rows = run("SELECT id FROM urls WHERE state = 0 AND host = ? ORDER BY id", (draw.host,)).fetchall()
            numbers = [number for (number,) in rows]
            assert sorted(ids(draw)) == numbers
            for some in (draw.targets, draw.outcomes):
                assert some == sorted(some, key=lambda each: each.id)
            assert draw.last == numbers[-1]
            in_order = sorted([*draw.targets, *draw.outcomes], key=lambda each: each.id)
            pages = [page for page in self.pages.values() if page.end is None and page.host == draw.name]
            assert [each.url for each in in_order] == [page.url for page in pages]
            pieces = [*self.pieces(draw.host, 2)]
            assert [one for piece in pieces for one in sorted(ids(piece))] == numbers
            assert [each for piece in pieces for each in piece.targets] == draw.targets
            assert [each for piece in pieces for each in piece.outcomes] == draw.outcomes

    def pieces(self, host: int, most: int) -> Iterator[Draw]:
        """All draws of a host, of so many URLs, until there is no more behind one."""
        is_all, last = False, 0
        while not is_all:
            (draw,) = self.store.draw([Want(host, last)], most)
            assert len(ids(draw)) <= most
            assert draw.is_all or draw.last > last
            yield draw
            is_all, last = draw.is_all, draw.last

    @invariant()
    def notes_are_those_committed(self) -> None:
        """Each added up once."""
        told = self.store.most("busiest", MOST)
        assert sorted(told) == sorted(self.notes.values())
        assert [note.requests for note in told] == sorted((note.requests for note in told), reverse=True)
        slowness = [note.seconds / note.requests for note in self.store.most("slowest", MOST)]
        assert slowness == sorted((note.seconds / note.requests for note in told), reverse=True)
        refusals = [note.refusals for note in self.store.most("refusing", MOST)]
        assert refusals == sorted((note.refusals for note in told), reverse=True)

    @invariant()
    def robots_are_known_at_once(self) -> None:
        """Of several of an origin, the newest comes last."""
        told = {each.origin: each for each in self.store.robots(HOSTS, 0.0)}
        assert told == self.robots | self.new_robots

    @invariant()
    def failures_are_told(self) -> None:
        told = [(each.url, each.error, each.status) for each in self.store.failures()]
        assert told == [(page.url, *page.end) for page in self.failed() if page.end is not None]

    def pending(self) -> tuple[list[Target], list[Outcome]]:
        """All that is pending, in the order of the list: to be asked for, and such as ends without that."""
        wants = [Want(host, 0) for some in self.store.pending_hosts() for host, _ in some]
        draws = self.store.draw(wants, MOST)
        targets = [each for draw in draws for each in draw.targets]
        undone = [each for draw in draws for each in draw.outcomes]
        return sorted(targets, key=lambda each: each.id), sorted(undone, key=lambda each: each.id)

    def page(self, url: str) -> Page:
        return next(page for page in self.pages.values() if page.url == url)

    def failed(self) -> list[Page]:
        return [page for page in self.pages.values() if page.end is not None and isinstance(page.end[0], str)]


def entry(number: int, spelling: int) -> Target | Failure:
    """What a list says."""
    if number < 0:
        error, status = NO_URLS[number]
        return Failure(f"bad {number}", error, f"{spelling} is no URL", status, attempts=0)
    host = host_of(number)
    return Target(f"https://{host}/{number}#{spelling}", f"https://{host}/{number}", host)


def ids(draw: Draw) -> list[int]:
    return [each.id for each in (*draw.targets, *draw.outcomes)]


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
