"""A browser without a browser: offers, connects, sends and receives raw RTP, opens the `journal` channel.

Made of aiortc's ORTC objects, unguarded, on 127.0.0.1. What it sends and hears are whole RTP packets, so tests can
compare bytes.
"""

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

from aioice import Candidate, Connection, TransportPolicy
from aioice.ice import StunProtocol
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from aiortc.sdp import SessionDescription

from voice.wire.ice_server import IceServer

OPUS_LINES = (
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:110 telephone-event/48000",
    "a=rtpmap:126 telephone-event/8000",
)


class _LoopbackConnection(Connection):
    """With a `turn` server its relayed address is all that it has."""

    def __init__(self, turn: IceServer | None = None) -> None:
        if turn is None:
            super().__init__(ice_controlling=True)
            return
        given = turn.credentials(time.time(), "browser")
        super().__init__(
            ice_controlling=True,
            turn_server=(turn.host, turn.port),
            turn_username=given.username,
            turn_password=given.password,
            turn_ssl=turn.scheme == "turns",
            turn_transport=turn.transport,
            transport_policy=TransportPolicy.RELAY,
        )

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 - the library's signature
    ) -> list[Candidate]:
        loopback = ["127.0.0.1"] if self.turn_server is None else []
        return await super().get_component_candidates(component, loopback, timeout)


class _MediaAside(asyncio.DatagramProtocol):
    """Gives SRTP to `heard` as it is, and the rest to the agent."""

    def __init__(self, agent: StunProtocol, heard: Callable[[bytes], None]) -> None:
        self._agent = agent
        self._heard = heard
        self.connection_lost = agent.connection_lost  # type: ignore[method-assign]
        self.error_received = agent.error_received  # type: ignore[method-assign]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if data and 128 <= data[0] < 192:
            self._heard(data)
        else:
            self._agent.datagram_received(data, addr)


class _Wall(asyncio.DatagramProtocol):
    """Lets in only what comes from addresses that the agent was told of and so writes to."""

    def __init__(self, agent: StunProtocol) -> None:
        self._agent = agent
        self.connection_lost = agent.connection_lost  # type: ignore[method-assign]
        self.error_received = agent.error_received  # type: ignore[method-assign]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if addr[:2] in [(known.host, known.port) for known in self._agent.receiver.remote_candidates]:
            self._agent.datagram_received(data, addr)


class FakeBrowser:
    """One call. `heard` holds decrypted RTP, `reports` decrypted RTCP, `told` the channel's messages.

    With `turn` a relay's address is the only one it has; `walled`, it stands behind a NAT that lets in only whom it
    wrote to. Both tell their addresses in the offer, where others hide them.
    """

    def __init__(
        self,
        *,
        formats: str = "111 0 8 110 126",
        codec_lines: tuple[str, ...] = OPUS_LINES,
        turn: IceServer | None = None,
        walled: bool = False,
    ) -> None:
        self.heard: list[bytes] = []
        self.reports: list[bytes] = []
        self.told: list[str] = []
        self.channel: RTCDataChannel | None = None
        self._formats, self._codec_lines = formats, codec_lines
        self._walled, self._tells = walled, walled or turn is not None
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._gatherer._connection = _LoopbackConnection(turn)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._dtls._set_role("server")
        self._sctp = RTCSctpTransport(self._dtls)

    @property
    def state(self) -> str:
        """State of DTLS: new, connecting, connected, closed, failed."""
        return self._dtls.state

    @property
    def port(self) -> int:
        return self._gatherer.getLocalCandidates()[0].port

    async def offer(self) -> str:
        await self._gatherer.gather()
        for agent in self._gatherer._connection._protocols if self._walled else ():
            agent.transport.set_protocol(_Wall(agent))
        local = self._gatherer.getLocalParameters()
        digest = self._dtls.getLocalParameters().fingerprints[0]
        transport = [
            "c=IN IP4 0.0.0.0",
            f"a=ice-ufrag:{local.usernameFragment}",
            f"a=ice-pwd:{local.password}",
            f"a=fingerprint:{digest.algorithm} {digest.value}",
            "a=setup:actpass",
            "a=candidate:1 1 udp 2113937151 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 50000 typ host",
            *(f"a=candidate:{c.to_sdp()}" for c in self._gatherer._connection.local_candidates if self._tells),
        ]
        return "\r\n".join(
            [
                "v=0",
                "o=- 1 2 IN IP4 127.0.0.1",
                "s=-",
                "t=0 0",
                "a=group:BUNDLE 0 1",
                f"m=audio 9 UDP/TLS/RTP/SAVPF {self._formats}",
                *transport,
                "a=mid:0",
                "a=sendrecv",
                "a=rtcp-mux",
                *self._codec_lines,
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                *transport,
                "a=mid:1",
                "a=sctp-port:5000",
                "a=max-message-size:262144",
                "",
            ]
        )

    async def connect(self, answer: str) -> None:
        """Take the answer and connect; returns when audio can flow."""
        media = SessionDescription.parse(answer).media[0]
        assert media.ice is not None and media.dtls is not None
        assert media.dtls.role == "client"
        for candidate in media.ice_candidates:
            await self._ice.addRemoteCandidate(candidate)
        await self._ice.start(media.ice)
        assert self._ice.state == "completed"
        await self._dtls.start(media.dtls)
        assert self._dtls.state == "connected"
        self._dtls._handle_rtp_data = self._on_rtp  # type: ignore[method-assign]
        self._dtls._handle_rtcp_data = self._on_rtcp  # type: ignore[method-assign]

    async def open_channel(self, label: str = "journal") -> RTCDataChannel:
        """Open a data channel; returns when it is open."""
        if self._sctp.state == "new":
            await self._sctp.start(RTCSctpCapabilities(262144), 5000)
        channel = RTCDataChannel(self._sctp, RTCDataChannelParameters(label=label))
        opened = asyncio.Event()
        channel.add_listener("open", opened.set)
        channel.add_listener("message", self.told.append)
        if channel.readyState != "open":
            await asyncio.wait_for(opened.wait(), 20)
        self.channel = channel
        return channel

    async def send(self, packet: bytes) -> None:
        await self._dtls._send_rtp(packet)

    def take_media(self, heard: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Media passes aiortc by from now on, which makes it cheap: what comes goes to `heard`, still encrypted; what
        is returned encrypts an RTP packet and sends it."""
        pair = self._gatherer._connection._nominated[1]
        transport, remote, protect = pair.protocol.transport, pair.remote_addr, self._dtls._tx_srtp.protect
        transport.set_protocol(_MediaAside(pair.protocol, heard))
        return lambda packet: transport.sendto(protect(packet), remote)

    async def vanish(self) -> None:
        """Go without a word, as a lost network does."""
        self._dtls.remove_all_listeners()
        task, self._dtls._task = self._dtls._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
        await self._ice.stop()

    async def close(self) -> None:
        """Say goodbye, as `RTCPeerConnection.close()` does."""
        if self._sctp.state not in ("new", "closed"):
            await self._sctp.stop()
        task = self._dtls._task
        await self._dtls.stop()
        if task is not None:
            await asyncio.wait((task,))
        await self._ice.stop()

    async def _on_rtp(self, data: bytes, arrival_time_ms: int) -> None:
        self.heard.append(data)

    async def _on_rtcp(self, data: bytes) -> None:
        self.reports.append(data)


def rtp(
    sequence: int, payload: bytes = b"payload", *, ssrc: int = 0x1234, payload_type: int = 111, units: int = 960
) -> bytes:
    """An RTP packet with a one-byte header extension in it, as browsers send them, `units` of the clock after the one
    before: 20 ms of Opus."""
    header = struct.pack("!BBHII", 0x90, payload_type, sequence & 0xFFFF, sequence * units & 0xFFFFFFFF, ssrc)
    return header + struct.pack("!HHI", 0xBEDE, 1, 0x10AA0000) + payload
