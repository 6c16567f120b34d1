"""Admission, and that one call's fault is nobody else's."""

import asyncio
from pathlib import Path

import pytest

from dialog.errors import Overloaded
from dialog.events import CallEnded, CallStarted, RecordingGapped
from dialog.ports import HungUp, SessionOpened
from tests.fakes.bot import RudeBot
from tests.fakes.clock import virtual_time
from tests.fakes.house import House, house
from tests.voice.media.wires import FakeWire
from voice.call import Call
from voice.media.codecs import Coding
from voice.media.recorder import Recorder
from voice.settings.sections import LimitSettings


class Callers:
    """Begins calls in a house; `ended` are the causes that their owners were told."""

    def __init__(self, home: House) -> None:
        self.house = home
        self.ended: list[str] = []

    def start(self, bot: str = "helpdesk") -> Call:
        return self.house.calls.start(
            self.house.plane.add_leg(FakeWire(), Coding.PCMU, 0, None),
            transport="sip",
            caller="sip:a@b",
            dialled="100",
            bot=bot,
            codec="PCMU",
            ended=self.ended.append,
        )


async def test_calls_being_set_up_take_places_too() -> None:
    async with house(limits=LimitSettings(calls=2)) as home:
        coming: list[str] = []
        home.calls.expect(lambda: coming)
        home.calls.admit("192.0.2.1")
        coming += ["192.0.2.2", "192.0.2.3"]
        with pytest.raises(Overloaded, match="full"):
            home.calls.admit("192.0.2.1")
        coming.clear()
        home.lag_ms = 1_000
        with pytest.raises(Overloaded, match="lagging"):
            home.calls.admit("192.0.2.1")
        assert home.calls.refused == {"full": 1, "lagging": 1}


@pytest.mark.parametrize(("calls", "share"), [(4, 2), (8, 2), (40, 10)])
async def test_half_open_calls_of_one_address_leave_places_to_the_others(calls: int, share: int) -> None:
    async with house(limits=LimitSettings(calls=calls)) as home:
        coming: list[str] = []
        home.calls.expect(lambda: coming)
        for _ in range(share):
            home.calls.admit("192.0.2.1")
            coming.append("192.0.2.1")
        with pytest.raises(Overloaded, match="half_open"):
            home.calls.admit("192.0.2.1")
        home.calls.admit("192.0.2.2")
        coming.pop()
        home.calls.admit("192.0.2.1")
        assert home.calls.refused == {"half_open": 1}


async def test_a_place_is_taken_from_start_to_end() -> None:
    async with house(limits=LimitSettings(calls=1)) as home:
        callers = Callers(home)
        call = callers.start()
        assert home.calls.live == 1
        assert home.calls.get(call.call_id) is call
        assert home.calls.obstacle() == "full"
        await home.tick(20)
        call.end("caller")
        await home.tick(20)
        assert callers.ended == ["caller"]
        assert home.calls.get(call.call_id) is None
        home.calls.admit("192.0.2.1")


@virtual_time
async def test_one_address_has_a_rate_of_its_own_and_a_minute_gives_it_back() -> None:
    async with house(limits=LimitSettings(calls_per_minute=2)) as home:
        for _ in range(2):
            home.calls.admit("192.0.2.1")
        with pytest.raises(Overloaded, match="rate"):
            home.calls.admit("192.0.2.1")
        home.calls.admit("192.0.2.2")
        await asyncio.sleep(30)
        home.calls.admit("192.0.2.1")
        assert home.calls.refused == {"rate": 1}


@virtual_time
async def test_a_house_that_empties_takes_nobody_and_waits_for_the_last() -> None:
    async with house() as home:
        callers = Callers(home)
        call = callers.start()
        draining = asyncio.create_task(home.calls.drain(20))
        await asyncio.sleep(10)
        assert home.calls.draining
        with pytest.raises(Overloaded, match="draining"):
            home.calls.admit("192.0.2.1")
        assert not draining.done()
        call.end("caller")
        await draining
        assert callers.ended == ["caller"]
        assert asyncio.get_running_loop().time() == 10


@virtual_time
async def test_who_is_still_there_at_the_end_of_the_wait_is_hung_up_on() -> None:
    async with house() as home:
        callers = Callers(home)
        callers.start()
        callers.start()
        await home.calls.drain(20)
        await asyncio.sleep(0.1)
        assert callers.ended == ["shutdown", "shutdown"]
        assert asyncio.get_running_loop().time() == pytest.approx(20.1)


async def test_an_empty_house_does_not_wait() -> None:
    async with house() as home, asyncio.timeout(0.1):
        await home.calls.drain(20)


async def test_a_farewell_that_fails_harms_no_other_call() -> None:
    async with house(RudeBot(HungUp)) as home:
        callers = Callers(home)
        callers.start()
        callers.start()
        await asyncio.sleep(0)
        home.calls.end_all()
        await home.calls.drain(1)
    assert callers.ended == ["shutdown", "shutdown"]
    assert [event.cause for event in home.told(CallEnded)] == ["shutdown"] * 2


async def test_a_call_whose_bot_breaks_harms_no_other_call() -> None:
    async with house(RudeBot(SessionOpened)) as home:
        callers = Callers(home)
        healthy = callers.start("echo")
        callers.start()
        await home.tick(40)
        assert callers.ended == ["error"]
        assert home.calls.get(healthy.call_id) is healthy
        assert [event.cause for event in home.told(CallEnded)] == ["error"]


async def test_a_recording_bears_the_calls_name_and_is_whole_when_the_call_is_over(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    async with house(recorder=recorder) as home:
        callers = Callers(home)
        call = callers.start()
        callers.start("echo")
        await home.tick(200)
        call.end("caller")
    await asyncio.to_thread(recorder.close)
    assert [event.recording for event in home.told(CallStarted)] == [f"{call.call_id}.flac", ""]
    assert [path.name for path in tmp_path.iterdir()] == [f"{call.call_id}.flac"], "the echo number is not recorded"


async def test_a_disk_that_takes_nothing_harms_no_call_and_marks_its_recording(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    recorder = Recorder(folder)
    async with house(recorder=recorder) as home:
        folder.rmdir()
        partial: list[str] = []
        home.calls.on_partial(partial.append)
        callers = Callers(home)
        call = callers.start()
        while not list(recorder.amiss()):
            await asyncio.sleep(0.01)
        assert list(recorder.amiss()) == ["recordings: No such file or directory"]
        await home.tick(2_000)
        assert home.told(RecordingGapped) == [RecordingGapped(reason="No such file or directory")]
        call.end("caller")
        await home.tick(20)
        assert callers.ended == ["caller"]
        await asyncio.to_thread(recorder.close)
        await asyncio.sleep(0)
        assert partial == [call.call_id]
        assert recorder.ended == {"partial": 1}
        assert [event.cause for event in home.told(CallEnded)] == ["caller"]
