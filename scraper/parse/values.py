"""Text to typed values."""

from __future__ import annotations

import re
from typing import Final

#: A sign touches its number, or begins the text; after a letter or digit it is a hyphen. A space or an apostrophe
#: belongs to the number only between groups of three digits: ``5 10`` and ``3, 14`` are two numbers each.
_NUMBER: Final = re.compile(
    r"(?:(?<!\w)[-+\u2212]|^[-+\u2212][ \u00a0\u202f])?"
    r"(?:\d{1,3}(?:['\u2019\u00a0\u202f ]\d{3}(?!\d))+(?:[.,]\d+)?|\d+(?:[.,]\d+)*)"
)
_DIGIT: Final = re.compile(r"\d")
_SPACES: Final = re.compile(r"['\u2019\u00a0\u202f ]")
#: A lone separator before exactly three digits groups thousands, unless the number begins with 0.
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")


def number(text: str) -> int | float | None:
    """The first number in `text`, or None: ``1,234.50``, ``1.234,50``, ``12 €``, ``1 234``.

    The last of two different separators is the decimal one; a single separator groups thousands if exactly three digits
    follow each time, else it is decimal.
    """
    first = _DIGIT.search(text)  # by far the faster search, where the text is long
    found = first and _NUMBER.search(text, max(first.start() - 2, 0))
    if found is None:
        return None
    digits = _SPACES.sub("", found[0]).replace("\u2212", "-")
    sign, digits = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    whole, fraction = _split(digits)
    if fraction:
        return float(f"{sign}{whole}.{fraction}")
    try:
        return int(sign + whole)
    except ValueError:  # thousands of digits
        return None


def integer(text: str) -> int | None:
    """The first number in `text` where it is a whole one, else None: ``1,234`` and ``12.00`` are, ``4.5`` is not."""
    found = number(text)
    if isinstance(found, float):
        return int(found) if found.is_integer() else None
    return found


def boolean(text: str) -> bool | None:
    """What ``yes``, ``on``, ``true`` and ``1`` say, or their opposites, in any case; None for anything else.

    Empty text is true: an HTML attribute without a value says yes by being there (HTML Standard §2.3.2).
    """
    return _TRUTHS.get(text.strip().lower())


_TRUTHS: Final = dict.fromkeys(("", "true", "yes", "on", "y", "t", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "n", "f", "0"), False
)


def _split(digits: str) -> tuple[str, str]:
    """Whole and fractional digits, separators taken out."""
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma < 0 and point < 0:
        return digits, ""
    if min(comma, point) < 0:
        if _THOUSANDS.fullmatch(digits):
            return re.sub(r"[.,]", "", digits), ""
        separator = digits[max(comma, point)]
        if digits.count(separator) > 1:
            return digits.replace(separator, ""), ""
    whole, fraction = digits[: max(comma, point)], digits[max(comma, point) + 1 :]
    return re.sub(r"[.,]", "", whole), fraction
