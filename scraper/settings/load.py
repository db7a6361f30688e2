"""From what people write to `Settings`: layers merged, every value checked, all problems told at once.

defaults < settings file or mapping < flags and keywords
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from scraper import yaml_core
from scraper.errors import SettingsError
from scraper.settings.check import check
from scraper.settings.model import Places, Settings, place_of

_PLACE: Final = re.compile(r":([0-9]+):([0-9]+)$")
NO_OVERRIDES: Final[Mapping[str, object]] = {}


def load(
    source: str | os.PathLike[str] | Mapping[str, Any] | Settings | None,
    overrides: Mapping[str, object] = NO_OVERRIDES,
    further: Callable[[Settings], Iterable[tuple[str, str]]] = lambda _settings: (),
) -> Settings:
    """Read settings, check them, and lay `overrides` over them.

    Args:
        source: path of a YAML file, a mapping of the same shape, settings to start from, or None for the defaults.
        overrides: dotted keys, such as ``{"fetch.workers": 8}``; a value may be a whole section or mapping.
        further: finds more problems, as path and message, in settings that have some: so that all are told together.

    Raises:
        SettingsError: lists every problem found, one a line, each with its place.
    """
    raw, places, problems = _read(source)
    for key, value in overrides.items():
        _lay_over(raw, key, value)
        for path in [path for path in places if path.startswith(f"{key}.")]:
            del places[path]
        places[key] = ""
    settings, found = check(raw, places)
    problems += [(place_of(places, path), message) for path, message in found]
    if problems:
        problems += [(place_of(places, path), message) for path, message in further(settings)]
        # Where the place is the key itself, once is enough.
        lines = (f"{place}: {message.removeprefix(f'{place} ')}" for place, message in _sorted(problems))
        raise SettingsError("\n".join(lines))
    return settings


def parse_assignment(text: str) -> tuple[str, object]:
    """Key and value of ``section.key=value``; the value is read as YAML.

    Raises:
        SettingsError: no ``=`` or no key, or the value is not valid YAML.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SettingsError(f"--set {key or '?'}: write --set section.key=value, as in --set fetch.workers=8")
    if value.lstrip().startswith("#"):  # a selector by id; as YAML it would be a comment
        return key, value.strip()
    try:
        document = yaml_core.load(value, f"--set {key}")
    except yaml_core.YamlError as error:
        raise SettingsError(str(error)) from None
    if document.repeated:
        raise SettingsError(f"--set {key}: repeated key {document.repeated[0][0]!r}; keep one of them")
    return key, document.data


Problem = tuple[str, str]  # place, message


def _read(source: object) -> tuple[dict[str, Any], Places, list[Problem]]:
    if source is None:
        return {}, Places(), []
    if isinstance(source, Settings):
        raw = msgspec.to_builtins(source)
        return raw, Places(raw.pop("places")), []
    if isinstance(source, Mapping):
        return _copy(source), Places(), []
    if isinstance(source, (str, os.PathLike)):
        return _read_file(os.fspath(source))
    raise SettingsError(f"settings: give a path, a mapping or Settings, not {type(source).__name__}")


def _read_file(path: str) -> tuple[dict[str, Any], Places, list[Problem]]:
    try:
        with Path(path).open("rb") as stream:
            document = yaml_core.load(stream, path)
    except (OSError, ValueError) as error:
        if isinstance(error, yaml_core.YamlError):
            raise SettingsError(str(error)) from None
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: cannot be read: {reason}; check the path of the settings file") from None
    if document.data is not None and not isinstance(document.data, dict):
        raise SettingsError(f"{path}:1:1: settings must be a mapping with keys such as 'fetch:' and 'fields:'")
    places = Places({key: f"{path}:{line}:{column}" for key, (line, column) in document.places.items()})
    repeated = [
        (f"{path}:{line}:{column}", f"repeated key {key.rpartition('.')[2]!r}; keep one of them")
        for key, line, column in document.repeated
    ]
    return document.data or {}, places, repeated


def _copy(value: Any) -> Any:
    """Mappings copied all the way down, since overrides are laid over them."""
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _lay_over(raw: dict[str, Any], key: str, value: object) -> None:
    """Put one override in its place."""
    *sections, name = _path(key, value)
    for depth, section in enumerate(sections):
        inner = raw.get(section)
        if inner is None:
            inner = {}
        elif isinstance(inner, str) and sections[0] in ("fields", "page") and depth == 1:
            inner = {"css": inner}  # what a bare selector is short for; `fields.title.attr` can then be added
        elif not isinstance(inner, dict):
            return  # the check will say what is wrong with it
        raw[section] = inner
        raw = inner
    raw[name] = _copy(value)


def _path(key: str, value: object) -> list[str]:
    """The parts of a dotted key; host names hold dots themselves."""
    section, _, rest = key.partition(".")
    if not rest:
        return [section]
    if section == "hosts":
        if isinstance(value, Mapping) or "." not in rest:
            return [section, rest]
        host, headers, name = rest.rpartition(".headers.")
        return [section, host, "headers", name] if headers else [section, *rest.rsplit(".", 1)]
    if section in ("fields", "page"):
        return [section, *_field_path(rest, value)]
    if section == "sets":
        name, _, inner = rest.partition(".")
        return [section, name, *(_path(inner, value) if inner else ())]
    return [section, *rest.split(".", 1)]


def _field_path(rest: str, value: object) -> list[str]:
    """The parts of a key below ``fields``, where names may hold dots themselves."""
    outer, inner, rest = rest.rpartition(".fields.") if ".fields." in rest else ("", "", rest)
    if inner:
        return [*_field_path(outer, {}), "fields", *_field_path(rest, value)]
    return [rest] if isinstance(value, Mapping) or "." not in rest else rest.rsplit(".", 1)


def _sorted(problems: list[Problem]) -> list[Problem]:
    """In the order of the file; what has no line in it comes last, in the order found."""
    return sorted(problems, key=lambda problem: _line_and_column(problem[0]))


def _line_and_column(place: str) -> tuple[float, float]:
    match = _PLACE.search(place)
    return (int(match[1]), int(match[2])) if match else (float("inf"), 0)
