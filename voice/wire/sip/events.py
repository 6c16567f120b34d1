"""What a SIP endpoint tells its user.

Each call ends with exactly one of InviteCancelled, InviteRefused and DialogEnded.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sipmessage import URI

from voice.wire.sip.message import Address
from voice.wire.sip.reason import Reason
from voice.wire.sip.replaces import Replaces

CallRef = NewType("CallRef", int)
"""Names a call of one endpoint; never used twice."""


class EndCause(StrEnum):
    """Why an incoming call, or an answered one, is over."""

    REMOTE = "remote"
    """The peer sent BYE."""
    LOCAL = "local"
    """We hung up."""
    REJECTED = "rejected"
    """We refused the INVITE."""
    NO_ACK = "no_ack"
    """Our answer was never acknowledged (RFC 3261 section 13.3.1.4), or what we said before it (RFC 3262 section 3)."""
    EXPIRED = "expired"
    """Nobody refreshed the session in time (RFC 4028 section 10)."""
    LOST = "lost"
    """The peer no longer knows the call (481) or no longer answers (408; RFC 3261 section 12.2.1.2)."""


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """Somebody calls. Wants `ring` or `progress`, then `answer` or `reject`.

    `offer` is None when we are to make the offer. `dialled` is the user part of the Request-URI; `headers` has those of
    PASSED_HEADERS that came, and those the endpoint was asked for; of one that came more than once all values in order.
    `account` is whose credentials let in a caller from an address that is not listed; "" from one that is. `replaces`
    names the call of the same party whose place this one is to take: once it stands, that one is to be hung up.
    """

    call: CallRef
    sip_call_id: str
    from_uri: URI
    from_name: str
    to_uri: URI
    dialled: str
    offer: bytes | None
    source: Address
    headers: tuple[tuple[str, str], ...]
    account: str = ""
    replaces: CallRef | None = None


@dataclass(frozen=True, slots=True)
class InviteAcknowledged:
    """The caller has our answer. `answer` is its SDP where the offer was ours."""

    call: CallRef
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class ProgressAcknowledged:
    """The caller has what `progress` said, where it takes that reliably. `answer` is its SDP where we made an offer."""

    call: CallRef
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class InviteCancelled:
    """The caller gave up before we answered; `reasons` as its CANCEL gave them."""

    call: CallRef
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class DialogEnded:
    """The call is over; `reasons` as the peer's BYE gave them."""

    call: CallRef
    cause: EndCause
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """The peer wants other media, by re-INVITE or UPDATE. Wants `reanswer` or `reject`.

    `offer` is None when we are to make the offer.
    """

    call: CallRef
    offer: bytes | None


@dataclass(frozen=True, slots=True)
class ReinviteAcknowledged:
    """The peer has our second answer. `answer` is its SDP where the offer was ours."""

    call: CallRef
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """The peer accepted what we offered with `reoffer`, or says what it takes where the session was refreshed."""

    call: CallRef
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class ReinviteRefused:
    """The peer refused what we offered with `reoffer`; the media stay as they were."""

    call: CallRef
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional response came to our INVITE; `sdp` describes early media where there are any."""

    call: CallRef
    status: int
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class InviteAnswered:
    """The callee took our call."""

    call: CallRef
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class InviteRefused:
    """Our INVITE was refused; 408 also when nobody answered at all.

    `contacts` says where a 3xx sends us, what it likes best first: whoever called decides whether to go there.
    """

    call: CallRef
    status: int
    reason: str
    contacts: tuple[URI, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """The peer wants us to call `target` in its stead, in the place of the call that `replaces` names, if any. Wants
    `accept_refer`, then `tell_refer`; or `refuse_refer`. `referred_by` is who says to ask for it (RFC 3892)."""

    call: CallRef
    target: URI
    replaces: Replaces | None
    referred_by: str


@dataclass(frozen=True, slots=True)
class ReferProgressed:
    """The peer calls whom we referred it to, and has come to this provisional response."""

    call: CallRef
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReferConcluded:
    """What came of our `refer`, told once unless the call ends before: the response that the peer got from there, or
    its own refusal; 408 also when nothing more was told in time."""

    call: CallRef
    status: int
    reason: str


SipEvent = (
    InviteReceived
    | InviteAcknowledged
    | ProgressAcknowledged
    | InviteCancelled
    | DialogEnded
    | ReinviteReceived
    | ReinviteAcknowledged
    | ReinviteAnswered
    | ReinviteRefused
    | Ringing
    | InviteAnswered
    | InviteRefused
    | ReferReceived
    | ReferProgressed
    | ReferConcluded
)

END_EVENTS = (InviteCancelled, DialogEnded, InviteRefused)
PASSED_HEADERS = (
    "User-Agent",
    "P-Asserted-Identity",
    "Diversion",
    "History-Info",
    "User-to-User",
    "Reason",
    "Subject",
)
"""What an INVITE may tell beyond its addresses: RFC 3325, RFC 5806, RFC 7044, RFC 7433, RFC 3326."""

MAX_PASSED = 2_048
"""Characters of a header that is passed on; one that is longer is left out."""
