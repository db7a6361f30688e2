"""From raw measurements to the table: medians over rounds, and ratios of runs that stood side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEADER = ("", "pages", "pages/s", "min-max", "CPU ms/page", "cores busy")


@dataclass(frozen=True)
class Run:
    """One process from start to end. Seconds are wall-clock; CPU seconds cover its whole process tree."""

    round: int
    name: str
    pages: int
    seconds: float
    cpu_user: float
    cpu_system: float

    @property
    def rate(self) -> float:
        """Pages a second, the start of the interpreter included."""
        return self.pages / self.seconds

    @property
    def cpu(self) -> float:
        """CPU seconds, user and system."""
        return self.cpu_user + self.cpu_system


def table(runs: Sequence[Run], labels: dict[str, str]) -> str:
    """One line a contestant, in the order of `labels`."""
    rows = [HEADER, *(_row(label, [run for run in runs if run.name == name]) for name, label in labels.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join(_aligned(row, widths) for row in rows)


def ratios(runs: Sequence[Run], name: str, peer: str) -> list[float]:
    """How many times the rate of `peer` the contestant `name` reached, round by round.

    Both runs of a pair were neighbours in time, so what slows the machine for a minute slows both and cancels out.
    """
    rates = {(run.round, run.name): run.rate for run in runs}
    rounds = sorted({run.round for run in runs})
    return [rates[number, name] / rates[number, peer] for number in rounds]


def ratio_line(label: str, values: Sequence[float]) -> str:
    """The median of paired ratios in words."""
    return f"this tool / {label}: {median(values):.2f}x ({_span(values, '.2f')}, paired by round)"


def _row(label: str, runs: Sequence[Run]) -> tuple[str, ...]:
    rates = [run.rate for run in runs]
    cpu = median(run.cpu / run.pages for run in runs)
    busy = median(run.cpu / run.seconds for run in runs)
    rate = f"{median(rates):,.0f}"
    return (label, f"{runs[0].pages:,}", rate, _span(rates, ",.0f"), f"{cpu * 1000:.2f}", f"{busy:.2f}")


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join([row[0].ljust(widths[0]), *numbers])


def _span(values: Sequence[float], form: str) -> str:
    return f"{min(values):{form}}-{max(values):{form}}"
