"""Foreign exceptions become failure kinds, whichever layer raised or wrapped them, and none is forgotten."""

from __future__ import annotations

import errno
import http.client
import inspect
import socket
import ssl
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import requests
import urllib3
import urllib3.exceptions as u3
from requests import exceptions as rq

from scraper.fetch import failures
from scraper.fetch.deadline import DeadlineExceeded
from scraper.fetch.failures import Cause, Refused, translate
from scraper.records import KINDS

POOL: Any = "the pool"
RESPONSE = urllib3.HTTPResponse()
URL = "https://a.example/"


def name(error: BaseException, *, timed_out: bool = False, connected: bool = False, reading: bool = False) -> Cause:
    """`translate`, by default for what happens before there is a connection."""
    return translate(error, timed_out=timed_out, connected=connected, reading=reading)


def caused(error: Exception, by: BaseException) -> Exception:
    """`error` as ``raise error from by`` leaves it."""
    error.__cause__ = by
    return error


def amid(error: BaseException, other: BaseException) -> BaseException:
    """`error` as it is when raised while `other` was being handled."""
    error.__context__ = other
    return error


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TRY_AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
IDNA = UnicodeError("label empty or too long")


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        # the socket module and the system
        (REFUSED, "connect_error", True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "connect_error", True),
        (OSError(errno.EMFILE, "Too many open files"), "connect_error", True),
        (TimeoutError("timed out"), "timeout", True),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "timeout", True),
        (NO_NAME, "dns_error", False),
        (TRY_AGAIN, "dns_error", True),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "dns_error", True),
        (RESET, "protocol_error", True),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "protocol_error", True),
        (IDNA, "dns_error", False),
        (DeadlineExceeded(), "timeout", True),
        # ssl
        (UNTRUSTED, "tls_error", False),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls_error", False),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "tls_error", False),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"), "tls_error", False),
        # http.client
        (http.client.RemoteDisconnected("Remote end closed connection"), "protocol_error", True),
        (http.client.BadStatusLine("SSH-2.0"), "protocol_error", True),
        (http.client.LineTooLong("header line"), "protocol_error", True),
        (http.client.UnknownProtocol("HTTP/7"), "protocol_error", True),
        (http.client.HTTPException("got more than 100 headers"), "protocol_error", True),
        (http.client.IncompleteRead(b"half", 4), "truncated_body", True),
        # urllib3
        (u3.ProtocolError("Connection broken"), "protocol_error", True),
        (u3.InvalidChunkLength(RESPONSE, b"zz"), "protocol_error", True),
        (u3.IncompleteRead(4, 4), "truncated_body", True),
        (u3.DecodeError("failed to decode it"), "bad_encoding", False),
        (u3.SSLError("no"), "tls_error", False),
        (u3.ReadTimeoutError(POOL, URL, "Read timed out."), "timeout", True),
        (u3.ConnectTimeoutError(POOL, "timed out"), "timeout", True),
        (u3.NewConnectionError(POOL, "refused"), "connect_error", True),
        (u3.NameResolutionError("a.example", POOL, TRY_AGAIN), "dns_error", True),
        (u3.ProxyError("Unable to connect to proxy", REFUSED), "connect_error", True),
        (u3.LocationParseError("http://a:b/"), "invalid_url", False),
        (u3.ClosedPoolError(POOL, "Pool is closed."), "protocol_error", True),
        (u3.HeaderParsingError([], b""), "protocol_error", True),
        # requests
        (rq.ConnectionError("refused"), "connect_error", True),
        (rq.ConnectTimeout(), "timeout", True),
        (rq.ReadTimeout(), "timeout", True),
        (rq.SSLError("no"), "tls_error", False),
        (rq.ProxyError("no"), "connect_error", True),
        (rq.InvalidURL("no"), "invalid_url", False),
        (rq.MissingSchema("no"), "invalid_url", False),
        (rq.InvalidSchema("no"), "invalid_url", False),
        (rq.TooManyRedirects("no"), "too_many_redirects", False),
        (rq.ChunkedEncodingError("no"), "protocol_error", True),
        (rq.ContentDecodingError("no"), "bad_encoding", False),
        (rq.InvalidHeader("no"), "protocol_error", True),
        (rq.RequestException("no"), "protocol_error", True),
        # a proxy that cannot be used is not the URL's fault
        (u3.ProxySchemeUnknown("ftp"), "connect_error", False),
        (rq.InvalidProxyURL("no"), "connect_error", False),
        (rq.InvalidURL(u3.ProxySchemeUnknown("ftp")), "connect_error", False),
        # what nobody foresaw
        (ValueError("odd"), "protocol_error", False),
        (RuntimeError("bug"), "protocol_error", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_kind_by_type(error: BaseException, kind: str, retryable: bool) -> None:
    """Each type that a layer raises has its kind, and knows whether asking again may help."""
    assert name(error)[::2] == (kind, retryable)


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (rq.ConnectionError(REFUSED), "connect_error", True),
        (rq.ConnectionError(RESET), "protocol_error", True),
        (rq.ConnectionError(NO_NAME), "dns_error", False),
        (rq.ConnectionError(TimeoutError("timed out")), "timeout", True),
        (rq.ConnectionError(u3.ProtocolError("Connection aborted.", RESET)), "protocol_error", True),
        (rq.ConnectionError(u3.MaxRetryError(POOL, URL, u3.NewConnectionError(POOL, "no"))), "connect_error", True),
        (rq.ConnectionError(u3.MaxRetryError(POOL, URL, u3.SSLError(UNTRUSTED))), "tls_error", False),
        (
            rq.ConnectionError(
                u3.MaxRetryError(POOL, URL, caused(u3.NameResolutionError("a.example", POOL, NO_NAME), NO_NAME))
            ),
            "dns_error",
            False,
        ),
        (caused(u3.NewConnectionError(POOL, "no"), REFUSED), "connect_error", True),
        (caused(u3.ProtocolError("broken"), u3.IncompleteRead(1, 2)), "truncated_body", True),
        (u3.ProtocolError("Connection broken: IncompleteRead", u3.IncompleteRead(1, 2)), "truncated_body", True),
        (u3.ProtocolError("broken", u3.InvalidChunkLength(RESPONSE, b"zz")), "protocol_error", True),
        (rq.ChunkedEncodingError(u3.ProtocolError("broken", u3.IncompleteRead(1, 2))), "truncated_body", True),
        (rq.ContentDecodingError(u3.DecodeError("no")), "bad_encoding", False),
        (rq.SSLError(u3.MaxRetryError(POOL, URL, UNTRUSTED)), "tls_error", False),
        (u3.ProxyError("Unable to connect to proxy", NO_NAME), "dns_error", False),
        (caused(u3.LocationParseError("a..example"), IDNA), "invalid_url", False),
        (amid(RuntimeError("on the way out"), RESET), "protocol_error", True),
        (caused(rq.RequestException("no"), caused(ValueError("no"), UNTRUSTED)), "tls_error", False),
    ],
)
def test_kind_by_chain(error: BaseException, kind: str, retryable: bool) -> None:
    """The most telling exception of a chain decides, be it an argument, a reason, a cause or a context."""
    assert name(error)[::2] == (kind, retryable)


@pytest.mark.parametrize(
    ("error", "connected", "reading", "kind"),
    [
        (IDNA, False, False, "dns_error"),
        (UnicodeEncodeError("idna", "a..example", 2, 3, "label empty"), False, False, "dns_error"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), True, False, "protocol_error"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), True, True, "protocol_error"),
        (ssl.SSLEOFError(8, "EOF"), True, False, "protocol_error"),
        (ssl.SSLEOFError(8, "EOF"), True, True, "truncated_body"),
        (ssl.SSLError(1, "bad record mac"), True, True, "tls_error"),
        (RESET, True, False, "protocol_error"),
        (RESET, True, True, "truncated_body"),
        (u3.ProtocolError("Connection broken", RESET), True, True, "truncated_body"),
        (BrokenPipeError(), True, True, "truncated_body"),
        (u3.ProtocolError("Response ended prematurely"), True, True, "truncated_body"),
        (u3.InvalidChunkLength(RESPONSE, b"zz"), True, True, "protocol_error"),
        (http.client.LineTooLong("chunk size"), True, True, "protocol_error"),
        (OSError("odd"), True, False, "protocol_error"),
        (REFUSED, True, False, "connect_error"),
    ],
)
def test_kind_by_moment(error: BaseException, connected: bool, reading: bool, kind: str) -> None:
    """Where the type does not tell, how far the exchange had got does."""
    assert name(error, connected=connected, reading=reading).kind == kind


@pytest.mark.parametrize("error", [RESET, OSError("shut down"), u3.DecodeError("cut off"), UNTRUSTED, ValueError()])
def test_a_fired_deadline_is_a_timeout(error: BaseException) -> None:
    """Whatever the watchdog's shutdown made the layers raise, the kind is timeout."""
    assert name(error, timed_out=True, connected=True, reading=True)[::2] == ("timeout", True)


@pytest.mark.parametrize("timed_out", [False, True])
def test_own_verdicts_stand(timed_out: bool) -> None:
    """What this project refused keeps its kind and words, even when the deadline passed in the same moment."""
    verdict = Refused("body_too_large", "the body has 9 bytes")
    assert name(verdict, timed_out=timed_out)[:3] == ("body_too_large", "the body has 9 bytes", False)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (rq.ConnectionError(REFUSED), "Connection refused"),
        (rq.ConnectionError(NO_NAME), "the host name does not exist"),
        (IDNA, "the host name cannot be looked up"),
        (u3.ProtocolError("two\nlines  and\tblanks"), "two lines and blanks"),
        (http.client.NotConnected(), "NotConnected"),
        (u3.ProtocolError("x" * 1000), "x" * 300),
    ],
)
def test_message_is_one_line_for_a_person(error: BaseException, message: str) -> None:
    """The system's words where there are any, on one line, of bounded length."""
    assert name(error).message == message


def test_a_chain_that_bites_its_tail() -> None:
    """Exceptions that refer to each other do not keep the search going for ever."""
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__context__, second.__context__ = second, first
    assert name(first).kind == "protocol_error"


def exceptions_of(module: ModuleType) -> Iterator[type[Exception]]:
    """The exceptions that a module offers, without warnings."""
    for called, kind in vars(module).items():
        if (
            not called.startswith("_")
            and inspect.isclass(kind)
            and issubclass(kind, Exception)
            and not issubclass(kind, Warning)
        ):
            yield kind


@pytest.mark.parametrize("module", [rq, u3, http.client, socket, ssl], ids=lambda module: module.__name__)
def test_none_is_forgotten(module: ModuleType) -> None:
    """Every exception class of the layers below has a line of the table, not just the last resort."""
    named = tuple(kind for types, *_ in failures._TABLE for kind in types)
    assert [kind for kind in exceptions_of(module) if kind is not Exception and not issubclass(kind, named)] == []


@pytest.mark.parametrize("module", [rq, u3, http.client], ids=lambda module: module.__name__)
def test_every_line_of_the_table_can_be_reached(module: ModuleType) -> None:
    """No class named in the table is taken by an earlier line for one of its base classes."""
    for row, (types, *_) in enumerate(failures._TABLE):
        earlier = tuple(kind for above, *_ in failures._TABLE[:row] for kind in above)
        own = set(exceptions_of(module))
        assert [kind for kind in types if kind in own and issubclass(kind, earlier)] == []


def test_kinds_are_those_of_the_contract() -> None:
    """The table speaks of documented kinds only."""
    assert {kind for _, kind, _ in failures._TABLE} <= set(KINDS)


def test_requests_own_error_text_survives() -> None:
    """A requests exception is an OSError without the system's words; its own are shown."""
    assert name(requests.RequestException("what happened")).message == "what happened"
