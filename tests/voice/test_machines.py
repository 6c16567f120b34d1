"""Machines at the far end: heard while it rings, after the answer, and of a call that came."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import numpy as np
import pytest

from dialog.events import CallEnded, MachineHeard
from dsp.progress import Progress
from tests.fakes.browser_call import until
from tests.fakes.carrier import GOOD, Node, node
from tests.fakes.clock import virtual_time
from tests.fakes.exchange import Exchange, exchange
from tests.fakes.house import House
from tests.fakes.telephone import HOST
from tests.voice.media.ticks import octets, rtp, tone
from tests.voice.scenes import scene
from voice.call import GREETING_MS
from voice.dialling import CallRefused, PlacedCall
from voice.machines import FAX_S, CallingFax, Machine
from voice.media.leg import MediaLeg
from voice.ports import TICK_MS, Frame, Pcm
from voice.wire.negotiation import read_answer
from voice.wire.sdp import parse_sdp
from voice.wire.sip.events import DialogEnded, InviteCancelled, ProgressAcknowledged


def pause(ms: int) -> Pcm:
    return np.zeros(ms * 16, np.int16)


BUSY = np.concatenate([tone(500, 425), pause(500)] * 5)
BEEP = np.concatenate([pause(300), tone(400, 1_000), pause(600)])
FAX = np.concatenate([pause(300), tone(1_500, 2_100)])
CALLING = np.concatenate([pause(300), tone(500, 1_100), pause(3_000)])


class Sound:
    """What the far end sends to a port of ours."""

    def __init__(self, house: House, sock: socket.socket, port: int) -> None:
        self._house, self._socket, self._port, self._sent = house, sock, port, 0

    async def play(self, sound: Pcm) -> None:
        for payload in octets(sound):
            self._socket.sendto(rtp(self._sent, payload), (HOST, self._port))
            self._sent += 1
            await self._house.tick(TICK_MS)


@asynccontextmanager
async def far_end(it: Node) -> AsyncIterator[Sound]:
    """Its sound, in the call that came last."""
    await until(lambda: it.carrier.came != [])
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind((HOST, 0))
        yield Sound(it.house, sock, read_answer(parse_sdp(it.carrier.invite.offer or b"")).remote_port)


@asynccontextmanager
async def ringing(**trunk: object) -> AsyncIterator[tuple[Node, asyncio.Task[PlacedCall], Sound]]:
    """A call that is being placed, and what its far end sends meanwhile."""
    async with node(lambda agent, invite: agent.progress(invite.call, GOOD), **trunk) as it:
        calling = asyncio.create_task(it.call())
        async with far_end(it) as far:
            yield it, calling, far


# --- calls that we place ---


async def test_a_busy_tone_while_it_rings_is_a_refusal() -> None:
    async with ringing() as (it, calling, far):
        await until(lambda: it.wires[0].arrived is not None)
        await far.play(BUSY)
        with pytest.raises(CallRefused, match="busy") as refused:
            await calling
        assert refused.value.status == 486
        await until(lambda: it.carrier.has(InviteCancelled))
        await it.house.tick(40)
        await until(it.nothing_is_held)


async def test_music_while_it_rings_is_nothing_and_the_call_begins_with_the_answer() -> None:
    async with ringing() as (it, calling, far):
        await until(lambda: it.wires[0].arrived is not None)
        await far.play(BEEP)
        it.carrier.agent.answer(it.carrier.invite.call, GOOD)
        call, frames, told = await calling, list[Frame](), list[Machine]()
        assert call.leg is not None
        assert call.leg.stats.packets_received > 0, "it was heard"
        call.leg.listen(frames.append)
        call.on_machine = told.append
        await far.play(BEEP)
        assert frames[0].tick == 0
        assert told == ["answering_machine"]
        assert not call.ended.done()
        call.hang_up()


async def test_where_formats_of_several_clocks_are_offered_nothing_is_agreed_on_before_the_answer() -> None:
    async with ringing(codecs=["opus", "PCMU"]) as (it, calling, far):
        await until(lambda: it.carrier.has(ProgressAcknowledged))
        await far.play(BUSY)
        it.carrier.agent.answer(it.carrier.invite.call, GOOD)
        (await calling).hang_up()


@pytest.mark.parametrize(("sound", "cause"), [(BUSY, "busy"), (FAX, "fax")])
async def test_a_machine_that_answers_ends_the_call(sound: Pcm, cause: Machine) -> None:
    async with node() as it:
        call, told = await it.call(), list[Machine]()
        call.on_machine = told.append
        async with far_end(it) as far:
            await far.play(sound)
        assert await call.ended == cause
        assert told == [cause]
        await until(lambda: it.carrier.has(DialogEnded))
        await it.house.tick(40)
        await until(it.nothing_is_held)


# --- what becomes of a call ---


async def test_an_answering_machine_is_told_once_and_soon_or_never() -> None:
    async with scene() as it:
        it.call.meet("answering_machine")
        it.call.meet("answering_machine")
        assert it.told(MachineHeard) == [MachineHeard(what="answering_machine")]
        assert it.told(CallEnded) == []
    async with scene(longest_call_s=3_600) as it:
        await it.tick(GREETING_MS + TICK_MS)
        it.call.meet("answering_machine")
        assert it.told(MachineHeard) == []


async def test_any_other_machine_is_the_end_of_the_call() -> None:
    async with scene() as it:
        it.call.meet("answering_machine")
        it.call.meet("busy")
        it.call.meet("busy")
        await it.tick(100)
        assert it.told(MachineHeard)[1:] == [MachineHeard(what="busy")]
        assert [ended.cause for ended in it.told(CallEnded)] == ["busy"]


# --- a fax that calls ---


def test_a_fax_that_calls_is_believed_the_second_time() -> None:
    found: list[str] = []
    fax = CallingFax(lambda: found.append("fax"))
    for progress in (Progress.BEEP, Progress.FAX_CALLING, Progress.BUSY, Progress.BEEP):
        fax.on_progress(progress)
    assert found == []
    fax.on_progress(Progress.FAX_CALLING)
    fax.on_progress(Progress.FAX_CALLING)
    assert found == ["fax"]


async def faxing(it: Exchange, after_s: float = 0.0) -> None:
    port = await it.talking()
    await asyncio.sleep(after_s)
    sound = Sound(it.house, it.phone.socket, port)
    await sound.play(CALLING)
    await sound.play(CALLING)


async def test_a_fax_that_calls_a_bot_is_hung_up_on() -> None:
    async with exchange() as it:
        await faxing(it)
        assert await it.over() == "fax"
        assert it.house.told(MachineHeard) == [MachineHeard(what="fax")]


@virtual_time
async def test_it_says_so_soon_or_it_is_none() -> None:
    async with exchange() as it:
        await faxing(it, after_s=FAX_S + 1)
        assert it.house.told(MachineHeard) == []


async def test_a_test_number_takes_any_sound() -> None:
    async with exchange(bots={"*": "echo"}) as it:
        await faxing(it)
        assert it.house.told(CallEnded) == []


def legs() -> int:
    gc.collect()
    return sum(isinstance(it, MediaLeg) for it in gc.get_objects())


async def test_of_a_call_that_has_ended_nothing_holds_the_leg() -> None:
    before = legs()
    async with exchange() as it:
        await it.talking()
        assert legs() == before + 1
        it.phone.bye()
        assert await it.over() == "caller"
        assert legs() == before
