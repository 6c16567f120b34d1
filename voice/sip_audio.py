"""The sound of one call that we place by SIP: offer and answer (RFC 3264), a wire, and the leg once it is answered."""

import secrets

from voice.media.codecs import open_codec
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts, media_address
from voice.settings.sip import SipSettings
from voice.wire.negotiation import NO_KEYS, Negotiated, answer, make_offer, read_answer
from voice.wire.sdes import SECRET_OCTETS, Sdes
from voice.wire.sdp import parse_sdp


class SipAudio:
    """`host` is where we are told to be; `sip` says which formats are spoken, and whether it is encrypted. `leg` is there
    from `begin` on; `close` gives back whatever there is."""

    def __init__(self, host: str, sip: SipSettings, plane: MediaPlane, ports: RtpPorts) -> None:
        """Take a port. Raises Overloaded."""
        self.leg: MediaLeg | None = None
        self._host = host
        self._sip = sip
        self._sdes: Sdes = NO_KEYS
        self._plane = plane
        self._wire = ports.open(None)
        self._session_id = secrets.randbits(31)
        self._version = 0
        self._agreed: Negotiated | None = None

    def offer(self) -> bytes:
        """An offer of ours; once something was agreed, that first."""
        self._renew()
        codecs, agreed = self._sip.codecs, self._agreed
        ordered = sorted(codecs, key=lambda codec: agreed is None or codec != agreed.codec)
        return make_offer(
            self._host, self._wire.port, self._session_id, self._version, codecs=tuple(ordered), sdes=self._sdes
        )

    def begin(self, sdp: bytes) -> MediaLeg:
        """The far end took the call, with this answer. Raises NoCommonCodec, ProtocolError, Overloaded."""
        agreed = self._agreed = read_answer(parse_sdp(sdp), self._sdes, self._sip.codecs)
        self._wire.agree(agreed)
        self._wire.remote = media_address(agreed.remote_addr, agreed.remote_port)
        self.leg = self._plane.add_leg(
            self._wire, open_codec(agreed.codec), agreed.payload_type, agreed.event_payload_type
        )
        self.leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
        self._wire.control.begin(self.leg)
        return self.leg

    def respond(self, offer: bytes | None) -> bytes:
        """What answers a re-INVITE: the answer to its offer, or an offer where it had none. Raises as `begin`."""
        if offer is None:
            return self.offer()
        self._renew()
        agreed = answer(
            parse_sdp(offer), self._host, self._wire.port, self._session_id, self._version, self._sdes, self._sip.codecs
        )
        self._change(agreed)
        return agreed.answer_bytes

    def agree(self, sdp: bytes) -> None:
        """The ACK of a re-INVITE carried the answer to our offer. Raises as `begin`."""
        self._change(read_answer(parse_sdp(sdp), self._sdes, self._sip.codecs))

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

    def _change(self, agreed: Negotiated) -> None:
        former, self._agreed = self._agreed, agreed
        self._wire.agree(agreed)
        if self.leg is None:
            return
        if former is not None and (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            self.leg.switch(open_codec(agreed.codec), agreed.payload_type)
        if (remote := media_address(agreed.remote_addr, agreed.remote_port)) is not None:
            self.leg.update_remote(*remote)
        self.leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)

    def _renew(self) -> None:
        """The next description of ours: its version, and keys that it may need."""
        self._version += 1
        keys = None if self._agreed is None else self._agreed.keys
        self._sdes = Sdes(self._sip.srtp, secrets.token_bytes(SECRET_OCTETS), keys)
