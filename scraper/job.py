"""A job: what was asked for, checked, and ready to run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from scraper import settings as settings_module
from scraper import source
from scraper.errors import SettingsError
from scraper.parse import problems
from scraper.parse.extract import BadPlan, Plan
from scraper.pipeline import Pipeline
from scraper.records import Stamp, now
from scraper.schedule import Store
from scraper.session import About
from scraper.settings import SECRET, Settings
from scraper.source import PLAIN, Choice, Lists, Selection

#: Where runs land that are not told otherwise.
OUTPUT: Final = Path("output")


class Job(NamedTuple):
    """Lists, settings and plan, checked as far as that is possible without reading the lists.

    Attributes:
        lists: where the URLs come from.
        name: of the run, when nobody names a directory.
        settings: complete settings.
        plan: what the parse workers are to do.
        about: what a run of this job remembers of it.
    """

    lists: Lists | Selection
    name: str
    settings: Settings
    plan: Plan
    about: About

    @classmethod
    def prepare(
        cls,
        sources: Any,
        settings: Any,
        overrides: Mapping[str, Any],
        choice: Choice = PLAIN,
    ) -> Job:
        """Check everything that can be checked now.

        Raises:
            UsageError: what is wrong.
        """
        arguments = _as_arguments(sources)
        choice.check()
        if arguments is None:
            return cls.of(source.iter_targets(sources, choice), _name_of(sources), settings, overrides, choice)
        lists = source.open_sources(arguments, choice)
        return cls.of(lists, source.default_name(arguments), settings, overrides, choice)

    @classmethod
    def of(
        cls,
        lists: Lists | Selection,
        name: str,
        settings: Any,
        overrides: Mapping[str, Any],
        choice: Choice = PLAIN,
    ) -> Job:
        """As `prepare`, for lists that are known."""
        overrides = dict(overrides)
        function = overrides.pop("parse.parser") if callable(overrides.get("parse.parser")) else None
        checked = settings_module.load(settings, overrides, _selectors)
        described = (checked.fields is not None, checked.records is not None, checked.page, checked.sets)
        if function is not None and any(described):
            raise SettingsError("a parser and fields exclude each other: leave one of them out")
        plan = Plan(
            engine=checked.parse.engine,
            builder=checked.parse.builder,
            main=checked.main,
            sets=checked.sets,
            parser=function or _absolute(checked.parse.parser),
            memory=checked.parse.memory,
        )
        about = About(
            sources=lists.identity,
            fingerprint=settings_module.fingerprint(checked, function),
            settings=_as_given(settings),
            overrides=overrides,
            parser=plan.parser if isinstance(plan.parser, str) else None,
            choice=choice,
            started_at=now(),
        )
        return cls(lists, name, checked, plan, about)

    def directory(self, output: str | os.PathLike[str] | None) -> Path:
        """Where the run goes: `output`, or ``output/`` and its name."""
        return OUTPUT / self.name if output is None else Path(output)

    @contextlib.contextmanager
    def started(
        self,
        open_store: Callable[[], Store] | None = None,
        known: Mapping[str, Stamp] | None = None,
        *,
        listed: bool = False,
    ) -> Iterator[Pipeline]:
        """The stages, started; ended and joined on leaving.

        Args:
            open_store: called when all is checked: gives the state of the run, by default one that is kept nowhere.
            known: lists that it has already.
            listed: it has all of them, and none needs to be looked at.

        Raises:
            UsageError: the list, the fields or the parser are of no use; nothing was fetched.
        """
        lists = None if listed else self.lists
        with contextlib.ExitStack() as last, Pipeline(self.settings, self.plan, lists) as pipeline:
            try:
                pipeline.start(open_store or (lambda: last.enter_context(Store.temporary())), known)
            except BadPlan as error:
                raise located(error, self.settings) from None
            yield pipeline


def _selectors(settings: Settings) -> list[problems.Problem]:
    """What the parse workers would find wrong once they start, which they do not where something else is wrong."""
    return problems.find_all(settings.main, settings.sets, settings.parse.engine, settings.parse.builder)


def located(error: BadPlan, settings: Settings) -> SettingsError:
    """Selectors that do not compile, each with the place in the settings where it was written."""
    return SettingsError("\n".join(f"{settings.where(path)}: {message}" for path, message in error.problems))


class Arguments(tuple[str, ...]):
    """List files and literal URLs, as the command line has them."""

    __slots__ = ()


def _as_arguments(sources: Any) -> Arguments | None:
    """Sources that are, or stand for, command-line arguments; None for an iterable of URLs.

    A single text or path is a list file or a URL; several are list files if they are there, else URLs.
    """
    if isinstance(sources, Arguments):
        return sources
    if isinstance(sources, (str, os.PathLike)):
        return Arguments([os.fspath(sources)])
    if isinstance(sources, (list, tuple)) and sources and all(map(_is_list_file, sources)):
        return Arguments(map(os.fspath, sources))
    return None


def _is_list_file(source: Any) -> bool:
    if isinstance(source, os.PathLike):
        return True
    return isinstance(source, str) and "://" not in source and Path(source).is_file()


def _name_of(urls: Any) -> str:
    """The first URL's host, where it can be known without consuming anything."""
    first = urls[0] if isinstance(urls, (list, tuple)) and urls else None
    return source.default_name([first]) if isinstance(first, str) and "://" in first else "run"


def _absolute(parser: str | None) -> str | None:
    """With the file's path made absolute: workers may have another working directory."""
    place, colon, name = (parser or "").rpartition(":")
    return f"{Path(place).resolve()}{colon}{name}" if place.endswith(".py") else parser


def _as_given(settings: Any) -> str | dict[str, Any] | None:
    """Settings as a later session can read them again: with references to secrets, not the secrets themselves."""
    if isinstance(settings, Settings):
        raw: dict[str, Any] = msgspec.to_builtins(settings)
        del raw["places"]
        for section in (raw["fetch"], *raw["hosts"].values()):
            for name in SECRET & set(section):
                del section[name]
        return raw
    if isinstance(settings, (str, os.PathLike)):
        return str(Path(settings).resolve())
    return None if settings is None else dict(settings)
