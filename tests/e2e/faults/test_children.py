"""The children of a node are killed and hung in mid call: the call lives, and what was said is not lost."""

import asyncio
import os
import signal

import psutil
import pytest

from dialog.events import (
    BargedIn,
    EngineFailed,
    EngineRecovered,
    ReplyGiven,
)
from tests.e2e.faults.conversation import Conversation, answers, dial, spoken, unharmed, until
from tests.e2e.node import Node
from voice.caller import Caller

pytestmark = pytest.mark.timeout(120)

LONG = "Could you please tell me what your opening hours are on Saturday"
"""In one breath: a pause would end the turn."""
BACK_S = 10.0


def hurt(node: Node, kind: str, number: signal.Signals) -> psutil.Process:
    """Send a signal to a child."""
    child = node.child(kind)
    assert child is not None, f"no {kind} child"
    os.kill(child.pid, number)
    return child


async def back(node: Node, kind: str, former: psutil.Process, limit_s: float = BACK_S) -> None:
    """Another child has taken the place of `former`."""

    def replaced() -> bool:
        child = node.child(kind)
        return child is not None and child.pid != former.pid

    await until(f"another {kind} child", replaced, limit_s)


async def speak_while(conversation: Conversation, text: str, after_ms: int) -> asyncio.Task[None]:
    """Begin to speak, and come back when `after_ms` of it are out."""
    await asyncio.to_thread(spoken, text)
    speaking = asyncio.create_task(conversation.say(text))
    await conversation.line.wait(after_ms)
    return speaking


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_speech_lost_in_mid_utterance_costs_no_word(node: Node, caller: Caller, number: signal.Signals) -> None:
    async with unharmed(node, caller) as conversation:
        speaking = await speak_while(conversation, LONG, 1_500)
        former = hurt(node, "speech", number)
        await speaking
        heard = await conversation.answered()
        text = heard.readings[0].text.lower()
        assert heard.redecoded
        assert "please tell me" in text, "what was said before the loss"
        assert "saturday" in text, "what was said after it"
        assert [e.engine for e in conversation.journal.events(EngineFailed)] == ["ears"]
        (recovered,) = conversation.journal.events(EngineRecovered)
        assert recovered.after_ms < BACK_S * 1000
        await back(node, "speech", former)


async def test_speech_lost_while_the_bot_speaks_and_the_caller_barges_in(node: Node, caller: Caller) -> None:
    async with unharmed(node, caller) as conversation:
        await conversation.ask()
        hurt(node, "speech", signal.SIGSTOP)
        # the child is deaf and nobody knows it yet; what tells voice from silence lives beside the audio
        await conversation.line.wait(300)
        await conversation.say(LONG)
        heard = await conversation.answered()
        assert heard.redecoded
        told = [record.event for record in node.journal(conversation.journal.call_id)]
        (silenced,) = [index for index, event in enumerate(told) if isinstance(event, BargedIn)]
        (noticed,) = [index for index, event in enumerate(told) if isinstance(event, EngineFailed)]
        assert silenced < noticed
    assert node.figures()["centralino_child_restarts_total"]["speech"] >= 1


async def test_rasa_killed_in_mid_call_the_keypad_bot_goes_on(node: Node, caller: Caller) -> None:
    await rasa_fails(node, caller, signal.SIGKILL)


async def test_rasa_hung_in_mid_call_the_keypad_bot_goes_on(node: Node, caller: Caller) -> None:
    await rasa_fails(node, caller, signal.SIGSTOP)


async def rasa_fails(node: Node, caller: Caller, number: signal.Signals) -> None:
    restarts = node.figures()["centralino_child_restarts_total"]["rasa"]
    conversation = await dial(node, caller)
    await conversation.greeted()
    speaking = await speak_while(conversation, "What are your opening hours?", 500)
    former = hurt(node, "rasa", number)
    await speaking
    await conversation.answered("switched", "keypad")
    (failed,) = conversation.journal.events(EngineFailed)
    assert failed.engine == "rasa"
    assert conversation.journal.events(ReplyGiven)[-1].took_ms <= 3_500
    await conversation.line.press("6")
    await conversation.journal.awaits(
        "the keypad bot's answer", lambda: "eight in the evening" in conversation.journal.events(ReplyGiven)[-1].text
    )
    await conversation.hang_up()
    await back(node, "rasa", former, 30)
    await until("Rasa at work", lambda: node.figures()["centralino_child_restarts_total"]["rasa"] > restarts, 30)
    await answers(node, caller)
