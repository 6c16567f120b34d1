"""The socket's language: round trips, any cut of the bytes, and what is no message."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.actions import Expect
from dialog.errors import ProtocolError
from voice.speech import wire

TO_CHILD: list[wire.ToChild] = [
    wire.Begin(1, 2, Expect.DIGITS),
    wire.Audio(1, b"\x00\x01" * 16_000),
    wire.Audio(1, b"", again=True),
    wire.Final(1),
    wire.End(1),
    wire.Speak(4, "Grüß Gott", 0.8, ahead=True),
    wire.Cancel(4),
    wire.Ping(9),
]
TO_HOST: list[wire.ToHost] = [
    wire.Loaded("moonshine", "base", "en", 900),
    wire.Ready(12),
    wire.Refused("engine.model_missing", "run make setup"),
    wire.Partial(1, 2, "hello"),
    wire.Read(1, 2, 1_500, (("hello", 0.9), ("yellow", 0.1))),
    wire.Gapped(1, 2, 100),
    wire.Spoken(4, b"\x01\x00", last=True),
    wire.NotSpoken(4, "engine", "no"),
    wire.Pong(9, 0),
]


def test_messages_survive_the_socket() -> None:
    to_child, to_host = wire.child_receiver(), wire.host_receiver()
    assert to_child.receive(b"".join(map(wire.encode, TO_CHILD))) == TO_CHILD
    assert to_host.receive(b"".join(map(wire.encode, TO_HOST))) == TO_HOST


def test_a_second_of_audio_and_the_longest_text_fit() -> None:
    assert len(wire.encode(wire.Audio(1, bytes(wire.AUDIO_BYTES)))) < wire.MAX_MESSAGE_BYTES
    assert len(wire.encode(wire.Speak(1, "漢" * wire.MAX_TEXT_CHARS, 1.0))) < wire.MAX_MESSAGE_BYTES


@given(st.lists(st.integers(1, 200), max_size=60))
def test_bytes_may_be_cut_anywhere(sizes: list[int]) -> None:
    data = b"".join(map(wire.encode, TO_HOST))
    receiver = wire.host_receiver()
    heard = []
    at = 0
    for size in sizes:
        heard += receiver.receive(data[at : at + size])
        at += size
    heard += receiver.receive(data[at:])
    assert heard == TO_HOST


@given(st.binary(max_size=600))
def test_garbage_is_an_error_or_nothing(data: bytes) -> None:
    receiver = wire.child_receiver()
    try:
        assert receiver.receive(data) == []
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        (wire.MAX_MESSAGE_BYTES + 1).to_bytes(4, "little"),
        b"\x00\x00\x00\x00",
        wire.encode(wire.Pong(1, 2)),  # the other direction's
        len(body := msgspec.msgpack.encode({"type": "Ping", "number": "x"})).to_bytes(4, "little") + body,
        len(body := msgspec.msgpack.encode({"type": "Ping", "number": 1, "more": 1})).to_bytes(4, "little") + body,
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.child_receiver().receive(data)
