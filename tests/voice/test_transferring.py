"""Callers who are sent elsewhere: by the bot, by an agent, and what they hear where that fails; in virtual time."""

import numpy as np
import pytest

from agent_assist.desk.ports import LeaveWhy
from dialog.actions import Reply, Say, Transfer
from dialog.commands import BlindTransfer, HandBack, Join
from dialog.errors import PeerForbidden, ProtocolError
from dialog.events import CallEnded
from dialog.people_events import (
    AgentLeft,
    BotReturned,
    TransferFailed,
    TransferRequested,
)
from dialog.ports import Returned
from tests.voice.scenes import PERSON, scene

NUMBER = "+3225550123"
AWAY = Reply("fake", (Say("I will put you through."), Transfer(NUMBER)))
SORRY = "I am sorry, I could not put you through."


class FarEnd:
    """The caller's side: takes what it is asked, unless it is to answer otherwise."""

    def __init__(self, answer: bool | Exception = True) -> None:
        self.asked: list[str] = []
        self.answer = answer

    def __call__(self, to: str) -> bool:
        self.asked.append(to)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_the_bot_sends_the_caller_elsewhere_and_the_call_is_over() -> None:
    far = FarEnd()
    async with scene(AWAY, refer=far) as call:
        await call.tick(3_000)
        assert far.asked == [NUMBER]
        assert call.told(TransferRequested) == [TransferRequested(target=NUMBER)]
        assert call.hears_music
        call.call.transferred(200)
        await call.tick(40)
        assert call.told(CallEnded)[0].cause == "transferred"
        assert call.told(TransferFailed) == []


@pytest.mark.parametrize(
    ("far", "why"),
    [
        (FarEnd(PeerForbidden("no")), "not_allowed"),
        (FarEnd(ProtocolError("what?")), "not_allowed"),
        (FarEnd(False), "busy"),
        (None, "browser"),
    ],
)
async def test_what_cannot_even_begin_is_told_to_caller_bot_and_journal(far: FarEnd | None, why: str) -> None:
    async with scene(AWAY, refer=far) as call:
        await call.tick(6_000)
        assert [failed.why for failed in call.told(TransferFailed)] == [why]
        assert SORRY in call.mouth.spoken
        assert call.told(BotReturned) == [BotReturned(why="transfer_failed")]
        assert call.bot.turns[-1] == Returned("transfer_failed")


async def test_who_is_not_put_through_is_with_the_bot_again() -> None:
    async with scene(AWAY, refer=FarEnd()) as call:
        await call.tick(3_000)
        call.call.transferred(486)
        assert call.told(TransferFailed) == [TransferFailed(why="failed", status=486)]
        assert call.told(BotReturned) == [], "not before it is said"
        faded = len(call.caller.sent) + 40
        await call.tick(4_000)
        assert not any(int(np.abs(pcm).max()) == 77 for pcm in call.caller.sent[faded:]), "no music in between"
        assert call.mouth.spoken[1] == SORRY
        assert call.told(BotReturned) == [BotReturned(why="transfer_failed")]
        call.call.transferred(486)
        assert len(call.told(TransferFailed)) == 1, "that was told"


async def test_the_longest_call_ends_also_on_its_way_elsewhere() -> None:
    async with scene(AWAY, refer=FarEnd(), longest_call_s=4) as call:
        await call.tick(9_000)
        assert call.told(CallEnded)[0].cause == "longest_call"
        assert "This call has reached its longest time and ends here." in call.mouth.spoken


async def test_an_agent_sends_the_caller_elsewhere_and_is_out_of_the_call() -> None:
    far = FarEnd()
    async with scene(PERSON, refer=far) as call:
        await call.queued()
        assert not call.call.command(BlindTransfer(NUMBER, "eve")), "nobody has the caller yet"
        call.call.command(Join("eve"))
        assert call.call.command(BlindTransfer(NUMBER, "eve"))
        assert call.told(TransferRequested) == [TransferRequested(target=NUMBER, agent="eve")]
        assert call.caller.room is call.agent.room is not None, "they talk until it has worked"
        call.call.transferred(200)
        await call.tick(40)
        assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="transferred")]
        assert call.desk.left == [LeaveWhy.TRANSFERRED]
        assert far.asked == [NUMBER]


@pytest.mark.parametrize("far", [FarEnd(), FarEnd(PeerForbidden("no"))], ids=["failed", "not allowed"])
async def test_an_agents_caller_who_is_not_put_through_is_still_the_agents(far: FarEnd) -> None:
    async with scene(PERSON, refer=far) as call:
        await call.queued()
        call.call.command(Join("eve"))
        assert call.call.command(BlindTransfer(NUMBER, "eve"))
        call.call.transferred(603)
        await call.tick(2_000)
        assert len(call.told(TransferFailed)) == 1
        assert call.caller.room is call.agent.room is not None
        assert SORRY not in call.mouth.spoken
        assert call.told(AgentLeft) == []


async def test_what_fails_after_the_agent_has_gone_disturbs_nobody() -> None:
    async with scene(PERSON, refer=FarEnd()) as call:
        await call.queued()
        call.call.command(Join("eve"))
        call.call.command(BlindTransfer(NUMBER, "eve"))
        call.call.command(HandBack())
        await call.tick(1_000)
        call.call.transferred(486)
        await call.tick(1_000)
        assert call.told(TransferFailed) == [TransferFailed(why="failed", status=486)]
        assert call.told(BotReturned) == [BotReturned(why="handed_back")]
