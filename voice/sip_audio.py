"""The sound of one SIP call: offer and answer (RFC 3264), a wire, and the leg once the call stands."""

import secrets

from dialog.errors import NoCommonCodec, NotEncrypted
from voice.media.codecs import open_codec
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts, media_address
from voice.settings.sip import SipSettings
from voice.wire.negotiation import NO_KEYS, Negotiated, answer, make_offer, read_answer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import Codec, parse_sdp
from voice.wire.sip.flow import is_private
from voice.wire.sip.message import Address


class SipAudio:
    """`host` is where we are told to be; `codecs` are spoken, best first, and `srtp` says whether it is encrypted.

    `agreed` is there once both sides have described what they can, `leg` from `begin` on. Whatever reads a description
    of the far end's raises ProtocolError, NoCommonCodec, NotEncrypted.
    """

    def __init__(self, host: str, codecs: tuple[Codec, ...], srtp: Srtp, plane: MediaPlane, ports: RtpPorts) -> None:
        """Take a port. Raises Overloaded."""
        self.leg: MediaLeg | None = None
        self.agreed: Negotiated | None = None
        self._host = host
        self._spoken = codecs
        self._srtp = srtp
        self._plane = plane
        self.wire = ports.open(None)
        self._sdes: Sdes = NO_KEYS
        self._session_id = secrets.randbits(31)
        self._version = 0
        self._offered: bytes | None = None
        self._answer = b""

    def offer(self) -> bytes:
        """An offer of ours; rather of the format that is spoken already."""
        self._renew()
        agreed = self.agreed
        ordered = sorted(self._codecs, key=lambda codec: agreed is None or codec != agreed.codec)
        return make_offer(
            self._host, self.wire.port, self._session_id, self._version, codecs=tuple(ordered), sdes=self._sdes
        )

    def respond(self, offer: bytes | None) -> bytes:
        """The answer to an offer, or an offer of ours where the far end made none.

        The same offer once more is no change but a refresh: it has the same answer (RFC 3264 section 8).
        """
        if offer is None:
            return self.offer()
        if offer != self._offered:
            self._renew()
            session, port = parse_sdp(offer), self.wire.port
            agreed = answer(session, self._host, port, self._session_id, self._version, self._sdes, self._codecs)
            self._apply(agreed)
            self._offered, self._answer = offer, agreed.answer_bytes
        return self._answer

    def agree(self, sdp: bytes) -> None:
        """The far end answered an offer of ours."""
        self._apply(read_answer(parse_sdp(sdp), self._sdes, self._codecs))

    def begin(self) -> MediaLeg:
        """The call stands. Raises NoCommonCodec where nothing was agreed, Overloaded."""
        agreed = self.agreed
        if agreed is None:
            raise NoCommonCodec("neither side has said what it can hear")
        codec = open_codec(agreed.codec)
        self.leg = self._plane.add_leg(self.wire, codec, agreed.payload_type, agreed.event_payload_type)
        self._direct(self.leg, agreed)
        self.wire.control.begin(self.leg)
        return self.leg

    def take_over(self, other: "SipAudio") -> None:
        """The leg goes on in another call's place (RFC 3891), at that one's wire; the other has no sound any more."""
        agreed = other.agreed
        assert self.leg is not None and agreed is not None, "both calls stand"
        other.wire.control.begin(self.leg)  # first: the former one says goodbye by the former wire
        self.leg.move(other.wire, open_codec(agreed.codec), agreed.payload_type, agreed.event_payload_type)
        self._direct(self.leg, agreed)
        self.agreed, self.wire, self._sdes = agreed, other.wire, other._sdes
        self._session_id, self._version = other._session_id, other._version
        self._offered, self._answer = other._offered, other._answer

    @property
    def codec(self) -> str:
        """The RTP name of the format that was agreed on; "" before."""
        return self.agreed.codec.value if self.agreed is not None else ""

    @property
    def encrypted(self) -> bool:
        return self.agreed is not None and self.agreed.keys is not None

    @property
    def held(self) -> bool:
        """Whether the far end wants to hear nothing now: it holds us (RFC 3264 section 8.4)."""
        return self.agreed is not None and not self.agreed.direction.sends

    def close(self) -> None:
        """It is over. Idempotent."""
        if self.leg is not None:
            self.leg.close()
        else:
            self.wire.close()

    @property
    def _codecs(self) -> tuple[Codec, ...]:
        """What may be spoken: a stream does not change its clock (RFC 7160)."""
        clock_hz = None if self.agreed is None else self.agreed.codec.clock_hz
        return tuple(codec for codec in self._spoken if clock_hz in (None, codec.clock_hz))

    def _renew(self) -> None:
        """The next description of ours: its version, and keys that it may need."""
        self._version += 1
        keys = None if self.agreed is None else self.agreed.keys
        self._sdes = Sdes(self._srtp, secrets.token_bytes(SECRET_OCTETS), keys)

    def _apply(self, agreed: Negotiated) -> None:
        remote = media_address(agreed.remote_addr, agreed.remote_port)
        self.wire.agree(agreed)
        former, self.agreed = self.agreed, agreed
        if self.leg is None:
            self.wire.remote = remote
            return
        if former is not None and (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            self.leg.switch(open_codec(agreed.codec), agreed.payload_type)
        keys = agreed.event_payload_type
        if keys is not None and former is not None and former.event_payload_type not in (None, keys):
            self.leg.renumber_keys(keys)
        if remote is not None:
            self.leg.update_remote(*remote)
        self._direct(self.leg, agreed)

    @staticmethod
    def _direct(leg: MediaLeg, agreed: Negotiated) -> None:
        """Which way sound flows, and in what pieces."""
        leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
        leg.packetise(agreed.ptime_ms)


class Audios:
    """Makes the sound of calls, as the settings want it."""

    def __init__(self, plane: MediaPlane, ports: RtpPorts, sip: SipSettings) -> None:
        self._plane = plane
        self._ports = ports
        self._sip = sip

    def open(self, host: str, peer: Address, *, encrypted: bool = False) -> SipAudio:
        """For a call with `peer`, which is told to send its sound to `host`; `encrypted` whatever the settings say.

        Raises Overloaded; NotEncrypted where encryption is demanded, and keys could be read on their way there.
        """
        if self._sip.srtp is Srtp.DEMANDED and not is_private(peer):
            raise NotEncrypted("keys could be read on their way: TLS is needed")
        srtp = Srtp.DEMANDED if encrypted else self._sip.srtp
        return SipAudio(host, self._sip.codecs, srtp, self._plane, self._ports)
