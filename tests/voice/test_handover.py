"""From the bot to a person and back, as caller and agent hear it, in virtual time."""

import numpy as np
import pytest

from agent_assist.desk.ports import LeaveWhy
from dialog.commands import Announce, End, HandBack, Hold, Join, NobodyWhy, Requeue, Speak, TurnAway
from dialog.events import (
    CallEnded,
    FinalHeard,
    KeysPressed,
    PlaybackEnded,
    PlaybackStarted,
    ReplyGiven,
    SpeechDiscarded,
    SpeechStarted,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    CallbackRequested,
    CallQueued,
    HandoffRequested,
    HoldChanged,
    TurnedAway,
)
from dialog.ports import Returned, SessionOpened
from tests.fakes.bot import ask
from tests.fakes.leg import FakeLeg
from tests.voice.scenes import PERSON, STARTED, scene
from voice.ports import TICK_MS, TICK_SAMPLES


async def test_the_caller_waits_with_music_and_is_told_the_place() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        assert call.desk.queued == [("c1", "asked for a person", "billing")]
        assert call.told(HandoffRequested) == [HandoffRequested(reason="asked for a person", skill="billing")]
        assert call.mouth.spoken[:2] == ["One moment.", "You are next."]
        assert call.hears_music
        assert call.told(CallQueued) == [CallQueued(position=1)]


async def test_a_changed_place_is_told_but_not_at_every_step() -> None:
    async with scene(PERSON) as call:
        call.desk.answer = Announce(4, 240)
        await call.queued()
        for place in (3, 2):
            call.call.command(Announce(place, 60))
            await call.tick(1_000)
        assert not any("number 3" in said or "number 2" in said for said in call.mouth.spoken)
        await call.tick(25_000)
        assert "You are number 4 in the queue." in call.mouth.spoken
        assert "It will take about 4 minutes." in call.mouth.spoken
        assert "You are number 2 in the queue." in call.mouth.spoken
        assert "You are number 3 in the queue." not in call.mouth.spoken


async def test_music_goes_out_softly_before_the_next_word() -> None:
    async with scene(PERSON) as call:
        call.desk.answer = Announce(2, None)
        await call.queued()
        begin = len(call.caller.sent)
        call.call.command(Announce(1, None))
        await call.tick(25_000)
        peaks = [int(np.abs(pcm).max()) for pcm in call.caller.sent[begin:]]
        word = next(tick for tick, peak in enumerate(peaks) if peak > 77)
        fading = peaks[word - 10 : word]
        assert fading == sorted(fading, reverse=True)
        assert fading[0] > 60
        assert fading[-1] < 20


async def test_caller_and_agent_share_a_room_and_are_both_written_down() -> None:
    async with scene(PERSON, hears=("my bill is wrong",)) as call:
        await call.queued()
        assert call.call.command(Join("eve"))
        assert call.caller.room is not None
        assert call.caller.room is call.agent.room
        assert call.caller.queued_ms == 0  # the music stops at once
        call.agent.tick(0.0)  # whose frame comes first is chance
        await call.tick(800, caller=0.9)
        await call.tick(1_500)
        await call.tick(800, agent=0.9)
        await call.tick(1_500)
        finals = call.told(FinalHeard)
        assert [(final.speaker, final.utterance) for final in finals] == [("caller", 0), ("agent", 0)]
        assert call.told(AgentJoined) == [AgentJoined(agent="eve")]
        assert 0 < finals[1].voice_start_ms - finals[0].voice_end_ms < 2_500  # one clock for both


async def test_the_agents_words_are_timed_by_the_callers_clock_whichever_leg_ticks_first() -> None:
    async with scene(PERSON, hears=("how can I help",)) as call:
        await call.tick(20_000)
        call.call.command(Join("eve"))
        joined_ms = call.records[-1].at_ms
        call.agent.tick()
        await call.tick(800, agent=0.9)
        await call.tick(1_500)
        (final,) = call.told(FinalHeard)
        assert 0 <= final.voice_start_ms - joined_ms < 1_000


async def test_an_agent_whose_audio_is_gone_cannot_join_and_the_caller_goes_on_waiting() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.legs.clear()
        assert not call.call.command(Join("eve"))
        await call.tick(400)
        assert call.hears_music


async def test_on_hold_the_caller_hears_music_and_nobody_listens() -> None:
    async with scene(PERSON, hears=("secret",)) as call:
        await call.queued()
        call.call.command(Join("eve"))
        assert call.call.command(Hold(True, "eve"))
        assert call.told(HoldChanged) == [HoldChanged(on=True, agent="eve")]
        assert call.caller.room is None
        assert call.agent.room is not None, "whoever is called in comes there"
        await call.tick(800, caller=0.9, agent=0.9)
        await call.tick(1_500)
        assert call.hears_music
        assert not call.told(FinalHeard)
        call.call.command(Hold(False))
        assert call.caller.room is call.agent.room is not None
        await call.tick(400)
        assert not call.hears_music


@pytest.mark.parametrize("joins", [True, False], ids=["join", "end"])
async def test_what_was_being_said_when_a_mind_ends_is_told_to_have_been_cut(joins: bool) -> None:
    async with scene(PERSON) as call:
        while not any(begun.text == "You are next." for begun in call.told(PlaybackStarted)):
            await call.tick(TICK_MS)
        if joins:
            call.call.command(Join("eve"))
        else:
            call.call.end("caller")
        await call.tick(40)
        ends = {ended.playback: ended for ended in call.told(PlaybackEnded)}
        begun = call.told(PlaybackStarted)[-1]
        assert ends[begun.playback].interrupted
        assert len(ends) == len(call.told(PlaybackStarted)), "each that began has ended"


async def test_what_hold_cuts_off_is_told_to_have_come_to_nothing() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        await call.tick(600, caller=0.9, agent=0.9)
        begun = call.told(SpeechStarted)
        call.call.command(Hold(True))
        discarded = call.told(SpeechDiscarded)
        assert {(each.speaker, each.utterance) for each in begun} == {("caller", 0), ("agent", 0)}
        assert {(each.speaker, each.utterance) for each in discarded} == {("caller", 0), ("agent", 0)}


async def test_the_bots_voice_speaks_into_the_bridge_one_sentence_after_the_other() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        call.mouth.spoken.clear()
        assert call.call.command(Speak("You can pay by card."))
        await call.tick(200)
        assert call.call.command(Speak("Or in a shop."))
        await call.tick(3_000)
        assert call.mouth.spoken == ["You can pay by card.", "Or in a shop."]
        assert call.caller.room is not None


async def test_the_bots_voice_takes_no_more_than_a_minute_of_work_ahead() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        taken = [call.call.command(Speak("You can pay by card. Or in a shop.")) for _ in range(20)]
        assert taken == [True] * 8 + [False] * 12
        await call.tick(6_000)
        assert call.call.command(Speak("Goodbye."))


async def test_handed_back_the_bot_goes_on_with_numbers_that_go_on_too() -> None:
    async with scene(PERSON, ask("What else?"), hears=("hello", "and my balance")) as call:
        await call.queued()
        call.call.command(Join("eve"))
        await call.tick(800, caller=0.9)
        await call.tick(1_500)
        assert call.call.command(HandBack())
        assert call.agent.room is None
        assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="handed_back")]
        await call.tick(2_000)
        await call.tick(800, caller=0.9)
        await call.tick(1_500)
        assert [type(turn) for turn in call.bot.turns[:2]] == [SessionOpened, Returned]
        assert call.told(BotReturned) == [BotReturned(why="handed_back")]
        assert [final.utterance for final in call.told(FinalHeard)] == [0, 1]
        assert call.told(ReplyGiven)[-1].took_ms < 1_000
        numbers = [record.event.playback for record in call.records if record.event.type == "playback_started"]
        assert len(numbers) == len(set(numbers))


async def test_key_1_leads_back_to_the_bot() -> None:
    async with scene(PERSON, ask("What else?")) as call:
        await call.queued()
        await call.tick(100, keys="1")
        assert call.desk.left == [LeaveWhy.BOT]
        await call.tick(2_000)
        assert call.mouth.spoken[-1] == "What else?"
        assert not call.hears_music


@pytest.mark.parametrize("change", [{}, {"transport": "stream", "caller": "+15550100"}])
async def test_key_2_asks_to_be_called_back_and_says_goodbye(change: dict[str, str]) -> None:
    async with scene(PERSON, started=STARTED.model_copy(update=change)) as call:
        await call.queued()
        await call.tick(100, keys="2")
        assert call.desk.left == [LeaveWhy.CALLBACK]
        assert not call.call.command(Join("eve"))  # too late: the caller has been promised a call
        await call.tick(4_000)
        assert call.told(CallbackRequested)
        assert call.told(CallEnded)[0].cause == "callback"


@pytest.mark.parametrize(
    "change",
    [
        {"transport": "browser", "caller": "browser"},
        {"transport": "stream", "caller": "twilio"},
        {"caller": "sip:anonymous@anonymous.invalid"},
    ],
)
async def test_who_has_no_number_is_not_offered_a_call_back(change: dict[str, str]) -> None:
    async with scene(PERSON, started=STARTED.model_copy(update=change)) as call:
        await call.queued()
        await call.tick(100, keys="2")
        await call.tick(4_000)
        assert "Press 1 to go back to me." in call.mouth.spoken
        assert "Press 2 to be called back." not in call.mouth.spoken
        assert not call.desk.left
        assert call.hears_music


async def test_a_caller_whose_time_is_over_while_waiting_is_offered_to_nobody_any_more() -> None:
    async with scene(PERSON, longest_call_s=7) as call:
        await call.queued()
        await call.tick(1_100)
        assert call.desk.left == [LeaveWhy.HUNG_UP]
        assert not call.call.command(Join("eve"))
        await call.tick(5_900)
        assert call.mouth.spoken[-1] == "Goodbye."
        assert call.told(CallEnded)[0].cause == "longest_call"


async def test_turned_away_the_caller_is_told_at_once_and_is_with_the_bot_when_nothing_is_chosen() -> None:
    async with scene(PERSON, ask("What else?")) as call:
        call.desk.answer = TurnAway(NobodyWhy.CLOSED)
        await call.queued()
        assert "I am sorry, nobody is here to take your call at this hour." in call.mouth.spoken
        assert not call.hears_music
        await call.tick(30_000)
        assert call.told(TurnedAway) == [TurnedAway(why="closed")]
        assert call.told(BotReturned) == [BotReturned(why="left")]
        assert "What else?" in call.mouth.spoken


async def test_an_agent_who_is_lost_leaves_the_caller_in_the_queue_with_an_apology() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        assert call.call.command(Requeue())
        assert call.call.command(Announce(1, None))
        await call.tick(6_000)
        assert "I am sorry, the line to my colleague broke." in call.mouth.spoken
        assert call.mouth.spoken.count("You are next.") == 2
        assert call.hears_music


async def test_the_callers_keys_reach_the_agents_screen_and_the_agents_keys_the_callers_line() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        await call.tick(40, keys="4")
        await call.tick(40, keys="2")
        await call.tick(3_000)
        assert call.told(KeysPressed) == [KeysPressed(digits="42")]
        call.agent.tick(keys="7")
        assert call.caller.keyed == "7"


async def test_the_agent_ends_the_call() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        assert call.call.command(End("agent"))
        await call.tick(40)
        assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="hung_up")]
        assert call.told(CallEnded)[0].cause == "agent"
        assert call.agent.room is None
        assert not call.agent.closed  # it is the agent's, for the next caller
        assert call.desk.left == [LeaveWhy.HUNG_UP]


async def test_a_colleague_takes_the_callers_place_over_and_the_first_agent_hears_no_more() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.legs["bob"] = FakeLeg()
        call.call.command(Join("eve"))
        assert call.call.command(Join("bob"))
        assert call.agent.room is None
        assert call.caller.room is call.legs["bob"].room is not None
        assert [joined.agent for joined in call.told(AgentJoined)] == ["eve", "bob"]
        assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="transferred")]


async def test_an_agent_whose_audio_is_back_is_joined_again_and_never_left() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        call.call.command(Hold(True))
        call.legs["eve"] = FakeLeg()
        assert call.call.command(Join("eve"))
        assert call.caller.room is call.legs["eve"].room is not None
        assert not call.told(AgentLeft)
        call.call.end("caller")
    assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="caller")]


async def test_a_call_that_ends_for_another_reason_is_not_laid_at_the_callers_door() -> None:
    async with scene(PERSON) as call:
        await call.queued()
        call.call.command(Join("eve"))
        call.call.end("shutdown")
    assert call.told(AgentLeft) == [AgentLeft(agent="eve", why="ended")]


async def test_commands_that_do_not_fit_are_refused_and_change_nothing() -> None:
    async with scene(ask("Hello.")) as call:
        for command in (Join("eve"), Hold(True), Speak("x"), HandBack(), Requeue(), Announce(1, None), End()):
            assert not call.call.command(command)
        await call.tick(400)
        assert not call.told(CallEnded)
        assert call.caller.sent[-1].size == TICK_SAMPLES
