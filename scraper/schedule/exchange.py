"""What the state and the schedule tell each other."""

from __future__ import annotations

from typing import NamedTuple

from scraper.records import Outcome, Target


class Want(NamedTuple):
    """More URLs of a host.

    Attributes:
        host: its number.
        after: number of the last row that was drawn for it.
    """

    host: int
    after: int


class Draw(NamedTuple):
    """Some pending URLs of a host.

    Attributes:
        host: its number.
        name: its name; empty for entries that are no URL.
        targets: to be fetched.
        outcomes: URLs that end without being asked: invalid ones, and pages that have cost too many workers.
        last: number of the last row looked at.
        is_all: there is no more behind it.
    """

    host: int
    name: str
    targets: list[Target]
    outcomes: list[Outcome]
    last: int
    is_all: bool


class HostNote(NamedTuple):
    """What a host has done since the last note.

    Attributes:
        host: its name.
        requests: answers, or failures to answer.
        seconds: that they took, together.
        refusals: answers that asked for fewer requests (429, 503).
    """

    host: str
    requests: int
    seconds: float
    refusals: int


class StoredRobots(NamedTuple):
    """What an origin's robots.txt said.

    Attributes:
        origin: scheme, host and port, as in ``https://example.com``.
        fetched: seconds since the epoch.
        content: its bytes; None where there is none, so that everything is allowed.
    """

    origin: str
    fetched: float
    content: bytes | None
