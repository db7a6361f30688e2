"""What is mutated, and how: valid HTTP answers, tokens that parsers trip over, and a dozen ways to spoil bytes."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Sequence
from typing import Final

import brotli

_HTML: Final = b"<!doctype html><title>A title</title><h1>One</h1><p>Some text, <a href='/x'>a link</a></p>" * 3


def _answer(status: str, *headers: str, body: bytes = _HTML, length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html; charset=utf-8", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + 100] for start in range(0, len(body), 100)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Trailer: 1\r\n\r\n"


#: Valid answers of every kind that is treated differently.
ANSWERS: Final[Sequence[bytes]] = (
    _answer("200 OK"),
    _answer("200 OK", length=False),
    _answer("200 OK", "Transfer-Encoding: chunked", body=_chunked(_HTML), length=False),
    _answer("200 OK", "Content-Encoding: gzip", body=gzip.compress(_HTML, mtime=0)),
    _answer("200 OK", "Content-Encoding: deflate", body=zlib.compress(_HTML)),
    _answer("200 OK", "Content-Encoding: deflate", body=zlib.compress(_HTML)[2:-4]),
    _answer("200 OK", "Content-Encoding: br", body=brotli.compress(_HTML)),
    _answer("200 OK", "Content-Encoding: gzip, br", body=brotli.compress(gzip.compress(_HTML, mtime=0))),
    _answer(
        "200 OK",
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        body=_chunked(gzip.compress(_HTML, mtime=0)),
        length=False,
    ),
    _answer("301 Moved Permanently", "Location: /elsewhere", body=b""),
    _answer("302 Found", "Location: https://b.example/path?q=1#f", "Set-Cookie: a=b; Path=/; HttpOnly", body=b""),
    _answer("404 Not Found"),
    _answer("429 Too Many Requests", "Retry-After: 120"),
    _answer("503 Service Unavailable", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT"),
    _answer("204 No Content", body=b"", length=False),
    b"HTTP/1.1 100 Continue\r\n\r\n" + _answer("200 OK"),
    b"HTTP/1.0 200 OK\n\n" + _HTML,
)

#: What parsers of HTTP, HTML and encodings trip over.
TOKENS: Final[Sequence[bytes]] = (
    *(b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b":", b";", b",", b" ", b"\t", b"\x0b", b"\x7f", b"\x80", b"\xff"),
    *(b"-1", b"0", b"00", b"+5", b"0x10", b"1e9", b"9" * 20, b"9" * 5000, b"NaN", b"\xd9\xa3", b"\xc2\xb2"),
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 \r\n\r\n", b"HTTP/0.9", b"HTTP/2 200", b"ICY 200 OK", b"999"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 5, 6\r\n", b"Transfer-Encoding: chunked\r\n", b"TE: x\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: br, br, br, br, br, br\r\n", b"Content-Encoding: zstd\r\n"),
    *(b"Content-Type: application/pdf\r\n", b"Content-Type: text/html; charset=utf-7\r\n", b"%PDF-1.7"),
    *(b"Location: //[::1\r\n", b"Location: \xff\xfe\r\n", b"Location: javascript:x\r\n", b"Retry-After: -5\r\n"),
    *(b"Retry-After: " + b"9" * 400 + b"\r\n", b"Set-Cookie: \x1b]0;x\x07\r\n", b"X: " + b"x" * 70_000 + b"\r\n"),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\x80",
        b"+ADw-script+AD4-",
    ),
    *(b"&#0;", b"&#xd800;", b"&#x110000;", b"&#99999999999;", b"&amp", b"&notit;", b"&#x80;", b"\x1b$B", b"\x1b[2J"),
    *(b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<!", b"<?", b"</", b"<", b">", b"'", b'"', b"<script>", b"</script>"),
    *(b"<template>", b"</template>", b"<svg><foreignObject>", b"<math><mi>", b"<table>", b"<select>", b"<frameset>"),
    *(b"<plaintext>", b"<textarea>", b"<title>", b"<noscript>", b"<base href='http://['>", b"<base href='//x\\@y'>"),
    *(b"<meta charset=utf-16>", b"<meta charset=utf-7>", b"<meta charset=x-user-defined>", b"<a href='\0'>", b"<b><p>"),
    *(b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xef\xbf\xbe", b"<div a=1 a=2 a\0=3 =4>", b"<a href=javascript:1>"),
)


class Mutator:
    """Spoils bytes, by a source of chance alone."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def __call__(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """`data` after some changes; most of the time few, since much spoilt is refused at once."""
        changes = 1 + int(self._chance.expovariate(0.6))
        for _ in range(changes):
            data = self._chance.choice(_CHANGES)(self._chance, data, others)
        return data


def _flip(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def _noise(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _slice(chance, data)
    return data[:start] + chance.randbytes(min(end - start, 1000)) + data[end:]


def _insert(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    place = _place(chance, data)
    return data[:place] + chance.choice(TOKENS) + data[place:]


def _many(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    place = _place(chance, data)
    token = chance.choice(TOKENS)
    return data[:place] + token * min(chance.choice((3, 50, 2000)), 50_000 // len(token) + 1) + data[place:]


def _delete(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _slice(chance, data)
    return data[:start] + data[end:]


def _repeat(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _slice(chance, data)
    times = min(chance.choice((2, 10, 300)), 50_000 // max(end - start, 1) + 1)
    return data[:end] + data[start:end] * times + data[end:]


def _truncate(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    return data[: _place(chance, data)]


def _splice(chance: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return data[: _place(chance, data)] + other[_place(chance, other) :]


def _swap_line(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def _recode(chance: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(chance.choice(("utf-16-le", "utf-16-be", "utf-16", "utf-7", "cp1252", "cp500")), "replace")


def _slice(chance: random.Random, data: bytes) -> tuple[int, int]:
    start = _place(chance, data)
    return start, min(len(data), start + int(chance.expovariate(1 / 20)) + 1)


def _place(chance: random.Random, data: bytes) -> int:
    """Half of the time in the beginning, where the header is, and the page's head."""
    return chance.randint(0, min(len(data), 300) if chance.random() < 0.5 else len(data))


_CHANGES: Final = (_flip, _noise, _insert, _insert, _many, _delete, _repeat, _truncate, _splice, _swap_line, _recode)
