"""Foreign exceptions become failure kinds here, and nowhere else.

What requests, urllib3, http.client, ssl and the socket module raise for the same event differs by version and by how
deep the event happened, and each wraps the others'. So the whole chain of an exception is searched, most telling type
first.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple

import urllib3.exceptions as u3
from requests import exceptions as rq

from scraper.fetch.deadline import DeadlineExceeded
from scraper.records import KINDS


class Cause(NamedTuple):
    """Why a fetch failed.

    Attributes:
        kind: one of `scraper.records.KINDS`.
        message: one line for a person.
        retryable: whether asking again may help.
        pause: seconds for which the server asks to be left alone.
    """

    kind: str
    message: str
    retryable: bool
    pause: float = 0.0


class Refused(Exception):
    """This project's own verdict on an answer (too large, not HTML, …), raised where it is found."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


#: `socket.gaierror` codes that say that the name does not exist, for good.
_NO_SUCH_NAME: Final = {getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)}

#: How the end of the stream within a body shows itself; between chunks, urllib3 says no more than `ProtocolError`.
_CUT_OFF: Final = (ConnectionError, ssl.SSLError, u3.ProtocolError)

#: Searched in order over the whole chain; the first type found decides.
_TABLE: Final[tuple[tuple[tuple[type[BaseException], ...], str, bool], ...]] = (
    ((rq.TooManyRedirects,), "too_many_redirects", False),
    # Before invalid_url, whose subclasses they are: a proxy that cannot be used is not the URL's fault.
    ((rq.InvalidProxyURL, u3.ProxySchemeUnknown, u3.ProxySchemeUnsupported), "connect_error", False),
    ((rq.InvalidURL, rq.MissingSchema, rq.InvalidSchema, u3.LocationParseError), "invalid_url", False),
    ((u3.DecodeError, rq.ContentDecodingError), "bad_encoding", False),
    ((socket.gaierror,), "dns_error", True),
    ((u3.NameResolutionError,), "dns_error", True),
    ((ssl.SSLZeroReturnError, ssl.SSLEOFError), "protocol_error", True),
    ((ssl.SSLError, ssl.CertificateError, u3.SSLError, rq.SSLError), "tls_error", False),
    # NewConnectionError before timeout, whose subclass urllib3 makes it.
    ((u3.ProxyError, rq.ProxyError, u3.NewConnectionError), "connect_error", True),
    ((TimeoutError, u3.TimeoutError, rq.Timeout, DeadlineExceeded), "timeout", True),
    ((u3.InvalidChunkLength,), "protocol_error", True),
    ((http.client.IncompleteRead, u3.IncompleteRead), "truncated_body", True),
    ((http.client.HTTPException, ConnectionResetError, BrokenPipeError), "protocol_error", True),
    ((u3.ProtocolError, rq.ChunkedEncodingError, rq.InvalidHeader), "protocol_error", True),
    ((rq.ConnectionError,), "connect_error", True),
    ((rq.RequestException, u3.HTTPError), "protocol_error", True),
    # What requests lets out bare for odd header values; a host label that IDNA refuses is one too.
    ((UnicodeError, ValueError), "protocol_error", False),
    ((OSError,), "connect_error", True),
)


def translate(
    error: BaseException, *, timed_out: bool, connected: bool, reading: bool, handshaking: bool = False
) -> Cause:
    """Name the kind of failure behind `error`.

    Args:
        error: anything a transport raised.
        timed_out: the deadline has fired; whatever was raised is its consequence.
        connected: the connection had been made.
        reading: the header had been received; the body was being read.
        handshaking: the server had been reached, and TLS was being spoken.
    """
    if isinstance(error, Refused):
        return Cause(error.kind, str(error), retryable=KINDS[error.kind])
    if timed_out and handshaking:
        return Cause("tls_error", "the TLS handshake did not end before the deadline", retryable=KINDS["tls_error"])
    if timed_out:
        return Cause("timeout", "the deadline for the whole exchange passed", retryable=True)
    chain = list(_chain(error))
    for types, kind, retryable in _TABLE:
        found = next((link for link in chain if isinstance(link, types)), None)
        if found is not None:
            return _refine(Cause(kind, _describe(found), retryable), found, connected=connected, reading=reading)
    return Cause("protocol_error", _describe(error), retryable=False)


def _refine(cause: Cause, found: BaseException, *, connected: bool, reading: bool) -> Cause:
    """What the type alone does not tell."""
    if isinstance(found, socket.gaierror) and found.errno in _NO_SUCH_NAME:
        return cause._replace(message="the host name does not exist", retryable=False)
    if isinstance(found, UnicodeError) and not connected:
        return Cause("dns_error", "the host name cannot be looked up", retryable=False)
    if isinstance(found, (ssl.SSLZeroReturnError, ssl.SSLEOFError)) and not connected:
        return cause._replace(kind="tls_error", retryable=False)
    if reading and cause.kind == "protocol_error" and isinstance(found, _CUT_OFF) and not _is_excess(found):
        return cause._replace(kind="truncated_body")
    if cause.kind == "connect_error" and connected and type(found) is OSError:
        return cause._replace(kind="protocol_error")
    return cause


def _is_excess(error: BaseException) -> bool:
    """Whether there was too much of something, such as a chunk's extension; urllib3 has one type for that as well."""
    return isinstance(error, u3.ProtocolError) and "exceeded" in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all it was made of: arguments, reasons, causes, contexts; each once."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        link = queue.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        queue += [part for part in (*link.args, getattr(link, "reason", None)) if isinstance(part, BaseException)]
        queue += [link.__cause__, link.__context__]


def _describe(error: BaseException) -> str:
    """One line: the system's words where there are any, else the exception's."""
    system = (link.strerror for link in _chain(error) if isinstance(link, OSError))
    text = next((words for words in system if isinstance(words, str) and words), str(error) or type(error).__name__)
    return " ".join(text.split())[:300] or type(error).__name__
