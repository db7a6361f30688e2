"""Silent breakage: how full records are, what matches nowhere, and what has fallen since an earlier run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.counters import Counters, Filling
from scraper.errors import UsageError
from scraper.records import Failure, Outcome
from scraper.watch.fill import PATIENCE, Missing, drops, percent, rates

FLAGS = ["--allow-private", "--no-robots", "--delay", "0", "--per-host", "16"]


def filling(pages: int, records: int, **filled: int) -> Filling:
    """As counted."""
    return Filling(pages, records, filled)


def test_counting() -> None:
    """By set; pages that failed for a missing field count as seen, those that were not parsed do not."""
    counters = Counters()
    counters.add(Outcome("a", 2, b"", filled={"t": 2, "p": 1}))
    counters.add(Outcome("b", 1, b"", filled={"t": 1, "p": 0}))
    counters.add(Outcome("c", 1, b"", type="x", filled={"t": 0}))
    counters.add(Outcome("d", failure=Failure("d", "missing_field", ""), filled={"t": 0}))
    counters.add(Outcome("e", failure=Failure("e", "timeout", "")))
    assert counters.filling == {"": filling(3, 3, t=3, p=1), "x": filling(1, 1, t=0)}
    assert rates(counters.filling) == {"t": 1.0, "p": 0.3333, "x.t": 0.0}
    copy = counters.copy()
    counters.add(Outcome("f", 1, b"", filled={"t": 1}))
    assert copy.filling[""].filled["t"] == 3


def test_rates_without_records() -> None:
    """Nothing is filled where there is nothing."""
    assert rates({"": filling(5, 0, t=0)}) == {"t": 0.0}


@pytest.mark.parametrize(
    ("before", "after", "fell"),
    [
        (0.95, 0.85, False),
        (0.95, 0.8499, True),
        (1.0, 0.0, True),
        (0.1, 0.0, False),
        (0.2, 0.9, False),
    ],
)
def test_drops(before: float, after: float, fell: bool) -> None:
    """More than ten points count, as far as both runs have the field."""
    assert drops({"t": before, "gone": 1.0}, {"t": after, "new": 0.0}) == ({"t": (before, after)} if fell else {})


@pytest.mark.parametrize(
    ("rate", "shown"), [(1.0, "100 %"), (0.0, "0 %"), (0.98, "98 %"), (0.9999, "> 99.9 %"), (0.0001, "< 0.1 %")]
)
def test_percent(rate: float, shown: str) -> None:
    """Nothing that is not all looks like it."""
    assert percent(rate) == shown


def test_missing_is_told_once() -> None:
    """After enough pages, fields that match nowhere are told; new ones later on, none twice."""
    missing = Missing()
    assert list(missing.look({"": filling(PATIENCE - 1, 9, t=0)})) == []
    (said,) = missing.look({"": filling(PATIENCE, 9, t=0, p=1, q=0), "x": filling(3, 3, u=0)})
    assert said.startswith("the fields 't', 'q' have matched nowhere on 200 pages; ")
    assert list(missing.look({"": filling(PATIENCE, 9, t=0, p=1, q=0)})) == []
    (said,) = missing.look({"x": filling(300, 3, u=0)})
    assert said.startswith("the field 'x.u' has matched nowhere on 300 pages")


def shop(price: str) -> Callable[[str], tuple[int, dict[str, str], bytes]]:
    """Pages with a title, a price of some class on most of them, and a note on every fourth."""

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        number = int(path.strip("/"))
        note = "<i>n</i>" if number % 4 == 0 else "<i></i>"
        return (
            200,
            {},
            f"<title>T{number}</title><b class={price if number % 8 else 'none'}>{number}</b>{note}".encode(),
        )

    return answer


SETTINGS = {
    "fields": {
        "title": "title",
        "price": {"css": ".price", "type": "number", "default": 0},
        "note": "i",
        "sold": {"exists": ".sold"},
        "tags": {"css": "em", "all": True},
    }
}


def test_a_site_that_changes(cli: Any, serve: Any, write_list: Any, tmp_path: Path) -> None:
    """Rates at the end and in the summary, a warning during the run, and a drop against an earlier one."""
    (tmp_path / "s.yaml").write_text(json.dumps(SETTINGS))
    before, after = serve(shop("price")), serve(shop("cost"))
    write_list([f"{before.url}/{number}" for number in range(240)], "before.yaml")
    write_list([f"{after.url}/{number}" for number in range(240)], "after.yaml")
    one = cli("run", "before.yaml", "-s", "s.yaml", "-o", "one", *FLAGS)
    assert one.returncode == 0
    assert "filled: title 100 %, price 87.5 %, note 25 %, sold 100 %, tags 0 %\n" in one.stderr
    assert "WARNING the field 'tags' has matched nowhere on " in one.stderr
    rates = json.loads((tmp_path / "one/summary.json").read_bytes())["fill_rates"]
    assert rates == {"title": 1.0, "price": 0.875, "note": 0.25, "sold": 1.0, "tags": 0.0}
    two = cli("run", "after.yaml", "-s", "s.yaml", "-o", "two", "--baseline", "one", "--strict", *FLAGS)
    assert two.returncode == 3
    assert "less filled than before: price fell from 87.5 % to 0 %\n" in two.stderr
    assert "WARNING the fields 'price', 'tags' have matched nowhere on " in two.stderr
    assert json.loads((tmp_path / "two/summary.json").read_bytes())["drops"] == {"price": [0.875, 0.0]}
    again = cli("run", "after.yaml", "-s", "s.yaml", "-o", "two", "--baseline", "one", "--strict", *FLAGS)
    assert again.returncode == 3
    assert "two is complete: nothing to fetch" in again.stderr
    assert "price fell" in again.stderr
    same = cli("run", "before.yaml", "-s", "s.yaml", "-o", "three", "--baseline", "one", "--strict", "--quiet", *FLAGS)
    assert (same.returncode, same.stderr) == (0, "")
    assert "filled: title 100 %" in cli("status", "one").stdout


def test_a_required_field_that_matches_nowhere(cli: Any, serve: Any, write_list: Any, tmp_path: Path) -> None:
    """It fails every page; that is told in the same way."""
    site = serve(shop("price"))
    write_list([f"{site.url}/{number}" for number in range(PATIENCE)])
    done = cli("run", "urls.yaml", "--set", "fields.x={css: .nope, required: true}", *FLAGS)
    assert "WARNING the field 'x' has matched nowhere on 200 pages" in done.stderr


def test_rates_of_a_parser(serve: Any, tmp_path: Path) -> None:
    """Names that its records have count as fields."""
    site = serve(shop("price"))
    urls = [f"{site.url}/{number}" for number in range(4)]
    keywords: dict[str, Any] = {"allow_private": True, "robots": False, "delay": 0, "parse_workers": 0}
    summary = scraper.run(urls, parser=_parse, output=tmp_path / "out", **keywords)
    assert summary.fill_rates == {"t": 1.0, "n": 0.25}


def _parse(page: scraper.Page) -> dict[str, Any]:
    return {"t": page.html.select_one("title"), "n": page.soup.i.string} | {"t": "x"}  # type: ignore[union-attr]


@pytest.mark.parametrize("content", [None, "{}", "{", '{"fill_rates": {}}'])
def test_no_baseline(cli: Any, site: Any, tmp_path: Path, content: str | None) -> None:
    """One line before anything is fetched."""
    if content is not None:
        (tmp_path / "old").mkdir()
        (tmp_path / "old/summary.json").write_text(content)
    done = cli("run", f"{site.url}/a", "-o", "out", "--baseline", "old", *FLAGS)
    assert (done.returncode, len(done.stderr.splitlines()), site.hits) == (2, 1, {})
    with pytest.raises(UsageError):
        scraper.run([f"{site.url}/a"], output=tmp_path / "out", baseline=tmp_path / "old")
