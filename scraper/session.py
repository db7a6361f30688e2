"""The directory of a run, taken into use: locked, checked against what is asked for, its state open.

A run may take several sessions: each goes on where the last one ended, however that was.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from scraper import source
from scraper.errors import UsageError
from scraper.records import Stamp, now
from scraper.schedule import Store
from scraper.source import Choice, Lists, Selection
from scraper.watch.summary import Summary, count, from_json, summarise
from scraper.write import rundir, write_failures
from scraper.write.rundir import STATE, SUMMARY


class About(Struct, frozen=True, kw_only=True):
    """What a run is; kept in its state, which only its owner can read.

    Attributes:
        sources: what tells its lists from others.
        fingerprint: of the settings that shape its records.
        settings: path of the settings file, or a mapping as it was given: with references to secrets, not the secrets.
        overrides: flags and keywords, by dotted settings key.
        parser: where to find the parser, with an absolute path; None if there is none, or it was a function.
        started_at: RFC 3339, UTC.
        choice: how its lists are read, and which of their entries are wanted; of the latest session that read them.
    """

    sources: list[str]
    fingerprint: str
    settings: str | dict[str, Any] | None = None
    overrides: dict[str, Any] = {}
    parser: str | None = None
    started_at: str = ""
    choice: Choice = Choice()


_decode_about = msgspec.json.Decoder(About).decode


class Session:
    """A run's directory in use; a context manager.

    Attributes:
        directory: of the run.
        store: the state of its URLs.
        about: what the run is.
        is_new: there was no run before.
    """

    def __init__(self, directory: Path, hold: rundir.Hold, store: Store, about: About, *, is_new: bool) -> None:
        """Use `begin` or `resume`."""
        self._hold = hold
        self.directory = directory
        self.store = store
        self.about = about
        self.is_new = is_new

    @classmethod
    def begin(cls, directory: Path, about: About, *, restart: bool) -> Session:
        """Begin a run, moving a former one aside if `restart`.

        Raises:
            UsageError: the directory is of no use, or another process has it.
            RunError: there is no room.
        """
        with contextlib.ExitStack() as undo:
            hold = undo.enter_context(rundir.prepare(directory, restart=restart))
            store = Store.create(directory / STATE, msgspec.json.encode(about, enc_hook=str))
            undo.pop_all()
        return cls(directory, hold, store, about, is_new=True)

    @classmethod
    def resume(cls, directory: Path) -> Session | None:
        """Take up the run in `directory`; None if there is none.

        Raises:
            UsageError: another process has it, or what is there is damaged.
            RunError: it cannot be written.
        """
        if not rundir.holds_run(directory):
            return None
        with contextlib.ExitStack() as undo:
            hold = undo.enter_context(rundir.Hold(directory))
            path = directory / STATE
            if not path.exists():
                raise UsageError(
                    f"{directory} holds the files of a run without its {STATE}, so nobody knows where it stands; "
                    "-o names another place, --restart moves it aside and begins anew"
                )
            store = undo.enter_context(Store.open(path))
            try:
                about = _decode_about(store.about)
            except msgspec.DecodeError as error:
                raise UsageError(
                    f"{path} is damaged ({error}); --restart moves the run aside and begins anew"
                ) from None
            undo.pop_all()
        return cls(directory, hold, store, about, is_new=False)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the state and give the directory back."""
        self.store.close()
        self._hold.close()

    def check(self, about: About, *, any_list: bool = False) -> None:
        """See that the run is the one that is asked for.

        Args:
            about: the run that is asked for.
            any_list: its URLs may be others.

        Raises:
            UsageError: it is another list's, or its records would not be like those that it has.
        """
        if not any_list and not (about.sources and self.about.sources == about.sources):
            raise UsageError(
                f"{self.directory} holds the run of another list; -o names another place, "
                "--restart moves it aside and begins anew"
            )
        if self.about.fingerprint != about.fingerprint:
            state = "an unfinished run" if self.store.counters.pending else "a run"
            raise UsageError(
                f"{self.directory} holds {state} with other fields, or another parser, engine or builder. Three ways "
                "out: go on with the settings that it was begun with; --restart moves it aside and begins anew; or, "
                "if it keeps an archive, extract again from that, without network, with scraper parse"
            )

    def adopt(self, choice: Choice) -> None:
        """From now on the lists are read in this way, also by a `retry`, which is told nothing of it.

        Raises:
            RunError: it cannot be written.
        """
        if choice != self.about.choice:
            self.about = msgspec.structs.replace(self.about, choice=choice)
            self.store.describe(msgspec.json.encode(self.about, enc_hook=str))

    @property
    def is_in_memory(self) -> bool:
        """Its URLs came from a Python object."""
        return all(not source.can_be_opened(name) and name != "-" for name in self.about.sources)

    def known(self) -> dict[str, Stamp]:
        """Lists that were read to their end, as they were then."""
        return {name: reading.stamp for name, reading in self.store.readings().items()}

    def is_finished(self, lists: Lists | Selection) -> bool:
        """Whether every URL of `lists` has its outcome, as far as that can be told without reading them again."""
        # Not listed: it died while it took the lists over, and its counts are not whole.
        store = self.store
        return store.is_listed and store.counters.pending == 0 and lists.are_unchanged(self.known())

    def finished(self) -> Summary:
        """The summary of the finished run; also puts right what a kill in the last moment left undone.

        Raises:
            RunError: it cannot be written.
        """
        with contextlib.suppress(OSError, msgspec.DecodeError):
            summary = from_json((self.directory / SUMMARY).read_bytes())
            # It is written last, after failures.jsonl. One that counts otherwise is that of an earlier end: the run was
            # extended or retried since, and the power failed before the new one was on the disk.
            if summary.complete and summary.urls == count(self.store.counters):
                return summary
        write_failures(self.directory, self.store.failures(), sync=True)
        summary = summarise(
            self.store.counters,
            busy={},
            complete=True,
            output=str(self.directory),
            sources=self.about.sources,
            fingerprint=self.about.fingerprint,
            started_at=self.about.started_at,
            finished_at=now(),
        )
        rundir.write_summary(self.directory, summary.to_json())
        return summary
