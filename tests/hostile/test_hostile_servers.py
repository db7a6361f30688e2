"""Servers that break, stall, drip, lie or attack: every URL ends in one outcome of a kind that says why, in one run,
and good pages beside them come through.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

BODY: Final = b"<!doctype html><title>A page</title><h1>Hello</h1>"
GOOD_PAGES: Final = 200


class Behaviour(NamedTuple):
    """What a server does, and what may come of it.

    Attributes:
        act: with each connection; robots.txt is answered before it is asked.
        accepted: failure kinds, or ``ok``.
        tls: the kind of certificate, or None for plain HTTP.
        path: what is asked for.
    """

    act: Callable[[Any], None]
    accepted: tuple[str, ...]
    tls: str | None = None
    path: str = "/"


TABLE: Final[dict[str, Behaviour]] = {}


def header(*lines: str, status: str = "200 OK") -> bytes:
    """A header of an HTML page with no length but what `lines` say."""
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: text/html", *lines, "", ""]).encode("latin-1")


def answer(body: bytes = BODY, *lines: str, status: str = "200 OK") -> bytes:
    """A whole answer with its length."""
    return header(f"Content-Length: {len(body)}", *lines, status=status) + body


def bare(*lines: str, body: bytes = BODY, status: str = "200 OK") -> bytes:
    """An answer with just these header lines."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes, lines: tuple[str, ...] = ()) -> bytes:
    """An answer whose body is written as `chunks` say."""
    return header("Transfer-Encoding: chunked", *lines) + b"".join(chunks)


CHUNKS: Final = b"%x\r\n%s\r\n" % (len(BODY), BODY)


def say(name: str, data: bytes, *accepted: str, both: bool = False, **more: Any) -> None:
    """A server that answers with these bytes and hangs up; `both`: over TLS too."""

    def act(wire: Any) -> None:
        wire.request()
        wire.send(data)

    TABLE[name] = Behaviour(act, accepted, **more)
    if both:
        TABLE[f"{name}, TLS"] = Behaviour(act, accepted, tls="good", **more)


def do(name: str, *accepted: str, both: bool = False, **more: Any) -> Callable[[Callable[[Any], None]], Any]:
    """A server that does something else."""

    def add(act: Callable[[Any], None]) -> Callable[[Any], None]:
        TABLE[name] = Behaviour(act, accepted, **more)
        if both:
            TABLE[f"{name}, TLS"] = Behaviour(act, accepted, tls="good", **more)
        return act

    return add


# The status line

say("empty reply", b"", "protocol_error", both=True)
say("no status line", b"<html><p>hello</html>", "protocol_error", "not_html")
say("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n", "protocol_error")
say("status line only", b"HTTP/1.1 200 OK\r\n", "protocol_error", both=True)
say("cut status line", b"HTTP/1.1 2", "protocol_error")
say("status 99", answer(status="99 Odd"), "protocol_error", "http_error")
say("status 000", answer(status="000 None"), "protocol_error", "http_error")
say("status 1000", answer(status="1000 Many"), "protocol_error", "http_error")
say("status 999", answer(status="999 Denied"), "http_error")
say("status of letters", answer(status="abc OK"), "protocol_error")
say("no reason", answer(status="200"), "ok")
say("reason of controls", answer(status="404 \x1b]0;owned\x07"), "http_error")
say("reason of 60 KB", answer(status="404 " + "x" * 60_000), "http_error", "protocol_error")
say("endless status line", b"HTTP/1.1 200 " + b"x" * 200_000, "protocol_error")
say("HTTP/1.0", answer().replace(b"HTTP/1.1", b"HTTP/1.0"), "ok")
say("HTTP/2.0 in text", answer().replace(b"HTTP/1.1", b"HTTP/2.0"), "ok", "protocol_error")
say("HTTP/9.9", answer().replace(b"HTTP/1.1", b"HTTP/9.9"), "ok", "protocol_error")
say("blank lines first", b"\r\n\r\n" + answer(), "ok", "protocol_error")

# The header

say("bare line feeds", answer().replace(b"\r\n", b"\n"), "ok")
say("bare carriage returns", answer().replace(b"\r\n", b"\r"), "protocol_error")
say("line without a colon", answer(BODY, "no colon here"), "ok", "protocol_error")
say("line without a name", answer(BODY, ": value"), "ok", "protocol_error")
say("blank before the colon", answer(BODY, "X-A : b"), "ok", "protocol_error")
say("folded line", answer(BODY, "X-A: b\r\n c"), "ok", "protocol_error")
say("NUL in a header", answer(BODY, "X-A: b\0c"), "ok", "protocol_error")
say("controls in a header", answer(BODY, "X-A: \x1b[2J\x08"), "ok", "protocol_error")
say("UTF-8 in a header", answer(BODY, "X-A: \u00c3\u00a9"), "ok")
say("cut header", header("Content-Length: 5")[:-9], "protocol_error", both=True)
say("header without its blank line", header("Content-Length: 5")[:-2], "protocol_error")
say("200 header lines", answer(BODY, *(f"X-{i}: y" for i in range(200))), "protocol_error")
say("line of 70 KB", answer(BODY, "X-A: " + "y" * 70_000), "protocol_error")
say("90 lines of 60 KB", answer(BODY, *(f"X-{i}: " + "y" * 60_000 for i in range(90))), "protocol_error")


@do("endless header", "protocol_error")
def endless_header(wire: Any) -> None:
    """A line after the other."""
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(1 << 16):
        wire.send(b"X-%d: y\r\n" % number)


@do("endless header line", "protocol_error")
def endless_header_line(wire: Any) -> None:
    """A line without an end."""
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(1 << 10):
        wire.send(b"y" * (1 << 14))


# Interim answers

say("100", b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), "ok")
say("103", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer(), "ok", both=True)
say("ten interim answers", b"HTTP/1.1 102 Processing\r\n\r\n" * 10 + answer(), "ok")
say("nothing after 100", b"HTTP/1.1 100 Continue\r\n\r\n", "protocol_error")
say(
    "101",
    answer(b"", "Upgrade: h2c", "Connection: Upgrade", status="101 Switching Protocols"),
    "http_error",
    "protocol_error",
)


@do("flood of 100", "protocol_error", both=True)
def flood_of_100(wire: Any) -> None:
    """Continue, continue, continue."""
    wire.request()
    for _ in range(1 << 14):
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 64)


@do("flood of 103", "protocol_error")
def flood_of_103(wire: Any) -> None:
    """Hints without an end, each with a header."""
    wire.request()
    for _ in range(1 << 12):
        wire.send((b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"a" * 1000 + b">\r\n\r\n") * 16)


# Lengths and chunks

say("length too long", header(f"Content-Length: {len(BODY) + 9}") + BODY, "truncated_body", both=True)
say("length too short", header(f"Content-Length: {len(BODY) - 9}") + BODY, "ok")
say("length negative", header("Content-Length: -5") + BODY, "ok", "protocol_error")
say("length of letters", header("Content-Length: many") + BODY, "ok", "protocol_error")
say("length with a sign", header(f"Content-Length: +{len(BODY)}") + BODY, "ok", "protocol_error")
say("length of a thousand digits", header("Content-Length: " + "9" * 1000) + BODY, "body_too_large", "protocol_error")
say("length of 100 GB", header("Content-Length: 100000000000") + BODY, "body_too_large")
say("length twice the same", header(f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY)}") + BODY, "ok")
say("length in a list", header(f"Content-Length: {len(BODY)}, {len(BODY)}") + BODY, "ok", "protocol_error")
say("two lengths", header("Content-Length: 5", f"Content-Length: {len(BODY)}") + BODY, "protocol_error", "ok")
say("no length", header("Connection: close") + BODY, "ok", both=True)
say("length and chunks", chunked(CHUNKS, b"0\r\n\r\n", lines=("Content-Length: 3",)), "ok", "protocol_error")
say("chunks and rubbish", chunked(CHUNKS, b"0\r\n\r\n", b"rubbish"), "ok")
say("chunk size of letters", chunked(b"zz\r\n", BODY), "protocol_error")
say("chunk size negative", chunked(b"-5\r\n", BODY), "protocol_error")
say("chunk size with 0x", chunked(b"0x%x\r\n" % len(BODY), BODY, b"\r\n0\r\n\r\n"), "protocol_error", "ok")
say(
    "chunk size of a thousand digits",
    chunked(b"f" * 1000 + b"\r\n", BODY),
    "protocol_error",
    "truncated_body",
    "body_too_large",
)
say("chunk too short", chunked(b"5\r\n", BODY, b"\r\n0\r\n\r\n"), "protocol_error", "truncated_body")
say("chunk cut", chunked(CHUNKS[:-9]), "truncated_body", both=True)
say("no last chunk", chunked(CHUNKS), "truncated_body", both=True)
say("no line after the last chunk", chunked(CHUNKS, b"0\r\n"), "ok", "truncated_body")
say("trailers", chunked(CHUNKS, b"0\r\nX-A: b\r\n\r\n"), "ok")
say(
    "chunk extension of 100 KB",
    chunked(b"%x;" % len(BODY), b"x" * 100_000, b"\r\n", BODY, b"\r\n0\r\n\r\n"),
    "protocol_error",
    "ok",
)
say("unknown transfer coding", header("Transfer-Encoding: rot13") + BODY, "protocol_error", "bad_encoding", "ok")
say("one byte a chunk", chunked(*(b"1\r\n%c\r\n" % byte for byte in BODY), b"0\r\n\r\n"), "ok")


@do("endless trailers", "protocol_error", "timeout", "ok")
def endless_trailers(wire: Any) -> None:
    """A line after the other, behind the last chunk."""
    wire.request()
    wire.send(chunked(CHUNKS, b"0\r\n"))
    for number in range(1 << 16):
        wire.send(b"X-%d: y\r\n" % number)


@do("endless chunks", "body_too_large")
def endless_chunks(wire: Any) -> None:
    """A body without an end."""
    wire.request()
    wire.send(chunked())
    for _ in range(1 << 12):
        wire.send(b"4000\r\n", b"a" * 0x4000, b"\r\n")


@do("reset before the header", "protocol_error", "connect_error", both=True)
def reset_before_the_header(wire: Any) -> None:
    """Asked, and gone."""
    wire.request()
    wire.reset()


@do("reset within the body", "truncated_body", both=True)
def reset_within_the_body(wire: Any) -> None:
    """No orderly end, in the middle of a body with a length."""
    wire.request()
    wire.send(header("Content-Length: 5000"), BODY)
    wire.reset()


@do("reset at the end of a body without length", "truncated_body")
def reset_at_the_end(wire: Any) -> None:
    """Whether that was all, nobody knows."""
    wire.request()
    wire.send(header(), BODY)
    wire.reset()


@do("hangs up at once", "protocol_error", "connect_error")
def hangs_up_at_once(wire: Any) -> None:
    """Before anything was asked."""
    wire.reset()


@do("answers before it is asked", "ok", "protocol_error")
def answers_before_it_is_asked(wire: Any) -> None:
    """And is in a hurry."""
    wire.send(answer())
    wire.request()


# Connections that go stale


@do("stale connection", "ok", both=True)
def stale_connection(wire: Any) -> None:
    """Every connection is good for one request, though the server says nothing of that."""
    wire.request()
    wire.send(answer(b"<title>once</title>"))
    wire.sock.close() if wire.number % 2 else wire.hang()


@do("stale with a 408", "ok", "http_error")
def stale_with_a_408(wire: Any) -> None:
    """An answer that nobody asked for, as some servers say goodbye."""
    wire.request()
    wire.send(answer(), answer(b"", status="408 Request Timeout"))


# Statuses

say("204", b"HTTP/1.1 204 No Content\r\n\r\n", "ok", "not_html")
say("204 with a body", answer(status="204 No Content"), "ok", "not_html")
say("205", answer(b"", status="205 Reset Content"), "ok", "not_html")
say("206", answer(BODY, "Content-Range: bytes 0-49/1000", status="206 Partial Content"), "ok", "truncated_body")
say("304", b"HTTP/1.1 304 Not Modified\r\n\r\n", "http_error")
say("304 with a body", answer(status="304 Not Modified"), "http_error")
say("300", answer(status="300 Multiple Choices"), "http_error")
say("401", answer(b"", "WWW-Authenticate: Basic realm=x", status="401 Unauthorized"), "http_error")
say("407", answer(b"", "Proxy-Authenticate: Basic", status="407 Proxy Authentication Required"), "http_error")
say("421", answer(b"", status="421 Misdirected Request"), "http_error")
say("429", answer(b"", "Retry-After: 1", status="429 Too Many Requests"), "http_error")
say("429 for a million years", answer(b"", "Retry-After: 31536000000000", status="429 Too Many Requests"), "http_error")
say(
    "429 until a date that is none",
    answer(b"", "Retry-After: Tue, 99 Foo", status="429 Too Many Requests"),
    "http_error",
)
say("503", answer(b"", "Retry-After: -5", status="503 Unavailable"), "http_error")
say("500 with a broken body", header("Content-Length: 900", status="500 Oops") + b"x", "http_error")

# Content codings

say("unknown content coding", answer(BODY, "Content-Encoding: rot13"), "bad_encoding")
say("gzip that is none", answer(BODY, "Content-Encoding: gzip"), "bad_encoding")
say("deflate that is none", answer(BODY, "Content-Encoding: deflate"), "bad_encoding")
say("br that is none", answer(BODY, "Content-Encoding: br"), "bad_encoding")
say("zstd that is none", answer(BODY, "Content-Encoding: zstd"), "bad_encoding")
say("gzip, cut", answer(gzip.compress(BODY)[:-9], "Content-Encoding: gzip"), "truncated_body")
say("gzip, wrong sum", answer(gzip.compress(BODY)[:-8] + b"\0" * 8, "Content-Encoding: gzip"), "bad_encoding")
say("gzip and rubbish", answer(gzip.compress(BODY) + b"rubbish", "Content-Encoding: gzip"), "ok", "bad_encoding")
say("x-gzip", answer(gzip.compress(BODY), "Content-Encoding: x-gzip"), "ok")
say("raw deflate", answer(zlib.compress(BODY)[2:-4], "Content-Encoding: deflate"), "ok")
say("identity", answer(BODY, "Content-Encoding: identity"), "ok", "bad_encoding")
say("gzip twice", answer(gzip.compress(gzip.compress(BODY)), "Content-Encoding: gzip, gzip"), "ok")
say("six codings", answer(BODY, "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip"), "bad_encoding")
say("a thousand codings", answer(BODY, "Content-Encoding: " + ", ".join(["gzip"] * 1000)), "bad_encoding")
say("bomb", answer(gzip.compress(bytes(64 << 20), 9), "Content-Encoding: gzip"), "body_too_large", both=True)

# Content types

say("no type, HTML", bare(f"Content-Length: {len(BODY)}"), "ok")
say("no type, image", bare("Content-Length: 13", body=b"\x89PNG\r\n\x1a\n" + b"\0" * 5), "not_html")
say("no type, binary", bare("Content-Length: 9", body=b"\0\1\2\3\4\5\6\7\x08"), "not_html")
say("type that is none", bare("Content-Type: html", f"Content-Length: {len(BODY)}"), "ok")
say("type of NULs", bare("Content-Type: \0\0/\0", f"Content-Length: {len(BODY)}"), "ok", "not_html", "protocol_error")
say(
    "two types",
    bare("Content-Type: image/png", "Content-Type: text/html", f"Content-Length: {len(BODY)}"),
    "ok",
    "not_html",
)
say("PDF called HTML", answer(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"), "not_html")
say("gzip called HTML", answer(gzip.compress(BODY)), "not_html")
say("HTML called PNG", bare("Content-Type: image/png", f"Content-Length: {len(BODY)}"), "not_html")
say("charset that is none", bare("Content-Type: text/html; charset=klingon", f"Content-Length: {len(BODY)}"), "ok")
say("charset of 50 KB", bare("Content-Type: text/html; charset=" + "x" * 50_000, f"Content-Length: {len(BODY)}"), "ok")
say("empty page", answer(b""), "ok")

# Time


@do("never answers", "timeout", both=True)
def never_answers(wire: Any) -> None:
    """Takes the request, and thinks."""
    wire.request()
    wire.hang()


@do("drips its status line", "timeout", both=True)
def drips_its_status_line(wire: Any) -> None:
    """A byte every tenth of a second."""
    wire.request()
    wire.drip(b"HTTP/1.1 200 " + b"x" * 1000)


@do("drips its header", "timeout")
def drips_its_header(wire: Any) -> None:
    """A byte every tenth of a second."""
    wire.request()
    wire.send(b"HTTP/1.1 200 OK\r\n")
    wire.drip(b"X-A: b\r\n" * 1000)


@do("drips its body", "timeout", both=True)
def drips_its_body(wire: Any) -> None:
    """A byte every tenth of a second."""
    wire.request()
    wire.send(header("Content-Length: 5000"))
    wire.drip(b"x" * 5000)


@do("drips its chunks", "timeout")
def drips_its_chunks(wire: Any) -> None:
    """A whole chunk of a byte, every tenth of a second or so."""
    wire.request()
    wire.send(chunked())
    wire.drip(b"1\r\nx\r\n" * 1000, 0.02)


@do("drips interim answers", "timeout", "protocol_error")
def drips_interim_answers(wire: Any) -> None:
    """There is always hope."""
    wire.request()
    while not wire.stage.closed.wait(0.1):
        wire.send(b"HTTP/1.1 102 Processing\r\n\r\n")


@do("drips a gzip body", "timeout")
def drips_a_gzip_body(wire: Any) -> None:
    """Of which nothing can be decoded for long."""
    wire.request()
    wire.send(header("Content-Encoding: gzip"))
    wire.drip(gzip.compress(os.urandom(5000)))


@do("stalls within the body", "timeout")
def stalls_within_the_body(wire: Any) -> None:
    """Half a page, and no more."""
    wire.request()
    wire.send(header("Content-Length: 5000"), BODY)
    wire.hang()


@do("drips an unwanted body", "http_error", "timeout")
def drips_an_unwanted_body(wire: Any) -> None:
    """Of an error that nobody reads."""
    wire.request()
    wire.send(header("Content-Length: 5000", status="404 Not Found"))
    wire.drip(b"x" * 5000)


# TLS

say("expired certificate", answer(), "tls_error", tls="expired")
say("another's certificate", answer(), "tls_error", tls="another")
say("unknown authority", answer(), "tls_error", tls="unknown")


@do("plain HTTP behind https", "tls_error", path="https")
def plain_http_behind_https(wire: Any) -> None:
    """A server that expects no TLS."""
    wire.sock.recv(1 << 16)
    wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


say("TLS behind http", answer(), "protocol_error", "connect_error", tls="good", path="http")


@do("stalled handshake", "tls_error", path="https")
def stalled_handshake(wire: Any) -> None:
    """Takes the greeting, and says nothing."""
    wire.hang()


@do("dripped handshake", "tls_error", path="https")
def dripped_handshake(wire: Any) -> None:
    """A record that takes a minute."""
    wire.sock.recv(1 << 16)
    wire.drip(b"\x16\x03\x03\x40\x00" + b"\2" * 1000)


@do("handshake cut", "tls_error", path="https")
def handshake_cut(wire: Any) -> None:
    """Hangs up after the greeting."""
    wire.sock.recv(1 << 16)


@do("handshake reset", "tls_error", "protocol_error", "connect_error", path="https")
def handshake_reset(wire: Any) -> None:
    """The same, rudely."""
    wire.sock.recv(1 << 16)
    wire.reset()


@do("TLS alert", "tls_error", path="https")
def tls_alert(wire: Any) -> None:
    """Handshake failure."""
    wire.sock.recv(1 << 16)
    wire.send(b"\x15\x03\x03\x00\x02\x02\x28")


# Redirects


def redirect(name: str, location: str, *accepted: str, status: int = 302, **more: Any) -> None:
    """A server that sends everybody to `location`, where ``{good}`` and ``{self}`` stand for servers."""

    def act(wire: Any) -> None:
        while True:
            wire.request()
            target = location.replace("{good}", wire.stage.url("good")).replace("{self}", wire.stage.url(name))
            head = f"HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nLocation: {target}\r\n\r\n"
            wire.send(head.encode("latin-1"))

    TABLE[name] = Behaviour(act, accepted, **more)


redirect("redirect to itself", "{self}/", "too_many_redirects")
redirect("redirect to itself, relative", "?", "too_many_redirects")
redirect("redirect ever deeper", "a/", "too_many_redirects")
redirect("redirect to a file", "file:///etc/passwd", "bad_redirect")
redirect("redirect to javascript", "javascript:alert(1)", "bad_redirect")
redirect("redirect to data", "data:text/html,<h1>hi", "bad_redirect")
redirect("redirect to ftp", "ftp://127.0.0.1/", "bad_redirect")
redirect("redirect to gopher", "gopher://127.0.0.1:70/_x", "bad_redirect")
redirect("redirect to nowhere", "http://", "bad_redirect")
redirect("redirect to no URL", "http://[::1", "bad_redirect")
redirect("redirect to a bad port", "http://127.0.0.1:99999/", "bad_redirect")
redirect("redirect to nothing", "", "ok", "bad_redirect", "too_many_redirects", "http_error")
redirect("redirect to bytes", "/\xff\xfe\x80", "too_many_redirects", "bad_redirect")
redirect("redirect to controls", "/a\x01b\x7f", "too_many_redirects", "bad_redirect")
redirect("redirect of 60 KB", "/" + "x" * 60_000, "too_many_redirects")
redirect("redirect of 60 KB that grows", "/" + "\xe9" * 30_000, "bad_redirect")
redirect("redirect across hosts", "{good}/from-afar", "ok")
redirect("redirect across hosts, 308", "{good}/from-afar-308", "ok", status=308)
redirect("redirect without a scheme", "//127.0.0.1:1/", "connect_error")
redirect("redirect to a user", "http://me:secret@127.0.0.1:1/", "connect_error")
redirect("redirect from TLS", "{good}/from-tls", "ok", tls="good")
redirect("redirect to a private host", "http://10.255.255.1/", "blocked_address")
redirect("redirect to metadata", "http://169.254.169.254/latest/meta-data/", "blocked_address")
redirect("redirect to metadata, spelled oddly", "http://0xa9fea9fe/", "blocked_address")

say("redirect without a Location", answer(b"", status="302 Found"), "http_error")
say(
    "two Locations",
    answer(b"", "Location: /a", "Location: /b", status="302 Found"),
    "bad_redirect",
)


@do("redirect with a bomb", "ok")
def redirect_with_a_bomb(wire: Any) -> None:
    """Whose body nobody wants."""
    wire.request()
    length = 1 << 40
    wire.send(
        f"HTTP/1.1 302 Found\r\nContent-Length: {length}\r\nLocation: {wire.stage.url('good')}/bomb\r\n\r\n".encode()
    )
    for _ in range(1 << 10):
        wire.send(b"x" * (1 << 14))


def good(wire: Any) -> None:
    """A page for every path."""
    while True:
        path = wire.request().split(b" ")[1]
        wire.send(answer(b"<title>Good</title><h1>%s</h1>" % path))


def run(stage: Any, folder: Path, urls: list[str], **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Records and failures by URL, of a run as a user starts it."""
    fetch = {"timeout": 2, "connect_timeout": 1, "max_body": "1MiB", "max_redirects": 5, "retries": 0, "workers": 32}
    fetch |= {"allow_private": ["127.0.0.0/8"]}
    document = {"fetch": fetch, "politeness": {"delay": 0, "robots": False, "max_delay": 5}, **settings}
    (folder / "settings.yaml").write_text(json.dumps(document))
    (folder / "urls.jsonl").write_text("".join(json.dumps({"url": url}) + "\n" for url in urls))
    command = [sys.executable, "-m", "scraper", "run", "urls.jsonl", "-s", "settings.yaml", "-o", "out", "--quiet"]
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(stage.certificates.bundle)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in (folder / "out/records.jsonl").read_text("utf-8").splitlines()]
    failed = [json.loads(line) for line in (folder / "out/failures.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) + len(failed) == len(urls)
    return {line["url"]: line for line in lines}, {line["url"]: line for line in failed}


@pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8")
def test_one_run_among_hostile_servers(stage: Any, tmp_path: Path) -> None:
    """Each behaviour ends as one of its kinds, and all good pages beside them are there."""
    assert len(TABLE) >= 70
    stage.add("good", good)
    urls: dict[str, str] = {}
    for name, behaviour in TABLE.items():
        base = stage.add(name, behaviour.act, behaviour.tls)
        if behaviour.path in ("http", "https"):  # what the client takes it for
            base = f"{behaviour.path}{base[base.index(':') :]}"
        urls[f"{base}/"] = name
    stage.start()
    pages = [f"{stage.url('good')}/{number}" for number in range(GOOD_PAGES)]
    order = [url for number, url in enumerate([*pages, *urls]) if number % 2] + [
        url for number, url in enumerate([*pages, *urls]) if not number % 2
    ]
    records, failures = run(stage, tmp_path, order)
    outcomes = {name: failures[url]["error"] if url in failures else "ok" for url, name in urls.items()}
    odd = {
        name: (outcome, failures.get(url, {}).get("message"))
        for (url, name), outcome in zip(urls.items(), outcomes.values(), strict=True)
        if outcome not in TABLE[name].accepted
    }
    assert not odd, "\n".join(f"{name}: {what}" for name, what in odd.items())
    assert [records[url]["h1"] for url in pages] == [f"/{number}" for number in range(GOOD_PAGES)]
