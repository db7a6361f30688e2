"""Is an answer a page? By its Content-Type, and by its first bytes where that is missing or says nothing."""

from __future__ import annotations

import re
from typing import Final

_PAGE: Final = re.compile(r"text/|application/(?:[\w.+-]+\+)?xml\b", re.ASCII)
_DATA: Final = re.compile(r"application/(?:[\w.+-]+\+)?json\b", re.ASCII)
#: Values that servers send when they do not know (MIME Sniffing §7).
_UNKNOWN: Final = frozenset({"", "unknown/unknown", "application/unknown", "*/*"})

#: Signatures of what is no text (MIME Sniffing §6 and §7), for bodies without a usable type.
_SIGNATURES: Final = (
    b"%PDF-",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"7z\xbc\xaf\x27\x1c",
    b"OggS\x00",
    b"\x1aE\xdf\xa3",
    b"%!PS-Adobe-",
    b"\x00asm",
    b"\x7fELF",
)
#: The same, but a text may begin so by chance: they count where binary bytes follow.
_WORDS: Final = (b"GIF8", b"Rar!", b"ID3", b"wOFF", b"wOF2", b"MZ")

#: MIME Sniffing §5.1: bytes that no text contains, found in the first 1,445 bytes.
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UNICODE_MARKS: Final = (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")


def refuse_type(content_type: str | None, *, data_allowed: bool) -> str | None:
    """Why a declared type rules the answer out, or None: it may be a page, or only its body can tell.

    Args:
        content_type: the header's value, if any.
        data_allowed: JSON is welcome too, since a user's parser or fields will read it.
    """
    essence = essence_of(content_type)
    if essence in _UNKNOWN or _PAGE.match(essence) or (data_allowed and _DATA.match(essence)):
        return None
    return f"the content type is {essence}"


def refuse_body(content_type: str | None, body: bytes) -> str | None:
    """Why the body's first bytes rule the answer out, or None."""
    start = body[:1445]
    if start.startswith(_SIGNATURES) or (start.startswith(_WORDS) and _BINARY.search(start)):
        return "the body is a binary file"
    if essence_of(content_type) in _UNKNOWN and not start.startswith(_UNICODE_MARKS) and _BINARY.search(start):
        return "the body is binary and no content type says otherwise"
    return None


def essence_of(content_type: str | None) -> str:
    """``type/subtype`` in lower case; empty where there is none."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    return essence if "/" in essence else ""
