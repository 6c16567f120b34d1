"""The sound of one stream by SIP: its wire, what was agreed, and its leg once there is one."""

from dialog.errors import NoCommonCodec
from voice.media.codecs import coding_of
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import UdpWire, media_address
from voice.wire.negotiation import Negotiated


class RtpLine:
    """`agreed` is there once both sides have described what they can, `leg` from `begin` on."""

    def __init__(self, wire: UdpWire, plane: MediaPlane) -> None:
        self.wire = wire
        self.agreed: Negotiated | None = None
        self.leg: MediaLeg | None = None
        self._plane = plane

    def apply(self, agreed: Negotiated) -> None:
        """What offer and answer came to, now. Raises ProtocolError for an address that is none, before anything is
        changed."""
        remote = media_address(agreed.remote_addr, agreed.remote_port)
        self.wire.agree(agreed)
        former, self.agreed = self.agreed, agreed
        if self.leg is None:
            self.wire.remote = remote
            return
        self.leg.secure()
        if former is not None and (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            self.leg.switch(coding_of(agreed.codec), agreed.payload_type)
        keys = agreed.event_payload_type
        if keys is not None and former is not None and former.event_payload_type not in (None, keys):
            self.leg.renumber_keys(keys)
        if remote is not None:
            self.leg.update_remote(*remote)
        self._direct(self.leg, agreed)

    def begin(self) -> MediaLeg:
        """Let the sound be heard. Raises NoCommonCodec where nothing was agreed, Overloaded without a free row."""
        agreed = self.agreed
        if agreed is None:
            raise NoCommonCodec("neither side has said what it can hear")
        coding = coding_of(agreed.codec)
        leg = self._plane.add_leg(self.wire, coding, agreed.payload_type, agreed.event_payload_type)
        self.leg = leg  # from here on the wire is the plane's to close, whatever else is refused
        self._direct(leg, agreed)
        self.wire.control.begin(leg)
        return leg

    @property
    def codec(self) -> str:
        """The RTP name of the format that was agreed on; "" before."""
        return self.agreed.codec.value if self.agreed is not None else ""

    def close(self) -> None:
        """It is over. Idempotent."""
        if self.leg is not None:
            self.leg.close()
        else:
            self.wire.close()

    def _go_on_at(self, wire: UdpWire, agreed: Negotiated) -> None:
        """The leg that was begun is at another wire from now on; the former one is closed."""
        assert self.leg is not None, "it was begun"
        wire.control.begin(self.leg)  # first: the former one says goodbye by the former wire
        self.leg.move(wire, coding_of(agreed.codec), agreed.payload_type, agreed.event_payload_type)
        self._direct(self.leg, agreed)
        self.wire, self.agreed = wire, agreed

    @staticmethod
    def _direct(leg: MediaLeg, agreed: Negotiated) -> None:
        """Which way sound flows, in what pieces, and whether in pauses."""
        leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
        leg.packetise(agreed.ptime_ms)
        leg.allow_pauses(agreed.noise_payload_type)
