"""Bytes to text by the WHATWG rules: byte order mark, HTTP charset, meta prescan, XML declaration, then detection."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import turbohtml
import turbohtml.detect  # registers the whatwg-* codecs

_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
PRESCAN: Final = 1024
#: What an XML declaration looks like in UTF-16, whatever it says (HTML Standard §13.2.3.2, prescan).
_WIDE_XML: Final = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))
#: The standard's "get an XML encoding": up to the first >, the first ``encoding``; no white space within the quotes.
_XML: Final = re.compile(
    rb"""<\?xml(?:(?!encoding)[^>])*encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^">\x00-\x20]*)"|'([^'>\x00-\x20]*)')"""
)
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))


class Decoded(NamedTuple):
    """A body as text.

    Attributes:
        text: without byte order mark; what was malformed is U+FFFD.
        encoding: WHATWG name in lower case.
        source: what decided: ``bom``, ``http``, ``meta``, ``xml`` or ``detected``.
    """

    text: str
    encoding: str
    source: str


def decode(body: bytes, content_type: str | None) -> Decoded:
    """Decode a page (Encoding Standard §6, HTML Standard §13.2.3.2)."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return Decoded(_text(body[len(mark) :], encoding), encoding, "bom")
    if content_type and (found := _CHARSET.search(content_type)):
        named = _name(found[1])
        if named is not None:
            return Decoded(_text(body, named), named, "http")
    return _undeclared(body)


def _undeclared(body: bytes) -> Decoded:
    """No mark and no HTTP charset: the page's own meta element, or what its bytes look like.

    The standard's prescan sees the first 1,024 bytes; a parser of the whole page also honours a later declaration.
    """
    for start, encoding in _WIDE_XML:
        if body.startswith(start):
            return Decoded(_text(body, encoding), encoding, "xml")
    document = turbohtml.parse(body[:PRESCAN], detect_encoding=True)
    if document.encoding_confidence != "certain":
        if (declared := _declared_in_xml(body)) is not None:
            return Decoded(_text(body, declared), declared, "xml")
        document = turbohtml.parse(body, detect_encoding=True)
    encoding = (document.encoding or "windows-1252").lower()
    # Nothing looks like the replacement encoding: it was asked for.
    is_declared = document.encoding_confidence == "certain" or encoding == "replacement"
    return Decoded(_text(body, encoding), encoding, "meta" if is_declared else "detected")


def _declared_in_xml(body: bytes) -> str | None:
    found = _XML.match(body[:PRESCAN])
    if found is None:
        return None
    named = _name((found[1] or found[2] or b"").decode("latin-1"))
    return "utf-8" if named in ("utf-16le", "utf-16be") else named  # who could read it as ASCII has no UTF-16


def _text(body: bytes, encoding: str) -> str:
    if encoding == "utf-8":
        return body.decode("utf-8", "replace")
    return body.decode(f"whatwg-{encoding}")


def _name(label: str) -> str | None:
    """The encoding that a label names (Encoding Standard §4.2); the codec registry misses those with an underscore."""
    try:
        encoding = turbohtml.parse(b"", encoding=label).encoding
    except (LookupError, ValueError):
        return None
    return None if encoding is None else encoding.lower()
