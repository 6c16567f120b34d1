"""A whole call as the journal tells it, for tests of whatever reads journals."""

from dialog.events import (
    BargedIn,
    CallAnswered,
    CallEnded,
    CallStarted,
    Event,
    FinalHeard,
    KeysPressed,
    PartialHeard,
    PlaybackEnded,
    PlaybackStarted,
    Reading,
    Record,
    ReplyGiven,
    SpeechDiscarded,
    SpeechStarted,
    TurnTimed,
    TurnUnderstood,
)
from dialog.journal import Journal

STARTED_AT = "2026-11-02T09:30:00+00:00"


def started(caller: str = "sip:+3225550123@127.0.0.1", recording: str = "", at: str = STARTED_AT) -> CallStarted:
    """A caller reached the help desk by SIP."""
    return CallStarted(
        transport="sip", caller=caller, dialled="100", bot="helpdesk", started_at=at, recording=recording
    )


def records(call_id: str, *events: tuple[int, Event]) -> list[Record]:
    """`events` as a journal numbers them."""
    told: list[Record] = []
    journal = Journal(call_id, (told.append,))
    for at_ms, event in events:
        journal.append(at_ms, event)
    return told


def balance_call(
    call_id: str = "call-1", *, recording: str = "", at: str = STARTED_AT, ended: bool = True
) -> list[Record]:
    """A caller asks for the balance, keys the account number, interrupts the answer, and hangs up."""
    events: list[tuple[int, Event]] = [
        (0, started(recording=recording, at=at)),
        (200, CallAnswered(codec="PCMU")),
        (240, PlaybackStarted(playback=1, text="Hello, this is the automatic help desk. This call is recorded.")),
        (4240, PlaybackEnded(playback=1, played_ms=4000, interrupted=False)),
        (4260, PlaybackStarted(playback=2, text="How can I help you?")),
        (5560, PlaybackEnded(playback=2, played_ms=1300, interrupted=False)),
        (6300, SpeechStarted(utterance=1)),
        (6900, PartialHeard(utterance=1, text="what is")),
        (7400, PartialHeard(utterance=1, text="what is my balance")),
        (
            8200,
            FinalHeard(
                utterance=1,
                readings=(Reading(text="what is my balance", confidence=0.93),),
                voice_start_ms=6080,
                voice_end_ms=7500,
            ),
        ),
        (8210, TurnUnderstood(engine="rasa", intent="check_balance", confidence=0.98, actions=("account_form",))),
        (8230, ReplyGiven(engine="rasa", text="Please key in your account number.", took_ms=18)),
        (8300, TurnTimed(utterance=1, endpoint_ms=420, final_ms=500, reply_ms=520, first_audio_ms=600)),
        (8300, PlaybackStarted(playback=3, text="Please key in your account number.")),
        (10300, PlaybackEnded(playback=3, played_ms=2000, interrupted=False)),
        (12800, KeysPressed(digits="40217")),
        (
            12830,
            PlaybackStarted(playback=4, text="Your balance is twelve euros and forty cents, and it is valid until"),
        ),
        (14400, BargedIn(by="voice", playback=4, played_ms=1500)),
        (14400, PlaybackEnded(playback=4, played_ms=1500, interrupted=True)),
        (14410, SpeechStarted(utterance=2)),
        (15000, SpeechDiscarded(utterance=2)),
    ]
    if ended:
        events.append((16000, CallEnded(cause="caller_hung_up", duration_ms=15800)))
    return records(call_id, *events)
