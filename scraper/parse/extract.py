"""A page's bytes in, its finished JSON lines out: what a worker does with one page. Only `MemoryError` is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from scraper import records, storable
from scraper.errors import UsageError
from scraper.parse import engines, fields, parser, problems
from scraper.parse.decode import decode
from scraper.parse.document import Document, NotJson
from scraper.parse.engines import Engine
from scraper.parse.fields import MissingField
from scraper.parse.follow import Rules
from scraper.parse.page import Page
from scraper.parse.problems import Problem
from scraper.records import Link
from scraper.settings import SetSettings

#: Characters of a failure's message: an exception may have the whole page in its text.
LONGEST_MESSAGE: Final = 300

#: Names in a parser's records of which it is told how often they have a value.
MOST_NAMES: Final = 200


class Plan(Struct, frozen=True):
    """What is to be extracted, as it travels to the workers.

    Attributes:
        engine, builder: see ``parse`` in the settings.
        main: what is taken from the pages of the list; but for the links to follow ignored with a parser.
        sets: by name, what is taken from pages that links lead to.
        parser: the user's function, or where it is.
        memory: bytes of address space a worker may take beyond what it starts with.
    """

    engine: str = "turbohtml"
    builder: str = "lxml"
    main: SetSettings = SetSettings()
    sets: dict[str, SetSettings] = {}
    parser: Any = None
    memory: int = 1 << 30


class Verdict(Struct, frozen=True, array_like=True):
    """What became of a page of a batch.

    Attributes:
        index: the page's place in the batch.
        records: number of lines.
        lines: JSON lines.
        error: a failure kind, or None.
        message: one line about it.
        filled: in how many of the records each field has a value, where that was seen.
        links: pages that it leads to; None where no rule looks for any.
    """

    index: int
    records: int = 0
    lines: bytes = b""
    error: str | None = None
    message: str = ""
    filled: dict[str, int] | None = None
    links: list[Link] | None = None


class BadPlan(UsageError):
    """The record description does not compile.

    Attributes:
        problems: all reasons.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


class _Set(NamedTuple):
    """What is taken from some pages, compiled."""

    spec: fields.Spec | None
    rules: Rules | None


class Extractor:
    """A plan, compiled."""

    def __init__(self, plan: Plan) -> None:
        """Compile `plan`.

        Raises:
            BadPlan: selectors that do not compile, all of them.
            ParserError: the parser cannot be imported.
        """
        self._builder = plan.builder
        self._parser = None if plan.parser is None else parser.load(plan.parser)
        follows = bool(plan.main.follow) or any(each.follow for each in plan.sets.values())
        self._engine = engines.load(plan.engine, plan.builder) if self._parser is None or follows else None
        if self._engine is not None:
            found = problems.find_all(plan.main, plan.sets, plan.engine, plan.builder, self._engine)
            if found:
                raise BadPlan(found)
        self._sets = {name: self._compile(each, name, follows=follows) for name, each in plan.sets.items()}
        self._main = self._compile(plan.main, None, follows=follows)
        self._has_names = bool(plan.sets)

    def _compile(self, settings: SetSettings, name: str | None, *, follows: bool) -> _Set:
        if self._engine is None:
            return _Set(None, None)
        has_spec = self._parser is None and settings.gives_records
        return _Set(
            fields.Spec(settings, self._engine) if has_spec else None,
            Rules(settings.follow, name, self._engine) if follows else None,
        )

    def __call__(self, page: records.Page, index: int = 0) -> Verdict:
        """Extract one page's records, or the reason why there are none; and where it leads to.

        Raises:
            MemoryError: the page needs more than the worker may have.
        """
        chosen = self._main if page.type is None else self._sets[page.type]
        document = None if self._engine is None else self._document(page, self._engine)
        links: list[Link] | None = None
        try:
            if chosen.rules is not None and document is not None:
                links = chosen.rules.find(document, page.depth)
            rows, filled = self._extract(chosen.spec, page, document)
        except MemoryError:
            raise
        except MissingField as error:
            return _refused(index, str(error), "missing_field", links, {error.field: 0})
        except (parser.BadRecord, NotJson) as error:
            return _refused(index, str(error), links=links)
        except BaseException as error:  # noqa: BLE001  sys.exit() in a parser is that page's failure as well
            return _refused(index, parser.describe(error), links=links)
        try:
            lines = b"".join([_line(page, row, typed=self._has_names) for row in rows])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a record that cannot be sent back
            return _refused(index, f"the record cannot be written as JSON: {error}", links=links)
        return Verdict(index, len(rows), lines, filled=filled, links=links)

    def _extract(
        self, spec: fields.Spec | None, page: records.Page, document: Document | None
    ) -> tuple[list[dict[str, Any]], dict[str, int] | None]:
        """Records, and in how many of them each field has a value."""
        if self._parser is not None:
            rows = parser.call(self._parser, Page(page, self._builder))
            return rows, _filled(rows)
        if spec is None or document is None:
            return [], None
        rows = spec.extract(document)
        return rows, spec.filled(len(rows))

    def _document(self, page: records.Page, engine: Engine) -> Document:
        content_type = next((value for name, value in page.headers if name.lower() == "content-type"), None)
        return Document(engine, decode(page.body, content_type).text, page.final_url, page.fetched_at)


def _filled(rows: list[dict[str, Any]]) -> dict[str, int]:
    """In how many of a parser's records each of its names has a value."""
    filled: dict[str, int] = {}
    for row in rows:
        for key, value in row.items():
            name = storable.text(key)
            if name in filled or len(filled) < MOST_NAMES:
                filled[name] = filled.get(name, 0) + (not (value is None or value == [] or value == ""))
    return filled


def _refused(
    index: int,
    message: str,
    kind: str = "parse_error",
    links: list[Link] | None = None,
    filled: dict[str, int] | None = None,
) -> Verdict:
    message = storable.text(message[:LONGEST_MESSAGE])
    return Verdict(index, error=kind, message=message, filled=filled, links=links)


def _line(page: records.Page, row: dict[str, Any], *, typed: bool) -> bytes:
    record: dict[str, Any] = {
        "url": page.url,
        "final_url": page.final_url,
        "status": page.status,
        "fetched_at": page.fetched_at,
    }
    if page.input:
        record["input"] = page.input
    if typed:
        record["type"] = page.type
    record.update(row)
    try:
        line = _encode(record)
    except UnicodeEncodeError:
        line = b""
    # What cannot be stored, seen cheaply; text may look the same, and is then looked at for nothing.
    if line.count(b"[") + line.count(b"{") > storable.DEEPEST and storable.is_too_deep(_builtins(record)):
        raise ValueError(f"it nests more than {storable.DEEPEST} levels")
    if not line or b"\\u0000" in line:
        line = _encode(storable.value(_builtins(record)))
    return line + b"\n"


def _builtins(record: dict[str, Any]) -> Any:
    return msgspec.to_builtins(record, str_keys=True, enc_hook=_plain)


def _plain(value: Any) -> Any:
    """What a parser's values are underneath, where they are of classes of their own: BeautifulSoup's strings, say.

    Raises:
        TypeError: they are nothing that JSON can say.
    """
    for kind, underneath in _UNDERNEATH.items():
        if isinstance(value, kind):
            return underneath(value)
    raise TypeError(f"it holds a {type(value).__name__}")


_UNDERNEATH: Final[dict[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    Mapping: dict,
}

_encode = msgspec.json.Encoder(enc_hook=_plain).encode
