"""What calls lean on: engines, bots and listeners, the same for every call of the node."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent_assist.desk.ports import CallDesk
from dialog.announcements import Announcements
from dialog.journal import Listener
from dialog.ports import DialogEngine
from voice.ports import Ears, Leg, Mouth, Pcm
from voice.third import Outside


@dataclass(frozen=True, slots=True)
class People:
    """What it takes to give a caller to a person: who decides, the agents' audio, music for those who wait, and a way
    to people outside, where there is one."""

    desk: CallDesk
    leg_of: Callable[[str], Leg | None]
    music: Pcm
    outside: Outside | None = None


Refer = Callable[[str], bool]
"""Ask a caller's far end to call a number or SIP address in our stead; what comes of it is told by `Call.transferred`.
False where it cannot be asked now. Raises PeerForbidden for what is not allowed, ProtocolError for what is none."""


@dataclass(frozen=True, slots=True)
class Services:
    """What every call of the node shares."""

    ears: Ears
    mouth: Mouth
    bots: dict[str, DialogEngine]
    listeners: Sequence[Listener]
    announcements: Announcements
    longest_call_s: int
