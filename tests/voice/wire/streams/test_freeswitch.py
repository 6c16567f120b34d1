"""mod_audio_fork, by messages as its documentation has them."""

import json

import pytest

from dialog.errors import ProtocolError
from voice.wire.streams.freeswitch import FreeswitchStream
from voice.wire.streams.stream import (
    MAX_AUDIO,
    AudioFormat,
    AudioReceived,
    KeysReceived,
    Message,
    Opening,
    StreamStarted,
)

METADATA = '{"uuid": "c1", "caller": "+15550100", "dialled": "100", "other": {"deep": [1]}}'


def begun() -> FreeswitchStream:
    stream = FreeswitchStream(Opening())
    stream.receive(METADATA)
    return stream


def test_a_call_begins_with_its_metadata() -> None:
    assert FreeswitchStream(Opening()).receive(METADATA) == [
        StreamStarted("c1", AudioFormat("L16"), "+15550100", "100")
    ]


def test_or_with_audio_and_what_the_url_says() -> None:
    stream = FreeswitchStream(Opening({"rate": "16000", "caller": "+15550100", "dialled": "100", "uuid": "c1"}))
    started = StreamStarted("c1", AudioFormat("L16", 16_000), "+15550100", "100")
    assert stream.receive(bytes(640)) == [started, AudioReceived(bytes(640))]
    assert stream.receive(bytes(640)) == [AudioReceived(bytes(640))]


def test_keys_that_the_dial_plan_sends() -> None:
    stream = begun()
    assert stream.receive('{"event":"dtmf","digit":"1"}') == [KeysReceived("1")]
    assert stream.receive('{"event":"weather"}') == []


def test_what_we_say() -> None:
    stream = begun()
    stream.play(b"\x01\x02")
    stream.clear()
    audio, clear = stream.to_send()
    assert audio == b"\x01\x02"
    assert json.loads(clear) == {"type": "killAudio"}


def test_the_last_words_are_heard_before_the_end() -> None:
    stream = begun()
    stream.hang_up()
    (mark,) = stream.to_send()
    assert not stream.over
    stream.receive('{"type": "mark", "data": {"name": "another"}}')
    assert not stream.over
    stream.receive(mark)
    assert [json.loads(message) for message in stream.to_send()] == [{"type": "disconnect"}]
    assert stream.over
    stream = FreeswitchStream(Opening())
    stream.hang_up()
    assert stream.over


@pytest.mark.parametrize(
    "message",
    ["", "text", "[]", '{"event": 1}', '{"event": "dtmf"}', '{"event": "dtmf", "digit": "11"}', bytes(MAX_AUDIO + 1)],
)
def test_what_no_reading_allows(message: Message) -> None:
    with pytest.raises(ProtocolError):
        begun().receive(message)


@pytest.mark.parametrize("parameters", [{"rate": "44100"}, {"caller": "\x07"}, {"dialled": "x" * 300}])
def test_what_no_url_may_say(parameters: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        FreeswitchStream(Opening(parameters)).receive(bytes(320))
