"""Two endpoints that may do anything at any time, joined by a link that loses, doubles, delays and reorders.

Whatever happens, nothing raises, each call ends with exactly one end event at each side that knew of it, nothing is
told after that, and when all is over neither endpoint holds anything. Five thousand steps in CI, more in
`python -m bench endurance`.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.fakes.sip_network import HERE, LATENCY_S, THERE, Network, Packet, make_endpoint
from voice.wire.sip.endpoint import SipEndpoint
from voice.wire.sip.events import (
    END_EVENTS,
    CallRef,
    InviteAcknowledged,
    InviteAnswered,
    InviteReceived,
    ProgressAcknowledged,
    ReferConcluded,
    ReferProgressed,
    ReferReceived,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRefused,
    Ringing,
    SipEvent,
)
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import Address
from voice.wire.sip.reason import Reason
from voice.wire.sip.refer import ReferTo

STEPS = 5_000
STEPS_A_RUN = 50
MAX_LIVE = 4
ONCE = (InviteAnswered, InviteAcknowledged)
"""Told of a call at most once."""

ELSEWHERE = ReferTo(WireURI.parse("sip:300@192.0.2.3"))

WANTED = (
    *(InviteReceived, InviteAcknowledged, InviteAnswered, Ringing, ProgressAcknowledged, *END_EVENTS),
    *(ReinviteReceived, ReinviteAcknowledged, ReinviteAnswered, ReinviteRefused),
    *(ReferReceived, ReferProgressed, ReferConcluded),
)
"""What a run must have seen to be worth its time."""

SDP = st.sampled_from([b"v=0 a", b"v=0 b", b""])
SIDES = st.sampled_from([HERE, THERE])
PICKS = st.integers(0, MAX_LIVE - 1)
CHANCES = st.sampled_from([0.0, 0.0, 0.1, 0.3, 0.7])


class Weather:
    """What becomes of packets, by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.loss = self.doubling = self.delay = 0.0

    def lose(self, packet: Packet) -> bool:
        return self.chance.random() < self.loss

    def delays(self, packet: Packet) -> Sequence[float]:
        copies = 2 if self.chance.random() < self.doubling else 1
        late = [self.chance.random() < self.delay for _ in range(copies)]
        return [LATENCY_S + (self.chance.expovariate(0.5) if it else 0.0) for it in late]


class Endurance(RuleBasedStateMachine):
    """Rules are what users and the link do; a command out of season is refused, which is a step like any other."""

    steps: ClassVar[int] = 0
    seen: ClassVar[Counter[str]] = Counter()

    @initialize(seed=st.integers(0, 2**32), here_s=st.sampled_from([0, 90, 300]), there_s=st.sampled_from([0, 90]))
    def begin(self, seed: int, here_s: int, there_s: int) -> None:
        self.weather = Weather(seed)
        self.network = Network(
            here=make_endpoint(HERE, "here", session_s=here_s),
            there=make_endpoint(THERE, "there", session_s=there_s),
            lose=self.weather.lose,
            delays=self.weather.delays,
        )
        self.network.react = self.note
        self.known: dict[Address, list[CallRef]] = {HERE: [], THERE: []}
        self.live: dict[Address, list[CallRef]] = {HERE: [], THERE: []}
        self.talking: dict[Address, list[CallRef]] = {HERE: [], THERE: []}
        self.told: Counter[tuple[Address, CallRef, str]] = Counter()
        self.referred: Counter[tuple[Address, CallRef]] = Counter()
        self.prompt = 1.0

    # what is told

    def note(self, side: Address, event: SipEvent) -> None:
        """One event at `side`; some offers are answered at once, as users do."""
        kind = type(event).__name__
        Endurance.seen[kind] += 1
        if isinstance(event, InviteReceived):
            self.add(side, event.call)
        assert event.call in self.live[side], f"{kind} after the end"
        self.told[side, event.call, kind] += 1
        if isinstance(event, END_EVENTS):
            self.live[side].remove(event.call)
            self.talking[side] = [call for call in self.talking[side] if call != event.call]
        elif isinstance(event, ONCE):
            assert self.told[side, event.call, kind] == 1
            self.talking[side].append(event.call)
        elif isinstance(event, ReinviteReceived) and self.weather.chance.random() < self.prompt:
            self.end_of(side).reanswer(event.call, b"v=0 prompt", self.network.now)
        elif isinstance(event, ReferConcluded):
            assert self.told[side, event.call, kind] <= self.referred[side, event.call], "what nobody asked for"
        elif isinstance(event, ReferReceived) and self.weather.chance.random() < self.prompt:
            self.end_of(side).accept_refer(event.call, self.network.now)

    def add(self, side: Address, call: CallRef) -> None:
        self.known[side].append(call)
        self.live[side].append(call)

    def end_of(self, side: Address) -> SipEndpoint:
        return self.network.here if side == HERE else self.network.there

    def pick(self, side: Address, pick: int) -> CallRef:
        """One of the calls that this side has, else of those that are over, else one that never was."""
        calls = self.live[side] or self.known[side][-MAX_LIVE:]
        return calls[pick % len(calls)] if calls else CallRef(10_000)

    # what users do

    @rule(side=SIDES, sdp=SDP)
    def dial(self, side: Address, sdp: bytes) -> None:
        if len(self.live[side]) < MAX_LIVE:
            there = THERE if side == HERE else HERE
            uri = f"sip:200@{there[0]}"
            self.add(side, self.end_of(side).invite(uri, sdp, f"sip:100@{side[0]}", self.network.now))

    @rule(side=SIDES, pick=PICKS)
    def ring(self, side: Address, pick: int) -> None:
        self.end_of(side).ring(self.pick(side, pick), self.network.now)

    @rule(side=SIDES, pick=PICKS, sdp=SDP)
    def progress(self, side: Address, pick: int, sdp: bytes) -> None:
        self.end_of(side).progress(self.pick(side, pick), sdp, self.network.now)

    @rule(side=SIDES, pick=PICKS)
    def answer(self, side: Address, pick: int) -> None:
        self.end_of(side).answer(self.pick(side, pick), b"v=0 answer", self.network.now)

    @rule(side=SIDES, pick=PICKS, status=st.sampled_from([302, 422, 486, 491, 500]), patience=st.integers(0, 3))
    def reject(self, side: Address, pick: int, status: int, patience: int) -> None:
        if patience:
            return
        self.end_of(side).reject(self.pick(side, pick), status, "", self.network.now)

    @rule(side=SIDES, pick=PICKS, reason=st.sampled_from([None, Reason("Q.850", 16)]), patience=st.integers(0, 3))
    def hang_up(self, side: Address, pick: int, reason: Reason | None, patience: int) -> None:
        if patience:
            return  # calls that are over at once have seen little
        self.end_of(side).hangup(self.pick(side, pick), self.network.now, reason)

    @rule(side=SIDES, pick=PICKS, sdp=SDP, seconds=st.sampled_from([0.1, 0.015, 0.0]))
    def reoffer(self, side: Address, pick: int, sdp: bytes, seconds: float) -> None:
        """Rather in a call that is answered; any other may have early media."""
        calls = self.talking[side] or [self.pick(side, pick)]
        self.end_of(side).reoffer(calls[pick % len(calls)], sdp, self.network.now)
        self.network.run(seconds)

    @rule(pick=PICKS)
    def both_reoffer(self, pick: int) -> None:
        for side in (HERE, THERE):
            self.end_of(side).reoffer(self.pick(side, pick), b"v=0 glare", self.network.now)

    @rule(side=SIDES, pick=PICKS)
    def reanswer(self, side: Address, pick: int) -> None:
        self.end_of(side).reanswer(self.pick(side, pick), b"v=0 late", self.network.now)

    @rule(side=SIDES, pick=PICKS)
    def refer(self, side: Address, pick: int) -> None:
        call = self.pick(side, pick)
        self.referred[side, call] += self.end_of(side).refer(call, ELSEWHERE, self.network.now)
        self.network.run(self.weather.chance.choice((0.0, 0.015, 0.1)))

    @rule(side=SIDES, pick=PICKS, status=st.sampled_from([180, 200, 486]), refused=st.booleans())
    def settle_refer(self, side: Address, pick: int, status: int, refused: bool) -> None:
        """What was asked of this side is refused, or taken and told about."""
        call, end, now = self.pick(side, pick), self.end_of(side), self.network.now
        if not (refused and end.refuse_refer(call, 603, "", now)):
            end.accept_refer(call, now)
            end.tell_refer(call, status, "", now)

    @rule(pick=PICKS, progress=SDP, prompt=st.sampled_from([1.0, 1.0, 0.5, 0.0]))
    def talk(self, pick: int, progress: bytes, prompt: float) -> None:
        """The way most calls go: without it few would get so far."""
        self.prompt = prompt
        self.dial(HERE, b"v=0 a")
        self.network.run(0.1)
        self.progress(THERE, pick, progress)
        self.network.run(0.1)
        for number in range(MAX_LIVE):
            self.answer(THERE, number)
        self.network.run(0.1)

    @rule(side=SIDES, status=st.sampled_from([302, 422, 486, 503]))
    def decline(self, side: Address, status: int) -> None:
        """Call one who refuses at once."""
        there = THERE if side == HERE else HERE
        self.dial(side, b"v=0 a")
        self.network.run(0.1)
        for call in list(self.live[there]):
            if call not in self.talking[there]:
                self.end_of(there).reject(call, status, "", self.network.now)
        self.network.run(0.1)

    @rule()
    def clear_up(self) -> None:
        """Fine weather once more: bad weather lasts, and in it little is ever agreed."""
        self.change_weather(0.0, 0.0, 0.0)

    # what the world does

    @rule(loss=CHANCES, doubling=CHANCES, delay=CHANCES)
    def change_weather(self, loss: float, doubling: float, delay: float) -> None:
        self.weather.loss, self.weather.doubling, self.weather.delay = loss, doubling, delay

    @rule(seconds=st.sampled_from([0.005, 0.02, 0.3, 1.0, 5.0, 40.0, 200.0]))
    def pass_time(self, seconds: float) -> None:
        self.network.run(seconds)

    @invariant()
    def count(self) -> None:
        Endurance.steps += 1

    def teardown(self) -> None:
        """Everybody hangs up, in this weather; then it clears."""
        if not hasattr(self, "network"):
            return
        for fine in (False, True):
            if fine:
                self.change_weather(0.0, 0.0, 0.0)
            for side in (HERE, THERE):
                for call in self.end_of(side).calls:
                    self.end_of(side).hangup(call, self.network.now)
            self.network.run(200.0)
        assert self.live == {HERE: [], THERE: []}
        for side in (HERE, THERE):
            for call in self.known[side]:
                ends = sum(self.told[side, call, kind.__name__] for kind in END_EVENTS)
                assert ends == 1, f"call {call} ended {ends} times"
            assert self.end_of(side).held == 0
            assert self.end_of(side).deadline() is None


def endure(steps: int, *, by_chance: bool) -> None:
    """At least so many steps; the same ones each time, unless they are taken `by_chance`."""
    Endurance.steps = 0
    Endurance.seen.clear()
    run_state_machine_as_test(
        Endurance,
        settings=settings(
            max_examples=steps // 40,  # some runs are shorter
            stateful_step_count=STEPS_A_RUN,
            derandomize=not by_chance,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Endurance.steps >= steps
    assert set(Endurance.seen) >= {kind.__name__ for kind in WANTED}, "each came about at least once"


@pytest.mark.timeout(600)
def test_whatever_happens_each_call_ends_once_and_nothing_is_left() -> None:
    endure(STEPS, by_chance=False)
