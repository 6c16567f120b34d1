"""The life of a REFER inside a call, ours or the peer's, as a table: RFC 3515, with RFC 6665 for its NOTIFYs.

A row says: in this state, on this input, go there and do these things. An input without a row is refused to the
user of the endpoint (a command) or absorbed (a message).
"""

from dataclasses import dataclass
from enum import Enum, auto


class ReferralState(Enum):
    """Where it stands."""

    IDLE = auto()
    REFERRING = auto()
    """Our REFER waits for its response."""
    REFERRED = auto()
    """The peer took it; its last NOTIFY is awaited."""
    ASKED = auto()
    """The peer's REFER waits for our user."""
    REPORTING = auto()
    """Our user took it, and the peer is told how it goes."""
    OVER = auto()
    """The call has ended, and with it what was subscribed to."""


class ReferralInput(Enum):
    """Commands of the user, messages of the peer, timers."""

    REFER = auto()
    TAKEN = auto()
    REFUSED = auto()
    REPORT = auto()
    LAST_REPORT = auto()
    ASK = auto()
    ACCEPT = auto()
    DECLINE = auto()
    TELL = auto()
    TELL_LAST = auto()
    UNHEARD = auto()
    TIMEOUT = auto()
    END = auto()


class ReferralDo(Enum):
    """What is done on a row."""

    SEND_REFER = auto()
    TELL_PROGRESS = auto()
    TELL_CONCLUDED = auto()
    TELL_SILENCE = auto()
    KEEP_ASKED = auto()
    SEND_ACCEPTED = auto()
    SEND_TRYING = auto()
    SEND_REFUSAL = auto()
    SEND_DECLINE = auto()
    SEND_TERMINATED = auto()
    SEND_PENDING = auto()
    SEND_REPORT = auto()
    SEND_EXPIRED = auto()


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """Next state, what to do on the way, and the place in the RFC."""

    state: ReferralState
    do: tuple[ReferralDo, ...]
    cite: str


S, C, D, Row = ReferralState, ReferralInput, ReferralDo, ReferralRow

REFERRAL: dict[tuple[ReferralState, ReferralInput], ReferralRow] = {
    (S.IDLE, C.REFER): Row(S.REFERRING, (D.SEND_REFER,), "RFC 3515 2.4.1"),
    (S.REFERRING, C.TAKEN): Row(S.REFERRED, (), "RFC 3515 2.4.4"),
    (S.REFERRING, C.REFUSED): Row(S.IDLE, (D.TELL_CONCLUDED,), "RFC 3515 2.4.1"),
    (S.REFERRING, C.REPORT): Row(S.REFERRED, (D.TELL_PROGRESS,), "RFC 6665 4.1.2.4"),
    (S.REFERRING, C.LAST_REPORT): Row(S.IDLE, (D.TELL_CONCLUDED,), "RFC 6665 4.1.2.4"),
    (S.REFERRED, C.REPORT): Row(S.REFERRED, (D.TELL_PROGRESS,), "RFC 3515 2.4.5"),
    (S.REFERRED, C.LAST_REPORT): Row(S.IDLE, (D.TELL_CONCLUDED,), "RFC 3515 2.4.7"),
    (S.REFERRED, C.TIMEOUT): Row(S.IDLE, (D.TELL_SILENCE,), "RFC 6665 4.1.2.4"),
    (S.IDLE, C.ASK): Row(S.ASKED, (D.KEEP_ASKED,), "RFC 3515 2.4.2"),
    (S.ASKED, C.ACCEPT): Row(S.REPORTING, (D.SEND_ACCEPTED, D.SEND_TRYING), "RFC 3515 2.4.4"),
    (S.ASKED, C.DECLINE): Row(S.IDLE, (D.SEND_REFUSAL,), "RFC 3515 2.4.2"),
    (S.ASKED, C.TIMEOUT): Row(S.IDLE, (D.SEND_DECLINE,), "RFC 3515 2.4.2"),
    (S.REPORTING, C.TELL): Row(S.REPORTING, (D.SEND_REPORT,), "RFC 3515 2.4.5"),
    (S.REPORTING, C.TELL_LAST): Row(S.IDLE, (D.SEND_REPORT,), "RFC 3515 2.4.7"),
    (S.REPORTING, C.TIMEOUT): Row(S.IDLE, (D.SEND_EXPIRED,), "RFC 6665 4.2.2"),
    (S.REPORTING, C.UNHEARD): Row(S.IDLE, (), "RFC 6665 4.2.2"),
    (S.REFERRING, C.ASK): Row(S.REFERRING, (D.SEND_PENDING,), "RFC 3261 21.4.27"),
    (S.REFERRED, C.ASK): Row(S.REFERRED, (D.SEND_PENDING,), "RFC 3261 21.4.27"),
    (S.ASKED, C.ASK): Row(S.ASKED, (D.SEND_PENDING,), "RFC 3261 21.4.27"),
    (S.REPORTING, C.ASK): Row(S.REPORTING, (D.SEND_PENDING,), "RFC 3261 21.4.27"),
    (S.IDLE, C.END): Row(S.OVER, (), "RFC 3261 15"),
    (S.REFERRING, C.END): Row(S.OVER, (), "RFC 3261 15"),
    (S.REFERRED, C.END): Row(S.OVER, (), "RFC 3261 15"),
    (S.ASKED, C.END): Row(S.OVER, (D.SEND_TERMINATED,), "RFC 3261 15.1.2"),
    (S.REPORTING, C.END): Row(S.OVER, (), "RFC 3261 15"),
}
"""A call bears one REFER at a time, so that what is kept for it is bounded. Its subscription ends with the call, though
RFC 5057 would let it live on: nobody is left here whom it could tell anything."""

LIMIT_S: dict[ReferralState, float] = {S.ASKED: 16.0, S.REFERRED: 120.0, S.REPORTING: 180.0}
"""For how long a state may last. A peer waits 32 s for a response (timer F), and a telephone rings for two minutes."""
