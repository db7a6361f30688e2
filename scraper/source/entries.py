"""One entry of a list → a `Target`, or the `Failure` that says why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from scraper import storable, urls
from scraper.records import Failure, Target
from scraper.settings import values

#: Text in JSON.
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"')
_MISSING: Final = object()


def from_text(url: str, place: str) -> Target | Failure:
    """The target a URL makes; `place` tells where it was written."""
    try:
        return target(url)
    except urls.InvalidURL:
        return invalid(url, _why_not(url), place)


def target(url: str) -> Target:
    """The target of a valid URL.

    Raises:
        urls.InvalidURL: it is none.
    """
    parts = urls.split(url)
    if "@" not in url:
        return Target(url, parts.href, parts.host)
    return Target(_spelling(url, parts), parts.href, parts.host, None, None, parts.authorization)


def from_mapping(entry: Mapping[Any, Any], place: str) -> Target | Failure:
    """The target of a mapping with `url`, maybe `headers`, and further keys, which become its `input`."""
    url = entry.get("url", _MISSING)
    further = {str(key): value for key, value in entry.items() if key not in ("url", "headers")}
    if not isinstance(url, str):
        raw = further if url is _MISSING else url
        return _failure(_as_text(raw), "the entry has no url" if url is _MISSING else "its url is not text", place)
    made = from_text(url, place)
    if isinstance(made, Failure):
        return made
    try:
        headers, rest = _headers(entry.get("headers")), _input(further)
    except ValueError as error:
        return invalid(url, str(error), place)
    return msgspec.structs.replace(made, headers=headers, input=rest)


def from_any(entry: object, place: str) -> Target | Failure:
    """The target of whatever stands in a list."""
    if isinstance(entry, str):
        return from_text(entry, place)
    if isinstance(entry, Target):
        return entry
    return from_mapping(entry, place) if isinstance(entry, Mapping) else from_other(entry, place)


def from_other(entry: object, place: str) -> Failure:
    """The failure of an entry that is neither text nor a mapping."""
    return _failure(_as_text(entry), "an entry must be a URL or a mapping with one", place)


def invalid(url: str, why: str, place: str) -> Failure:
    """The failure of an entry that gives no target; `url` is its raw text, of which the userinfo is cut out."""
    return _failure(without_userinfo(url), why, place)


def without_userinfo(text: str) -> str:
    """The text without anything that might be a user name and password, even if it is no valid URL."""
    try:
        return target(text).url
    except urls.InvalidURL:
        return urls.redacted(text)


def _failure(shown: str, why: str, place: str) -> Failure:
    return Failure(url=shown, error="invalid_url", message=f"{place}: {why}", attempts=0)


def _spelling(url: str, parts: urls.Parts) -> str:
    """The list's own spelling without userinfo; for odd ones (``https:\\\\user@host``) the serialisation."""
    shown = urls.without_userinfo(url)
    try:
        again = urls.split(shown)
    except urls.InvalidURL:
        return parts.href
    return shown if again.href == parts.href and again.authorization is None else parts.href


def _why_not(url: str) -> str:
    """What is wrong with an invalid URL, told without its userinfo."""
    if not url.strip():
        return "the entry is empty"
    shown = without_userinfo(url)
    try:
        urls.split(shown)
    except urls.InvalidURL as error:
        return str(error)
    return f"not a valid URL: what stands before its @ spoils {values.show(shown)}"


def _headers(given: object) -> dict[str, str] | None:
    """The entry's request headers; None where it gives none."""
    if not given:
        return None
    if not isinstance(given, Mapping):
        raise ValueError("headers must be a mapping of names to values")
    return values.headers(given)


def _input(further: dict[str, Any]) -> dict[str, Any] | None:
    """The further keys as a record will say them in JSON."""
    if not further:
        return None
    try:
        plain: dict[str, Any] = values.any_json(storable.value(further))
    except (ValueError, RecursionError):
        raise ValueError("a further key holds what JSON cannot say; use text, numbers, lists and mappings") from None
    if storable.is_too_deep([plain]):  # it will be within a record
        raise ValueError(f"a further key nests more than {storable.DEEPEST - 1} levels")
    return plain


def _as_text(value: object) -> str:
    """A value that is no URL, so that the failure can name it; without the userinfo of URLs within."""
    try:
        packed = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return without_userinfo(repr(value))
    return _STRING.sub(lambda text: f'"{without_userinfo(text[1])}"', packed)
