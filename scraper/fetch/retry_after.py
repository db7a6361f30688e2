"""Retry-After (RFC 9110 §10.2.3): for how long a server asks to be left alone."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]+")


def retry_after(value: str | None, now: float) -> float:
    """Seconds from `now` on; 0 for a moment that has passed, and for what is neither seconds nor a date.

    Args:
        value: the field's value, None if there is none.
        now: seconds since the epoch.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text[:15])  # a longer number is a joke
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if moment.tzinfo is None:  # "-0000", and the forms of old that name no zone: HTTP dates are all in GMT
        moment = moment.replace(tzinfo=UTC)
    return max(moment.timestamp() - now, 0.0)
