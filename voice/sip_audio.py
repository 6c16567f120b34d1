"""The sound of one SIP call, with the descriptions that offer and answer it (RFC 3264)."""

import secrets
from collections.abc import Callable

from dialog.errors import NotEncrypted
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.rtp_line import RtpLine
from voice.wire.dtmf import Dtmf
from voice.wire.negotiation import NO_KEYS, answer, make_offer, read_answer
from voice.wire.sdes import SECRET_OCTETS, Sdes, Srtp
from voice.wire.sdp import Codec, parse_sdp
from voice.wire.sip.flow import is_private
from voice.wire.sip.message import Address


class SipAudio(RtpLine):
    """`host` is where we are told to be; `codecs` are spoken, best first, `srtp` says whether it is encrypted, and
    `dtmf` how keys go.

    Whatever reads a description of the far end's raises ProtocolError, NoCommonCodec, NotEncrypted.
    """

    def __init__(
        self,
        host: str,
        codecs: tuple[Codec, ...],
        srtp: Srtp,
        plane: MediaPlane,
        ports: RtpPorts,
        dtmf: Dtmf = Dtmf.AUTO,
    ) -> None:
        """Take a port. Raises Overloaded."""
        super().__init__(ports.open(None), plane)
        self.inform: Callable[[str], bool] = lambda digits: False
        """Sends keys by INFO; whoever has the call says how."""
        self._host = host
        self._spoken = codecs
        self._srtp = srtp
        self._dtmf = dtmf
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
            self._host,
            self.wire.port,
            self._session_id,
            self._version,
            codecs=tuple(ordered),
            sdes=self._sdes,
            events=self._dtmf.by_event,
            noise=self._plane.dtx,
        )

    def respond(self, offer: bytes | None) -> bytes:
        """The answer to an offer, or an offer of ours where the far end made none.

        The same offer once more is no change but a refresh: it has the same answer (RFC 3264 section 8).
        """
        if offer is None:
            return self.offer()
        if offer != self._offered:
            self._renew()
            agreed = answer(
                parse_sdp(offer),
                self._host,
                self.wire.port,
                self._session_id,
                self._version,
                self._sdes,
                self._codecs,
                events=self._dtmf.by_event,
                noise=self._plane.dtx,
            )
            self.apply(agreed)
            self._offered, self._answer = offer, agreed.answer_bytes
        return self._answer

    def agree(self, sdp: bytes) -> None:
        """The far end answered an offer of ours."""
        described, by_event = parse_sdp(sdp), self._dtmf.by_event
        self.apply(read_answer(described, self._sdes, self._codecs, events=by_event, noise=self._plane.dtx))

    def begin(self) -> MediaLeg:
        leg = super().begin()
        if self._dtmf is Dtmf.EVENTS:
            leg.refuse_tones()
        elif self._dtmf is Dtmf.INFO:
            leg.refuse_tones(lambda digits: self.inform(digits))
        return leg

    def take_over(self, other: "SipAudio") -> None:
        """The leg goes on in another call's place (RFC 3891), at that one's wire; the other has no sound any more."""
        assert other.agreed is not None, "both calls stand"
        self._go_on_at(other.wire, other.agreed)
        self._sdes = other._sdes
        self._session_id, self._version = other._session_id, other._version
        self._offered, self._answer = other._offered, other._answer

    @property
    def one_clock(self) -> bool:
        """Whether all that may be spoken has one clock: then any of it may be agreed on after any other."""
        return len({codec.clock_hz for codec in self._spoken}) == 1

    @property
    def encrypted(self) -> bool:
        return self.agreed is not None and self.agreed.keys is not None

    @property
    def held(self) -> bool:
        """Whether the far end wants to hear nothing now: it holds us (RFC 3264 section 8.4)."""
        return self.agreed is not None and not self.agreed.direction.sends

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


class Audios:
    """Makes the sound of calls."""

    def __init__(self, plane: MediaPlane, ports: RtpPorts) -> None:
        self._plane = plane
        self._ports = ports

    def open(
        self,
        host: str,
        peer: Address,
        *,
        codecs: tuple[Codec, ...],
        srtp: Srtp,
        dtmf: Dtmf = Dtmf.AUTO,
        encrypted: bool = False,
    ) -> SipAudio:
        """For a call with `peer`, which is told to send its sound to `host`, in one of `codecs`; keys go by `dtmf`.
        What is `encrypted` already stays so, whatever `srtp` says.

        Raises Overloaded; NotEncrypted where encryption is demanded, and keys could be read on their way there.
        """
        if srtp is Srtp.DEMANDED and not is_private(peer):
            raise NotEncrypted("keys could be read on their way: TLS is needed")
        srtp = Srtp.DEMANDED if encrypted else srtp
        return SipAudio(host, codecs, srtp, self._plane, self._ports, dtmf)
