"""The text of an element as a browser would show it on one line: the same rules for every engine."""

from __future__ import annotations

import re
from typing import Final

#: Elements whose content a browser does not show as text.
HIDDEN: Final = frozenset({"script", "style", "template", "noscript", "iframe", "noembed", "noframes"})

#: Elements that begin and end a line or a cell (HTML Standard §15.3), so that words on either side stay apart.
BREAKING: Final = frozenset(
    "address article aside blockquote body br caption center col colgroup dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li listing main menu "
    "nav ol optgroup option p plaintext pre search section summary table tbody td tfoot th thead tr ul xmp".split()
)

#: ASCII white space only (Infra Standard §4.6): a no-break space is a character, not a gap.
_SPACE: Final = re.compile(r"[ \t\n\f\r]+")


def collapse(text: str) -> str:
    """White space runs become one space; none is left at the ends."""
    if "\v" in text:  # the one character that splits bytes and is no white space in HTML
        return _SPACE.sub(" ", text).strip(" ")
    words = text.encode("utf-8", "surrogatepass").split()  # of bytes, since text is also split at no-break spaces
    return b" ".join(words).decode("utf-8", "surrogatepass")


def trim(text: str) -> str:
    """Without ASCII white space at the ends."""
    return text.strip(" \t\n\f\r")
