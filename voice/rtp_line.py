"""The sound of one stream by SIP: its wire, what was agreed, and its leg once there is one."""

from voice.media.codecs import open_codec
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import UdpWire, media_address
from voice.wire.negotiation import Negotiated


class RtpLine:
    """From the first agreement on `wire`, through changes of it, to its end."""

    def __init__(self, wire: UdpWire, agreed: Negotiated) -> None:
        self.wire = wire
        self.agreed = agreed
        self._leg: MediaLeg | None = None
        self.apply(agreed)

    def apply(self, agreed: Negotiated) -> None:
        """What offer and answer came to, now. Raises ProtocolError for an address that is none, before anything is
        changed."""
        remote = media_address(agreed.remote_addr, agreed.remote_port)
        self.wire.agree(agreed)
        former, self.agreed = self.agreed, agreed
        if self._leg is None:
            self.wire.remote = remote
            return
        if (former.codec, former.payload_type) != (agreed.codec, agreed.payload_type):
            self._leg.switch(open_codec(agreed.codec), agreed.payload_type)
        keys = agreed.event_payload_type
        if keys is not None and former.event_payload_type not in (None, keys):
            self._leg.renumber_keys(keys)
        if remote is not None:
            self._leg.update_remote(*remote)
        _direct(self._leg, agreed)

    def begin(self, plane: MediaPlane) -> MediaLeg:
        """Let the sound be heard. Raises Overloaded when the plane has no room."""
        agreed = self.agreed
        leg = plane.add_leg(self.wire, open_codec(agreed.codec), agreed.payload_type, agreed.event_payload_type)
        _direct(leg, agreed)
        self.wire.control.begin(leg)
        self._leg = leg
        return leg

    def close(self) -> None:
        """Free it. Idempotent."""
        if self._leg is not None:
            self._leg.close()
        else:
            self.wire.close()


def _direct(leg: MediaLeg, agreed: Negotiated) -> None:
    """Which way sound flows, and in what pieces."""
    leg.set_direction(send=agreed.direction.sends, receive=agreed.direction.receives)
    leg.packetise(agreed.ptime_ms)
