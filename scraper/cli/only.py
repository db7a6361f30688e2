"""What ``--only`` says: failure kinds and HTTP statuses."""

from __future__ import annotations

import difflib
import re
from typing import Final

from scraper.errors import UsageError
from scraper.records import KINDS

_STATUS: Final = re.compile(r"([1-9])([0-9]{2}|[xX]{2})")


def parse_only(text: str) -> tuple[list[str], list[range]]:
    """Kinds and ranges of statuses, as in ``timeout,429,5xx``.

    Raises:
        UsageError: a word that is neither.
    """
    kinds: list[str] = []
    statuses: list[range] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        status = _STATUS.fullmatch(word)
        if status is not None:
            first = int(status[1]) * 100
            wide = status[2].lower() == "xx"
            statuses.append(range(first, first + 100) if wide else range(int(word), int(word) + 1))
        elif word == "invalid_url":
            raise UsageError("--only invalid_url: there is nothing to ask for; mend the list, and run it again")
        elif word in KINDS:
            kinds.append(word)
        else:
            kinds_to_ask = [kind for kind in KINDS if kind != "invalid_url"]
            near = difflib.get_close_matches(word, kinds_to_ask, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"kinds are {', '.join(kinds_to_ask)}"
            raise UsageError(f"--only {word}: neither a failure kind nor a status such as 429 or 5xx; {hint}")
    if not kinds and not statuses:
        raise UsageError("--only: name failure kinds or statuses, as in --only timeout,429,5xx")
    return kinds, statuses
