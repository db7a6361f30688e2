"""One worker process, as its owner sees it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from scraper.parse import worker
from scraper.parse.extract import Plan
from scraper.parse.gauge import Gauge
from scraper.parse.process import Helpers, WorkerDied, WorkerProcess, start_context
from scraper.records import Page

PLAN = Plan(parser=f"{Path(__file__).with_name('rogue_parsers.py')}:parse")


def page(body: str) -> Page:
    return Page("https://a.example/1", "https://a.example/1", 200, "", [], body.encode())


@pytest.fixture
def started() -> Iterator[WorkerProcess]:
    """A worker that is ready; its test may end it."""
    helpers, gauge = Helpers(), Gauge()
    process = WorkerProcess(start_context(PLAN), PLAN, gauge)
    process.greet()
    yield process
    process.kill("parse_crashed")
    with contextlib.suppress(ValueError):  # the test has closed it
        process.close()
    gauge.close()
    helpers.close()


def test_batches_go_to_and_fro(started: WorkerProcess) -> None:
    """Each page of a batch gets its verdict, and the worker counts them."""
    for _ in range(2):
        verdicts = [verdict for some in started.ask([page("good"), page("exit"), page("two")]) for verdict in some]
        assert [(verdict.index, verdict.records, verdict.error) for verdict in verdicts] == [
            (0, 1, None),
            (1, 0, "parse_error"),
            (2, 2, None),
        ]
    assert started.pages == 6
    started.close()


def test_a_dead_worker_may_still_be_named_and_killed(started: WorkerProcess) -> None:
    """Other threads may come too late: what they ask of a worker that is gone does no harm."""
    pid = started.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDied) as death:
        list(started.ask([page("good")]))
    assert (death.value.in_hand, death.value.kind) == (-1, "parse_crashed")
    started.kill("parse_timeout")
    assert started.pid == pid
    assert not started.overdue(float("inf"), 1)


def test_death_within_a_page_names_it(started: WorkerProcess) -> None:
    """The culprit is the page in hand."""
    with pytest.raises(WorkerDied, match="ended by SIGSEGV") as death:
        list(started.ask([page("good"), page("good"), page("segfault"), page("good")]))
    assert death.value.in_hand == 2


def test_batches_of_large_integers() -> None:
    """What MessagePack cannot hold is sent all the same, and small batches stay MessagePack."""
    large = Page("u", "u", 200, "", [("a", "b")], b"body", {"number": 2**80})
    small = Page("u", "u", 200, "", [("a", "b")], b"body", {"number": 2**60})
    for batch in ([large], [small, large], [small], [small] * 40):
        assert worker.decode_batch(iter(worker.encode_batch(batch)).__next__) == batch


def test_large_bodies_travel_apart() -> None:
    """They are sent as they are, not copied; each page gets its own back, and empty ones stay empty."""
    bodies = [b"small", b"a" * worker.LARGE_BODY, b"", b"b" * worker.LARGE_BODY * 2]
    batch = [Page("u", "u", 200, "", [], body, {"number": 2**80}) for body in bodies]
    for pages in (batch, batch[1:], batch[::2], batch[1::2], batch[3:]):
        messages = worker.encode_batch(pages)
        assert [message for message in messages[1:] if not any(message is body for body in bodies)] == []
        assert len(messages[0]) < 1000
        assert worker.decode_batch(iter(messages).__next__) == pages


def test_the_sender_is_not_changed(started: WorkerProcess) -> None:
    """A batch whose worker dies is sent again, large bodies and all."""
    large = msgspec.structs.replace(page("good"), body=b"good".ljust(worker.LARGE_BODY))
    for _ in range(2):
        verdicts = [verdict for some in started.ask([large, page("good"), large]) for verdict in some]
        assert [verdict.error for verdict in verdicts] == [None] * 3
        assert len(large.body) == worker.LARGE_BODY
