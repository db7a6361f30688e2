"""A page's bytes in, its finished JSON lines out: what a worker does with one page. Only `MemoryError` is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from scraper import records, storable
from scraper.errors import UsageError
from scraper.parse import engines, fields, parser, problems
from scraper.parse.decode import decode
from scraper.parse.document import NotJson
from scraper.parse.fields import MissingField
from scraper.parse.page import Page
from scraper.parse.problems import Problem
from scraper.settings import SetSettings

#: Characters of a failure's message: an exception may have the whole page in its text.
LONGEST_MESSAGE: Final = 300


class Plan(Struct, frozen=True):
    """What is to be extracted, as it travels to the workers.

    Attributes:
        engine, builder: see ``parse`` in the settings.
        main: the record description; ignored with a parser.
        parser: the user's function, or where it is.
        memory: bytes of address space a worker may take beyond what it starts with.
    """

    engine: str = "turbohtml"
    builder: str = "lxml"
    main: SetSettings = SetSettings()
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
    """

    index: int
    records: int = 0
    lines: bytes = b""
    error: str | None = None
    message: str = ""


class BadPlan(UsageError):
    """The record description does not compile.

    Attributes:
        problems: all reasons.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


class Extractor:
    """A plan, compiled."""

    def __init__(self, plan: Plan) -> None:
        """Compile `plan`.

        Raises:
            BadPlan: selectors that do not compile, all of them.
            ParserError: the parser cannot be imported.
        """
        self._builder = plan.builder
        self._extract: Callable[[records.Page], list[dict[str, Any]]]
        if plan.parser is not None:
            self._parser = parser.load(plan.parser)
            self._extract = self._by_parser
        else:
            engine = engines.load(plan.engine, plan.builder)
            found = problems.find(plan.main, plan.engine, plan.builder, engine)
            if found:
                raise BadPlan(found)
            self._spec = fields.Spec(plan.main, engine)
            self._extract = self._by_fields

    def __call__(self, page: records.Page, index: int = 0) -> Verdict:
        """Extract one page's records, or the reason why there are none.

        Raises:
            MemoryError: the page needs more than the worker may have.
        """
        try:
            rows = self._extract(page)
        except MemoryError:
            raise
        except MissingField as error:
            return _refused(index, str(error), "missing_field")
        except (parser.BadRecord, NotJson) as error:
            return _refused(index, str(error))
        except BaseException as error:  # noqa: BLE001  sys.exit() in a parser is that page's failure as well
            return _refused(index, parser.describe(error))
        try:
            lines = b"".join([_line(page, row) for row in rows])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a record that cannot be sent back
            return _refused(index, f"the record cannot be written as JSON: {error}")
        return Verdict(index, len(rows), lines)

    def _by_fields(self, page: records.Page) -> list[dict[str, Any]]:
        content_type = next((value for name, value in page.headers if name.lower() == "content-type"), None)
        return self._spec.extract(decode(page.body, content_type).text, page.final_url, page.fetched_at)

    def _by_parser(self, page: records.Page) -> list[dict[str, Any]]:
        return parser.call(self._parser, Page(page, self._builder))


def _refused(index: int, message: str, kind: str = "parse_error") -> Verdict:
    return Verdict(index, error=kind, message=storable.text(message[:LONGEST_MESSAGE]))


def _line(page: records.Page, row: dict[str, Any]) -> bytes:
    record: dict[str, Any] = {
        "url": page.url,
        "final_url": page.final_url,
        "status": page.status,
        "fetched_at": page.fetched_at,
    }
    if page.input:
        record["input"] = page.input
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
