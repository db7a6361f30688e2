"""summary.json: what a run did, for scripts; `run` returns the same as an object."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from scraper import urls
from scraper.counters import Counters
from scraper.watch import fill
from scraper.watch.prospect import Prospect

#: From this share of its time on a stage counts as busy enough to hold the run back.
BINDING: Final = 0.8


class UrlCounts(Struct, frozen=True):
    """URLs by where they stand; also to be read like a mapping, as in summary.json."""

    total: int = 0
    ok: int = 0
    empty: int = 0
    failed: int = 0
    pending: int = 0
    duplicate: int = 0

    def __getitem__(self, name: str) -> int:
        if name not in self.__struct_fields__:
            raise KeyError(name)
        return int(getattr(self, name))

    def keys(self) -> Iterator[str]:
        """The names, so that ``dict(counts)`` works."""
        return iter(self.__struct_fields__)


class HostFigures(Struct, frozen=True):
    """How one host answered.

    Attributes:
        host: its name.
        requests: made, failed ones and robots.txt included.
        seconds_per_request: on average.
        refusals: answers that asked for fewer requests (429, 503).
    """

    host: str
    requests: int
    seconds_per_request: float
    refusals: int


class HostLists(Struct, frozen=True):
    """The hosts that stand out, ten at the most in each list.

    Attributes:
        busiest: by requests.
        slowest: by seconds a request.
        refusing: by refusals; only those with any.
    """

    busiest: list[HostFigures] = []
    slowest: list[HostFigures] = []
    refusing: list[HostFigures] = []


class Summary(Struct, frozen=True, kw_only=True):
    """What a run did.

    Attributes:
        urls: counts by state; `total` is distinct valid URLs and invalid ones alike.
        failures: failed URLs by kind.
        statuses: answered URLs by HTTP status (as text, as JSON has it).
        records: records kept.
        bytes: body bytes received.
        seconds: duration, of all sessions together.
        pages_per_second: URLs with an outcome by the second.
        busy: share of its capacity that each stage used, 0 to 1.
        bound_by: what held the run back: ``fetch``, ``hosts``, ``parse`` or ``write``.
        complete: every URL has an outcome.
        running: it was going on when this was written.
        eta_seconds: how long the pending URLs will take, at this rate or by their hosts' turns, whichever is longer;
            None if that cannot be told.
        last_host: the host that will be last, where its turns are what takes longest.
        hosts: the busiest, slowest and most refusing ones.
        followed: URLs among them that no list named, but a page.
        fill_rates: share of the records in which each field has a value, 0 to 1; behind the name of its set, if any.
        drops: fields whose rate fell by more than 10 points against an earlier run: that rate, and this run's.
        robots: robots.txt was asked for, and obeyed.
        output: the run's directory, None if it kept none.
        sources: what the URLs came from.
        fingerprint: SHA-256 of the settings that shape records.
        started_at, finished_at: RFC 3339, UTC.
    """

    urls: UrlCounts = UrlCounts()
    failures: dict[str, int] = {}
    statuses: dict[str, int] = {}
    records: int = 0
    bytes: int = 0
    seconds: float = 0.0
    pages_per_second: float = 0.0
    busy: dict[str, float] = {}
    bound_by: str = "fetch"
    complete: bool = False
    running: bool = False
    eta_seconds: float | None = None
    last_host: str | None = None
    hosts: HostLists = HostLists()
    followed: int = 0
    fill_rates: dict[str, float] = {}
    drops: dict[str, tuple[float, float]] = {}
    robots: bool = True
    output: str | None = None
    sources: list[str] = []
    fingerprint: str = ""
    started_at: str = ""
    finished_at: str = ""

    def to_json(self) -> builtins.bytes:
        """As summary.json has it, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def from_json(content: bytes) -> Summary:
    """Read what `Summary.to_json` wrote.

    Raises:
        msgspec.DecodeError: it is something else.
    """
    return msgspec.json.decode(content, type=Summary)


def summarise(
    counters: Counters,
    *,
    busy: dict[str, float],
    complete: bool,
    sources: Iterable[str] = (),
    prospect: Prospect | None = None,
    baseline: Mapping[str, float] | None = None,
    **about: Any,
) -> Summary:
    """Put the numbers of a run together.

    Args:
        counters: totals.
        busy: busy seconds of each stage's capacity, as a share.
        complete: the list was read to its end and every URL has an outcome.
        sources: what the URLs came from, as it was given.
        prospect: what is to come; None if it does not go on.
        baseline: fill rates of an earlier run.
        about: further attributes of `Summary`.
    """
    fill_rates = fill.rates(counters.filling)
    busy = {stage: round(min(share, 1.0), 3) for stage, share in busy.items()}
    return Summary(
        urls=count(counters),
        failures=dict(sorted(counters.failures.items())),
        statuses={str(status): count for status, count in sorted(counters.statuses.items())},
        records=counters.records,
        bytes=counters.bytes,
        seconds=round(counters.seconds, 3),
        pages_per_second=round(counters.done / counters.seconds, 1) if counters.seconds > 0 else 0.0,
        busy=busy,
        bound_by=binding_stage(busy),
        complete=complete,
        running=prospect is not None,
        eta_seconds=None if prospect is None or prospect.seconds is None else round(prospect.seconds, 1),
        last_host=(prospect.host or None) if prospect is not None else None,
        followed=counters.followed,
        fill_rates=fill_rates,
        drops=fill.drops(baseline or {}, fill_rates),
        sources=list(map(_without_userinfo, sources)),
        **about,
    )


def _without_userinfo(source: str) -> str:
    """A source as others may read it: a URL may hold a password, of which only the state may know."""
    if not source.lower().startswith(("http://", "https://")):
        return source
    try:
        urls.split(source)
    except urls.InvalidURL:
        return urls.redacted(source)
    return urls.without_userinfo(source)


def count(counters: Counters) -> UrlCounts:
    """The counts of URLs among `counters`."""
    return UrlCounts(**{name: getattr(counters, name) for name in UrlCounts.__struct_fields__})


def binding_stage(busy: dict[str, float]) -> str:
    """The stage that holds the run back: the busiest if one is near its capacity, else the hosts' turns."""
    stage, share = max(busy.items(), key=lambda item: item[1], default=("fetch", 1.0))
    return stage if share >= BINDING else "hosts"
