"""``python -m scraper``, and the `scraper` command.

Imports next to nothing: multiprocessing runs a program's main module anew in every parse worker.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    from scraper.cli import main as command_line

    sys.exit(command_line())


if __name__ == "__main__":
    main()
