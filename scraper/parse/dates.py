"""Text to dates as RFC 3339 writes them, in any of the languages that dateparser knows."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

#: RFC 3339 and what of ISO 8601 looks like it; a date alone has no time.
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:?\d{2}.*)?")
#: Day, month and year with dots between them, as nobody writes them in another order.
_DOTTED: Final = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_MESSAGE: Final = re.compile(
    r"(?:\w{3}, )?\d{1,2} \w{3} \d{4} \d{2}:\d{2}(?::\d{2})? (?:GMT|UT|UTC|[+-]\d{4})", re.ASCII
)
#: Longer text is no date, and looking for one in all languages takes its time.
LONGEST: Final = 120

#: Languages that are tried where the page's own, and English, do not do: the most frequent ones on the web.
MOST_LANGUAGES: Final = 40


@lru_cache(maxsize=4096)
def parse(text: str, language: str | None = None, order: str | None = None, now: str | None = None) -> str | None:
    """The date, ``2026-03-12``, or the moment, ``2026-03-12T10:30:00Z``, that `text` names; None if it names no day.

    A moment without a zone is taken to be in UTC. A text that says no more than a month is no date.

    Args:
        text: a date in words or figures, or one as far away as ``2 days ago``.
        language: what it is written in, as in ``de-AT``; English otherwise, then `MOST_LANGUAGES` others.
        order: what figures mean, as in ``DMY``; None leaves that to the language.
        now: RFC 3339; what ``yesterday`` is seen from.
    """
    if len(text) > LONGEST or not text:
        return None
    return (
        _iso(text) or _in_a_message(text) or (None if order else _dotted(text)) or _in_words(text, language, order, now)
    )


def _iso(text: str) -> str | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else _moment(datetime.fromisoformat(text))
    except ValueError:
        return None


def _in_a_message(text: str) -> str | None:
    """RFC 5322's form, which feeds and headers use."""
    if not _MESSAGE.fullmatch(text):
        return None
    try:
        return _moment(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None


def _dotted(text: str) -> str | None:
    found = _DOTTED.fullmatch(text)
    try:
        return found and date(int(found[3]), int(found[2]), int(found[1])).isoformat()
    except ValueError:
        return None


def _in_words(text: str, language: str | None, order: str | None, now: str | None) -> str | None:
    # To the minute: dateparser keeps its settings for ever, one set of them for each base it was ever given.
    base = (datetime.fromisoformat(now) if now else datetime.now(UTC)).astimezone(UTC)
    minute = base.replace(second=0, microsecond=0, tzinfo=None)
    # In any of many languages only what has a figure: looking through them all takes its time.
    anywhere = [None] if any(map(str.isdigit, text)) else []
    for locale in dict.fromkeys([_known(language), "en", *anywhere]):
        data = _parser(locale, order, minute).get_date_data(text)
        if data.date_obj is not None:
            return _moment(data.date_obj) if data.period == "time" else data.date_obj.date().isoformat()
    return None


def _known(language: str | None) -> str | None:
    """The nearest locale that dateparser has: ``de-AT``, or ``de`` for ``de-XY``."""
    from dateparser.data.languages_info import language_locale_dict

    name, _, region = (language or "").replace("_", "-").partition("-")
    name, region = name.lower(), region.upper()
    if name not in language_locale_dict:
        return None
    return f"{name}-{region}" if f"{name}-{region}" in language_locale_dict[name] else name


@lru_cache(maxsize=64)
def _parser(locale: str | None, order: str | None, now: datetime) -> Any:
    from dateparser.data.languages_info import language_order
    from dateparser.date import DateDataParser  # 80 ms, which runs without dates need not pay

    settings: dict[str, Any] = {
        "RETURN_TIME_AS_PERIOD": True,
        "REQUIRE_PARTS": ["day", "month", "year"],
        "IGNORE_SURROUNDING_TEXT": True,
        "RELATIVE_BASE": now,
    }
    if order:
        settings["DATE_ORDER"] = order
    known = {"locales": [locale]} if locale else {"languages": language_order[:MOST_LANGUAGES]}
    return DateDataParser(**known, settings=settings)


def _moment(found: datetime) -> str:
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    text = found.isoformat(timespec="milliseconds" if found.microsecond else "seconds")
    return text.replace("+00:00", "Z")
