"""AudioSocket, by messages as Asterisk's documentation has them, cut where TCP may cut them."""

from uuid import UUID

import pytest

from dialog.errors import ProtocolError
from voice.wire.streams.audiosocket import FORMAT, AudioSocketStream, Kind, packed
from voice.wire.streams.stream import AudioReceived, KeysReceived, Opening, StreamEnded, StreamEvent, StreamStarted

CALL = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
HELLO = b"\x01\x00\x10" + CALL.bytes
AUDIO = b"\x10\x01\x40" + bytes(320)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 1_000])
def test_a_whole_call_cut_anywhere(step: int) -> None:
    stream = AudioSocketStream(Opening())
    spoken = HELLO + AUDIO + b"\x03\x00\x01#" + AUDIO + b"\x00\x00\x00"
    events: list[StreamEvent] = []
    for at in range(0, len(spoken), step):
        events += stream.receive(spoken[at : at + step])
    audio = AudioReceived(bytes(320))
    assert events == [StreamStarted(str(CALL), FORMAT), audio, KeysReceived("#"), audio, StreamEnded()]
    assert stream.over


def test_nothing_is_heard_after_the_end() -> None:
    stream = AudioSocketStream(Opening())
    assert stream.receive(HELLO + packed(Kind.HANGUP) + AUDIO)[1:] == [StreamEnded()]
    assert AudioSocketStream(Opening()).receive(HELLO + b"\xff\x00\x01\x02")[1:] == [StreamEnded()], "an error"


def test_what_we_say() -> None:
    stream = AudioSocketStream(Opening())
    stream.receive(HELLO)
    stream.play(bytes(320))
    stream.clear()
    stream.hang_up()
    assert stream.to_send() == [AUDIO, b"\x00\x00\x00"]
    assert stream.over


@pytest.mark.parametrize(
    "spoken",
    [
        AUDIO,
        b"\x01\x00\x0f",
        b"\x01\xff\xff",
        HELLO + HELLO,
        HELLO + b"\x12\x02\x80" + bytes(640),
        HELLO + b"\x03\x00\x02#1",
        HELLO + b"\x03\x00\x00",
        HELLO + b"\x77\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_no_reading_allows(spoken: bytes) -> None:
    with pytest.raises(ProtocolError):
        AudioSocketStream(Opening()).receive(spoken)
