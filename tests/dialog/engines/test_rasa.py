"""Turns to events and messages to actions, and every fault of the other side as an `EngineError`."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvloop

from dialog.actions import Action, Collect, Expect, Handoff, Hangup, Say, Transfer, Understood
from dialog.engines.rasa import MAX_CALLS, RasaEngine
from dialog.engines.rasa_server import ExternalRasa, RasaAddress
from dialog.errors import EngineUnavailable
from dialog.gates import Gate
from dialog.ports import HungUp, Hypothesis, Keys, NoInput, Returned, SessionOpened, UserTurn, Utterance
from tests.fakes.rasa_channel import FakeChannel

UNDERSTOOD = b', "understood": {"intent": "a", "confidence": 1, "slots": [], "actions": []}}'


@pytest.fixture
async def channel() -> AsyncIterator[FakeChannel]:
    async with FakeChannel().serving() as channel:
        yield channel


@pytest.fixture
async def engine(channel: FakeChannel) -> AsyncIterator[RasaEngine]:
    engine = RasaEngine(channel, Gate(frozenset({"yes"})))
    yield engine
    await engine.close()


@pytest.mark.parametrize(
    ("turn", "event"),
    [
        (
            SessionOpened("a", "b", "sip", True, (("Diversion", "<sip:c@d>"),)),
            {
                "type": "call_opened",
                "caller": "a",
                "dialled": "b",
                "recorded": True,
                "headers": {"Diversion": "<sip:c@d>"},
            },
        ),
        (Keys("12#"), {"type": "keys", "digits": "12#"}),
        (NoInput(), {"type": "no_input"}),
        (Returned("handed_back"), {"type": "returned", "why": "handed_back"}),
        (Utterance((Hypothesis("...", 0.9),)), {"type": "no_match"}),
        (Utterance((Hypothesis("yes", 0.1),)), {"type": "no_match"}),
        (
            Utterance((Hypothesis("Yes!", 0.9), Hypothesis("yes, four five", 0.8))),
            {
                "type": "utterance",
                "hypotheses": [{"text": "yes", "confidence": 0.9}, {"text": "yes 45", "confidence": 0.8}],
            },
        ),
    ],
)
async def test_turns_become_events(
    channel: FakeChannel, engine: RasaEngine, turn: UserTurn, event: dict[str, object]
) -> None:
    channel.will_say({"say": "x"})
    await engine.respond("call", turn)
    path, body = channel.events[0]
    assert path == "POST /webhooks/voice/event"
    assert body.pop("call")
    assert body == event


@pytest.mark.parametrize(
    ("messages", "actions"),
    [
        ([{"say": "a"}, {"say": "b"}], (Say("a"), Say("b"), Collect())),
        ([{"say": "a", "interruptible": False}], (Say("a", interruptible=False), Collect())),
        ([{"say": "a"}, {"handoff": "why"}], (Say("a"), Handoff("why"))),
        ([{"handoff": "why", "skill": "billing"}], (Handoff("why", "billing"),)),
        ([{"say": "a"}, {"transfer": "+32"}], (Say("a"), Transfer("+32"))),
        ([{"say": "a"}, {"hangup": "bye"}], (Say("a"), Hangup("bye"))),
        ([{"say": "a"}, {"pace": 0.8}], (Say("a", pace=0.8), Collect())),
        (
            [{"collect": {"expect": "yes_no"}}, {"say": "a"}, {"collect": {"expect": "digits", "max_digits": 8}}],
            (Say("a"), Collect(Expect.DIGITS, 8)),
        ),
        ([{"say": "a"}, {"collect": {"no_input_ms": 9000}}], (Say("a"), Collect(no_input_ms=9_000))),
        ([{"unknown": 1}, {"say": "a"}], (Say("a"), Collect())),
    ],
)
async def test_messages_become_actions(
    channel: FakeChannel, engine: RasaEngine, messages: list[object], actions: tuple[Action, ...]
) -> None:
    channel.will_say(*messages, intent="affirm")
    reply = await engine.respond("call", NoInput())
    assert reply.engine == "rasa"
    assert reply.actions == actions
    assert reply.understood == Understood("affirm", 0.5, (("a", "1"),), ("action_a",))


async def test_repeat_gives_the_last_reply_again_without_the_notices(channel: FakeChannel, engine: RasaEngine) -> None:
    channel.will_say({"say": "notice", "interruptible": False}, {"say": "a"}, {"collect": {"expect": "yes_no"}})
    channel.will_say({"say": "a form that asks again"}, {"repeat": True, "pace": 0.8})
    channel.will_say({"repeat": True})
    await engine.respond("call", NoInput())
    for _ in range(2):
        reply = await engine.respond("call", NoInput())
        assert reply.actions == (Say("a", pace=0.8), Collect(Expect.YES_NO))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"[]"), (200, b"{}"), (200, b"not json"), (200, b'{"messages": [], "understood": {}}'),
        (200, b'{"messages": {}, "understood": {}}'), (200, b'{"messages": [{"say": "a"}], "understood": {}}'),
        (200, b'{"messages": ["a"]' + UNDERSTOOD), (200, b'{"messages": [1]' + UNDERSTOOD),
        (200, b'{"messages": [{"say": 1, "pace": "x"}]' + UNDERSTOOD),
        (200, b'{"messages": [{"collect": 3}]' + UNDERSTOOD),
        (200, b'{"messages": [{"collect": {"expect": "nothing"}}]' + UNDERSTOOD),
        (401, b"{}"), (500, b"{}"), (302, b""),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_unavailable(
    channel: FakeChannel, engine: RasaEngine, status: int, body: bytes
) -> None:
    channel.answers.append((status, body))
    with pytest.raises(EngineUnavailable):
        await engine.respond("call", NoInput())


async def test_nobody_there_is_unavailable() -> None:
    engine = RasaEngine(ExternalRasa(RasaAddress("http://127.0.0.1:9/webhooks/voice", "t")))
    with pytest.raises(EngineUnavailable):
        await engine.respond("call", NoInput())
    await engine.respond("call", HungUp())
    await engine.close()


def test_who_resets_every_connection_is_unavailable() -> None:
    """As a child does that is killed. It takes many tries for a reset to fall between making and using a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            with suppress(OSError):
                while True:
                    taken, _ = server.accept()
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    taken.close()

        async def try_often() -> None:
            engine = RasaEngine(ExternalRasa(RasaAddress(f"http://127.0.0.1:{server.getsockname()[1]}", "t")))
            for _ in range(3_000):
                with pytest.raises(EngineUnavailable):
                    await engine.respond("call", NoInput())
            await engine.close()

        resetting = threading.Thread(target=reset)
        resetting.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that a node runs
                runner.run(try_often())
        finally:
            server.shutdown(socket.SHUT_RDWR)
            resetting.join()


async def test_each_call_has_a_name_of_its_own_and_a_new_one_the_next_time(
    channel: FakeChannel, engine: RasaEngine
) -> None:
    channel.will_say({"say": "x"})
    for call in ("a", "a", "b"):
        await engine.respond(call, NoInput())
    await engine.respond("a", HungUp())
    await engine.respond("a", NoInput())
    first, again, other, gone, anew = (body["call"] for _, body in channel.events)
    assert first == again == gone
    assert channel.events[3][1]["type"] == "hung_up"
    assert len({first, other, anew}) == 3


async def test_a_failed_farewell_harms_nobody(channel: FakeChannel, engine: RasaEngine) -> None:
    channel.will_say({"say": "x"})
    await engine.respond("a", NoInput())
    channel.answers = [(500, b"")]
    assert (await engine.respond("a", HungUp())).actions == ()
    assert (await engine.respond("never seen", HungUp())).actions == ()


async def test_calls_that_were_never_hung_up_are_bounded(channel: FakeChannel, engine: RasaEngine) -> None:
    channel.will_say({"say": "x"})
    await engine.respond("first", NoInput())
    for number in range(MAX_CALLS):
        engine._calls.setdefault(str(number), engine._calls["first"])
    await engine.respond("last", NoInput())
    assert len(engine._calls) == MAX_CALLS
    assert "first" not in engine._calls
