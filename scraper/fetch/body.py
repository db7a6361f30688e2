"""Reading a body: streamed, with a cap on its decoded bytes, within the run's memory budget."""

from __future__ import annotations

import io
import traceback
from typing import Final

from urllib3.response import BaseHTTPResponse

from scraper.fetch import coding
from scraper.fetch.deadline import DeadlineExceeded, Exchange
from scraper.fetch.failures import Refused
from scraper.fetch.memory import Budget

CHUNK: Final = 1 << 16

#: What a reader holds besides: between the socket and here, and what its buffer may grow ahead.
ON_ITS_WAY: Final = 2 * CHUNK

#: Memory is reserved by that many bytes at once; by more if it has to be waited for, which costs more.
GRAIN: Final = 1 << 16
COARSE_GRAIN: Final = 1 << 20

#: Up to here the rest of an unwanted body is read, so that the connection can be used again.
SMALL: Final = 1 << 16


def read(raw: BaseHTTPResponse, *, limit: int, budget: Budget, exchange: Exchange, cut: bool = False) -> bytes:
    """The whole body, content-decoded; its size stays reserved in `budget` until it is released.

    Args:
        raw: the answer, header read.
        limit: most decoded bytes.
        budget: memory shared by all bodies.
        exchange: its clock stands still while it waits for memory.
        cut: of a longer body the beginning will do.

    Raises:
        Refused: ``body_too_large``, unless `cut`; ``bad_encoding``; ``truncated_body``.
        DeadlineExceeded: the exchange's time is over.
        Exception: whatever the connection raises.
    """
    try:
        data = _read(raw, limit, _Share(budget, exchange), cut)
    except BaseException as error:
        _forget(error)
        budget.drop(exchange)
        raise
    budget.keep(exchange, len(data))
    return data


def _read(raw: BaseHTTPResponse, limit: int, share: _Share, cut: bool) -> bytes:
    decoder = coding.decoder(raw.headers.get("Content-Encoding"), limit)
    declared = raw.headers.get("Content-Length", "")
    if not cut and declared.isdecimal() and int(declared) > limit and decoder is None:
        raise Refused("body_too_large", f"the body has {int(declared):,} bytes, more than the {limit:,} allowed")
    body = io.BytesIO()  # grows in place, where a list of pieces would be there twice when it is joined
    size = 0
    for data in raw.stream(CHUNK, decode_content=False):
        for piece in (data,) if decoder is None else decoder.decode(data):
            share.exchange.check()
            size += len(piece)
            if size > limit and not cut:
                raise Refused("body_too_large", f"the body has more than the {limit:,} decoded bytes allowed")
            share.cover(ON_ITS_WAY + size + (0 if decoder is None else decoder.held))
            body.write(piece)
            if size >= limit and cut:
                raw.close()  # nobody wants the rest
                body.truncate(limit)
                return body.getvalue()
    if share.exchange.fired:  # the watchdog's shutdown looks like the end of a body that has no length
        raise DeadlineExceeded
    if decoder is not None and not decoder.is_complete:
        raise Refused("truncated_body", "the compressed body ends early")
    return body.getvalue()


def _forget(error: BaseException) -> None:
    """Free what was read before its memory is given back: it is still there in the traceback."""
    for link in (error, error.__context__):
        if link is not None:
            traceback.clear_frames(link.__traceback__)


class _Share:
    """What one reader has of the memory for all."""

    def __init__(self, budget: Budget, exchange: Exchange) -> None:
        self.exchange = exchange
        self._budget = budget
        self._size = 0

    def cover(self, size: int) -> None:
        """Have at least `size` bytes."""
        if size <= self._size:
            return
        more = -(-size // GRAIN) * GRAIN - self._size
        if not self._budget.take(self.exchange, more):
            more = -(-size // COARSE_GRAIN) * COARSE_GRAIN - self._size
            with self.exchange.paused():  # only here, else a server could stretch its time with many tiny pieces
                self._budget.reserve(self.exchange, more)
        self._size += more


def discard(raw: BaseHTTPResponse) -> None:
    """Get rid of a body nobody wants: read it if it is small, so that the connection lives on, else hang up."""
    declared = raw.headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in raw.headers
    try:
        if chunked or (declared.isdecimal() and int(declared) <= SMALL):
            raw.read(SMALL, decode_content=False)  # gives the connection back by itself when that was all
    except Exception:  # noqa: BLE001  the answer's status is known already; nothing about its body matters
        pass
    if raw.connection is not None:
        raw.close()
