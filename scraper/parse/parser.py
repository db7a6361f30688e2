"""The user's own parser: loading it, calling it, and their frames when it fails."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from scraper.errors import ParserError
from scraper.parse.page import Page
from scraper.records import RESERVED

Parser = Callable[[Page], Any]

#: Frames of these are ours or Python's, not the user's.
_OURS: Final = (str(Path(__file__).resolve().parent.parent), "<frozen ")


#: Characters of an exception's text that are kept: it may hold the whole page.
MOST_SAID: Final = 200


#: Frames of the user's that are told: a recursion has a thousand.
MOST_FRAMES: Final = 6

#: Where Python and installed packages are.
_LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class BadRecord(Exception):
    """What a parser gave is no record."""


def load(reference: str | Parser) -> Parser:
    """The function that ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION`` names; a function is taken as it is.

    Raises:
        ParserError: it cannot be imported; with the traceback of the user's own frames.
    """
    if not isinstance(reference, str):
        return reference
    place, _, name = reference.rpartition(":")
    if not place or not name:
        raise ParserError(f"parser {reference!r}: expected FILE.py:FUNCTION or MODULE:FUNCTION")
    try:
        module = _from_file(place) if place.endswith(".py") else _from_name(place)
    except Exception as error:  # noqa: BLE001  whatever the user's module raises
        raise ParserError(f"parser {reference!r} cannot be imported:\n{_own_traceback(error)}") from None
    except SystemExit as error:
        raise ParserError(f"parser {reference!r} cannot be imported: it calls sys.exit({error.code!r})") from None
    function = getattr(module, name, None)
    if not callable(function):
        raise ParserError(f"parser {reference!r}: {place} has no function {name!r}")
    return function  # type: ignore[no-any-return]


def call(parser: Parser, page: Page) -> list[dict[str, Any]]:
    """All records a parser gives for a page: from a mapping, an iterable of mappings, or None for no record.

    Raises:
        BadRecord: it gave something else, or a record with a reserved name.
        Exception: what the parser raised.
    """
    result = parser(page)
    if result is None:
        return []
    if isinstance(result, Mapping):
        return [_checked(result)]
    if isinstance(result, Iterable) and not isinstance(result, (str, bytes)):
        return [_checked(record) for record in result]
    raise BadRecord(f"the parser returned {type(result).__name__}, not a record (a mapping) or several")


def describe(error: BaseException) -> str:
    """One line: the error, and the user's own frames that led to it, the parser's first."""
    try:
        said = str(error)[:MOST_SAID]
    except Exception:  # noqa: BLE001  an exception that cannot say what it is
        said = ""
    text = " ".join(f"{type(error).__name__}: {said}".removesuffix(": ").split())
    frames = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in _users_frames(error)]
    if len(frames) > MOST_FRAMES:
        frames[MOST_FRAMES // 2 : -(MOST_FRAMES // 2)] = ["…"]
    return f"{text} ({' > '.join(frames)})" if frames else text


def _checked(record: Any) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise BadRecord(f"the parser yielded {type(record).__name__}, not a mapping")
    named = {name if type(name) is str else _as_name(name): value for name, value in record.items()}
    if len(named) < len(record):
        raise BadRecord("two names of the parser's record are the same as text")
    for name in RESERVED:
        if name in named:
            raise BadRecord(f"the parser's record uses the name {name!r}, which every record carries anyway")
    return named


def _as_name(key: object) -> str:
    """A name that is no plain text, as JSON has it."""
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, (int, float)) and not isinstance(key, bool):
        return str(key)
    raise BadRecord(f"a name in the parser's record is of type {type(key).__name__}, not text")


def _from_file(place: str) -> ModuleType:
    path = Path(place).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {place}")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # A file may be called json.py; only a name that nobody else has is the module's own.
    taken = path.stem in sys.stdlib_module_names or path.stem in sys.modules
    name = f"_parser_{path.stem}" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _from_name(place: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    return importlib.import_module(place)


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(_OURS)]


def _users_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Frames that are not in Python's own or installed modules either; all of them, if no other is there."""
    frames = _own_frames(error)
    return [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or frames


def _own_traceback(error: BaseException) -> str:
    """The usual text of a traceback, without the frames between the user's file and this package."""
    shown = traceback.TracebackException.from_exception(error, compact=True)
    shown.stack = traceback.StackSummary.from_list(_own_frames(error))
    lines = "".join(shown.format()).rstrip()
    return lines if shown.stack else lines.splitlines()[-1]
