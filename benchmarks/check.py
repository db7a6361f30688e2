"""Whether a contestant did the whole job: a fast run that lost pages is no result."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

SAMPLE = 100
# On well-formed pages the titles are equal. Broken pages are repaired differently by different parsers, so that a few
# may differ without anybody having failed; each is printed all the same.
TOLERATED = 0.05

Titles = dict[str, str]


class CheckFailed(Exception):
    """A contestant's output is not what the job asked for; the message says in what."""


def titles(records: Path, expected: Sequence[str]) -> Titles:
    """The title of every page in a JSON lines file, after making sure that each expected URL is there exactly once."""
    if not records.is_file():
        raise CheckFailed(f"wrote no {records.name}")
    with records.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    by_url = {record["url"]: " ".join((record["title"] or "").split()) for record in found}
    missing = set(expected) - by_url.keys()
    if missing or len(found) != len(expected):
        example = f", for instance {min(missing)} is missing" if missing else ""
        raise CheckFailed(f"wrote {len(found):,} records for {len(expected):,} pages{example}")
    if not any(by_url.values()):
        raise CheckFailed("found no title on any page")
    return by_url


def same_titles(found: Mapping[str, Titles], expected: Sequence[str]) -> list[str]:
    """Compare a sample of pages between contestants; gives a line per page that differs, raises when they are many."""
    common = [url for url in expected if all(url in by_url for by_url in found.values())][:SAMPLE]
    differing = [url for url in common if len({by_url[url] for by_url in found.values()}) > 1]
    lines = [f"{url}: " + ", ".join(f"{name} {found[name][url]!r}" for name in found) for url in differing]
    if len(differing) > TOLERATED * len(common):
        raise CheckFailed(f"titles differ on {len(differing)} of {len(common)} pages:\n  " + "\n  ".join(lines[:5]))
    return lines
