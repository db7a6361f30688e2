"""How the state's rows are written and read: many at once, as JSON, by one statement.

Python's sqlite3 lets go of the interpreter lock at each row that goes in or comes out, and has to get it back from
threads that compute: 3,000 rows a second beside one such thread, where a single statement over a JSON array takes in
120,000.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from scraper import storable
from scraper.records import MOST_CRASHES, Failure, Outcome, Target

PENDING, OK, EMPTY, FAILED = range(4)

#: The host of entries that are no URL.
NOWHERE: Final = 0

#: Array of host names.
NAME_HOSTS: Final = "INSERT INTO hosts (name) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"
HOST_IDS: Final = "SELECT json_group_object(name, id) FROM hosts WHERE name IN (SELECT value FROM json_each(?))"

#: ?1 first number, ?2 pass, ?3 keys one behind the other, ?4 array of [url, host, href, extras]. A URL that an earlier
#: pass has left is taken over into this one; one that this pass has named already is not touched.
ENTER: Final = """INSERT INTO urls (id, pass, key, url, host, href, extras)
    SELECT ?1 + key, ?2, substr(?3, 16 * key + 1, 16), json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]'), json_extract(value, '$[3]')
    FROM json_each(?4) WHERE true
    ON CONFLICT (key) DO UPDATE SET pass=excluded.pass WHERE pass NOT IN ({passes})"""

#: ?1 first number, ?2 keys, ?3 array as for `ENTER`: pages that others lead to, where nothing has named them yet.
FOLLOW: Final = """INSERT INTO urls (id, pass, key, url, host, href, extras)
    SELECT ?1 + key, 0, substr(?2, 16 * key + 1, 16), json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]'), json_extract(value, '$[3]')
    FROM json_each(?3) WHERE true ON CONFLICT (key) DO NOTHING"""

#: How many rows from a number on each host has. Not by the index, of which all would have to be read.
ENTERED: Final = """SELECT json_group_array(json_array(host, number)) FROM
    (SELECT host, count(*) AS number FROM urls NOT INDEXED WHERE id >= ? GROUP BY host)"""

#: Array of [host, number].
LISTED: Final = """UPDATE hosts SET listed = listed + number FROM
    (SELECT json_extract(value, '$[0]') AS host, json_extract(value, '$[1]') AS number FROM json_each(?))
    WHERE hosts.id = host"""

#: Hosts behind a number that have pending URLs, and how many; so many at the most.
PENDING_HOSTS: Final = """SELECT json_group_array(json_array(id, number)) FROM
    (SELECT id, listed - ended AS number FROM hosts WHERE id > ? AND listed > ended ORDER BY id LIMIT ?)"""

#: ?1 array of [host, number of a row], ?2 how many: each host's name, and so many pending rows from behind that one on.
DRAW: Final = """SELECT json_group_array(json_array(
    (SELECT name FROM hosts WHERE id = json_extract(want.value, '$[0]')),
    json((SELECT json_group_array(json_array(id, url, href, extras, attempts)) FROM
        (SELECT * FROM urls WHERE host = json_extract(want.value, '$[0]') AND id > json_extract(want.value, '$[1]')
            AND state = 0 ORDER BY id LIMIT ?2)))))
    FROM json_each(?1) AS want"""

CRASHES: Final = """SELECT id, number, error, message, status, final_url FROM crashes
    WHERE id IN (SELECT value FROM json_each(?))"""

#: ?1 state, ?2 array of numbers.
END: Final = "UPDATE urls SET state=?1 WHERE state=0 AND id IN (SELECT value FROM json_each(?2))"

#: Array of numbers of rows that are pending no more, or, with a sign of -1, are so again.
ENDED: Final = """UPDATE hosts SET ended = ended + ?2 * number FROM
    (SELECT host, count(*) AS number FROM urls WHERE id IN (SELECT value FROM json_each(?1)) GROUP BY host)
    WHERE hosts.id = host"""

#: Array of [name, requests, seconds, refusals] to be added; also of hosts that no list names.
NOTE_HOSTS: Final = """INSERT INTO hosts (name, requests, seconds, refusals)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]') FROM json_each(?) WHERE true
    ON CONFLICT (name) DO UPDATE SET requests = requests + excluded.requests, seconds = seconds + excluded.seconds,
        refusals = refusals + excluded.refusals"""

#: ?1 how many, ?2 array of numbers.
ATTEMPTED: Final = "UPDATE urls SET attempts=?1 WHERE id IN (SELECT value FROM json_each(?2))"

#: Array of rows as `failures` makes them.
FAIL: Final = """INSERT OR REPLACE INTO failures
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
        json_extract(value, '$[6]')
    FROM json_each(?)"""

FAILURES: Final = """SELECT
    json_group_array(json_array(id, url, error, message, status, attempts, final_url, failed_at)) FROM
    (SELECT f.*, u.url FROM failures f JOIN urls u ON u.id = f.id WHERE f.id > ? ORDER BY f.id LIMIT ?)"""


class Extras(Struct, frozen=True, omit_defaults=True):
    """What a list says of a URL besides the URL."""

    headers: dict[str, str] | None = None
    input: dict[str, Any] | None = None
    authorization: str | None = None
    invalid: str | None = None
    error: str | None = None
    status: int | None = None
    type: str | None = None
    depth: int = 0


_encode = msgspec.json.Encoder().encode
_decode_extras = msgspec.json.Decoder(Extras).decode
_NONE: Final = Extras()


def key(text: str) -> bytes:
    """What tells a URL from all others."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def hosts_of(entries: Iterable[Target | Failure]) -> str:
    """The hosts of list entries, for `NAME_HOSTS` and `HOST_IDS`."""
    return _encode(list(dict.fromkeys(each.host for each in entries if isinstance(each, Target)))).decode()


def entered(entries: list[Target | Failure], hosts: Mapping[str, int]) -> tuple[bytes, str]:
    """List entries for `ENTER`: keys, and what else there is to know of them."""
    keys: list[bytes] = []
    values: list[tuple[str, int, str | None, str | None]] = []
    for listed in entries:
        if isinstance(listed, Failure):
            keys.append(key(f"invalid {listed.url}"))
            error = None if listed.error == "invalid_url" else listed.error
            extras = Extras(invalid=storable.text(listed.message), error=error, status=listed.status)
            values.append((storable.text(listed.url), NOWHERE, None, _encode(extras).decode()))
            continue
        keys.append(key(listed.href))
        extras = Extras(listed.headers, listed.input, listed.authorization, type=listed.type, depth=listed.depth)
        packed = None if extras == _NONE else _encode(extras).decode()
        href = None if listed.href == listed.url else listed.href
        values.append((storable.text(listed.url), hosts[listed.host], href, packed))
    return b"".join(keys), _encode(values).decode()


def ended(outcomes: Iterable[Outcome]) -> Iterator[tuple[int, str]]:
    """Ends of URLs for `END`."""
    numbers: dict[int, list[int]] = {}
    for outcome in outcomes:
        state = FAILED if outcome.failure is not None else OK if outcome.records else EMPTY
        numbers.setdefault(state, []).append(outcome.id)
    return ((state, _encode(ids).decode()) for state, ids in numbers.items())


def attempted(attempts: Mapping[int, int]) -> Iterator[tuple[int, str]]:
    """Attempts, by the number of a URL, for `ATTEMPTED`."""
    numbers: dict[int, list[int]] = {}
    for id_, number in attempts.items():
        numbers.setdefault(number, []).append(id_)
    return ((number, _encode(ids).decode()) for number, ids in numbers.items())


def failed(outcomes: Iterable[Outcome]) -> str:
    """Failures among `outcomes` for `FAIL`."""
    found = ((each.id, each.failure) for each in outcomes if each.failure is not None)
    return _encode(
        [
            (
                id_,
                each.error,
                storable.text(each.message),
                each.status,
                each.attempts,
                _clean(each.final_url),
                each.failed_at,
            )
            for id_, each in found
        ]
    ).decode()


def entry(row: Sequence[Any], host: str, crash: Sequence[Any] | None) -> Target | Failure:
    """What a row of `DRAW`, with its row of `CRASHES` if there is one, stands for."""
    id_, url, href, packed, attempts = row
    extras = _NONE if packed is None else _decode_extras(packed)
    if extras.invalid is not None:
        return Failure(url, extras.error or "invalid_url", extras.invalid, extras.status, attempts=0)
    crashes = 0
    if crash is not None:
        _, crashes, error, message, status, final_url = crash
        if crashes >= MOST_CRASHES:
            return Failure(url, error, message, status, attempts + 1, final_url)
    return Target(
        url,
        href or url,
        host,
        extras.headers,
        extras.input,
        extras.authorization,
        attempts,
        id=id_,
        crashes=crashes,
        type=extras.type,
        depth=extras.depth,
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else storable.text(text)


def failures_where(errors: Iterable[str] | None, statuses: Iterable[range]) -> tuple[str, list[Any]]:
    """The condition, and its parameters, for failures of these kinds or statuses that can be asked for again."""
    condition = f"id NOT IN (SELECT id FROM urls WHERE host={NOWHERE})"
    if errors is None:
        return condition, []
    parameters: list[Any] = list(errors)
    either = [f"error IN ({','.join('?' * len(parameters))})"]
    for span in statuses:
        either.append("status BETWEEN ? AND ?")
        parameters += [span.start, span.stop - 1]
    return f"{condition} AND ({' OR '.join(either)})", parameters
