"""RTP ports: even, bounded, free; and the wire on one."""

import socket
from collections.abc import AsyncIterator, Iterator
from random import Random

import numpy as np
import pytest

from dialog.errors import ConfigurationError, Overloaded, ProtocolError
from tests.voice.media.ticks import Bench, frequency, rtp, tone
from voice.media.codecs import Coding
from voice.media.engine.inbound import MAX_PER_TICK, PROOF_PACKETS
from voice.media.leg import MediaLeg
from voice.media.wires import Address
from voice.net.rtp_port import RtpPorts, UdpWire, media_address
from voice.ports import Frame

HOST = "127.0.0.1"


@pytest.fixture
def wires() -> Iterator[list[UdpWire]]:
    opened: list[UdpWire] = []
    yield opened
    for wire in opened:
        wire.close()


def test_every_even_port_of_the_range_is_given_out_once(wires: list[UdpWire]) -> None:
    ports = RtpPorts(HOST, 22801, 22821, Random(1))
    wires += [ports.open(None) for _ in range(10)]
    assert sorted(wire.port for wire in wires) == list(range(22802, 22822, 2))
    with pytest.raises(Overloaded, match="22802-22820"):
        ports.open(None)
    wires.pop().close()
    wires.append(ports.open(None))


def test_the_search_begins_anywhere(wires: list[UdpWire]) -> None:
    firsts = set()
    for seed in range(5):
        wire = RtpPorts(HOST, 22000, 22799, Random(seed)).open(None)
        firsts.add(wire.port)
        wire.close()
    assert len(firsts) > 1


def test_a_range_without_an_even_port_and_a_foreign_address_are_configuration_errors() -> None:
    with pytest.raises(ConfigurationError, match="no even port"):
        RtpPorts(HOST, 22001, 22001, Random(1))
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        RtpPorts("192.0.2.1", 22000, 22010, Random(1)).open(None)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.plane.close()


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.setblocking(False)
        far.bind((HOST, 0))
        yield far


def leg_at(bench: Bench, remote: Address | None) -> tuple[MediaLeg, UdpWire]:
    wire = RtpPorts(HOST, 22800, 22899, Random()).open(remote)
    return bench.plane.add_leg(wire, Coding.PCMU, 0, 101), wire


async def test_packets_go_to_the_remote_and_come_with_their_source(bench: Bench) -> None:
    (one, one_wire), (other, other_wire) = leg_at(bench, None), leg_at(bench, None)
    heard: list[Frame] = []
    other.listen(heard.append)
    one.play(1, tone(2_000), last=True)
    await bench.run(5)
    assert (one.stats.packets_sent, other.stats.packets_received) == (0, 0), "nowhere yet"
    one.update_remote(HOST, other_wire.port)
    await bench.run(40)
    assert other.remote == (HOST, one_wire.port), "who sends a stream is where ours goes"
    assert one.stats.packets_sent == 40
    assert other.stats.packets_received == 40 - (PROOF_PACKETS - 1)
    assert one.stats.packets_received > 30
    assert frequency(np.concatenate([frame.pcm for frame in heard[20:40]])) == pytest.approx(440, abs=5)


async def test_legs_of_ipv6_hear_each_other(bench: Bench) -> None:
    ports = RtpPorts("::1", 22800, 22899, Random(2))
    wires = ports.open(None), ports.open(None)
    legs = [bench.plane.add_leg(wire, Coding.PCMU, 0, 101) for wire in wires]
    legs[0].update_remote("::1", wires[1].port)
    await bench.run(10)
    assert legs[1].remote == ("::1", wires[0].port)
    assert legs[0].stats.packets_received > 5


async def test_a_burst_beyond_a_ticks_share_is_dropped_and_counted(bench: Bench, far: socket.socket) -> None:
    leg, wire = leg_at(bench, far.getsockname())
    await bench.run()
    for n in range(50):
        far.sendto(rtp(n, bytes(160)), (HOST, wire.port))
    await bench.run()
    assert leg.stats.packets_received == MAX_PER_TICK
    assert bench.plane.refused == {"excess": 50 - MAX_PER_TICK}
    for n in range(MAX_PER_TICK):
        far.sendto(rtp(50 + n, bytes(160)), (HOST, wire.port))
    await bench.run()
    assert leg.stats.packets_received == 2 * MAX_PER_TICK, "in each tick anew"


async def test_a_flood_does_not_push_the_far_end_out(bench: Bench, far: socket.socket) -> None:
    leg, wire = leg_at(bench, far.getsockname())
    await bench.run()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for _ in range(100):
            flood.sendto(b"junk", (HOST, wire.port))
    far.sendto(rtp(0, bytes(160)), (HOST, wire.port))
    await bench.run()
    assert leg.stats.packets_received == 1
    assert bench.plane.refused == {"excess": 100 - MAX_PER_TICK, "malformed": MAX_PER_TICK}


async def test_what_the_kernel_refuses_is_counted(bench: Bench) -> None:
    leg, _ = leg_at(bench, (HOST, 0))
    await bench.run(3)
    assert bench.plane.refused == {"unsent": 3}
    assert not leg.closed


async def test_a_plane_that_closes_closes_the_sockets_of_its_legs(bench: Bench) -> None:
    _, wire = leg_at(bench, None)
    await bench.run()
    await bench.plane.close()
    assert wire.socket.fileno() == -1


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("192.0.2.7", 4000, ("192.0.2.7", 4000)),
        ("192.0.2.7", 0, None),
        ("0.0.0.0", 4000, None),
        ("::", 4000, None),
        ("2001:db8::1", 65535, ("2001:db8::1", 65535)),
    ],
)
def test_media_addresses(host: str, port: int, address: Address | None) -> None:
    assert media_address(host, port) == address


@pytest.mark.parametrize(("host", "port"), [("example.org", 4000), ("", 4000), ("192.0.2.7", 65536), ("192.0.2.7", -1)])
def test_names_and_numbers_that_are_no_address_are_refused(host: str, port: int) -> None:
    with pytest.raises(ProtocolError):
        media_address(host, port)
