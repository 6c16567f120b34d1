"""RTCP of a leg on real sockets, its timers in virtual time: who is told, and who is believed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from tests.fakes.clock import virtual_time
from tests.fakes.telephone import free
from tests.voice.media.ticks import Bench, expected_loss
from voice.media.codecs import Coding
from voice.media.engine.inbound import MAX_ASIDE
from voice.media.leg import MediaLeg
from voice.media.wires import Address
from voice.net.rtcp_port import MAX_READ, RtcpPort
from voice.net.rtp_port import RtpPorts, UdpWire
from voice.wire.rtcp import Report, ReportBlock, parse_compound
from voice.wire.rtp import RtpPacket

HOST = "127.0.0.1"
THEIRS = 0x1234


class Peer:
    """The far end: a socket for RTP and one for RTCP, each on a port of its own."""

    def __init__(self) -> None:
        self._rtp, self._rtcp = self._socket(), self._socket()
        self._among_rtp: list[bytes] = []
        self._sent = 0

    @property
    def rtp(self) -> Address:
        return (HOST, self._rtp.getsockname()[1])

    @property
    def rtcp(self) -> Address:
        return (HOST, self._rtcp.getsockname()[1])

    def talk(self, port: int) -> None:
        """Send a packet, and take what came: a socket does not hold much."""
        self._rtp.sendto(bytes(RtpPacket(0, self._sent, self._sent * 160, THEIRS, bytes(160))), (HOST, port))
        self._sent += 1
        self._among_rtp += [data for data in _all(self._rtp) if data[1] >= 192]

    def report(self, port: int, data: bytes, *, muxed: bool = False) -> None:
        (self._rtp if muxed else self._rtcp).sendto(data, (HOST, port))

    def told(self, *, muxed: bool = False) -> list[bytes]:
        """RTCP that came since the last look."""
        if not muxed:
            return _all(self._rtcp)
        self._among_rtp += [data for data in _all(self._rtp) if data[1] >= 192]
        told, self._among_rtp = self._among_rtp, []
        return told

    def close(self) -> None:
        self._rtp.close()
        self._rtcp.close()

    @staticmethod
    def _socket() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((HOST, 0))
        return sock


def _all(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(2_048))
        except BlockingIOError:
            return found


class Call:
    """A leg with its RTCP, and its far end."""

    def __init__(self, bench: Bench, peer: Peer, wire: UdpWire, leg: MediaLeg) -> None:
        self.bench = bench
        self.peer = peer
        self.wire = wire
        self.leg = leg

    @property
    def control(self) -> RtcpPort:
        return self.wire.control

    @property
    def port(self) -> int:
        """Where our RTCP is received, unless it comes among RTP."""
        return self.wire.port + 1

    async def run(self, seconds: float) -> None:
        """Tick, both sides speaking, and let as much time pass on the loop."""
        for _ in range(round(seconds * 50)):
            self.peer.talk(self.wire.port)
            await self.bench.run()
            await asyncio.sleep(0.02)

    def block(self, lost: int, about: int | None = None, fraction: int = 0) -> bytes:
        """A receiver report of the far end about our stream."""
        told = ReportBlock(self.leg.sending.ssrc if about is None else about, fraction, lost, 0, 0, 0, 0)
        return bytes(Report(THEIRS, None, (told,)))

    @property
    def far_lost(self) -> int | None:
        return self.control.told.far_lost


@asynccontextmanager
async def calling(
    *, muxed: bool = False, declared: Address | None = None, coding: Coding = Coding.PCMU
) -> AsyncIterator[Call]:
    """`declared`: where SDP said that the far end's RTCP is; else where it is."""
    bench, peer = Bench(), Peer()
    wire = RtpPorts(HOST, 23_000, 23_999, Random()).open(peer.rtp)
    wire.control.declare(declared or peer.rtcp, muxed=muxed)
    leg = bench.plane.add_leg(wire, coding, 0, 101)
    wire.control.begin(leg)
    try:
        yield Call(bench, peer, wire, leg)
    finally:
        leg.close()
        await bench.run()
        peer.close()


@virtual_time
async def test_reports_come_by_the_port_after_rtps_and_a_goodbye_at_the_end() -> None:
    async with calling() as it:
        await it.run(20)
        compounds = it.peer.told()
        assert 3 <= len(compounds) <= 9, "every 4.1 s, give and take half"
        (report,) = parse_compound(compounds[-1])
        assert report.sender is not None
        assert report.ssrc == it.leg.sending.ssrc
        assert report.blocks[0].ssrc == THEIRS
        assert report.blocks[0].lost == 0
        assert it.peer.told(muxed=True) == []
        it.leg.close()
        it.leg.close()
        (goodbye,) = it.peer.told()
        assert goodbye[9] == 203
        assert free(it.port)
        await it.bench.run()
        assert free(it.wire.port)


@virtual_time
async def test_reports_go_and_come_among_rtp_where_that_was_agreed() -> None:
    async with calling(muxed=True) as it:
        await it.run(10)
        assert it.peer.told() == []
        assert len(it.peer.told(muxed=True)) >= 2
        it.peer.report(it.wire.port, it.block(7), muxed=True)
        await it.run(0.1)
        assert it.far_lost == 7
        assert it.leg.stats.packets_refused == 0
        assert it.leg.stats.reports_received == 1
        it.peer.told(muxed=True)  # another report may have been due meanwhile
        it.leg.close()
        (goodbye,) = it.peer.told(muxed=True)
        assert parse_compound(goodbye)


@virtual_time
async def test_a_stranger_is_not_believed() -> None:
    async with calling() as it:
        await it.run(5)
        stranger = Peer()
        stranger.report(it.port, it.block(7, about=it.leg.sending.ssrc)[:4] + bytes(4) + it.block(7)[8:])
        stranger.report(it.wire.port, it.block(7), muxed=True)
        it.peer.report(it.port, it.block(8, about=1))
        it.peer.report(it.port, b"\x80\xc9\xff\xff garbage")
        await it.run(0.1)
        assert it.far_lost is None
        assert it.control.remote == it.peer.rtcp
        assert it.bench.plane.refused["rtcp"] == 3
        it.peer.report(it.port, it.block(3))
        await it.run(0.1)
        assert it.far_lost == 3
        stranger.close()


@virtual_time
async def test_behind_nat_reports_come_from_elsewhere_and_ours_go_there_once_one_has_the_streams_source() -> None:
    async with calling(declared=("127.0.0.9", 9)) as it:
        await it.run(7)
        assert it.peer.told() == []
        it.peer.report(it.port, bytes(Report(THEIRS + 1)))
        await it.run(0.1)
        assert it.control.remote == ("127.0.0.9", 9)
        it.peer.report(it.port, it.block(2))
        await it.run(7)
        assert it.far_lost == 2
        assert it.control.remote == it.peer.rtcp
        assert it.peer.told()
        it.control.declare(("127.0.0.9", 9), muxed=False)
        assert it.control.remote == it.peer.rtcp, "the same again changes nothing"
        it.control.declare(("127.0.0.9", 11), muxed=False)
        assert it.control.remote == ("127.0.0.9", 11)


@virtual_time
async def test_a_flood_is_left_alone_until_the_next_report() -> None:
    async with calling() as it:
        await it.run(7)
        it.peer.told()
        while not it.peer.told():
            await it.run(0.02)
        for _ in range(MAX_READ + 5):
            it.peer.report(it.port, b"junk")
            await it.run(0.02)
        assert it.control.refused == MAX_READ
        it.peer.report(it.port, it.block(4))
        await it.run(0.02)
        assert it.far_lost is None
        while not it.peer.told():
            await it.run(0.02)
        it.peer.report(it.port, it.block(5))
        await it.run(0.1)
        assert it.far_lost == 5
        assert it.control.refused > MAX_READ, "what had waited came at no known time"


@virtual_time
async def test_reports_beyond_a_ticks_share_among_rtp_are_dropped() -> None:
    async with calling(muxed=True) as it:
        await it.run(4)
        for lost in range(3 * MAX_ASIDE):
            it.peer.report(it.wire.port, it.block(lost), muxed=True)
        await it.run(0.1)
        assert it.far_lost == MAX_ASIDE - 1


@virtual_time
async def test_a_held_call_goes_on_reporting() -> None:
    async with calling() as it:
        await it.run(3)
        it.leg.set_direction(send=False, receive=False)
        await it.run(25)  # of the last intervals, which are random, none has a packet of ours in it
        (report,) = parse_compound(it.peer.told()[-1])
        assert report.sender is None, "nothing is sent"
        assert len(report.blocks) == 1


@virtual_time
async def test_who_is_nowhere_is_told_nothing() -> None:
    async with calling() as it:
        it.control.declare(None, muxed=False)
        await it.run(10)
        assert it.peer.told() == []


async def test_a_port_that_never_began_is_free_with_its_wire() -> None:
    wire = RtpPorts(HOST, 23_000, 23_999, Random()).open(None)
    assert not free(wire.port + 1)
    wire.close()
    assert free(wire.port + 1)


@virtual_time
async def test_a_plane_that_closes_says_goodbye_for_its_legs() -> None:
    async with calling() as it:
        await it.run(5)
        it.peer.told()
        await it.bench.plane.close()
        assert len(it.peer.told()) == 1
        assert free(it.port)


@virtual_time
async def test_opus_adds_what_repairs_the_loss_that_is_reported() -> None:
    async with calling(muxed=True, coding=Coding.OPUS) as it:
        await it.run(5)
        it.peer.report(it.wire.port, it.block(5, fraction=77), muxed=True)
        await it.run(0.1)
        assert expected_loss(it.leg) == 15
        it.peer.report(it.wire.port, it.block(5, fraction=77, about=1), muxed=True)
        await it.run(0.1)
        assert expected_loss(it.leg) == 15
