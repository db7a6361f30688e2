"""Whose turn it is, on a clock that the tests turn."""

from __future__ import annotations

import tracemalloc
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.records import Outcome, Target
from scraper.schedule.exchange import Draw
from scraper.schedule.host import Rules
from scraper.schedule.pace import Answer
from scraper.schedule.politeness import Politeness
from scraper.schedule.turns import OVERDUE


def target(host: str, number: int = 0) -> Target:
    url = f"https://{host}/{number}"
    return Target(url, url, host)


def polite(per_host: int = 1, delay: float = 0.0, **options: Any) -> Politeness:
    """The same limits for every host."""
    return Politeness(lambda host: Rules(per_host, delay), **options)


def enter(politeness: Politeness, one: Target, now: float = 0.0) -> None:
    """A target that no state has."""
    politeness.receive(one)
    politeness.add(one, now)


class State:
    """What the state holds: so many URLs of each host, by its number, and how far they were drawn."""

    def __init__(self, politeness: Politeness) -> None:
        self._politeness = politeness
        self._listed: Counter[int] = Counter()
        self._drawn: Counter[int] = Counter()

    def expect(self, number: int, more: int, now: float = 0.0) -> None:
        self._listed[number] += more
        self._politeness.expect(number, more, now)

    def draw(self, now: float = 0.0, unasked: int = 0) -> list[tuple[int, int]]:
        """Fill one want, of which the first `unasked` URLs end by themselves; which hosts were drawn, and how much."""
        wants, most = self._politeness.wanted()
        drawn = []
        for want in wants:
            first = self._drawn[want.host]
            assert want.after == first
            last = min(first + most, self._listed[want.host])
            host = f"h{want.host}"
            targets = [target(host, number) for number in range(first, last)]
            ended = [Outcome(one.url) for one in targets[:unasked]]
            self._politeness.filled(Draw(want.host, host, targets[unasked:], ended, last, last - first < most))
            if ended:
                self._politeness.drop(host, len(ended), now)
            for one in targets[unasked:]:
                self._politeness.add(one, now)
            self._drawn[want.host] = last
            drawn.append((want.host, last - first))
        return drawn


def test_one_at_a_time() -> None:
    """The next target of a host waits until the one before is done."""
    first, second = target("a", 1), target("a", 2)
    politeness = polite(1)
    enter(politeness, first, 0)
    enter(politeness, second, 0)
    assert politeness.next(0) is first
    assert politeness.next(100) is None
    politeness.done(first, 100)
    assert politeness.next(100) is second


def test_delay_counts_from_start_to_start() -> None:
    """However long a request takes, the next may start when the delay since its start has passed."""
    politeness = polite(2, 10)
    for number in range(3):
        enter(politeness, target("a", number), 0)
    first = politeness.next(0)
    assert first is not None
    assert politeness.next(9.9) is None
    assert politeness.next_change() == float("inf"), "it is not on its way yet"
    politeness.sent(first, 1)
    assert politeness.next_change() == 11
    assert politeness.next(10.9) is None
    second = politeness.next(11)
    assert second is not None
    politeness.sent(second, 11)
    assert politeness.next(25) is None, "both slots are taken"
    politeness.done(first, 25)
    assert politeness.is_ready(25)
    assert politeness.next(25) is not None


def test_a_redirect_within_the_host_is_a_request_too() -> None:
    """The delay counts from the last one on; what was handed out meanwhile goes all the same."""
    politeness = polite(3, 10)
    for number in range(3):
        enter(politeness, target("a", number), 0)
    first = politeness.next(0)
    assert first is not None
    politeness.sent(first, 0)
    politeness.sent(first, 4)
    assert politeness.next_change() == 14
    second = politeness.next(14)
    assert second is not None
    politeness.sent(first, 15)
    assert politeness.next_change() == float("inf")
    politeness.sent(second, 16)
    assert politeness.next_change() == 26


def test_what_never_got_on_its_way_holds_up_nobody() -> None:
    """A connection that could not be made: the next may try when the delay since the hand-out has passed."""
    politeness = polite(1, 10)
    for number in range(2):
        enter(politeness, target("a", number), 0)
    first = politeness.next(0)
    assert first is not None
    politeness.done(first, 5)
    assert politeness.next_change() == 10
    assert politeness.next(10) is not None


def test_hosts_do_not_wait_for_each_other() -> None:
    """Equal hosts take turns, in the order in which they came."""
    politeness = polite(5)
    for number in range(3):
        for host in "abc":
            enter(politeness, target(host, number), 0)
    hosts = [given_out.host for _ in range(9) if (given_out := politeness.next(0)) is not None]
    assert hosts == [*"abcabcabc"]


def test_the_largest_host_goes_first() -> None:
    """By the seconds that its remaining URLs take: their number, in memory or not, times its delay."""
    delays = {"h1": 1.0, "h2": 1.0, "h3": 3.0}
    politeness = Politeness(lambda host: Rules(1, delays.get(host, 1.0)))
    politeness.weigh(3, "h3")
    state = State(politeness)
    for number, more in ((1, 10), (2, 50), (3, 30)):
        state.expect(number, more)
    while politeness.is_wanting(idle=False, now=0):
        state.draw()
    assert [one.host for _ in range(3) if (one := politeness.next(0))] == ["h3", "h2", "h1"]


def test_a_host_that_has_waited_long_goes_before_the_largest() -> None:
    """Though never twice in a row, so that the largest keeps its pace."""
    politeness = polite(1, 0.0)
    for number in range(100):
        enter(politeness, target("large", number), 0)
    for host in ("a", "b"):
        enter(politeness, target(host), 0)
    large = politeness.next(0)
    assert large is not None
    politeness.observe(large, Answer(5.0), 0)  # from now on its pages have a length: 5 s each
    politeness.done(large, 0)
    order = []
    for now in (OVERDUE - 1, OVERDUE, OVERDUE, OVERDUE, OVERDUE):
        one = politeness.next(now)
        assert one is not None
        order.append(one.host)
        politeness.done(one, now)
    assert order == ["large", "a", "large", "b", "large"]


def test_a_host_keeps_its_order() -> None:
    """First come, first served, within a host."""
    politeness = polite(100)
    targets = [target("a", number) for number in range(20)]
    for one in targets:
        enter(politeness, one, 0)
    assert [politeness.next(0) for _ in targets] == targets


def test_rules_are_asked_by_host() -> None:
    """Each host has its own limits."""
    politeness = Politeness(lambda host: {"slow": Rules(1, 5), "fast": Rules(3, 0)}.get(host, Rules(1, 1)))
    for number in range(3):
        enter(politeness, target("slow", number), 0)
        enter(politeness, target("fast", number), 0)
    given_out = Counter(one.host for _ in range(6) if (one := politeness.next(0)) is not None)
    assert given_out == {"slow": 1, "fast": 3}


def test_retries_come_at_their_time() -> None:
    """Not before they are due, and then before what is new; their host's limits hold for them too."""
    politeness = polite(1)
    again, new = target("a", 1), target("a", 2)
    politeness.add_later(again, 7)
    assert politeness.waiting == 1
    assert politeness.next(6.9) is None
    assert politeness.next_change() == 7
    enter(politeness, new, 6.9)
    enter(politeness, target("a", 3), 6.9)
    assert politeness.next(6.9) is new
    assert politeness.next(8) is None
    politeness.done(new, 9)
    assert politeness.next(9) is again


def test_nothing_to_wait_for() -> None:
    """Infinity: only `add` or `done` can help."""
    politeness = polite(1)
    assert politeness.next_change() == float("inf")
    enter(politeness, target("a"), 0)
    politeness.next(0)
    enter(politeness, target("a"), 0)
    assert politeness.next_change() == float("inf")
    assert not politeness.is_ready(1000)


@pytest.mark.parametrize("delay", [0, 5])
def test_idle_hosts_are_forgotten(delay: float) -> None:
    """Nothing is kept of a host that has nothing to do, once its delay is over; until then the delay is remembered."""
    politeness = polite(2, delay)
    for number in range(1000):
        enter(politeness, target(f"host-{number}"), 0)
    given_out = [one for _ in range(1000) if (one := politeness.next(0)) is not None]
    assert politeness.busy_hosts == len(given_out) == 1000
    for one in given_out:
        politeness.done(one, 1)
    enter(politeness, given_out[0], 1)
    assert politeness.is_ready(1) == (delay == 0)
    again = politeness.next(delay)
    assert again is given_out[0]
    politeness.done(again, delay)
    assert politeness.next(3 * delay) is None
    assert politeness.busy_hosts == 0
    assert politeness.next_change() == float("inf")


def test_what_is_in_memory_is_bounded() -> None:
    """Few targets of each host, and no more hosts than there is room for, unless there is nothing else to ask."""
    politeness = polite(1, 0.2, window=100)
    state = State(politeness)
    for number in range(1, 1001):
        state.expect(number, 50)
    assert politeness.waiting == 50_000
    while politeness.is_wanting(idle=False, now=0):
        state.draw()
    assert politeness.targets <= 2 * 100
    begun = politeness.busy_hosts
    taken = 0
    while politeness.next(0) is not None:
        taken += 1
    assert taken == begun
    assert politeness.is_wanting(idle=True, now=0), (
        "somebody has nothing to do, and most hosts wait for their first turn"
    )
    state.draw()
    assert politeness.next(0) is not None


def test_new_hosts_of_the_reserve_come_by_their_size() -> None:
    """The largest first; of equals, in the order of the list."""
    politeness = polite(1, 3.0, window=4)
    state = State(politeness)
    for number, more in ((1, 1), (2, 7), (3, 1), (4, 9)):
        state.expect(number, more)
    state.expect(3, 7)
    began = []
    while politeness.is_wanting(idle=True, now=0):
        began += [host for host, _ in state.draw()]
        politeness.next(0)
    assert [*dict.fromkeys(began)] == [4, 3, 2, 1]


def test_a_host_is_drawn_on_before_it_is_out_of_targets() -> None:
    """With a margin: whoever draws needs some time."""
    politeness = polite(1000, 0.0, window=100)
    state = State(politeness)
    state.expect(1, 200)
    seen = 0
    while politeness.waiting:
        if politeness.is_wanting(idle=False, now=0):
            before = politeness.targets
            assert before > 0 or seen == 0, "it had to wait"
            state.draw()
        assert politeness.next(0) is not None
        seen += 1
    assert seen == 200
    assert not politeness.is_wanting(idle=True, now=0)


def test_a_host_that_comes_again_goes_on_behind_what_was_drawn() -> None:
    """However often it is forgotten between: what was drawn is not drawn twice, though it may not have ended yet."""
    politeness = polite(1, 0.0)
    state = State(politeness)
    for more in (1, 2, 3):
        state.expect(1, more)
        state.draw()  # it looks where it begins
        for _ in range(more):
            one = politeness.next(0)
            assert one is not None
            politeness.done(one, 0)
        assert politeness.busy_hosts == 0


def test_urls_that_end_unasked_make_room_for_more() -> None:
    """Of a host of which nothing may be asked for, all are drawn soon, in ever larger draws."""
    politeness = polite(1, 0.2)
    state = State(politeness)
    state.expect(1, 20_000)
    draws = 0
    while politeness.waiting:
        assert politeness.is_wanting(idle=True, now=0)
        state.draw(unasked=100_000)
        draws += 1
    assert draws < 20
    assert politeness.busy_hosts == 0


def test_a_redirect_target_that_the_list_has_too() -> None:
    """Known by name first and by number later: one host, with one turn."""
    politeness = polite(1, 0.0)
    state = State(politeness)
    enter(politeness, target("h1", 99))
    state.expect(1, 1)
    assert state.draw() == [(1, 1)]
    assert politeness.busy_hosts == 1
    first = politeness.next(0)
    assert first is not None
    assert politeness.next(0) is None
    politeness.done(first, 0)
    assert politeness.next(0) is not None


def test_the_state_must_have_what_was_expected() -> None:
    """Else nobody would ever know why the run does not end."""
    politeness = polite(1)
    politeness.expect(1, 2, 0)
    (want,), most = politeness.wanted()
    with pytest.raises(AssertionError, match="1 URLs of 'h1', not 2"):
        politeness.filled(Draw(want.host, "h1", [target("h1")], [], 1, most > 1))


def test_pages_may_be_drawn_before_they_are_expected() -> None:
    """They are in the state by then, and whoever put them there has yet to say so."""
    politeness = polite(5)
    politeness.expect(1, 1, 0)
    politeness.wanted()
    politeness.filled(Draw(1, "h1", [target("h1", 1), target("h1", 2)], [], 2, is_all=True))
    for number in (1, 2):
        politeness.add(target("h1", number), 0)
    politeness.expect(1, 1, 0)
    assert politeness.waiting == 2
    assert not politeness.is_wanting(idle=True, now=0)
    for _ in range(2):
        one = politeness.next(0)
        assert one is not None
        politeness.done(one, 0)
    assert politeness.waiting == politeness.busy_hosts == 0


def test_a_pause_holds_back_the_host_alone() -> None:
    """For as long as its server asks; what is in flight goes on."""
    politeness = polite(2)
    for number in range(3):
        enter(politeness, target("a", number))
        enter(politeness, target("b", number))
    first, other = politeness.next(0), politeness.next(0)
    assert first is not None
    assert other is not None
    politeness.observe(first, Answer(0.1, refused=True, pause=30.0), 1)
    politeness.done(first, 1)
    assert politeness.next(1) == target("b", 1)
    assert politeness.next(1) is None
    politeness.done(other, 2)
    assert politeness.next(2) == target("b", 2)
    assert politeness.next_change() == 31
    assert politeness.next(30.9) is None
    assert politeness.next(31) == target("a", 1)


def test_a_lost_host_gives_back_its_targets() -> None:
    """Those that wait and those that were to be asked again; what the state still has of it is drawn soon."""
    politeness = polite(1, 0.0)
    state = State(politeness)
    state.expect(1, 10_000)
    state.draw()
    now, lost = 0.0, None
    asked = []
    while lost is None:
        one = politeness.next(now)
        if one is None:
            assert politeness.next_change() > now
            now = politeness.next_change()
            continue
        asked.append(now)
        lost = politeness.observe(one, Answer(0.0, unreached=True), now)
        if len(asked) == 1:
            politeness.add_later(one, now + 1000)
        politeness.done(one, now)
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses == [0, 0, 1, 2, 4, 8]
    assert len(lost.targets) == len(set(lost.targets))
    assert target("h1", 0) in lost.targets
    assert politeness.is_lost("h1")
    assert politeness.waiting == 10_000 + 1 - len(asked) - len(lost.targets)
    while politeness.waiting:
        assert politeness.is_wanting(idle=True, now=now)
        state.draw(now, unasked=100_000)
    assert politeness.busy_hosts == 0


def test_a_slower_pace_for_robots_txt() -> None:
    """It raises the delay from the last start on, and never lowers it."""
    politeness = polite(2, 1.0)
    for number in range(3):
        enter(politeness, target("a", number))
    first = politeness.next(0)
    assert first is not None
    politeness.sent(first, 0)
    politeness.slow_down("a", 10.0, 0.5)
    politeness.slow_down("a", 5.0, 0.5)
    assert politeness.next_change() == 10
    assert politeness.next(9.9) is None
    again = politeness.next(10)
    assert again is not None
    politeness.done(again, 11)
    assert politeness.next_change() == 20


def test_notes_of_hosts() -> None:
    """How each has answered, for whoever wants to know; handed over once."""
    politeness = polite(5)
    politeness.keep_notes = True
    for host in "aab":
        enter(politeness, target(host))
    for answer in (Answer(1.0), Answer(2.0, refused=True), Answer(0.5)):
        one = politeness.next(100)
        assert one is not None
        politeness.observe(one, answer, 100)
    notes = {note.host: note for note in politeness.take_notes()}
    assert sum(note.requests for note in notes.values()) == 3
    assert sum(note.seconds for note in notes.values()) == 3.5
    assert sum(note.refusals for note in notes.values()) == 1
    assert politeness.take_notes() == []


def test_outlook() -> None:
    """The host that takes longest with what it has left, in memory or not."""
    politeness = polite(1, 2.0)
    state = State(politeness)
    assert politeness.outlook(0) == (0, "")
    for number, more in ((1, 5), (2, 1000)):
        state.expect(number, more)
    assert politeness.outlook(0).seconds == 2 * 999
    state.draw()
    assert politeness.outlook(0) == (2 * 999, "h2")
    one = politeness.next(0)
    assert one is not None
    politeness.sent(one, 0)
    assert politeness.outlook(0) == (2 + 2 * 998, "h2")


def test_a_million_hosts_wait_in_little_room() -> None:
    """Tens of bytes each, as long as it is not their turn; and each gets it."""
    politeness = polite(1, 0.2, window=1000)
    tracemalloc.start()
    try:
        for number in range(1, 100_001):
            politeness.expect(number, 1, 0)
        size = tracemalloc.get_traced_memory()[0] / 100_000
    finally:
        tracemalloc.stop()
    assert size < 80
    state = State(politeness)
    state._listed.update(dict.fromkeys(range(1, 100_001), 1))
    seen = set()
    most = 0
    while len(seen) < 100_000:
        if politeness.is_wanting(idle=True, now=0):
            state.draw()
        one = politeness.next(0)
        assert one is not None
        seen.add(one.host)
        politeness.done(one, 0)
        most = max(most, politeness.targets)
    assert most <= 1000


HOSTS = ("a", "b", "c")

#: Seconds that add up without rounding.
QUARTERS = st.integers(0, 40).map(lambda quarters: quarters / 4)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(HOSTS)),
        st.tuples(st.just("later"), st.sampled_from(HOSTS), QUARTERS),
        st.tuples(st.just("next"), st.integers(1, 4)),
        st.tuples(st.just("sent"), st.integers(0, 10)),
        st.tuples(st.just("done"), st.integers(0, 10)),
        st.tuples(st.just("pass"), QUARTERS),
        st.tuples(st.just("jump")),
    ),
    max_size=80,
)
LIMITS = st.fixed_dictionaries(
    {
        host: st.builds(Rules, st.integers(1, 3), st.sampled_from([0.0, 0.5, 3.0]), st.just(60.0), st.just(False))
        for host in HOSTS
    }
)


class Model:
    """Turns the clock, and holds what was promised against what is handed out."""

    def __init__(self, limits: dict[str, Rules]) -> None:
        self.politeness = Politeness(lambda host: limits.get(host, Rules(1, 0.0)))
        self.limits = limits
        self.now = 0.0
        self.due: dict[str, float] = {}
        self.handed_out: Counter[str] = Counter()
        self.in_flight: list[Target] = []
        self.unsent: list[Target] = []
        self.starts: dict[str, list[float]] = defaultdict(list)

    def enter(self, host: str, seconds: float | None = None) -> None:
        one = target(host, len(self.due))
        self.due[one.url] = self.now + (seconds or 0)
        if seconds is None:
            enter(self.politeness, one, self.now)
        else:
            self.politeness.add_later(one, self.now + seconds)

    def take(self) -> bool:
        ready = self.politeness.is_ready(self.now)
        one = self.politeness.next(self.now)
        assert ready == (one is not None)
        if one is None:
            assert self.politeness.next_change() > self.now
            return False
        assert self.now >= self.due[one.url]
        self.handed_out[one.url] += 1
        self.in_flight.append(one)
        self.unsent.append(one)
        busy = Counter(flying.host for flying in self.in_flight)
        assert busy[one.host] <= self.limits[one.host].per_host
        return True

    def send(self, place: int) -> None:
        """What was handed out a while ago is on its way."""
        if self.unsent:
            one = self.unsent.pop(place % len(self.unsent))
            self.starts[one.host].append(self.now)
            self.politeness.sent(one, self.now)

    def finish(self, place: int) -> None:
        """It may never have been on its way."""
        if self.in_flight:
            one = self.in_flight.pop(place % len(self.in_flight))
            self.unsent = [each for each in self.unsent if each is not one]
            self.politeness.done(one, self.now)

    def check(self) -> None:
        assert self.politeness.in_flight == len(self.in_flight)
        assert self.politeness.waiting == len(self.due) - self.handed_out.total()
        for host, starts in self.starts.items():
            assert all(later - earlier >= self.limits[host].delay for earlier, later in pairwise(starts))


@given(STEPS, LIMITS)
def test_promises_hold_in_any_order(steps: list[tuple[str, ...]], limits: dict[str, Rules]) -> None:
    """Any steps in any order: never too many, never too soon, everything once; and at the end nothing is kept."""
    model = Model(limits)
    for name, *values in steps:
        match name, values:
            case "add", [host]:
                model.enter(host)
            case "later", [host, seconds]:
                model.enter(host, float(seconds))
            case "next", [times]:
                for _ in range(int(times)):
                    model.take()
            case "sent", [place]:
                model.send(int(place))
            case "done", [place]:
                model.finish(int(place))
            case "pass", [seconds]:
                model.now += float(seconds)
            case _:
                change = model.politeness.next_change()
                model.now = max(model.now, change) if change != float("inf") else model.now
        model.check()
    drain(model)
    assert model.handed_out == Counter(dict.fromkeys(model.due, 1))
    assert model.politeness.busy_hosts == 0


def drain(model: Model) -> None:
    """Finish and take until nothing is left, turning the clock only to the times that `next_change` tells."""
    for _ in range(1000):
        while model.take():
            pass
        if model.unsent:
            model.send(0)
        elif model.in_flight:
            model.finish(0)
        elif model.politeness.next_change() < float("inf"):
            model.now = model.politeness.next_change()
        else:
            break
        model.check()
    assert model.politeness.waiting == 0
