"""The life of a call and of a change of its media, as tables: RFC 3261 sections 9 and 13 to 15, RFC 3262, RFC 3311.

A row says: in this state, on this input, go there and do these things. An input without a row is refused to the
user of the endpoint (a command) or absorbed (a message).
"""

from dataclasses import dataclass
from enum import Enum, auto


class CallState(Enum):
    """Where a call stands."""

    INVITED = auto()
    """Somebody calls us; no final response yet."""
    ANSWERED = auto()
    """Our 2xx is out and not yet acknowledged."""
    LEAVING = auto()
    """We hung up in ANSWERED: the BYE waits for the ACK."""
    CALLING = auto()
    """We call somebody; no final response yet."""
    CANCELLING = auto()
    """We gave up while CALLING; the final response is awaited."""
    TALKING = auto()
    """Answered and acknowledged."""
    ENDED = auto()
    """Over; only a repeated 2xx is still acknowledged."""


class CallInput(Enum):
    """Commands of the user, messages of the peer, timers."""

    RING = auto()
    PROGRESS = auto()
    ANSWER = auto()
    REJECT = auto()
    HANG_UP = auto()
    CANCEL = auto()
    BYE = auto()
    ACK = auto()
    NO_ACK = auto()
    NO_PRACK = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    CHALLENGED = auto()
    TOO_BRIEF = auto()
    GIVE_UP = auto()
    LOST = auto()
    EXPIRED = auto()


class CallDo(Enum):
    """What a call does on a row."""

    SEND_RINGING = auto()
    SEND_PROGRESS = auto()
    SEND_ANSWER = auto()
    SEND_REFUSAL = auto()
    SEND_TERMINATED = auto()
    SEND_UNAVAILABLE = auto()
    SEND_TIMED_OUT = auto()
    SEND_ACK = auto()
    SEND_BYE = auto()
    SEND_CANCEL = auto()
    SEND_AGAIN = auto()
    ESTABLISH = auto()
    TELL_ACKNOWLEDGED = auto()
    TELL_CANCELLED = auto()
    TELL_RINGING = auto()
    TELL_ANSWERED = auto()
    TELL_FAILED = auto()
    END_LOCAL = auto()
    END_REMOTE = auto()
    END_REJECTED = auto()
    END_NO_ACK = auto()
    END_LOST = auto()
    END_EXPIRED = auto()


class MediaState(Enum):
    """Where the one offer that may be open stands: the INVITE's, or that of a change by re-INVITE or UPDATE."""

    INVITED = auto()
    """The offer of the peer's INVITE is not answered yet."""
    INVITING = auto()
    """The offer of our INVITE is not answered yet."""
    IDLE = auto()
    OFFERED = auto()
    """The peer's re-INVITE waits for our user."""
    UPDATE_OFFERED = auto()
    """The peer's UPDATE waits for our user."""
    REANSWERED = auto()
    """Our 2xx to a re-INVITE is not yet acknowledged."""
    OFFERING = auto()
    """Our re-INVITE or UPDATE waits for the peer."""
    REFRESHING = auto()
    """Our re-INVITE, with nothing new in it, waits for the peer."""
    RETRYING = auto()
    """Our offer met one of the peer's (491) and is sent again soon."""
    OVER = auto()
    """The call has ended."""


class MediaInput(Enum):
    """Commands of the user, messages of the peer, timers."""

    AGREED = auto()
    """The offer of the INVITE has its answer."""
    INVITE = auto()
    UPDATE = auto()
    REANSWER = auto()
    REFUSE = auto()
    CANCEL = auto()
    ACK = auto()
    REOFFER = auto()
    SUCCESS = auto()
    """A 2xx to our re-INVITE."""
    UPDATED = auto()
    """A 2xx to our UPDATE."""
    REFRESH = auto()
    GLARE = auto()
    FAILURE = auto()
    RETRY = auto()
    END = auto()


class MediaDo(Enum):
    """What is done on a row."""

    ACCEPT_OFFER = auto()
    REFUSE_BUSY = auto()
    REFUSE_GLARE = auto()
    SEND_ANSWER = auto()
    SEND_REFUSAL = auto()
    SEND_TERMINATED = auto()
    SEND_OFFER = auto()
    SEND_REFRESH = auto()
    SEND_ACK = auto()
    KEEP_OFFER = auto()
    WAIT = auto()
    TELL_ACKNOWLEDGED = auto()
    TELL_ANSWERED = auto()
    TELL_REFUSED = auto()


@dataclass(frozen=True, slots=True)
class CallRow:
    """Next state, what to do on the way, and the place in the RFC."""

    state: CallState
    do: tuple[CallDo, ...]
    cite: str


@dataclass(frozen=True, slots=True)
class MediaRow:
    """Next state, what to do on the way, and the place in the RFC."""

    state: MediaState
    do: tuple[MediaDo, ...]
    cite: str


S, C, D = CallState, CallInput, CallDo

CALL: dict[tuple[CallState, CallInput], CallRow] = {
    (S.INVITED, C.RING): CallRow(S.INVITED, (D.SEND_RINGING,), "RFC 3261 13.3.1.1"),
    (S.INVITED, C.PROGRESS): CallRow(S.INVITED, (D.SEND_PROGRESS,), "RFC 3261 13.3.1.1"),
    (S.INVITED, C.NO_PRACK): CallRow(S.ENDED, (D.SEND_TIMED_OUT, D.END_NO_ACK), "RFC 3262 3"),
    (S.INVITED, C.ANSWER): CallRow(S.ANSWERED, (D.SEND_ANSWER,), "RFC 3261 13.3.1.4"),
    (S.INVITED, C.REJECT): CallRow(S.ENDED, (D.SEND_REFUSAL, D.END_REJECTED), "RFC 3261 13.3.1.3"),
    (S.INVITED, C.HANG_UP): CallRow(S.ENDED, (D.SEND_UNAVAILABLE, D.END_LOCAL), "RFC 3261 13.3.1.3"),
    (S.INVITED, C.CANCEL): CallRow(S.ENDED, (D.SEND_TERMINATED, D.TELL_CANCELLED), "RFC 3261 9.2"),
    (S.INVITED, C.BYE): CallRow(S.ENDED, (D.SEND_TERMINATED, D.TELL_CANCELLED), "RFC 3261 15.1.2"),
    (S.ANSWERED, C.ACK): CallRow(S.TALKING, (D.TELL_ACKNOWLEDGED,), "RFC 3261 13.3.1.4"),
    (S.ANSWERED, C.NO_ACK): CallRow(S.ENDED, (D.SEND_BYE, D.END_NO_ACK), "RFC 3261 13.3.1.4"),
    (S.ANSWERED, C.BYE): CallRow(S.ENDED, (D.END_REMOTE,), "RFC 3261 15.1.2"),
    (S.ANSWERED, C.HANG_UP): CallRow(S.LEAVING, (D.END_LOCAL,), "RFC 3261 15"),
    (S.LEAVING, C.ACK): CallRow(S.ENDED, (D.SEND_BYE,), "RFC 3261 15"),
    (S.LEAVING, C.NO_ACK): CallRow(S.ENDED, (D.SEND_BYE,), "RFC 3261 15"),
    (S.LEAVING, C.BYE): CallRow(S.ENDED, (), "RFC 3261 15.1.2"),
    (S.CALLING, C.PROVISIONAL): CallRow(S.CALLING, (D.TELL_RINGING,), "RFC 3261 13.2.2.1"),
    (S.CALLING, C.SUCCESS): CallRow(S.TALKING, (D.ESTABLISH, D.SEND_ACK, D.TELL_ANSWERED), "RFC 3261 13.2.2.4"),
    (S.CALLING, C.FAILURE): CallRow(S.ENDED, (D.TELL_FAILED,), "RFC 3261 13.2.2.3"),
    (S.CALLING, C.CHALLENGED): CallRow(S.CALLING, (D.SEND_AGAIN,), "RFC 3261 22.2"),
    (S.CALLING, C.TOO_BRIEF): CallRow(S.CALLING, (D.SEND_AGAIN,), "RFC 4028 7.3"),
    (S.CALLING, C.HANG_UP): CallRow(S.CANCELLING, (D.SEND_CANCEL, D.END_LOCAL), "RFC 3261 9.1"),
    (S.CANCELLING, C.PROVISIONAL): CallRow(S.CANCELLING, (D.SEND_CANCEL,), "RFC 3261 9.1"),
    (S.CANCELLING, C.SUCCESS): CallRow(S.ENDED, (D.ESTABLISH, D.SEND_ACK, D.SEND_BYE), "RFC 3261 15"),
    (S.CANCELLING, C.FAILURE): CallRow(S.ENDED, (), "RFC 3261 9.1"),
    (S.CANCELLING, C.GIVE_UP): CallRow(S.ENDED, (), "RFC 3261 9.1"),
    (S.TALKING, C.SUCCESS): CallRow(S.TALKING, (D.SEND_ACK,), "RFC 3261 13.2.2.4"),
    (S.TALKING, C.BYE): CallRow(S.ENDED, (D.END_REMOTE,), "RFC 3261 15.1.2"),
    (S.TALKING, C.HANG_UP): CallRow(S.ENDED, (D.SEND_BYE, D.END_LOCAL), "RFC 3261 15.1.1"),
    (S.TALKING, C.NO_ACK): CallRow(S.ENDED, (D.SEND_BYE, D.END_NO_ACK), "RFC 3261 14.2"),
    (S.TALKING, C.LOST): CallRow(S.ENDED, (D.SEND_BYE, D.END_LOST), "RFC 3261 12.2.1.2"),
    (S.TALKING, C.EXPIRED): CallRow(S.ENDED, (D.SEND_BYE, D.END_EXPIRED), "RFC 4028 10"),
    (S.ENDED, C.SUCCESS): CallRow(S.ENDED, (D.SEND_ACK,), "RFC 3261 13.2.2.4"),
}

M, N, E = MediaState, MediaInput, MediaDo

MEDIA: dict[tuple[MediaState, MediaInput], MediaRow] = {
    (M.INVITED, N.AGREED): MediaRow(M.IDLE, (), "RFC 3261 13.2.1"),
    (M.INVITED, N.UPDATE): MediaRow(M.INVITED, (E.REFUSE_BUSY,), "RFC 3311 5.2"),
    (M.INVITING, N.AGREED): MediaRow(M.IDLE, (), "RFC 3261 13.2.1"),
    (M.INVITING, N.UPDATE): MediaRow(M.INVITING, (E.REFUSE_GLARE,), "RFC 3311 5.2"),
    (M.IDLE, N.INVITE): MediaRow(M.OFFERED, (E.ACCEPT_OFFER,), "RFC 3261 14.2"),
    (M.IDLE, N.UPDATE): MediaRow(M.UPDATE_OFFERED, (E.ACCEPT_OFFER,), "RFC 3311 5.2"),
    (M.IDLE, N.REOFFER): MediaRow(M.OFFERING, (E.KEEP_OFFER, E.SEND_OFFER), "RFC 3261 14.1"),
    (M.OFFERED, N.INVITE): MediaRow(M.OFFERED, (E.REFUSE_BUSY,), "RFC 3261 14.2"),
    (M.OFFERED, N.UPDATE): MediaRow(M.OFFERED, (E.REFUSE_BUSY,), "RFC 3311 5.2"),
    (M.OFFERED, N.REANSWER): MediaRow(M.REANSWERED, (E.SEND_ANSWER,), "RFC 3261 14.2"),
    (M.OFFERED, N.REFUSE): MediaRow(M.IDLE, (E.SEND_REFUSAL,), "RFC 3261 14.2"),
    (M.OFFERED, N.CANCEL): MediaRow(M.IDLE, (E.SEND_TERMINATED,), "RFC 3261 9.2"),
    (M.UPDATE_OFFERED, N.INVITE): MediaRow(M.UPDATE_OFFERED, (E.REFUSE_BUSY,), "RFC 3261 14.2"),
    (M.UPDATE_OFFERED, N.UPDATE): MediaRow(M.UPDATE_OFFERED, (E.REFUSE_BUSY,), "RFC 3311 5.2"),
    (M.UPDATE_OFFERED, N.REANSWER): MediaRow(M.IDLE, (E.SEND_ANSWER,), "RFC 3311 5.2"),
    (M.UPDATE_OFFERED, N.REFUSE): MediaRow(M.IDLE, (E.SEND_REFUSAL,), "RFC 3311 5.2"),
    (M.REANSWERED, N.INVITE): MediaRow(M.REANSWERED, (E.REFUSE_GLARE,), "RFC 5407 3.1"),
    (M.REANSWERED, N.UPDATE): MediaRow(M.REANSWERED, (E.REFUSE_GLARE,), "RFC 3311 5.2"),
    (M.REANSWERED, N.ACK): MediaRow(M.IDLE, (E.TELL_ACKNOWLEDGED,), "RFC 3261 13.3.1.4"),
    (M.OFFERING, N.INVITE): MediaRow(M.OFFERING, (E.REFUSE_GLARE,), "RFC 3261 14.2"),
    (M.OFFERING, N.UPDATE): MediaRow(M.OFFERING, (E.REFUSE_GLARE,), "RFC 3311 5.2"),
    (M.OFFERING, N.SUCCESS): MediaRow(M.IDLE, (E.SEND_ACK, E.TELL_ANSWERED), "RFC 3261 14.1"),
    (M.OFFERING, N.UPDATED): MediaRow(M.IDLE, (E.TELL_ANSWERED,), "RFC 3311 5.1"),
    (M.OFFERING, N.GLARE): MediaRow(M.RETRYING, (E.WAIT,), "RFC 3261 14.1"),
    (M.OFFERING, N.FAILURE): MediaRow(M.IDLE, (E.TELL_REFUSED,), "RFC 3261 14.1"),
    (M.IDLE, N.REFRESH): MediaRow(M.REFRESHING, (E.SEND_REFRESH,), "RFC 4028 7.4"),
    (M.REFRESHING, N.INVITE): MediaRow(M.REFRESHING, (E.REFUSE_GLARE,), "RFC 3261 14.2"),
    (M.REFRESHING, N.UPDATE): MediaRow(M.REFRESHING, (E.REFUSE_GLARE,), "RFC 3311 5.2"),
    (M.REFRESHING, N.SUCCESS): MediaRow(M.IDLE, (E.SEND_ACK, E.TELL_ANSWERED), "RFC 4028 7.2"),
    (M.REFRESHING, N.GLARE): MediaRow(M.IDLE, (), "RFC 4028 7.4"),
    (M.REFRESHING, N.FAILURE): MediaRow(M.IDLE, (), "RFC 4028 7.4"),
    (M.RETRYING, N.INVITE): MediaRow(M.OFFERED, (E.TELL_REFUSED, E.ACCEPT_OFFER), "RFC 3261 14.1"),
    (M.RETRYING, N.UPDATE): MediaRow(M.UPDATE_OFFERED, (E.TELL_REFUSED, E.ACCEPT_OFFER), "RFC 3311 5.1"),
    (M.RETRYING, N.RETRY): MediaRow(M.OFFERING, (E.SEND_OFFER,), "RFC 3261 14.1"),
    (M.INVITED, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
    (M.INVITING, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
    (M.IDLE, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
    (M.OFFERED, N.END): MediaRow(M.OVER, (E.SEND_TERMINATED,), "RFC 3261 15.1.2"),
    (M.UPDATE_OFFERED, N.END): MediaRow(M.OVER, (E.SEND_TERMINATED,), "RFC 3261 15.1.2"),
    (M.REANSWERED, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
    (M.OFFERING, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
    (M.REFRESHING, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
    (M.RETRYING, N.END): MediaRow(M.OVER, (), "RFC 3261 15"),
}
"""RETRYING + INVITE or UPDATE: the peer's offer won the race, so ours is given up, and our user told (491).
REFRESHING: one that fails is tried again when `SessionTimer` says so, and is no news to our user."""
