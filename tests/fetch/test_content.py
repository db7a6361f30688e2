"""What counts as a page, by declared type and by first bytes (WHATWG MIME Sniffing)."""

from __future__ import annotations

import pytest

from scraper.fetch.content import essence_of, refuse_body, refuse_type

NO_TYPE = (
    None,
    "",
    "*/*",
    "unknown/unknown",
    "application/unknown",
    "html",
    ";charset=utf-8",
    " Unknown/Unknown ; a=b",
)
PAGES = (
    "text/html",
    "TEXT/HTML; charset=utf-8",
    " text/html ;q=1",
    "text/plain",
    "text/xml",
    "application/xhtml+xml",
    "application/xml",
    "application/rss+xml; charset=utf-8",
    "application/atom+xml",
    "application/vnd.a.b-c+xml",
)
DATA = ("application/json", "application/ld+json; charset=utf-8", "Application/Vnd.Api+JSON")
OTHERS = (
    "image/png",
    "image/svg+xml",
    "application/pdf",
    "application/octet-stream",
    "application/zip",
    "application/javascript",
    "application/xmlish",
    "application/jsonp",
    "video/mp4",
    "multipart/x-mixed-replace; boundary=x",
)


@pytest.mark.parametrize("data_allowed", [False, True])
@pytest.mark.parametrize("content_type", [*NO_TYPE, *PAGES])
def test_welcome_types(content_type: str | None, data_allowed: bool) -> None:
    """Text, XML, and whatever says nothing are let through."""
    assert refuse_type(content_type, data_allowed=data_allowed) is None


@pytest.mark.parametrize("data_allowed", [False, True])
@pytest.mark.parametrize("content_type", OTHERS)
def test_unwelcome_types(content_type: str, data_allowed: bool) -> None:
    """Whatever else a server declares is no page; the reason names it."""
    reason = refuse_type(content_type, data_allowed=data_allowed)
    assert reason == f"the content type is {content_type.partition(';')[0]}"


@pytest.mark.parametrize("content_type", DATA)
def test_data_is_for_parsers(content_type: str) -> None:
    """JSON is welcome only where a user's parser will read it."""
    assert refuse_type(content_type, data_allowed=True) is None
    assert refuse_type(content_type, data_allowed=False) == f"the content type is {essence_of(content_type)}"


@pytest.mark.parametrize(
    ("content_type", "essence"),
    [(None, ""), ("", ""), ("text", ""), ("Text/HTML;charset=x", "text/html"), (" a/B ", "a/b"), (";", "")],
)
def test_essence(content_type: str | None, essence: str) -> None:
    """Type and subtype in lower case, or nothing."""
    assert essence_of(content_type) == essence


@pytest.mark.parametrize("content_type", [None, "text/html"])
@pytest.mark.parametrize(
    "start",
    [
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a\x01\x00",
        b"\xff\xd8\xff\xe0",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"Rar!\x1a\x07\x00",
        b"7z\xbc\xaf\x27\x1c",
        b"OggS\x00",
        b"\x1aE\xdf\xa3",
        b"wOFF\x00\x01\x00\x00",
        b"wOF2\x00\x01\x00\x00",
        b"\x00asm",
        b"\x7fELF",
        b"ID3\x04\x00",
        b"MZ\x90\x00",
        b"%!PS-Adobe-3.0",
    ],
)
def test_binary_files(start: bytes, content_type: str | None) -> None:
    """A signature tells a binary file, whatever the server calls it."""
    assert refuse_body(content_type, start + b"...") == "the body is a binary file"


@pytest.mark.parametrize("byte", [*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])
def test_bytes_no_text_contains(byte: int) -> None:
    """A binary byte rules out a body without a type; one with a type is believed (§5.1)."""
    body = b"words " + bytes([byte])
    assert refuse_body(None, body) == "the body is binary and no content type says otherwise"
    assert refuse_body("*/*", body) is not None
    assert refuse_body("text/html", body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html>",
        b"tabs\t, lines\r\n, feeds\x0c and escapes\x1b",
        "größer".encode("latin-1"),
        b"\xef\xbb\xbf\x00",
        b"\xff\xfea\x00b\x00",
        b"\xfe\xff\x00a\x00b",
        b"x" * 1445 + b"\x00",
    ],
)
def test_text_without_a_type(body: bytes) -> None:
    """No binary byte among the first 1,445, or a byte order mark, makes it text."""
    assert refuse_body(None, body) is None


def test_looks_at_the_beginning_only() -> None:
    """The last byte that counts is the 1,445th."""
    assert refuse_body(None, b"x" * 1444 + b"\x00") is not None


@pytest.mark.parametrize("word", ["MZ", "ID3", "Rar!", "GIF8", "OggS", "wOFF", "wOF2"])
@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=utf-8"])
def test_text_that_begins_like_a_signature(word: str, content_type: str) -> None:
    """A page declared as text may begin with a printable signature by chance: ``MZ`` is two letters."""
    assert refuse_body(content_type, f"{word} and more, in words".encode()) is None
