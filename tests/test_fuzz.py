"""The fuzzer of benchmarks/fuzz.py, a few hundred cases that are always the same."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SEED = 1


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script as a module, whose neighbour is no part of any package either."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    import fuzz

    yield fuzz
    for name in ("fuzz", "fuzz_inputs"):
        del sys.modules[name]


def test_responses(fuzz: ModuleType) -> None:
    """Every mutated answer ends as a page, a hop or a known failure, in time."""
    target = fuzz.Responses()
    try:
        assert list(fuzz.fuzz(target, SEED, 300, math.inf)) == []
    finally:
        target.close()
    assert target.kinds.total() == 300
    assert {"Page", "Hop", "protocol_error", "truncated_body", "bad_encoding", "http_error"} <= set(target.kinds)


def test_pages(fuzz: ModuleType) -> None:
    """Every mutated page gives records that every format can hold, on every engine."""
    target = fuzz.Pages([body for body in fuzz.pages_of(None)[:200] if len(body) < 10_000])
    assert list(fuzz.fuzz(target, SEED, 200, math.inf)) == []
    assert target.kinds.total() == 200


def test_a_finding_is_told(fuzz: ModuleType) -> None:
    """What is raised, and what takes too long, is a finding; its case is the same each time."""
    target = fuzz.Pages([b"<p>x"])

    def fail(variant: str, data: bytes) -> None:
        raise ValueError("no")

    target.check = fail
    first, second = (list(fuzz.fuzz(target, SEED, 3, math.inf)) for _ in range(2))
    assert [finding.why for finding in first] == ["raised ValueError: no"] * 3
    assert first == second
