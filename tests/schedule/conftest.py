"""Shared by the schedule's tests: all that is pending in a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import pytest

from scraper.records import Outcome, Target
from scraper.schedule import Store
from scraper.schedule.exchange import Want

MOST: Final = 1000


class Pending(NamedTuple):
    """Pending URLs in the order of the list: to be fetched, and such as end without being asked for."""

    targets: list[Target]
    outcomes: list[Outcome]


@pytest.fixture
def pending() -> Callable[[Store], Pending]:
    """Draw all that is pending, of all hosts, each from behind its last draw until there is no more."""

    def read(store: Store) -> Pending:
        found = Pending([], [])
        wants = [Want(host, 0) for hosts in store.pending_hosts() for host, _ in hosts]
        while wants:
            draws = store.draw(wants, MOST)
            for draw in draws:
                found.targets.extend(draw.targets)
                found.outcomes.extend(draw.outcomes)
            wants = [Want(draw.host, draw.last) for draw in draws if not draw.is_all]
        return Pending(*(sorted(each, key=lambda one: one.id) for each in found))

    return read
