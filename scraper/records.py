"""The values that cross a stage boundary: small, frozen, picklable, and quick to encode.

    source ──Target──► schedule ──Target──► fetch ──Page|Hop|Failure──► parse ──Outcome──► write

They are `msgspec.Struct`s, since one is made for every page at every boundary: about ten times cheaper to build and
to send to another process than a frozen dataclass.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

#: Failure kinds, and whether asking again may help. `http_error` depends on the status, see `RETRYABLE_STATUSES`;
#: `dns_error` depends on whether the name exists, which `Failure.retryable` knows.
KINDS: Final[dict[str, bool]] = {
    "invalid_url": False,
    "blocked_address": False,
    "robots_disallowed": False,
    "robots_unreachable": True,
    "dns_error": True,
    "connect_error": True,
    "tls_error": False,
    "timeout": True,
    "protocol_error": True,
    "truncated_body": True,
    "http_error": False,
    "too_many_redirects": False,
    "bad_redirect": False,
    "body_too_large": False,
    "bad_encoding": False,
    "not_html": False,
    "parse_error": False,
    "parse_timeout": False,
    "parse_crashed": False,
    "missing_field": False,
}

#: RFC 9110 §15 and RFC 6585 §4: answers that describe a passing condition.
RETRYABLE_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

#: What a target is asked for: its page; the rules of its origin's robots.txt; the entries of a list of URLs.
PAGE, ROBOTS, LIST = "page", "robots", "list"

#: Parse workers that a page may cost before it is given up.
MOST_CRASHES: Final = 2

#: The names a record always carries first; fields and parsers may not use them.
RESERVED: Final = ("url", "final_url", "status", "fetched_at", "input")


def now() -> str:
    """The moment as records carry it: RFC 3339, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Link(Struct, frozen=True, array_like=True):
    """A page that another one leads to.

    Attributes:
        href: the WHATWG serialisation without fragment.
        host: its host name, without port.
        type: name of the set that describes the page, None for the main one.
        depth: links between it and a page of the list.
        rule: what tells the rule that found it from others.
        limit: pages that the rule may add to the run; None means any number.
    """

    href: str
    host: str
    type: str | None
    depth: int
    rule: str
    limit: int | None = None


class Target(Struct, frozen=True):
    """One page to fetch; or what has to be fetched for the pages' sake.

    Attributes:
        url: as the list spelled it (the first spelling, of several), without userinfo; it names the page in all output.
        href: what to ask for now: the WHATWG serialisation without fragment. After a `Hop` it differs from `url`.
        host: host name of `href` without port: the unit of politeness.
        headers: request headers this URL's list entry gave.
        input: further keys of the list entry, copied into the record.
        authorization: `Authorization` value made of the URL's userinfo.
        attempts: how many times it was fetched already.
        redirects: how many redirects led to `href`.
        id: its place in the state of the run.
        crashes: how many parse workers its page has cost already.
        kind: `PAGE`, `ROBOTS` or `LIST`.
        type: name of the set that describes it; None for the main one.
        depth: links between it and a page of the list, which has 0.
    """

    url: str
    href: str
    host: str
    headers: dict[str, str] | None = None
    input: dict[str, Any] | None = None
    authorization: str | None = None
    attempts: int = 0
    redirects: int = 0
    id: int = 0
    crashes: int = 0
    kind: str = PAGE
    type: str | None = None
    depth: int = 0


class Stamp(Struct, frozen=True):
    """What tells whether a list has changed.

    Attributes:
        size: bytes.
        modified: nanoseconds since the epoch, 0 for what is no file.
        digest: SHA-256 of its bytes, in hex.
    """

    size: int
    modified: int
    digest: str


class ListStart(Struct, frozen=True):
    """Stands before a list's entries; `name` tells it from the run's other lists."""

    name: str


class ListEnd(Struct, frozen=True):
    """Stands behind a list's entries.

    Attributes:
        name: as in its `ListStart`.
        stamp: of the list as it was read; None if nobody could tell whether it changes.
        unread: it is as it was when it was read before, and was not read again; there was no `ListStart`.
    """

    name: str
    stamp: Stamp | None
    unread: bool = False


class Page(Struct, frozen=True):
    """A fetched answer on its way to a parse worker.

    Attributes:
        url: the list's spelling.
        final_url: where the body came from, after redirects.
        status: HTTP status, 2xx.
        fetched_at: RFC 3339, UTC.
        headers: response headers in order, as received.
        body: content-decoded, charset still encoded.
        input: the list entry's further keys.
        attempts: fetches it took.
        id: as its target's.
        crashes: how many parse workers it has cost already.
        type, depth: as its target's.
    """

    url: str
    final_url: str
    status: int
    fetched_at: str
    headers: list[tuple[str, str]]
    body: bytes
    input: dict[str, Any] | None = None
    attempts: int = 1
    id: int = 0
    crashes: int = 0
    type: str | None = None
    depth: int = 0


class Failure(Struct, frozen=True):
    """Why a URL gave no record; one line of failures.jsonl.

    Attributes:
        url: the list's spelling, without userinfo.
        error: one of `KINDS`.
        message: one line for a person.
        status: HTTP status where an answer came, else None.
        attempts: fetches made.
        final_url: the last URL asked, after redirects.
        failed_at: RFC 3339, UTC.
        retryable: whether asking again may help; not written out.
        pause: seconds for which the server asks to be left alone; not written out.
        unreached: there was no connection to the host; not written out.
    """

    url: str
    error: str
    message: str
    status: int | None = None
    attempts: int = 1
    final_url: str | None = None
    failed_at: str = ""
    retryable: bool = False
    pause: float = 0.0
    unreached: bool = False


class Hop(Struct, frozen=True):
    """A redirect to another host: goes back through the schedule, for that host's turn and rules."""

    target: Target


class Outcome(Struct, frozen=True):
    """How one URL ended: all of its records, or one failure.

    Attributes:
        url: the list's spelling.
        records: number of lines; 0 with no failure means nothing matched.
        lines: the records as JSON lines, each ending in a newline.
        failure: set when there are no records to keep.
        status: HTTP status, None where no answer came.
        size: body bytes.
        id: as its target's.
        type: as its target's.
        filled: records in which each field has a value, by field; None if the page was not parsed.
        links: pages to be added to the run; None if nobody waits to know.
    """

    url: str
    records: int = 0
    lines: bytes = b""
    failure: Failure | None = None
    status: int | None = None
    size: int = 0
    id: int = 0
    type: str | None = None
    filled: dict[str, int] | None = None
    links: list[Link] | None = None


class Attempt(Struct, frozen=True):
    """A page that will be asked for once more: what is to be remembered of it until it ends.

    Attributes:
        id: as its target's.
        attempts: how many times it was fetched.
    """

    id: int
    attempts: int
