"""Everything in a record description that cannot work, found before anything is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from scraper.parse import article, engines
from scraper.parse.engines import Engine, SelectorError
from scraper.settings import Container, FieldSettings, FollowSettings, SetSettings

#: What the forms that are checked by an engine are called.
_LANGUAGES: Final = {"css": "CSS selector", "table": "CSS selector", "xpath": "XPath expression"}


class Problem(NamedTuple):
    """Something in the settings that cannot work.

    Attributes:
        path: dotted path of the key, as in ``fields.title.css``.
        message: what is wrong.
    """

    path: str
    message: str


class Selector(NamedTuple):
    """One selector of the settings.

    Attributes:
        path: of the key that holds it.
        form: ``css``, ``xpath``, or ``table``, which is CSS too.
        text: the selector.
    """

    path: str
    form: str
    text: str


def find_all(
    main: SetSettings, sets: Mapping[str, SetSettings], engine: str, builder: str, loaded: Engine | None = None
) -> list[Problem]:
    """What is wrong in the main set, and in those that have names.

    Args:
        main, sets: the record descriptions.
        engine, builder: as in ``parse`` in the settings.
        loaded: the engine, if it is at hand.
    """
    loaded = engines.load(engine, builder) if loaded is None else loaded
    found = find(main, engine, builder, loaded)
    for name, each in sets.items():
        found += find(each, engine, builder, loaded, f"sets.{name}.")
    return found


def find(
    settings: SetSettings, engine: str, builder: str, loaded: Engine | None = None, prefix: str = ""
) -> list[Problem]:
    """Every selector of a set that does not compile; and what is not installed. `prefix` stands before the paths."""
    loaded = engines.load(engine, builder) if loaded is None else loaded
    found = []
    for selector in selectors(settings):
        said = _refused(loaded, selector)
        if said is not None:
            path = prefix + selector.path
            what = f"{path.removesuffix(f'.{selector.form}')}: invalid {_LANGUAGES[selector.form]} {selector.text!r}"
            found.append(Problem(path, f"{what}: {said}{_elsewhere(selector, engine, builder)}"))
    if not article.is_installed():
        found += [Problem(prefix + path, article.ADVICE) for path, field in all_fields(settings) if field.article]
    return found


def all_fields(settings: SetSettings) -> Iterator[tuple[str, FieldSettings]]:
    """Each field with its path, inner fields among them."""
    yield from _below("page", settings.page)
    yield from _below("fields", settings.fields or {})


def selectors(settings: SetSettings) -> Iterator[Selector]:
    """Each selector that an engine has to compile."""
    if settings.records is not None:
        yield from _of("records", settings.records)
    for path, field in all_fields(settings):
        if field.each is not None:
            yield from _of(f"{path}.each", field.each)
        yield from _of(path, field)
    for index, rule in enumerate(settings.follow):
        yield from _of(f"follow.{index}", rule)


def _below(path: str, fields: Mapping[str, FieldSettings]) -> Iterator[tuple[str, FieldSettings]]:
    for name, field in fields.items():
        yield f"{path}.{name}", field
        yield from _below(f"{path}.{name}.fields", field.fields or {})


def _of(path: str, holder: Container | FieldSettings | FollowSettings) -> Iterator[Selector]:
    for form in ("css", "xpath", "table"):
        for text in getattr(holder, form, ()):
            yield Selector(f"{path}.{form}", form, text)


def _refused(engine: Engine, selector: Selector) -> str | None:
    check: Callable[[str], None] = engine.check_xpath if selector.form == "xpath" else engine.check
    try:
        check(selector.text)
    except SelectorError as error:
        return str(error)
    return None


def _elsewhere(selector: Selector, engine: str, builder: str) -> str:
    """Advice, where the other engine can do it."""
    other = next(name for name in engines.ENGINES if name != engine)
    if _refused(engines.load(other, builder), selector) is not None:
        return ""
    return f"; the other engine can do this: parse.engine: {other} (--engine {other})"
