"""Twilio Media Streams, by messages as its documentation has them."""

import json

import pytest

from dialog.errors import ProtocolError
from tests.voice.wire.streams.frames import TWILIO_CONNECTED, TWILIO_STOP, twilio, twilio_start
from voice.wire.streams.stream import (
    MAX_TEXT,
    AudioReceived,
    KeysReceived,
    Message,
    Opening,
    StreamEnded,
    StreamStarted,
)
from voice.wire.streams.twilio import FORMAT, TwilioStream


def begun(**parameters: str) -> TwilioStream:
    stream = TwilioStream(Opening())
    assert stream.receive(TWILIO_CONNECTED) == []
    stream.receive(twilio_start(**parameters))
    return stream


def sent(stream: TwilioStream) -> list[dict[str, object]]:
    return [json.loads(message) for message in stream.to_send()]


def test_a_call_begins_with_what_the_twiml_says_of_it() -> None:
    stream = TwilioStream(Opening())
    told = stream.receive(twilio_start(caller="+15550100", dialled="100", other="x"))
    assert told == [StreamStarted("CA13", FORMAT, "+15550100", "100")]
    assert TwilioStream(Opening()).receive(twilio_start()) == [StreamStarted("CA13", FORMAT)]


def test_audio_keys_and_the_end() -> None:
    stream = begun()
    media = {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": "/38A"}
    assert stream.receive(twilio("media", media=media)) == [AudioReceived(b"\xff\x7f\x00")]
    assert stream.receive(twilio("media", media=media | {"track": "outbound"})) == []
    assert stream.receive(twilio("dtmf", dtmf={"track": "inbound_track", "digit": "#"})) == [KeysReceived("#")]
    assert stream.receive(twilio("weather", weather={})) == [], "what may come to be"
    assert not stream.over
    assert stream.receive(TWILIO_STOP) == [StreamEnded()]
    assert stream.over


def test_what_we_say() -> None:
    stream = begun()
    stream.play(b"\xff\x7f\x00")
    stream.clear()
    assert sent(stream) == [
        {"event": "media", "streamSid": "MZ18", "media": {"payload": "/38A"}},
        {"event": "clear", "streamSid": "MZ18"},
    ]
    assert stream.to_send() == []


def test_the_last_words_are_heard_before_the_end() -> None:
    stream = begun()
    stream.hang_up()
    (mark,) = sent(stream)
    assert mark["event"] == "mark"
    stream.receive(twilio("mark", mark={"name": "another"}))
    assert not stream.over
    stream.receive(twilio("mark", mark=mark["mark"]))
    assert stream.over


def test_a_stream_without_a_call_is_over_at_once() -> None:
    stream = TwilioStream(Opening())
    stream.hang_up()
    assert stream.over and stream.to_send() == []


@pytest.mark.parametrize(
    "message",
    [
        b"\x00",
        "",
        "no JSON",
        "[]",
        '{"event": 5}',
        "[" * 10_000,
        '{"event": "' + "x" * MAX_TEXT + '"}',
        twilio_start(),
        twilio("start"),
        twilio("media"),
        twilio("media", media={"payload": "no base64!"}),
        twilio("media", media={"payload": 7}),
        twilio("dtmf", dtmf={"digit": "12"}),
        twilio("dtmf", dtmf={"digit": ""}),
        twilio("dtmf", dtmf={"digit": "x"}),
    ],
)
def test_what_no_reading_allows(message: Message) -> None:
    with pytest.raises(ProtocolError):
        begun().receive(message)


@pytest.mark.parametrize(
    "message",
    [
        twilio("media", media={"payload": ""}),
        twilio("dtmf", dtmf={"digit": "1"}),
        twilio_start(caller="a\nb"),
        twilio_start(caller="x" * 257),
        twilio_start(**{f"p{n}": "" for n in range(65)}),
        twilio_start().replace("audio/x-mulaw", "audio/opus"),
        twilio_start().replace('"streamSid": "MZ18"}', '"streamSid": ""}'),
    ],
)
def test_what_no_beginning_allows(message: Message) -> None:
    with pytest.raises(ProtocolError):
        TwilioStream(Opening()).receive(message)
