"""The parse pool with real processes and real kills: an outcome for every page, once, and nothing left behind."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from scraper.channel import Channel
from scraper.errors import ParserError, ScraperError, WorkerStartError
from scraper.parse import pool as pool_module
from scraper.parse.extract import BadPlan, Plan
from scraper.parse.inline import InlineParser
from scraper.parse.pool import ParsePool
from scraper.records import Outcome, Page
from scraper.settings import Container, FieldSettings, SetSettings

ROGUE = Path(__file__).with_name("rogue_parsers.py")
PLAN = Plan(parser=f"{ROGUE}:parse", memory=128 << 20)
GOOD = "good"

#: No test waits longer for the pool than this, in seconds.
LIMIT = 10.0


def make_page(number: int, body: str, given: dict[str, Any] | None = None) -> Page:
    url = f"https://a.example/{number}"
    return Page(url, url, 200, "2026-01-01T00:00:00.000Z", [("Content-Type", "text/html")], body.encode(), given)


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    """An outcome's records."""
    return [msgspec.json.decode(line) for line in outcome.lines.splitlines()]


class Run:
    """A parser with a channel before it, and all that it delivers behind it."""

    def __init__(self, plan: Plan = PLAN, *, inline: bool = False, workers: int = 2, timeout: float = 20.0) -> None:
        self.pages: Channel[Page] = Channel(10_000)
        self.outcomes: list[Outcome] = []
        self.errors: list[ScraperError] = []
        self.ends = 0
        self._numbers = itertools.count()
        self._bodies: dict[str, str] = {}
        self._news = threading.Condition()  # guards outcomes
        ends: dict[str, Any] = {"pages": self.pages, "deliver": self._deliver, "ended": self._end}
        self.pool: ParsePool | InlineParser
        if inline:
            self.pool = InlineParser(plan, **ends)
        else:
            self.pool = ParsePool(plan, workers=workers, timeout=timeout, fail=self._fail, **ends)

    def put(self, bodies: list[str], given: dict[str, Any] | None = None) -> None:
        """Queue a page for each of these bodies."""
        for body in bodies:
            page = make_page(next(self._numbers), body, given)
            self._bodies[page.url] = body
            self.pages.put(page)

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait until `holds` does; looks whenever something is delivered."""
        with self._news:
            came = self._news.wait_for(holds, LIMIT)
        if not came:
            self._give_up()

    def finish(self) -> list[Outcome]:
        """No more pages: the pool must come to its end, with exactly one outcome for each page."""
        self.pages.close()
        self.join()
        assert self.errors == []
        assert self.ends == 1
        assert Counter(outcome.url for outcome in self.outcomes) == Counter([*self._bodies])
        return self.outcomes

    def join(self) -> None:
        """`ParsePool.join`, in bounded time."""
        joiner = threading.Thread(target=self.pool.join, daemon=True)
        joiner.start()
        joiner.join(LIMIT)
        if joiner.is_alive():
            self._give_up()

    def by_body(self) -> dict[str, list[Outcome]]:
        """Outcomes by the body of their page."""
        sorted_out: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            sorted_out.setdefault(self._bodies[outcome.url], []).append(outcome)
        return sorted_out

    def _give_up(self) -> None:
        self.pages.cancel()
        self.pool.abort()
        pytest.fail("the pool hangs")

    def _deliver(self, outcomes: list[Outcome]) -> None:
        with self._news:
            self.outcomes += outcomes
            self._news.notify_all()

    def _end(self) -> None:
        self.ends += 1

    def _fail(self, error: ScraperError) -> None:
        self.errors.append(error)
        self.pages.cancel()


def run(bodies: list[str], plan: Plan = PLAN, **options: Any) -> Run:
    """A whole run over pages that were queued before it began, so that batches are full."""
    this = Run(plan, **options)
    this.put(bodies)
    this.pool.start()
    this.finish()
    return this


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After each test: no child process and no thread. What an inline parser imports is taken out again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    threads = set(threading.enumerate())
    yield
    sys.modules.pop(ROGUE.stem, None)
    assert psutil.Process().children(recursive=True) == []
    assert set(threading.enumerate()) <= threads


def test_rogue_pages_among_good_ones() -> None:
    """A kill, a segmentation fault, an endless sleep and an endless appetite each cost their own page only."""
    bodies = [GOOD] * 300 + ["kill", "segfault", "sleep", "gobble"]
    random.Random(1).shuffle(bodies)
    began = time.monotonic()
    outcomes = run(bodies, timeout=1.0).by_body()
    assert time.monotonic() - began < 20
    assert [outcome.records for outcome in outcomes[GOOD]] == [1] * 300
    failures = {body: outcomes[body][0].failure for body in ("kill", "segfault", "sleep", "gobble")}
    assert {body: failure and (failure.error, failure.message) for body, failure in failures.items()} == {
        "kill": ("parse_crashed", "the parse worker was ended by SIGKILL"),
        "segfault": ("parse_crashed", "the parse worker was ended by SIGSEGV"),
        "sleep": ("parse_timeout", "parsing took longer than the limit"),
        "gobble": ("parse_crashed", "memory limit"),
    }


def test_many_small_allocations_end_at_the_limit_too() -> None:
    """The limit holds for the sum, not for one request; an endless loop without sleep is overrun."""
    outcomes = run([GOOD, "gobble bit by bit", "spin", GOOD], timeout=1.0).by_body()
    assert [outcome.records for outcome in outcomes[GOOD]] == [1, 1]
    assert {body: outcomes[body][0].failure.error for body in ("gobble bit by bit", "spin")} == {  # type: ignore[union-attr]
        "gobble bit by bit": "parse_crashed",
        "spin": "parse_timeout",
    }
    assert outcomes["gobble bit by bit"][0].failure.message == "memory limit"  # type: ignore[union-attr]


@pytest.mark.parametrize("place", [0, 7, 15])
def test_the_other_pages_of_a_batch_are_untouched(place: int) -> None:
    """A batch of sixteen with one crash in it: fifteen records, each once, wherever the crash is."""
    bodies = [GOOD] * 16
    bodies[place] = "kill"
    this = run(bodies, workers=1)
    numbers = [row["number"] for outcome in this.outcomes for row in rows(outcome)]
    assert sorted(numbers) == [number for number in range(16) if number != place]
    assert [outcome.failure.error for outcome in this.outcomes if outcome.failure] == ["parse_crashed"]


def test_a_batch_of_nothing_but_crashes() -> None:
    """Every page is blamed for its own crash."""
    this = run(["kill", "segfault"] * 8, workers=2)
    assert Counter(outcome.failure and outcome.failure.message for outcome in this.outcomes) == {
        "the parse worker was ended by SIGKILL": 8,
        "the parse worker was ended by SIGSEGV": 8,
    }


def test_storm_of_kills_from_outside() -> None:
    """A hundred random kills, of ready workers and of starting ones: no hang, an outcome for every page, none twice."""
    chance = random.Random(7)
    killed: set[int] = set()
    this = Run()

    def alive(*, ready: bool) -> list[int]:
        known = {row["pid"] for outcome in this.outcomes for row in rows(outcome)} if ready else set()
        return [pid for pid in this.pool.pids() if pid not in killed and (pid in known or not ready)]

    this.put(["pid"] * 400)
    this.pool.start()
    for kill in range(100):
        this.put(["pid"] * 36)
        enough = 36 * kill + chance.randrange(36)
        this.wait_until(lambda enough=enough: len(this.outcomes) >= enough and alive(ready=True))
        victim = chance.choice(alive(ready=chance.random() < 0.8) or alive(ready=False))
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    outcomes = this.finish()
    assert len(outcomes) == 4000
    assert len(killed) == 100
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    assert len(failures) <= 5, "only a page that was in hand twice may be lost to the storm"
    assert {failure.error for failure in failures} <= {"parse_crashed"}
    assert [outcome.records for outcome in outcomes if outcome.failure is None] == [1] * (4000 - len(failures))


def test_stopped_idle_worker_is_replaced() -> None:
    """A worker that takes no pages off its pipe is overrun; none of the pages is blamed."""
    this = Run(workers=1, timeout=0.5)
    this.pool.start()
    (stopped,) = this.pool.pids()
    os.kill(stopped, signal.SIGSTOP)
    this.put(["pid"] * 40)
    outcomes = this.finish()
    assert [outcome.failure for outcome in outcomes] == [None] * 40
    assert stopped not in {row["pid"] for outcome in outcomes for row in rows(outcome)}


def test_worker_stopped_within_a_page_is_replaced() -> None:
    """Time counts for a page although its worker uses none."""
    outcomes = run([GOOD] * 5 + ["stop"] + [GOOD] * 5, workers=1, timeout=0.5).by_body()
    assert [outcome.records for outcome in outcomes[GOOD]] == [1] * 10
    assert outcomes["stop"][0].failure.error == "parse_timeout"  # type: ignore[union-attr]


TAME: dict[str, tuple[str, str]] = {
    "exit": ("parse_error", "SystemExit: no more (rogue_parsers.py:"),
    "raise late": ("parse_error", "ValueError: the third is bad (rogue_parsers.py:"),
    "circle": ("parse_error", "the record cannot be written as JSON: "),
    "lambda": ("parse_error", "the record cannot be written as JSON: "),
    "open file": ("parse_error", "the record cannot be written as JSON: "),
    "text": ("parse_error", "the parser returned str, not a record"),
    "number": ("parse_error", "the parser returned int, not a record"),
    "list of text": ("parse_error", "the parser yielded str, not a mapping"),
    "reserved": ("parse_error", "the parser's record uses the name 'status'"),
}


@pytest.mark.parametrize("inline", [False, True], ids=["processes", "inline"])
def test_parser_failures_are_their_page_s_alone(inline: bool) -> None:
    """Whatever a parser raises or gives, its page fails as a whole, with one line that says why; the others live."""
    bodies = [body for tame in TAME for body in (tame, GOOD)]
    outcomes = run(bodies, inline=inline, **({} if inline else {"workers": 1})).by_body()
    assert [outcome.records for outcome in outcomes[GOOD]] == [1] * len(TAME)
    for body, (kind, message) in TAME.items():
        (outcome,) = outcomes[body]
        assert outcome.failure is not None
        assert outcome.failure.error == kind
        assert outcome.failure.message.startswith(message)
        assert "\n" not in outcome.failure.message
        assert (outcome.records, outcome.lines, outcome.status) == (0, b"", 200)


@pytest.mark.parametrize("inline", [False, True], ids=["processes", "inline"])
def test_what_parsers_may_give(inline: bool) -> None:
    """None and an empty list are no record; a list is several; lone surrogates become U+FFFD."""
    outcomes = run(["nothing", "no records", "two", "surrogate"], inline=inline).by_body()
    assert all(outcome.failure is None for (outcome,) in outcomes.values())
    assert {body: outcome.records for body, (outcome,) in outcomes.items()} == {
        "nothing": 0,
        "no records": 0,
        "two": 2,
        "surrogate": 1,
    }
    page = {"url": "https://a.example/2", "final_url": "https://a.example/2", "status": 200}
    page["fetched_at"] = "2026-01-01T00:00:00.000Z"
    assert rows(outcomes["two"][0]) == [page | {"a": 1}, page | {"a": 2}]
    (row,) = rows(outcomes["surrogate"][0])
    assert row["text"] == "a\ufffdb"
    assert row["\ufffd"] == ["\U0001f600"]


@pytest.mark.parametrize("inline", [False, True], ids=["processes", "inline"])
def test_input_travels_exactly(inline: bool) -> None:
    """Whatever JSON can say goes to the worker and back, also integers of more than 64 bits."""
    given = {"big": 2**70, "least": -(2**64), "text": "Grüße", "nest": [None, 1.5, {"": []}]}
    this = Run(inline=inline)
    this.put(["input", "input"], given)
    this.put(["input"])
    this.pool.start()
    found = {outcome.url[-1]: rows(outcome)[0] for outcome in this.finish()}
    assert [found[number]["given"] for number in "012"] == [given, given, {}]
    assert [found[number].get("input") for number in "012"] == [given, given, None]


def test_workers_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its share of pages a worker makes room for a fresh one, between two batches."""
    monkeypatch.setattr(pool_module, "RENEW_AFTER", 10)
    this = run(["pid"] * 100, workers=1)
    assert len({row["pid"] for outcome in this.outcomes for row in rows(outcome)}) == 7  # 100 pages, sixteen a batch


def test_sigint_is_the_main_process_s() -> None:
    """Ctrl-C reaches the whole process group; workers go on, idle or not."""
    this = Run(workers=1)
    this.pool.start()
    (worker,) = this.pool.pids()
    os.kill(worker, signal.SIGINT)
    this.put(["pid", "interrupt", "pid"])
    assert [row["pid"] for outcome in this.finish() for row in rows(outcome)] == [worker] * 3


def test_what_a_worker_imports() -> None:
    """What parsing needs: nothing of the network, the state store, the command line or the other stages."""
    (outcome,) = run(["modules"], workers=1).outcomes
    (row,) = rows(outcome)
    unwanted = {"requests", "urllib3", "sqlite3", "click", "tqdm"}
    unwanted |= {f"scraper.{stage}" for stage in ("cli", "fetch", "pipeline", "schedule", "source", "watch", "write")}
    assert not unwanted & set(row["modules"])
    assert "scraper.parse.worker" in row["modules"]


def test_nothing_is_left_open() -> None:
    """After `join` there is no child, no thread and no further descriptor, also while the pool object lives on."""
    run([GOOD])
    gc.collect()
    descriptors = psutil.Process().num_fds()
    this = run([GOOD] * 50 + ["kill"], workers=3)
    assert psutil.Process().num_fds() == descriptors
    assert psutil.Process().children(recursive=True) == []
    assert multiprocessing.active_children() == []
    assert this.pool.pids() == []
    assert this.pool.busy() == 0
    assert this.pool.busy_seconds() >= 0


def test_abort_gives_up_what_is_in_hand(tmp_path: Path) -> None:
    """Workers are killed at once; their pages get no outcome."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    this = Run(workers=2)
    this.put(["tell and sleep"], {"fifo": str(fifo)})
    this.pool.start()
    assert fifo.read_text() == "here"
    assert this.pool.busy() == 1
    this.put(["pid", "sleep"])
    began = time.monotonic()
    this.pages.cancel()
    this.pool.abort()
    this.join()
    assert time.monotonic() - began < 5
    assert this.ends == 1
    assert this.errors == []
    assert all(outcome.failure is None for outcome in this.outcomes)
    assert this.pool.busy_seconds() > 0


@pytest.mark.parametrize("inline", [False, True], ids=["processes", "inline"])
def test_bad_plan_tells_all_problems(inline: bool) -> None:
    """Every selector that does not compile is named, before any page is parsed; nothing is left running."""
    fields = {
        "title": FieldSettings(css=("h1", "h2[")),
        "price": FieldSettings(css=(">>",)),
        "ok": FieldSettings(css=("p",)),
    }
    this = Run(Plan(main=SetSettings(records=Container(css=("div:::",)), fields=fields)), inline=inline)
    with pytest.raises(BadPlan) as caught:
        this.pool.start()
    assert [problem.path for problem in caught.value.problems] == [
        "records.css",
        "fields.title.css",
        "fields.price.css",
    ]
    assert this.ends == 0


@pytest.mark.parametrize("inline", [False, True], ids=["processes", "inline"])
@pytest.mark.parametrize(
    ("source", "function", "says"),
    [
        ("import json\njson.loads('{')\n", "parse", "JSONDecodeError"),
        ("def parse(page:\n", "parse", "SyntaxError"),
        ("import no_such_module_at_all\n", "parse", "ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", "parse", "calls sys.exit(3)"),
        ("def parse(page): ...\n", "pares", "has no function 'pares'"),
        ("parse = 7\n", "parse", "has no function 'parse'"),
        (None, "parse", "there is no file"),
    ],
)
def test_parser_that_cannot_be_loaded(
    inline: bool, source: str | None, function: str, says: str, tmp_path: Path
) -> None:
    """`ParserError` at the start, with the user's own frames and none of this package's."""
    file = tmp_path / f"parser_of_{tmp_path.name}.py"
    if source is not None:
        file.write_text(source)
    this = Run(Plan(parser=f"{file}:{function}"), inline=inline)
    with pytest.raises(ParserError) as caught:
        this.pool.start()
    sys.modules.pop(file.stem, None)
    text = str(caught.value)
    assert says in text
    assert str(file) in text
    assert str(Path(pool_module.__file__).parent) not in text
    assert "importlib" not in text


def test_parser_that_cannot_be_sent() -> None:
    """A function that no worker could find by name is refused with advice."""
    with pytest.raises(ParserError, match="top level"):
        Run(Plan(parser=lambda page: None)).pool.start()


def test_worker_that_never_gets_ready(tmp_path: Path) -> None:
    """It is not started again; the error tells of the guard that scripts need."""
    file = tmp_path / "stillborn.py"
    file.write_text("import os\nos._exit(3)\n")
    with pytest.raises(WorkerStartError, match='if __name__ == "__main__":'):
        Run(Plan(parser=f"{file}:parse")).pool.start()


def test_replacement_that_never_gets_ready(tmp_path: Path) -> None:
    """When later workers die before they are ready, the pool gives up after some attempts."""
    file = tmp_path / "once_only.py"
    file.write_text(
        textwrap.dedent(f"""
        import os, pathlib
        tally = pathlib.Path({str(tmp_path / "tally")!r})
        tally.open("a").write("x")
        if len(tally.read_text()) > 1:
            os._exit(3)
        def parse(page):
            os._exit(4)
        """)
    )
    this = Run(Plan(parser=f"{file}:parse"), workers=1)
    this.put([GOOD])
    this.pool.start()
    this.pages.close()
    this.join()
    assert [type(error) for error in this.errors] == [WorkerStartError]
    assert this.ends == 1
    assert len((tmp_path / "tally").read_text()) == 1 + pool_module.START_ATTEMPTS


#: A program that runs the pool over a page for each line of its input; says "idle" whenever one is done.
PROGRAM = f"""
import multiprocessing, sys

def main(method, body):
    from scraper.channel import Channel
    from scraper.parse.extract import Plan
    from scraper.parse.pool import ParsePool
    from scraper.records import Page

    if method != "default":
        multiprocessing.get_all_start_methods = lambda: [method]
    def deliver(outcomes):
        print("idle", file=sys.stderr, flush=True)

    pages = Channel(10)
    pool = ParsePool(Plan(parser={str(ROGUE)!r} + ":parse"), workers=2, timeout=60, pages=pages,
                     deliver=deliver, ended=pages.cancel, fail=print)
    pool.start()
    for number, _ in enumerate(sys.stdin):
        pages.put(Page("https://a.example/" + str(number), "", 200, "", [], body.encode()))
    pages.close()
    pool.join()
    print("all there is")

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The command that starts `PROGRAM`."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return [sys.executable, str(file)]


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a process, not of ours, ends in time; one that nobody buries counts as ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
@pytest.mark.parametrize("method", ["default", "spawn"])
@pytest.mark.parametrize(("body", "tells"), [("sleep", b"asleep\n"), ("spin", b"busy\n"), ("good", b"idle\n")])
def test_workers_die_with_the_main_process(program: list[str], method: str, body: str, tells: bytes) -> None:
    """A SIGKILL of the main process takes workers and helpers with it within two seconds, whatever they are at."""
    main = subprocess.Popen([*program, method, body], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert main.stdin is not None
    assert main.stderr is not None
    with main.stdin, main.stderr:
        for _ in range(2):
            main.stdin.write(b"another\n")
            main.stdin.flush()
            assert main.stderr.readline() == tells
        family = psutil.Process(main.pid).children(recursive=True)
        main.kill()
        main.wait()
        deadline = time.monotonic() + 2
        assert len(family) >= 2
        assert [child for child in family if not ends_within(child.pid, max(deadline - time.monotonic(), 0))] == []


def test_parser_output_stays_off_stdout(program: list[str]) -> None:
    """What a parser prints, by any means, goes to stderr: stdout may be the records."""
    command = [*program, "default", "print"]
    done = subprocess.run(command, input="\n\n", capture_output=True, text=True, timeout=LIMIT, check=True)
    assert done.stdout == "all there is\n"
    assert done.stderr.count("a word from the parser\n") == 2
    assert done.stderr.count("and one more\n") == 2
