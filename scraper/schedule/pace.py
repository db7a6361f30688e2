"""How fast a host may be asked, by how it answers: it is given time when it asks for it, grows slow, or is gone.

Pure: takes `now` (any monotonic time in seconds), touches no clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from scraper.records import Failure, Hop, Page

#: Statuses that ask for fewer requests (RFC 6585 §4, RFC 9110 §15.6.4).
REFUSALS: Final = frozenset({429, 503})

#: Seconds for which a host is left alone that refuses without saying for how long; doubles with each refusal in a row.
FIRST_PAUSE: Final = 0.5

#: An answer is slow when it takes longer than this many seconds, and this many times longer than is usual for the host.
SLOW: Final = 2.0
SLOW_TIMES: Final = 4.0

#: Share of an answer's time in what is usual from then on: little of a slow one's, or slowness would soon be usual.
LESSON: Final = 0.1
LESSON_SLOW: Final = 0.02

#: Slow answers in a row that double the delay, and good ones in a row that halve it again.
PATIENCE: Final = 3
RECOVERY: Final = 3

#: Seconds to which the delay of a host that has none is raised first.
FLOOR: Final = 0.1

#: Beyond this many times the delay is not raised, so that the way back is not too long.
LARGEST: Final = 512.0

#: Failures to connect, in a row, after which a host is down: it is asked for one URL at a time, after pauses that begin
#: with this many seconds and double, and is given up when so many of them have not helped.
DOWN_AFTER: Final = 3
DOWN_PAUSE: Final = 1.0
DOWN_TRIALS: Final = 4

_NEVER: Final = float("-inf")


class Answer(NamedTuple):
    """What is to be learned from how a host answered.

    Attributes:
        seconds: it took.
        refused: it asks for fewer requests.
        pause: seconds for which it asks to be left alone.
        unreached: there was no connection.
        late: nothing came in time.
    """

    seconds: float
    refused: bool = False
    pause: float = 0.0
    unreached: bool = False
    late: bool = False

    @classmethod
    def of(cls, result: Page | Hop | Failure, seconds: float) -> Answer:
        """What came of a request, and the seconds that it took."""
        if not isinstance(result, Failure):
            return cls(seconds)
        late = result.error == "timeout"
        return cls(seconds, result.status in REFUSALS, result.pause, result.unreached, late)


class Pace:
    """One host's pace.

    Attributes:
        usual: seconds that an answer usually takes; 0 before the first.
    """

    __slots__ = ("_calm", "_factor", "_good", "_refused", "_slow", "_trials", "_unreached", "usual")

    def __init__(self) -> None:
        self.usual = 0.0
        self._factor = 1.0
        self._good = self._slow = self._refused = 0
        self._unreached = self._trials = 0
        self._calm = _NEVER  # until when it was told to be left alone

    def delay(self, base: float, longest: float) -> float:
        """Seconds between the starts of two requests.

        Args:
            base: where all is well.
            longest: more than this is not added.
        """
        if self._factor == 1.0:
            return base
        return max(base, min(max(base, FLOOR) * self._factor, longest))

    @property
    def is_down(self) -> bool:
        """It could not be reached several times in a row."""
        return self._unreached >= DOWN_AFTER

    @property
    def is_lost(self) -> bool:
        """It is down, and waiting has not helped."""
        return self._trials > DOWN_TRIALS

    def note(self, answer: Answer, longest: float, now: float) -> float:
        """Learn from an answer.

        Args:
            answer: what came.
            longest: seconds of the longest pause that it takes upon itself.
            now: the moment.

        Returns:
            Until when the host is to be left alone.
        """
        if answer.unreached:
            return self._note_unreached(longest, now)
        self._unreached = self._trials = 0
        if answer.refused:
            return self._note_refusal(answer, longest, now)
        self._refused = 0
        slow = answer.late or bool(self.usual and answer.seconds > max(SLOW, SLOW_TIMES * self.usual))
        if slow:
            self._good = 0
            self._slow += 1
            if self._slow >= PATIENCE:
                self._slow = 0
                self._factor = min(self._factor * 2, LARGEST)
        else:
            self._slow = 0
            self._good += 1
            if self._good >= RECOVERY and self._factor > 1:
                self._good = 0
                self._factor /= 2
        if not answer.late:
            self.usual += (answer.seconds - self.usual) * (1.0 if not self.usual else LESSON_SLOW if slow else LESSON)
        return now + answer.pause if answer.pause else _NEVER

    def _note_unreached(self, longest: float, now: float) -> float:
        self._unreached += 1
        if not self.is_down or now < self._calm:  # the latter: it was under way when the pause began
            return self._calm
        self._trials += 1
        if self.is_lost:
            return _NEVER
        self._calm = now + min(DOWN_PAUSE * 2 ** (self._trials - 1), longest)
        return self._calm

    def _note_refusal(self, answer: Answer, longest: float, now: float) -> float:
        self._good = 0
        if now >= self._calm:  # else it belongs to the refusals that the pause was for
            self._refused += 1
            if self._refused > 1:
                self._factor = min(self._factor * 2, LARGEST)
            self._calm = now + min(FIRST_PAUSE * 2 ** min(self._refused - 1, 30), longest)
        self._calm = max(self._calm, now + answer.pause)
        return self._calm
