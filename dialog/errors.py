"""The one error tree.

    CentralinoError
    ├── OurError                 we are wrong, or full
    │   ├── ConfigurationError   a setting is wrong: one line, exit not zero
    │   ├── NotReady             something set-up makes is missing: the line names the remedy
    │   ├── StoreError           the record could not be written or read
    │   └── Overloaded           admission refused; the accepted calls go on unharmed
    ├── PeerError                what came over the wire is wrong
    │   ├── ProtocolError        a message or a packet that no grammar accepts
    │   ├── NoCommonCodec        offer and answer share nothing
    │   ├── NotEncrypted         sound, or the keys to it, in the clear where that is forbidden
    │   ├── PeerForbidden        an address or a token that is not on the list
    │   ├── NotFound             a call, a page or a number that we do not have
    │   └── PeerTimeout          a peer that fell silent
    └── EngineError              a child process or a model failed
        ├── EngineUnavailable    not there now; it may come back
        ├── EngineTimeout        there, but too late to be of use
        └── ModelMissing         a model file is absent or not the one we know

Each class has a stable `code` for journals and metrics, and the SIP status a caller is given when the error decides
a call. A boundary is a place that may catch `Exception` because the life of other calls depends on it; `BOUNDARIES`
lists them all, and a test compares the list with the source.
"""

from typing import ClassVar


class CentralinoError(Exception):
    """Root of every error this house raises on purpose."""

    code: ClassVar[str] = "error"
    sip_status: ClassVar[int] = 500


class OurError(CentralinoError):
    """We are wrong, or full."""

    code = "ours"


class ConfigurationError(OurError):
    """A setting is wrong. The message names the key, the value and the remedy in one line."""

    code = "ours.configuration"


class NotReady(OurError):
    """Something that set-up makes is missing. The message names it and the command that makes it."""

    code = "ours.not_ready"
    sip_status = 503


class StoreError(OurError):
    """The record of calls could not be written or read."""

    code = "ours.store"


class Overloaded(OurError):
    """Admission refused a new call."""

    code = "ours.overloaded"
    sip_status = 503


class PeerError(CentralinoError):
    """What came over the wire is wrong."""

    code = "peer"
    sip_status = 400


class ProtocolError(PeerError):
    """A message or a packet that no grammar accepts."""

    code = "peer.protocol"


class NoCommonCodec(PeerError):
    """Offer and answer share no audio format (RFC 3261 section 21.4.26)."""

    code = "peer.no_common_codec"
    sip_status = 488


class NotEncrypted(PeerError):
    """Sound, or the keys to it, would go in the clear where settings forbid that (RFC 4568 section 5.1.2)."""

    code = "peer.not_encrypted"
    sip_status = 488


class PeerForbidden(PeerError):
    """An address or a token that is not on the list."""

    code = "peer.forbidden"
    sip_status = 403


class NotFound(PeerError):
    """A call, a page or a number that we do not have."""

    code = "peer.not_found"
    sip_status = 404


class PeerTimeout(PeerError):
    """A peer that fell silent."""

    code = "peer.timeout"
    sip_status = 408


class EngineError(CentralinoError):
    """A child process or a model failed."""

    code = "engine"
    sip_status = 503


class EngineUnavailable(EngineError):
    """Not there now; it may come back."""

    code = "engine.unavailable"


class EngineTimeout(EngineError):
    """There, but too late to be of use."""

    code = "engine.timeout"


class ModelMissing(EngineError):
    """A model file is absent or is not the one we know. The message names the command that makes it."""

    code = "engine.model_missing"


BOUNDARIES: frozenset[str] = frozenset(
    {
        "agent_assist.desk.assist:Assist._suggest",
        "voice.browser_lines:BrowserLines._hold",
        "voice.calls:Calls._hold",
        "voice.media.plane:MediaPlane._each",
        "voice.media.plane:MediaPlane._run",
        "voice.net.sip_agent:SipAgent._hand_out",
        "voice.placing:Placing._place",
        "voice.speech.ears:HostStream._tell",
        "voice.speech.engines.vosk:Vosk.__init__",
        "voice.web_phones:WebPhones._take",
    }
)
"""`package.module:function` of each place that may catch `Exception`; the reason stands in a comment there."""
