"""How full records are: rates, fields that match nowhere, and what has become of an earlier run's rates.

A selector that finds nothing fails no page: when a site changes under a run, this is where it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from scraper.counters import Filling

#: Pages on which a field may match nowhere before it is warned of.
PATIENCE: Final = 200

#: A share of the records by which a rate may fall against an earlier run's before it is told.
TOLERANCE: Final = 0.10


def qualified(name: str, field: str) -> str:
    """A field's name as summaries have it: behind that of its set, if that has one."""
    return f"{name}.{field}" if name else field


def rates(filling: Mapping[str, Filling]) -> dict[str, float]:
    """The share of the records in which each field has a value, 0 to 1; a field's default is none."""
    return {
        qualified(name, field): round(number / each.records, 4) if each.records else 0.0
        for name, each in filling.items()
        for field, number in each.filled.items()
    }


def drops(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Rates that fell by more than `TOLERANCE`: what they were, and what they are. Fields of both runs count."""
    return {
        field: (rate, after[field])
        for field, rate in before.items()
        if field in after and rate - after[field] > TOLERANCE + 1e-9
    }


def percent(rate: float) -> str:
    """A rate for people; what is not quite all is not rounded to it, nor what is not quite nothing."""
    shown = round(100 * rate, 1)
    if shown in (0, 100) and shown != 100 * rate:
        return f"{'<' if shown == 0 else '>'} {0.1 if shown == 0 else 99.9} %"
    return f"{shown:g} %"


class Missing:
    """Watches for fields that match nowhere."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, filling: Mapping[str, Filling]) -> Iterator[str]:
        """A line about fields of which none was told before."""
        for name, each in filling.items():
            if each.pages < PATIENCE:
                continue
            found = [qualified(name, field) for field, number in each.filled.items() if not number]
            new = [field for field in found if field not in self._told]
            if new:
                self._told.update(new)
                fields = ", ".join(map(repr, new))
                verb = "the fields {} have" if len(new) > 1 else "the field {} has"
                advice = "scraper try URL shows what of its selectors still matches"
                yield f"{verb.format(fields)} matched nowhere on {each.pages:,} pages; {advice}"
