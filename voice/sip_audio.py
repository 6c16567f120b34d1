"""The sound of one call that we place by SIP: offer and answer (RFC 3264), a wire, and the leg once it is answered."""

import secrets

from dialog.errors import NotEncrypted
from voice.config import Settings
from voice.media.codecs import open_codec
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts, media_address
from voice.trunk import is_private
from voice.wire.negotiation import NO_KEYS, Negotiated, answer, make_offer, read_answer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import Codec, parse_sdp
from voice.wire.sip.message import Address


class SipAudio:
    """`leg` is there from `begin` on; `close` gives back whatever there is."""

    def __init__(self, settings: Settings, peer: Address, plane: MediaPlane, ports: RtpPorts) -> None:
        """Take a port for a call to `peer`. Raises Overloaded; NotEncrypted where keys could be read on their way."""
        if settings.sip.srtp is Srtp.DEMANDED and not is_private(peer):
            raise NotEncrypted("keys could be read on their way: register by TLS")
        self.leg: MediaLeg | None = None
        self._settings = settings
        self._plane = plane
        self._wire = ports.open(None)
        self._session_id = secrets.randbits(31)
        self._version = 0
        self._sdes = NO_KEYS
        self._agreed: Negotiated | None = None

    def offer(self) -> bytes:
        """An offer of ours; once something was agreed, that first."""
        self._renew()
        spoken = self._agreed
        codecs = sorted(self._codecs(), key=lambda codec: spoken is None or codec != spoken.codec)
        host, port = self._settings.media_advertised, self._wire.port
        return make_offer(host, port, self._session_id, self._version, codecs=tuple(codecs), sdes=self._sdes)

    def begin(self, sdp: bytes) -> MediaLeg:
        """The far end took the call, with this answer.

        Raises NoCommonCodec, NotEncrypted, ProtocolError, Overloaded.
        """
        agreed = self._agreed = read_answer(parse_sdp(sdp), self._sdes, self._codecs())
        self._wire.agree(agreed)
        self._wire.remote = media_address(agreed.remote_addr, agreed.remote_port)
        self.leg = self._plane.add_leg(
            self._wire, open_codec(agreed.codec), agreed.payload_type, agreed.event_payload_type
        )
        self._wire.control.begin(self.leg)
        self._direct(self.leg, agreed)
        return self.leg

    def respond(self, offer: bytes | None) -> bytes:
        """What answers a re-INVITE: the answer to its offer, or an offer where it had none. Raises as `begin`."""
        if offer is None:
            return self.offer()
        self._renew()
        host, port = self._settings.media_advertised, self._wire.port
        session = parse_sdp(offer)
        agreed = answer(session, host, port, self._session_id, self._version, self._sdes, self._codecs())
        self._change(agreed)
        return agreed.answer_bytes

    def agree(self, sdp: bytes) -> None:
        """The ACK of a re-INVITE carried the answer to our offer. Raises as `begin`."""
        self._change(read_answer(parse_sdp(sdp), self._sdes, self._codecs()))

    @property
    def held(self) -> bool:
        """Whether the far end wants to hear nothing now: it holds us (RFC 3264 section 8.4)."""
        return self._agreed is not None and not self._agreed.direction.sends

    def close(self) -> None:
        """It is over. Idempotent."""
        if self.leg is not None:
            self.leg.close()
        else:
            self._wire.close()

    def _renew(self) -> None:
        """Another description of ours: a version of its own, and keys; those that are in use stay."""
        self._version += 1
        keys = None if self._agreed is None else self._agreed.keys
        self._sdes = Sdes(self._settings.sip.srtp, secrets.token_bytes(SECRET_OCTETS), keys)

    def _codecs(self) -> tuple[Codec, ...]:
        """What may be spoken: a stream does not change its clock (RFC 7160)."""
        clock_hz = None if self._agreed is None else self._agreed.codec.clock_hz
        return tuple(codec for codec in self._settings.sip.codecs if clock_hz in (None, codec.clock_hz))

    def _change(self, agreed: Negotiated) -> None:
        former, self._agreed = self._agreed, agreed
        self._wire.agree(agreed)
        if self.leg is None or former is None:
            return
        if (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            self.leg.switch(open_codec(agreed.codec), agreed.payload_type)
        keys = agreed.event_payload_type
        if keys is not None and former.event_payload_type not in (None, keys):
            self.leg.renumber_keys(keys)
        if (remote := media_address(agreed.remote_addr, agreed.remote_port)) is not None:
            self.leg.update_remote(*remote)
        self._direct(self.leg, agreed)

    def _direct(self, leg: MediaLeg, agreed: Negotiated) -> None:
        leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
        leg.packetise(agreed.ptime_ms)
