"""Counting outcomes, and what summary.json says of them."""

from __future__ import annotations

import json

import msgspec
import pytest

from scraper.counters import Counters
from scraper.records import Failure, Outcome
from scraper.watch.prospect import Prospect
from scraper.watch.summary import Summary, UrlCounts, binding_stage, from_json, summarise

URL = "https://a.example/"


def outcome(records: int = 1, status: int | None = 200, error: str | None = None) -> Outcome:
    failure = None if error is None else Failure(URL, error, "", status)
    return Outcome(URL, records, b"", failure, status, 100)


@pytest.fixture
def counters() -> Counters:
    """Some outcomes of each kind."""
    made = Counters()
    made.total, made.duplicate = 10, 3
    for one in (outcome(2), outcome(1, 203), outcome(0)):
        made.add(one)
    for status, error in ((404, "http_error"), (404, "http_error"), (None, "timeout"), (200, "parse_error")):
        made.add(outcome(0, status, error))
    return made


def test_counters(counters: Counters) -> None:
    """Empty pages are among the good ones; statuses count wherever an answer came; all bytes count."""
    assert (counters.ok, counters.empty, counters.failed, counters.done) == (3, 1, 4, 7)
    assert counters.records == 3
    assert counters.bytes == 700
    assert counters.failures == {"http_error": 2, "timeout": 1, "parse_error": 1}
    assert counters.statuses == {200: 3, 203: 1, 404: 2}


def test_summary_keys(counters: Counters) -> None:
    """The keys that scripts rely on, with the numbers of the run."""
    busy = {"fetch": 0.90999, "parse": 1.2, "write": 0.0}
    counters.seconds = 12.3456
    made = summarise(counters, busy=busy, complete=False, output="output/x", sources=["a.yaml"])
    assert json.loads(made.to_json()) == {
        "urls": {"total": 10, "ok": 3, "empty": 1, "failed": 4, "pending": 3, "duplicate": 3},
        "failures": {"http_error": 2, "parse_error": 1, "timeout": 1},
        "statuses": {"200": 3, "203": 1, "404": 2},
        "records": 3,
        "bytes": 700,
        "seconds": 12.346,
        "pages_per_second": 0.6,
        "busy": {"fetch": 0.91, "parse": 1.0, "write": 0.0},
        "bound_by": "parse",
        "complete": False,
        "running": False,
        "eta_seconds": None,
        "last_host": None,
        "hosts": {"busiest": [], "slowest": [], "refusing": []},
        "followed": 0,
        "fill_rates": {},
        "drops": {},
        "robots": True,
        "output": "output/x",
        "sources": ["a.yaml"],
        "fingerprint": "",
        "started_at": "",
        "finished_at": "",
    }


def test_running(counters: Counters) -> None:
    """A run that goes on has an end in sight, unless it stands still, and maybe a host that will be last."""
    counters.seconds = 100
    made = summarise(counters, busy={}, complete=False, prospect=Prospect(6.04, "slow.example"))
    assert (made.running, made.eta_seconds, made.last_host, made.pages_per_second) == (True, 6.0, "slow.example", 0.1)
    made = summarise(counters, busy={}, complete=False, prospect=Prospect())
    assert (made.running, made.eta_seconds, made.last_host) == (True, None, None)


def test_json_round_trip(counters: Counters) -> None:
    """What was written is read again; keys of a later version do no harm."""
    made = summarise(counters, busy={"fetch": 0.5}, complete=True)
    assert made.to_json().endswith(b"}\n")
    assert from_json(made.to_json()) == made
    assert from_json(b'{"records":5,"from_the_future":[1]}') == Summary(records=5)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"records":"five"}', b"\xff"])
def test_not_a_summary(content: bytes) -> None:
    """Anything else is a `msgspec.DecodeError`."""
    with pytest.raises(msgspec.DecodeError):
        from_json(content)


def test_no_time_has_passed() -> None:
    """A run that never began has no rate."""
    made = summarise(Counters(), busy={}, complete=True)
    assert made.pages_per_second == 0
    assert made.urls == UrlCounts()


@pytest.mark.parametrize(
    ("busy", "stage"),
    [
        ({"fetch": 0.95, "parse": 0.3, "write": 0.1}, "fetch"),
        ({"fetch": 0.85, "parse": 0.99, "write": 0.1}, "parse"),
        ({"fetch": 0.1, "parse": 0.2, "write": 0.8}, "write"),
        ({"fetch": 0.79, "parse": 0.2, "write": 0.1}, "hosts"),
        ({"fetch": 0.0, "parse": 0.0, "write": 0.0}, "hosts"),
        ({}, "fetch"),
    ],
)
def test_binding_stage(busy: dict[str, float], stage: str) -> None:
    """The busiest stage if it is near its capacity, else the turns of the hosts."""
    assert binding_stage(busy) == stage


def test_counts_read_like_a_mapping() -> None:
    """As attributes and as keys, as in summary.json."""
    counts = UrlCounts(total=5, ok=4, failed=1)
    assert counts["ok"] == counts.ok == 4
    assert dict(counts) == {"total": 5, "ok": 4, "empty": 0, "failed": 1, "pending": 0, "duplicate": 0}
    for name in ("okay", "keys", "__class__"):
        with pytest.raises(KeyError):
            counts[name]
