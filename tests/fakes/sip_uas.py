"""A callee with SDP and no audio: answers whatever comes, remembers what happened."""

from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings
from voice.wire.negotiation import answer, make_offer, read_answer
from voice.wire.sdp import Codec, parse_sdp
from voice.wire.sip.events import CallRef, InviteAcknowledged, InviteReceived, ReinviteReceived, SipEvent

HOST = "127.0.0.1"
RTP_PORT = 21_900


class SilentCallee:
    """A handler for `SipAgent`. `ring_only` lets calls ring for ever, for callers that give up; `parting` hangs up
    as soon as a call is acknowledged; `early` describes its media before it answers."""

    def __init__(
        self,
        *,
        ring_only: bool = False,
        parting: bool = False,
        early: bool = False,
        streams: StreamSettings | None = None,
    ) -> None:
        self.agent = SipAgent(self, allow=lambda host: host == HOST, streams=streams)
        self.events: list[SipEvent] = []
        self.codecs: list[Codec] = []
        self._ring_only = ring_only
        self._parting = parting
        self._early = early
        self._version = 1

    async def on_event(self, event: SipEvent) -> None:
        self.events.append(event)
        if isinstance(event, InviteReceived):
            described = self._describe(event.offer)
            if self._early:
                self.agent.progress(event.call, described)
            else:
                self.agent.ring(event.call)
            if not self._ring_only:
                self.agent.answer(event.call, described)
        elif isinstance(event, ReinviteReceived):
            self.agent.reanswer(event.call, self._describe(event.offer))
        elif isinstance(event, InviteAcknowledged):
            if event.answer is not None:
                self.codecs.append(read_answer(parse_sdp(event.answer)).codec)
            if self._parting:
                self.agent.hangup(event.call)

    def received(self) -> CallRef:
        """The call that came last."""
        return [event.call for event in self.events if isinstance(event, InviteReceived)][-1]

    def count(self, kind: type[SipEvent]) -> int:
        """How many events of `kind` came."""
        return sum(isinstance(event, kind) for event in self.events)

    def _describe(self, offer: bytes | None) -> bytes:
        self._version += 1
        if offer is None:
            return make_offer(HOST, RTP_PORT, 1, self._version)
        agreed = answer(parse_sdp(offer), HOST, RTP_PORT, 1, self._version, codecs=tuple(Codec))
        self.codecs.append(agreed.codec)
        return agreed.answer_bytes
