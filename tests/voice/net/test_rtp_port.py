"""RTP ports: even, bounded, free; and the wire on one."""

import socket
import time
from collections.abc import Iterator
from random import Random

import pytest

from dialog.errors import ConfigurationError, Overloaded, ProtocolError
from voice.media.wires import Address
from voice.net.rtp_port import MAX_PER_TICK, RtpPorts, UdpWire, media_address

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


def received(wire: UdpWire, count: int) -> list[tuple[bytes, Address]]:
    """Loopback delivers within the send call, almost always."""
    packets = wire.receive()
    for _ in range(100):
        if len(packets) + wire.excess >= count:
            break
        time.sleep(0.001)
        packets += wire.receive()
    return packets


def test_packets_go_to_the_remote_and_come_with_their_source(wires: list[UdpWire]) -> None:
    ports = RtpPorts(HOST, 22800, 22899, Random(2))
    a, b = ports.open(None), ports.open(None)
    wires += [a, b]
    a.send(b"nowhere yet")
    a.remote = (HOST, b.port)
    a.send(b"one")
    a.send(b"two")
    assert received(b, 2) == [(b"one", (HOST, a.port)), (b"two", (HOST, a.port))]
    assert b.receive() == []


def test_a_burst_beyond_a_ticks_share_is_dropped_and_counted(wires: list[UdpWire]) -> None:
    wire = RtpPorts(HOST, 22800, 22899, Random(3)).open(None)
    wires.append(wire)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for n in range(50):
            flood.sendto(bytes([n]), (HOST, wire.port))
    packets = received(wire, 50)
    assert [data for data, _ in packets] == [bytes([n]) for n in range(MAX_PER_TICK)]
    assert wire.excess == 50 - MAX_PER_TICK


def test_a_flood_does_not_push_the_far_end_out(wires: list[UdpWire]) -> None:
    wire = RtpPorts(HOST, 22800, 22899, Random(3)).open(None)
    wires.append(wire)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((HOST, 0))
        wire.remote = far.getsockname()
        for _ in range(100):
            flood.sendto(b"junk", (HOST, wire.port))
        far.sendto(b"audio", (HOST, wire.port))
    packets = received(wire, 101)
    assert (b"audio", wire.remote) in packets
    assert wire.excess == 100 - MAX_PER_TICK


def test_a_socket_that_gives_errors_is_counted() -> None:
    wire = RtpPorts(HOST, 22800, 22899, Random(4)).open(None)
    wire.close()
    assert wire.receive() == []
    assert wire.losses == {"excess": 0, "unsent": 0, "unread": 1, "rtcp": 0, "forged": 0}


def test_what_the_kernel_refuses_is_counted(wires: list[UdpWire]) -> None:
    wire = RtpPorts(HOST, 22800, 22899, Random(4)).open((HOST, 0))
    wires.append(wire)
    wire.send(b"to port 0")
    assert wire.unsent == 1


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
