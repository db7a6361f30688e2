"""Numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.values import number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("12,345,678", 12345678),
        ("12.345.678", 12345678),
        ("1,234", 1234),
        ("1.234", 1234),
        ("1 234", 1234),
        ("1\u00a0234\u202f567,8", 1234567.8),
        ("1'000", 1000),
        ("1’234’567.50", 1234567.5),
        ("12 €", 12),
        ("£51.77", 51.77),
        ("€ 1.299,–", 1299),
        ("0.5", 0.5),
        ("1,5", 1.5),
        ("1.50", 1.5),
        ("0.500", 0.5),
        ("0,125", 0.125),
        ("1234.567", 1234.567),
        ("12.", 12),
        ("12, or more", 12),
        ("007", 7),
        ("1,23,456", 123456),
        ("-3", -3),
        ("−3", -3),
        ("+3", 3),
        ("- 3,50 €", -3.5),
        ("€-3", -3),
        ("-0", 0),
        ("٣", 3),
        ("in stock (22 available)", 22),
        ("4 for 3", 4),
        ("5 10", 5),
        ("12 34", 12),
        ("1 2345", 1),
        ("1234 567", 1234),
        ("3, 14 pages", 3),
        ("1, 2, 3", 1),
        ("5'10", 5),
        ("4-6", 4),
        ("SKU-7", 7),
        ("only - 3 left", 3),
        ("4.5/5", 4.5),
        ("20 %", 20),
    ],
)
def test_number(text: str, expected: float) -> None:
    """The first number of the text; both ways to write thousands and decimals."""
    assert number(text) == expected
    assert type(number(text)) is type(expected)


@pytest.mark.parametrize("text", ["", "no number", "-", ".,.", "½", "x²", "-\t"])
def test_no_number(text: str) -> None:
    """None where there is none."""
    assert number(text) is None


def test_absurdly_long() -> None:
    """More digits than Python converts are no number; the page does not fail."""
    assert number("9" * 100) == int("9" * 100)
    assert number("9" * 100_000) is None
    number("1," * 100_000)
    number("1 " * 100_000)
    number("-" * 100_000)


@given(st.integers(-(10**15), 10**15), st.sampled_from([",", ".", " ", "'", "\u00a0", "\u202f", "’", ""]))
def test_grouped_integers_round_trip(value: int, separator: str) -> None:
    """Any integer in groups of three, whatever separates them."""
    assert number(f"{value:,}".replace(",", separator)) == value


@given(
    st.integers(0, 10**9),
    st.integers(0, 99),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), ("", ",")]),
)
def test_prices_round_trip(whole: int, cents: int, style: tuple[str, str]) -> None:
    """Any price with two decimals, in any country's style, within text."""
    thousands, decimal = style
    text = f"now {f'{whole:,}'.replace(',', thousands)}{decimal}{cents:02} € only"
    assert number(text) == pytest.approx(whole + cents / 100)


@given(st.text())
def test_any_text(text: str) -> None:
    """Nothing raises."""
    assert number(text) is None or isinstance(number(text), (int, float))


@given(st.text(alphabet="0123456789.,' -−\t\u00a0\u202f", max_size=12))
def test_any_near_number(text: str) -> None:
    """Not even for what is nearly a number; where there is a digit, there is a number."""
    assert (number(text) is not None) == any(character.isdigit() for character in text)
