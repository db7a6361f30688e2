"""How a host's pace follows its answers."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.records import Failure, Hop, Page, Target
from scraper.schedule.pace import DOWN_AFTER, DOWN_TRIALS, FLOOR, PATIENCE, RECOVERY, Answer, Pace

LONGEST: Final = 60.0
GOOD: Final = Answer(0.1)
REFUSED: Final = Answer(0.1, refused=True)
SLOW: Final = Answer(9.0)
UNREACHED: Final = Answer(0.0, unreached=True)


class Talk:
    """Answers, one after the other, each when the host may be asked again."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.now = 0.0

    def hear(self, answer: Answer, times: int = 1) -> list[float]:
        """Seconds of the pauses that follow."""
        pauses = []
        for _ in range(times):
            until = self.pace.note(answer, LONGEST, self.now)
            pauses.append(max(until - self.now, 0.0))
            self.now = max(self.now, until)
        return pauses

    def delay(self, base: float = 1.0) -> float:
        return self.pace.delay(base, LONGEST)


def test_refusals() -> None:
    """Growing pauses, and a delay that doubles from the second in a row on; good answers take that back."""
    talk = Talk()
    talk.hear(GOOD, 5)
    assert talk.delay() == 1.0
    assert talk.hear(REFUSED, 9) == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert talk.delay() == LONGEST
    assert talk.hear(GOOD, RECOVERY) == [0.0] * RECOVERY
    assert talk.delay() == LONGEST, "256 times as much, halved"
    talk.hear(GOOD, RECOVERY * 7)
    assert talk.delay() == 1.0
    talk.hear(GOOD, RECOVERY * 7)
    assert talk.delay() == 1.0, "never less than that"
    assert talk.hear(REFUSED) == [0.5]


def test_refusals_of_requests_that_were_under_way_count_once() -> None:
    """They were asked before anybody knew."""
    pace = Pace()
    assert pace.note(REFUSED, LONGEST, 10.0) == 10.5
    for _ in range(20):
        assert pace.note(REFUSED, LONGEST, 10.1) == 10.5
    assert pace.delay(1.0, LONGEST) == 1.0


def test_retry_after() -> None:
    """What the server asks for is kept to, be it shorter or longer than one's own pause."""
    pace = Pace()
    assert pace.note(Answer(0.1, refused=True, pause=30.0), LONGEST, 0.0) == 30.0
    assert pace.note(Answer(0.1, refused=True, pause=40.0), LONGEST, 1.0) == 41.0
    assert pace.note(Answer(0.1, pause=7.0), LONGEST, 50.0) == 57.0


def test_slowness() -> None:
    """Only by comparison with what is usual for the host, and several times in a row."""
    talk = Talk()
    talk.hear(Answer(8.0), 10)
    talk.hear(SLOW, 10)
    assert talk.delay() == 1.0, "it always was like that"
    talk = Talk()
    talk.hear(GOOD, 10)
    for _ in range(5):
        talk.hear(SLOW, PATIENCE - 1)
        talk.hear(GOOD)
    assert talk.delay() == 1.0
    talk.hear(SLOW, PATIENCE)
    assert talk.delay() == 2.0
    talk.hear(Answer(30.0, late=True), PATIENCE)
    assert talk.delay() == 4.0
    talk.hear(GOOD, 2 * RECOVERY)
    assert talk.delay() == 1.0


def test_a_host_without_a_delay_gets_one() -> None:
    """Else there would be nothing to double."""
    talk = Talk()
    talk.hear(REFUSED, 2)
    assert talk.delay(0.0) == 2 * FLOOR
    assert talk.delay(100.0) == 100.0, "more than the limit, by the user's own wish"


def test_down_and_lost() -> None:
    """Several failures to connect in a row, then trials after growing pauses, then no more."""
    talk = Talk()
    assert talk.hear(UNREACHED, DOWN_AFTER - 1) == [0.0] * (DOWN_AFTER - 1)
    assert not talk.pace.is_down
    assert talk.hear(UNREACHED, DOWN_TRIALS) == [1, 2, 4, 8]
    assert talk.pace.is_down
    assert not talk.pace.is_lost
    assert talk.hear(UNREACHED) == [0.0]
    assert talk.pace.is_lost


def test_whatever_answers_is_not_down() -> None:
    """A refusal is an answer, too."""
    for answer in (GOOD, REFUSED, Answer(30.0, late=True)):
        talk = Talk()
        talk.hear(UNREACHED, DOWN_AFTER + DOWN_TRIALS - 1)
        talk.hear(answer)
        assert not talk.pace.is_down
        talk.hear(UNREACHED, DOWN_AFTER - 1)
        assert not talk.pace.is_down


def test_failures_of_requests_that_were_under_way_count_once() -> None:
    """Several threads may find out at the same time."""
    pace = Pace()
    for _ in range(DOWN_AFTER):
        until = pace.note(UNREACHED, LONGEST, 5.0)
    for _ in range(20):
        assert pace.note(UNREACHED, LONGEST, 5.5) == until == 6.0
    assert not pace.is_lost


@given(
    st.lists(st.sampled_from([GOOD, REFUSED, SLOW, UNREACHED, Answer(1.0, refused=True, pause=5.0)]), max_size=200),
    st.floats(0, 100),
)
def test_limits_hold(answers: list[Answer], base: float) -> None:
    """Whatever comes: never quicker than the user allows, nor slower than both limits."""
    talk = Talk()
    for answer in answers:
        talk.hear(answer)
        assert base <= talk.delay(base) <= max(base, LONGEST)


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        ("http_error", 429, Answer(2.0, refused=True, pause=3.0)),
        ("http_error", 503, Answer(2.0, refused=True, pause=3.0)),
        ("http_error", 500, Answer(2.0, pause=3.0)),
        ("http_error", 404, Answer(2.0, pause=3.0)),
        ("timeout", None, Answer(2.0, pause=3.0, late=True)),
    ],
)
def test_what_is_learned_from_a_failure(error: str, status: int | None, expected: Answer) -> None:
    """Which answers ask for fewer requests, and which never came."""
    assert Answer.of(Failure("u", error, "", status, pause=3.0), 2.0) == expected


def test_what_is_learned_from_other_results() -> None:
    """How long it took."""
    assert Answer.of(Page("u", "u", 200, "", [], b""), 2.0) == Answer(2.0)
    assert Answer.of(Hop(Target("u", "u", "h")), 2.0) == Answer(2.0)
    assert Answer.of(Failure("u", "connect_error", "", unreached=True), 2.0) == Answer(2.0, unreached=True)
