"""A wire whose transport lives on the event loop."""

from voice.media.wires import RING_REMOTE, RingWire


def test_packets_cross_both_ways_in_order() -> None:
    out: list[list[bytes]] = []
    wire = RingWire(out.append)
    wire.deliver(b"a")
    wire.deliver(b"b")
    assert wire.receive() == [(b"a", RING_REMOTE), (b"b", RING_REMOTE)]
    assert wire.receive() == []
    wire.send(b"c", RING_REMOTE)
    wire.send(b"d", RING_REMOTE)
    wire.flush()
    wire.flush()
    assert out == [[b"c", b"d"]]


def test_before_there_is_a_leg_the_oldest_is_dropped_and_counted() -> None:
    wire = RingWire(lambda _packets: None, depth=3)
    for n in range(5):
        wire.deliver(bytes([n]))
    assert [data for data, _ in wire.receive()] == [b"\2", b"\3", b"\4"]
    assert wire.losses == {"ring_in": 2}


def test_whoever_takes_packets_is_told_of_each() -> None:
    wire = RingWire(lambda _packets: None)
    taken: list[bytes] = []
    wire.deliver(b"a")
    wire.arrived = lambda: taken.extend(data for data, _ in wire.receive())
    wire.deliver(b"b")
    wire.deliver(b"c")
    assert taken == [b"a", b"b", b"c"]


def test_a_closed_wire_takes_and_sends_nothing_more() -> None:
    out: list[list[bytes]] = []
    wire = RingWire(out.append)
    wire.send(b"a", RING_REMOTE)
    wire.close()
    wire.flush()
    wire.deliver(b"b")
    assert out == []
    assert wire.receive() == []
