"""chan_websocket, by messages as Asterisk's documentation has them, in both of its forms."""

import json

import pytest

from dialog.errors import NoCommonCodec, ProtocolError
from tests.voice.wire.streams.frames import ASTERISK_START, asterisk_start
from voice.wire.streams.asterisk import AsteriskStream
from voice.wire.streams.stream import (
    MAX_AUDIO,
    AudioFormat,
    AudioReceived,
    KeysReceived,
    Message,
    Opening,
    StreamStarted,
)

PLAIN = ASTERISK_START.format(format="slin16")


def begun(start: str = PLAIN) -> AsteriskStream:
    stream = AsteriskStream(Opening())
    stream.receive(start)
    return stream


@pytest.mark.parametrize(
    ("name", "audio"),
    [
        ("ulaw", AudioFormat("PCMU")),
        ("alaw", AudioFormat("PCMA")),
        ("slin", AudioFormat("L16")),
        ("slin16", AudioFormat("L16", 16_000)),
    ],
)
def test_a_call_begins_in_the_codec_of_the_dial_string(name: str, audio: AudioFormat) -> None:
    for start in (ASTERISK_START.format(format=name), asterisk_start(format=name)):
        stream = AsteriskStream(Opening({"caller": "+15550100", "dialled": "100"}))
        assert stream.receive(start) == [StreamStarted("pbx1-1761245643.1", audio, "+15550100", "100")]


def test_the_first_versions_told_less() -> None:
    start = "MEDIA_START connection_id:e226e283 channel:WebSocket/centralino format:ulaw optimal_frame_size:160"
    assert AsteriskStream(Opening()).receive(start) == [StreamStarted("e226e283", AudioFormat("PCMU"))]


def test_audio_and_keys() -> None:
    stream = begun()
    assert stream.receive(bytes(640)) == [AudioReceived(bytes(640))]
    assert stream.receive("DTMF_END digit:#") == [KeysReceived("#")]
    assert stream.receive("STATUS queue_length:43 xon_level:800 queue_full:false") == []
    assert stream.receive("MEDIA_BUFFERING_COMPLETED 61ea9311") == []
    stream = begun(asterisk_start())
    assert stream.receive('{"event": "DTMF_END", "channel_id": "pbx1-1", "digit": "5"}') == [KeysReceived("5")]


def test_what_we_say_is_in_the_form_of_asterisk() -> None:
    plain, in_json = begun(), begun(asterisk_start())
    for stream in (plain, in_json):
        stream.play(b"\x01\x02")
        stream.clear()
    assert plain.to_send() == [b"\x01\x02", "FLUSH_MEDIA"]
    audio, command = in_json.to_send()
    assert audio == b"\x01\x02"
    assert json.loads(command) == {"command": "FLUSH_MEDIA"}


def test_the_last_words_are_heard_before_the_end() -> None:
    stream = begun()
    stream.hang_up()
    assert stream.to_send() == ["REPORT_QUEUE_DRAINED"]
    assert not stream.over
    stream.receive("QUEUE_DRAINED")
    assert stream.to_send() == ["HANGUP"]
    assert stream.over
    stream = AsteriskStream(Opening())
    stream.hang_up()
    assert stream.over


def test_a_queue_that_is_full_is_given_nothing() -> None:
    stream = begun()
    stream.receive("MEDIA_XOFF")
    stream.play(b"lost")
    stream.receive("MEDIA_XON")
    stream.play(b"kept")
    assert stream.to_send() == [b"kept"]


@pytest.mark.parametrize(
    "message",
    [
        bytes(MAX_AUDIO + 1),
        "",
        "\x00",
        "DTMF_END",
        "DTMF_END digit:12",
        "DTMF_END digit:",
        '{"event": 1}',
        "{",
        PLAIN,
        asterisk_start(),
        "STATUS " + "x" * 20_000,
        "MEDIA_START channel_id:" + "x" * 300,
    ],
)
def test_what_no_reading_allows(message: Message) -> None:
    with pytest.raises(ProtocolError):
        begun().receive(message)


@pytest.mark.parametrize("start", [ASTERISK_START.format(format="opus"), "MEDIA_START", asterisk_start(format="g722")])
def test_codecs_that_are_not_known(start: str) -> None:
    with pytest.raises(NoCommonCodec, match="slin16"):
        AsteriskStream(Opening()).receive(start)


def test_what_no_beginning_allows() -> None:
    with pytest.raises(ProtocolError):
        AsteriskStream(Opening()).receive(bytes(320))
    with pytest.raises(ProtocolError):
        AsteriskStream(Opening({"caller": "a\x1bb"})).receive(PLAIN)
