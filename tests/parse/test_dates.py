"""Dates in words and figures to RFC 3339, and the other typed values that texts become."""

from __future__ import annotations

import pytest

from scraper.parse.dates import LONGEST, parse
from scraper.parse.values import boolean, integer

NOW = "2026-11-24T08:00:30.123Z"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        # as machines write them
        ("2026-03-12", None, "2026-03-12"),
        ("2026-03-12T10:30:00Z", None, "2026-03-12T10:30:00Z"),
        ("2026-03-12T10:30:00+02:00", None, "2026-03-12T10:30:00+02:00"),
        ("2026-03-12 10:30", None, "2026-03-12T10:30:00Z"),
        ("2026-03-12T10:30:00.250Z", None, "2026-03-12T10:30:00.250Z"),
        ("2026-02-30", None, None),
        ("Tue, 24 Nov 2026 08:06:53 GMT", None, "2026-11-24T08:06:53Z"),
        ("24 Nov 2026 08:06 +0530", "de", "2026-11-24T08:06:00+05:30"),
        # in figures
        ("03/04/2026", None, "2026-03-04"),
        ("03/04/2026", "en-US", "2026-03-04"),
        ("03/04/2026", "en-GB", "2026-04-03"),
        ("03/04/2026", "fr", "2026-04-03"),
        ("03/04/2026", "de-XX", "2026-04-03"),
        ("03/04/2026", "nonsense", "2026-03-04"),
        ("13/04/2026", "en", "2026-04-13"),
        ("3.4.2026", "en", "2026-04-03"),
        ("31.2.2026", "en", None),
        ("2026/3/4", None, "2026-03-04"),
        # in words
        ("March 4, 2026 10:30 PM", "en", "2026-03-04T22:30:00Z"),
        ("4th of March 2026", None, "2026-03-04"),
        ("12 mars 2026", None, "2026-03-12"),
        ("3. März 2026", "de-AT", "2026-03-03"),
        ("5 марта 2026 г.", None, "2026-03-05"),
        ("2026年3月5日", "ja", "2026-03-05"),
        ("Posted on 4 May 2026", "en", "2026-05-04"),
        ("Le 3 août 2026 à 14h30", "fr", "2026-08-03T14:30:00Z"),
        # seen from now
        ("yesterday", None, "2026-11-23"),
        ("2 days ago", None, "2026-11-22"),
        ("3 hours ago", None, "2026-11-24T05:00:00Z"),
        ("vor 2 Tagen", "de", "2026-11-22"),
        # no date
        ("", None, None),
        ("March 2026", None, None),
        ("2026", None, None),
        ("12", None, None),
        ("hello", None, None),
        ("5 stars", None, None),
        ("£12.50", None, None),
        ("4 March 2026" + " " * LONGEST + "x", None, None),
    ],
)
def test_dates(text: str, language: str | None, expected: str | None) -> None:
    """A day where a day is named, a moment where a time is; UTC where no zone is."""
    assert parse(text, language, None, NOW) == expected


@pytest.mark.parametrize(("order", "expected"), [("DMY", "2026-04-03"), ("MDY", "2026-03-04"), ("YMD", "2026-03-04")])
def test_order(order: str, expected: str) -> None:
    """The user's word goes before the page's language."""
    text = "2026/03/04" if order == "YMD" else "03/04/2026"
    assert parse(text, "fr" if order == "MDY" else "en-US", order, NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1,234", 1234), ("12.00", 12), ("4.5", None), ("-7 °C", -7), ("1.234,00 €", 1234), ("x", None), ("", None)],
)
def test_integers(text: str, expected: int | None) -> None:
    """Whole numbers only; nothing is rounded in silence."""
    found = integer(text)
    assert found == expected
    assert found is None or type(found) is int


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", True),
        (" on ", True),
        ("1", True),
        ("", True),
        ("FALSE", False),
        ("no", False),
        ("0", False),
        ("sold", None),
    ],
)
def test_truth_values(text: str, expected: bool | None) -> None:
    """Words of either kind; an empty attribute is true; nothing is guessed."""
    assert boolean(text) is expected
