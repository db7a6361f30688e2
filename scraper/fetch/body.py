"""Reading a body: streamed, with a cap on its decoded bytes, within the run's memory budget."""

from __future__ import annotations

from typing import Final

from urllib3.response import BaseHTTPResponse

from scraper.fetch.deadline import DeadlineExceeded, Exchange
from scraper.fetch.failures import Refused
from scraper.fetch.memory import Budget

CHUNK: Final = 1 << 16

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
        Refused: ``body_too_large``, unless `cut`.
        Exception: whatever the connection or the decoder raises.
    """
    declared = raw.headers.get("Content-Length", "")
    if not cut and declared.isdecimal() and int(declared) > limit and not raw.headers.get("Content-Encoding"):
        raise Refused("body_too_large", f"the body has {int(declared):,} bytes, more than the {limit:,} allowed")
    chunks: list[bytes] = []
    size = 0
    try:
        for piece in raw.stream(CHUNK, decode_content=True):
            chunk = piece[: limit - size] if cut else piece
            size += len(chunk)
            if size > limit:
                raise Refused("body_too_large", f"the body has more than the {limit:,} decoded bytes allowed")
            with exchange.paused():
                budget.reserve(exchange, len(chunk))
            chunks.append(chunk)
            if cut and size == limit:
                raw.close()  # nobody wants the rest
                budget.keep(exchange)
                return b"".join(chunks)
        if exchange.fired:  # the watchdog's shutdown looks like the end of a body that has no length
            raise DeadlineExceeded
        if (size or raw.tell()) and _is_cut(raw):
            raise Refused("truncated_body", "the compressed body ends early")
    except BaseException:
        budget.drop(exchange)
        raise
    budget.keep(exchange)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _is_cut(raw: BaseHTTPResponse) -> bool:
    """Whether a decoder was still waiting for more when the body ended; urllib3 takes what there is."""
    coding = getattr(raw, "_decoder", None)
    if getattr(coding, "_state", 0):  # gzip that was complete, and something behind it
        return False
    decoder = getattr(coding, "_obj", None)
    finished = getattr(decoder, "is_finished", None)
    return not finished() if finished is not None else getattr(decoder, "eof", True) is False


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
