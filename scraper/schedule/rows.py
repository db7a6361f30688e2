"""How the state's rows are written and read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from scraper.records import MOST_CRASHES, Failure, Outcome, Target

PENDING, OK, EMPTY, FAILED = range(4)

#: A URL that an earlier pass has left is taken over into this one; one that this pass has named already is not touched.
ENTER: Final = """INSERT INTO urls (id, pass, key, host, url, href, extras) VALUES (?,?,?,?,?,?,?)
    ON CONFLICT (key) DO UPDATE SET pass=excluded.pass WHERE pass NOT IN ({passes})"""

PENDING_ROWS: Final = """SELECT id, url, href, host, extras, attempts FROM urls
    WHERE id > ? AND state=0 ORDER BY id LIMIT ?"""

CRASHES: Final = "SELECT id, number, error, message, status, final_url FROM crashes WHERE id > ? AND id <= ?"

FAILURES: Final = """SELECT f.id, u.url, f.error, f.message, f.status, f.attempts, f.final_url, f.failed_at
    FROM failures f JOIN urls u ON u.id = f.id WHERE f.id > ? ORDER BY f.id LIMIT ?"""


class Extras(Struct, frozen=True, omit_defaults=True):
    """What a list says of a URL besides the URL."""

    headers: dict[str, str] | None = None
    input: dict[str, Any] | None = None
    authorization: str | None = None
    invalid: str | None = None


_encode = msgspec.json.Encoder().encode
_decode_extras = msgspec.json.Decoder(Extras).decode
_NONE: Final = Extras()


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def entry_row(id_: int, current: int, listed: Target | Failure) -> tuple[Any, ...]:
    """A list entry for `ENTER`."""
    if isinstance(listed, Failure):
        extras = _encode(Extras(invalid=clean(listed.message)))
        return id_, current, _key(f"invalid {listed.url}"), "", clean(listed.url), None, extras
    plain = listed.headers is None and listed.input is None and listed.authorization is None
    return (
        id_,
        current,
        _key(listed.href),
        listed.host,
        listed.url,
        None if listed.href == listed.url else listed.href,
        None if plain else _encode(Extras(listed.headers, listed.input, listed.authorization)),
    )


def entry(row: tuple[Any, ...], crash: tuple[Any, ...] | None) -> Target | Failure:
    """What a row of `PENDING_ROWS`, with its row of `CRASHES` if there is one, stands for."""
    id_, url, href, host, packed, attempts = row
    extras = _NONE if packed is None else _decode_extras(packed)
    if extras.invalid is not None:
        return Failure(url, "invalid_url", extras.invalid, attempts=0)
    crashes = 0
    if crash is not None:
        _, crashes, error, message, status, final_url = crash
        if crashes >= MOST_CRASHES:
            return Failure(url, error, message, status, attempts + 1, final_url)
    return Target(
        url, href or url, host, extras.headers, extras.input, extras.authorization, attempts, id=id_, crashes=crashes
    )


def state(outcome: Outcome) -> int:
    """The state of a URL that ended so."""
    if outcome.failure is not None:
        return FAILED
    return OK if outcome.records else EMPTY


def failure_row(id_: int, failure: Failure) -> tuple[Any, ...]:
    """A row of the table of failures."""
    final_url = None if failure.final_url is None else clean(failure.final_url)
    message = clean(failure.message)
    return id_, failure.error, message, failure.status, failure.attempts, final_url, failure.failed_at


def clean(text: str) -> str:
    """The text without lone surrogates, which no UTF-8 file can hold."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def failures_where(errors: Iterable[str] | None, statuses: Iterable[range]) -> tuple[str, list[Any]]:
    """The condition, and its parameters, for failures of these kinds or statuses that can be asked for again."""
    condition = "error <> 'invalid_url'"
    if errors is None:
        return condition, []
    parameters: list[Any] = list(errors)
    either = [f"error IN ({','.join('?' * len(parameters))})"]
    for span in statuses:
        either.append("status BETWEEN ? AND ?")
        parameters += [span.start, span.stop - 1]
    return f"{condition} AND ({' OR '.join(either)})", parameters
