"""What people read: text from outside that may hold no sequence a terminal obeys, and none that misleads the eye.

A page's title, a reason phrase, a list's entry or an exception's text may carry ``ESC ] 0 ;`` to rename the window, CSI
to rewrite what stands above, or a bidirectional override that shows one host and means another (Unicode Technical
Report #36 §3.4). All that is printed or logged for people goes through here.
"""

from __future__ import annotations

import re
from typing import Final

#: C0, DEL and C1 (but for tab and line feed); directional marks, embeddings, overrides and isolates (Unicode Standard
#: Annex #9 §2); the separators of lines and paragraphs; half characters, which no stream can encode.
_CLASS: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE: Final = re.compile(f"[{_CLASS}]")
_UNSAFE_IN_LINE: Final = re.compile(rf"[\t\n{_CLASS}]")

#: White space, by the names that everybody knows.
_NAMED: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def plain(text: str) -> str:
    r"""Text of any number of lines, as safe to print: ``ESC`` becomes ``\x1b``, a right-to-left override ``\u202e``."""
    return _UNSAFE.sub(_escaped, text)


def line(text: str) -> str:
    r"""The same on one line: line feeds and tabs are escaped, too, so that nobody's text begins a line of its own."""
    return _UNSAFE_IN_LINE.sub(_escaped, text)


def json(packed: str) -> str:
    r"""JSON that means the same, with ``\u`` escapes for what `plain` escapes."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", packed)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _NAMED.get(found[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
