"""YAML as settings and lists share it: the events of PyYAML, the scalars of YAML 1.2, errors that name their place.

PyYAML's own constructor follows YAML 1.1 (`NO` is false, `012` ten, `12:30` a number of minutes) and builds a whole
document at once. Here its event stream is read directly, so that a list can be streamed and text stays text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, NoReturn

import yaml
from msgspec import Struct
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

#: PyYAML built without libyaml has no C loader; the other one is slower, but reads the same.
LOADER: Final[Any] = getattr(yaml, "CLoader", yaml.Loader)

#: How deep collections may nest: keeps the recursion, and the depth of a record's `input`, bounded.
NESTING: Final = 100

#: Bytes that are read at once, and those that are no character's first one in UTF-8.
_CHUNK: Final = 1 << 16
_CONTINUING: Final = bytes(range(0x80, 0xC0))

_PREFIX: Final = "tag:yaml.org,2002:"
#: YAML 1.2.2 §10.3.2; a leading zero is not a number here, since `012` is an article number more often than twelve.
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_START: Final = frozenset("-+.0123456789")
_BASES: Final = {"0x": 16, "0o": 8}
_CONSTANTS: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((s + t for s in ("", "+") for t in (".inf", ".Inf", ".INF")), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    _PREFIX + "int": (int,),
    _PREFIX + "float": (float, int),
    _PREFIX + "bool": (bool,),
    _PREFIX + "null": (type(None),),
}
#: What the parser says, in part → what to do about it.
_ADVICE: Final = {
    "tab": "indent with spaces",
    "'\\t'": "indent with spaces",
    "cannot start any token": "quote a text that starts with %, @ or `, and indent with spaces, not tabs",
    "mapping values are not allowed": "quote a text that holds ': ', and check the indentation",
    "did not find expected alphabetic": "quote a text that starts with * or &",
    "end of stream": "close the quote or bracket opened before",
    "did not find expected": "check indentation, commas and brackets",
}

Scalar = bool | int | float | str | None


class YamlError(ValueError):
    """YAML that cannot be read, as ``name:line:column: problem``.

    Attributes:
        name: file name, or whatever stands for it.
        line: counted from 1; 0 where unknown.
        column: counted from 1; 0 where unknown.
        problem: what is wrong and what to do.
    """

    def __init__(self, name: str, line: int, column: int, problem: str) -> None:
        super().__init__(name, line, column, problem)
        self.name, self.line, self.column, self.problem = name, line, column, problem

    def __str__(self) -> str:
        place = f"{self.name}:{self.line}:{self.column}" if self.line else self.name
        return f"{place}: {self.problem}"


class Document(Struct, frozen=True):
    """A whole document with the places of its keys.

    Attributes:
        data: plain Python data; None for an empty document.
        places: dotted path of a key or item → line and column, counted from 1.
        repeated: dotted path, line and column of each key that its mapping held already; the first one counts.
    """

    data: Any
    places: dict[str, tuple[int, int]]
    repeated: list[tuple[str, int, int]]


def resolve(text: str) -> Scalar:
    """The value of a plain scalar by the YAML 1.2 core schema.

    Numbers that would lose digits on their way through JSON (integers beyond 64 bits, floats that overflow) stay text.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _integer(text: str) -> int | str:
    # The length is looked at first: int() takes quadratic time, and refuses more than 4,300 digits.
    if len(text) > 24:
        return text
    number = int(text, _BASES.get(text[:2], 10))
    return number if -(2**63) <= number < 2**64 else text


class Builder:
    """Makes plain Python data of the events of one document.

    Args:
        name: file name for errors.
        next_event: gives the next event.
        places: filled with the place of each key and item by dotted path, if given.

    Attributes:
        repeated: path, line and column of the repeated keys met so far; whoever reads them may clear it.
    """

    def __init__(
        self, name: str, next_event: Callable[[], Any], places: dict[str, tuple[int, int]] | None = None
    ) -> None:
        self.name = name
        self.next_event = next_event
        self.places = places
        self.repeated: list[tuple[str, int, int]] = []

    def value(self, event: Any, path: str = "", depth: int = 0, plain: Callable[[str], Scalar] = resolve) -> Any:
        """The value that begins with `event`; `plain` reads its plain scalars.

        Raises:
            YamlError: an alias, an anchor, a tag outside the core schema, or nested too deep.
        """
        kind = type(event)
        if kind is ScalarEvent:
            return self.scalar(event, plain)
        if kind is AliasEvent:
            self.fail(event, "aliases are not supported; write the value out, or quote a text that starts with *")
        if depth >= NESTING:
            self.fail(event, f"nested deeper than {NESTING} levels; make it flatter")
        if kind is MappingStartEvent:
            self.check_tag(event, "map")
            return self._mapping(path, depth + 1, plain)
        self.check_tag(event, "seq")
        return self._sequence(path, depth + 1, plain)

    def scalar(self, event: Any, plain: Callable[[str], Scalar] = resolve) -> Scalar:
        """The value of one scalar: typed if plain, text if quoted, as its tag says if tagged."""
        text: str = event.value
        tag = event.tag
        if event.anchor is not None:
            self.check_tag(event, "str")
        if tag is None:
            return plain(text) if event.implicit[0] else text
        if tag == _PREFIX + "str":
            return text
        if tag not in _TYPES:
            self.check_tag(event, "str")
        value = resolve(text)
        if type(value) not in _TYPES[tag]:
            self.fail(event, f"this is no {tag.replace(_PREFIX, '!!')}; correct the value or leave the tag out")
        return float(value) if tag.endswith("float") and isinstance(value, int) else value

    def key(self, event: Any) -> str:
        """The text of a mapping's key; keys are text, whatever they look like."""
        if type(event) is not ScalarEvent:
            self.fail(event, "a key must be text")
        return str(self.scalar(event, str))

    def fail(self, event: Any, problem: str) -> NoReturn:
        """Raise a `YamlError` at the place of `event`."""
        mark = event.start_mark
        raise YamlError(self.name, mark.line + 1, mark.column + 1, problem)

    def _mapping(self, path: str, depth: int, plain: Callable[[str], Scalar]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while type(event := self.next_event()) is not MappingEndEvent:
            key = self.key(event)
            below = f"{path}.{key}" if path else key
            if key in found:
                self.repeated.append((below, event.start_mark.line + 1, event.start_mark.column + 1))
            else:
                self._remember(below, event)
            found.setdefault(key, self.value(self.next_event(), below, depth, plain))
        return found

    def _sequence(self, path: str, depth: int, plain: Callable[[str], Scalar]) -> list[Any]:
        found: list[Any] = []
        while type(event := self.next_event()) is not SequenceEndEvent:
            below = f"{path}.{len(found)}"
            self._remember(below, event)
            found.append(self.value(event, below, depth, plain))
        return found

    def _remember(self, path: str, event: Any) -> None:
        if self.places is not None:
            self.places.setdefault(path, (event.start_mark.line + 1, event.start_mark.column + 1))

    def check_tag(self, event: Any, name: str) -> None:
        """Refuse an anchor, and any tag but the one named (`str`, `map` or `seq`)."""
        if event.anchor is not None:
            self.fail(event, "anchors are not supported; quote a text that starts with &")
        if event.tag is not None and event.tag != _PREFIX + name:
            shown = event.tag.replace(_PREFIX, "!!")
            self.fail(event, f"tag {shown!r} is not supported; leave it out, or quote a text that starts with !")


@contextmanager
def opened(stream: IO[bytes] | bytes | str, name: str, loader: Any = LOADER) -> Iterator[Callable[[], Any]]:
    """Give the function that returns the next event; within, every error of PyYAML becomes a `YamlError`.

    Args:
        stream: a binary stream (UTF-8, or UTF-16 with a byte order mark), or the text itself.
        name: file name for errors.
        loader: a PyYAML loader class.

    Raises:
        YamlError: malformed YAML, or not text at all.
    """
    reader = None
    try:
        reader = loader(stream)
        yield reader.get_event
    except yaml.MarkedYAMLError as error:
        raise _translate(error, name) from None
    except (yaml.reader.ReaderError, UnicodeError) as error:
        raise _not_text(error, stream, name) from None
    except yaml.YAMLError as error:
        raise YamlError(name, 0, 0, str(error)) from None
    finally:
        if reader is not None:
            reader.dispose()


def load(stream: IO[bytes] | bytes | str, name: str, loader: Any = LOADER) -> Document:
    """Read one document.

    Raises:
        YamlError: malformed, more than one document, or something `Builder.value` refuses.
    """
    data = None
    places: dict[str, tuple[int, int]] = {}
    with opened(stream, name, loader) as next_event:
        builder = Builder(name, next_event, places)
        next_event()  # start of the stream
        if type(next_event()) is DocumentStartEvent:
            data = builder.value(next_event())
            expect_end(builder)
    return Document(data, places, builder.repeated)


def expect_end(builder: Builder) -> None:
    """Read the end of the document and of the stream.

    Raises:
        YamlError: another document follows.
    """
    event = builder.next_event()
    if type(event) is DocumentEndEvent:
        event = builder.next_event()
    if type(event) is not StreamEndEvent:
        builder.fail(event, "a second document starts here; keep one document a file")


def _translate(error: yaml.MarkedYAMLError, name: str) -> YamlError:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "malformed YAML"
    if error.problem and error.context:
        problem += f" {error.context}"
        if error.context_mark is not None and mark is not None and error.context_mark.line != mark.line:
            problem += f" (it starts in line {error.context_mark.line + 1})"
    advice = next((advice for part, advice in _ADVICE.items() if part in problem), "check indentation and quotes")
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return YamlError(name, line, column, f"not valid YAML: {problem}; {advice}")


def _not_text(error: Exception, stream: IO[bytes] | bytes | str, name: str) -> YamlError:
    reason = getattr(error, "reason", "undecodable")
    line, column = _locate(stream, getattr(error, "position", None))
    return YamlError(name, line, column, f"not text in UTF-8 or UTF-16 ({reason}); save the file as UTF-8")


def _locate(stream: IO[bytes] | bytes | str, position: object) -> tuple[int, int]:
    """Line and column of a byte offset, which is all the parser gives here; (0, 0) where the stream cannot go back."""
    if not isinstance(position, int) or isinstance(stream, (bytes, str)) or not stream.seekable():
        return 0, 0
    stream.seek(0)
    before, line, column = 0, 1, 1
    while before < position and (data := stream.read(min(_CHUNK, position - before))):
        before += len(data)
        head, end, tail = data.rpartition(b"\n")
        if end:
            line, column = line + head.count(b"\n") + 1, 1
        column += len(tail.translate(None, _CONTINUING))
    return line, column
