"""The ring between the event loop and the tick."""

from voice.media.wires import RING_REMOTE, RingWire


def test_packets_cross_both_ways_in_order() -> None:
    out: list[list[bytes]] = []
    wire = RingWire(out.append)
    wire.deliver(b"a")
    wire.deliver(b"b")
    assert wire.receive() == [(b"a", RING_REMOTE), (b"b", RING_REMOTE)]
    assert wire.receive() == []
    wire.send(b"c")
    wire.send(b"d")
    wire.flush()
    wire.flush()
    assert out == [[b"c", b"d"]]


def test_full_rings_drop_their_oldest_and_count() -> None:
    out: list[list[bytes]] = []
    wire = RingWire(out.append, depth=3)
    for n in range(5):
        wire.deliver(bytes([n]))
        wire.send(bytes([n]))
    assert [data for data, _ in wire.receive()] == [b"\2", b"\3", b"\4"]
    wire.flush()
    assert out == [[b"\2", b"\3", b"\4"]]
    assert (wire.dropped_in, wire.dropped_out) == (2, 2)


def test_a_closed_wire_sends_nothing_more() -> None:
    out: list[list[bytes]] = []
    wire = RingWire(out.append)
    wire.send(b"a")
    wire.close()
    wire.flush()
    assert out == []
