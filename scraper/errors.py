"""What can end a run, as opposed to one page (that is a `Failure`, a value).

ScraperError              everything below; the message is one clear line
├── UsageError            bad input: nothing was fetched            exit 2
│   ├── SettingsError     a settings file, flag or keyword
│   ├── SourceError       a URL list that cannot be read
│   ├── ParserError       a --parser that cannot be loaded
│   └── WorkerStartError  a parse worker died before it was ready
└── RunError              the run could not go on (disk full, say)  exit 1
"""

from __future__ import annotations


class ScraperError(Exception):
    """Base of all errors this package raises on purpose.

    Attributes:
        exit_code: the command line's exit status for it.
    """

    exit_code = 1


class UsageError(ScraperError):
    """The input is wrong; nothing was fetched."""

    exit_code = 2


class SettingsError(UsageError):
    """A settings file, flag or keyword is wrong; lists every problem found, one a line."""


class SourceError(UsageError):
    """A URL list is missing, unreadable or malformed."""


class ParserError(UsageError):
    """The user's parser could not be imported; carries the traceback of their own frames."""


class WorkerStartError(UsageError, SystemExit):
    """A parse worker died before it reported ready; it is not started again.

    Also a `SystemExit`, so that a script without the ``if __name__ == "__main__"`` guard, the usual cause, ends with
    status 2 and the advice instead of a traceback through this package.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = self.exit_code


class RunError(ScraperError):
    """The run cannot go on, for a reason outside the pages; what was committed stays."""
