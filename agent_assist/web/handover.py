"""What became of a caller who wanted a person, and who else came into the call, in the words of a call's page."""

from dialog.events import Event, RecordingPaused
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    AgentMissed,
    AgentRung,
    BotReturned,
    CallbackRequested,
    CallerPutThrough,
    CallQueued,
    HoldChanged,
    NoteWritten,
    SuggestionTaken,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
    TurnedAway,
)

_SUPERVISES = {
    "listen": "listens",
    "whisper": "whispers to the agent",
    "join": "has joined",
    "none": "is no longer in the call",
}
_WAS_IN = ("dropped", "hung_up", "ended")


def handover(event: Event) -> tuple[str, str] | None:
    """What the event tells, and what stands beside it in small; None where it is told otherwise, or not at all."""
    match event:
        case CallQueued(position=position, estimate_s=estimate_s):
            return "the caller waits", f"place {position}" + (f", about {estimate_s} s" if estimate_s else "")
        case TurnedAway(why=why):
            return "nobody comes", why.replace("_", " ")
        case AgentRung(agent=agent):
            return f"it rings {agent}", ""
        case AgentMissed(agent=agent, why=why):
            return f"{agent} missed it", why.replace("_", " ")
        case AgentJoined(agent=agent):
            return f"{agent} is in the call", ""
        case AgentLeft(agent=agent, why=why):
            return f"{agent} left", why.replace("_", " ")
        case HoldChanged(on=on, agent=agent):
            return ("on hold" if on else "off hold"), agent
        case ThirdCalled(target=target, agent=agent):
            return f"{agent} calls {target}", ""
        case ThirdJoined(target=target):
            return f"{target} is in the call", ""
        case ThirdLeft(target=target, why=why, status=status):
            became = "left" if why in _WAS_IN else "was not reached"
            return f"{target} {became}", f"{why} {status or ''}".replace("_", " ").strip()
        case CallerPutThrough(target=target, agent=agent):
            return f"{agent} leaves the caller with {target}", ""
        case SupervisionChanged(supervisor=supervisor, how=how):
            return f"{supervisor} {_SUPERVISES[how]}", ""
        case RecordingPaused(on=on, by="agent", agent=agent):
            return ("the recording is paused" if on else "recorded again"), agent
        case RecordingPaused(on=on):
            return ("nothing is heard for now" if on else "heard again"), ""
        case BotReturned(why=why):
            return "the bot goes on", why.replace("_", " ")
        case CallbackRequested():
            return "the caller wants to be called back", ""
        case NoteWritten(agent=agent, text=text):
            return text, f"{agent} noted"
        case SuggestionTaken(agent=agent, article=article, how=how):
            return f"{agent} took {article}", how
        case _:
            return None
