"""AudioHook, by messages as Genesys' documentation has them."""

import json

import pytest

from dialog.errors import NoCommonCodec, ProtocolError
from tests.voice.wire.streams.frames import CONVERSATION, SESSION, genesys, genesys_media, genesys_open
from voice.wire.streams.genesys import CHUNK_OCTETS, FORMAT, GenesysStream
from voice.wire.streams.stream import (
    MAX_AUDIO,
    AudioReceived,
    HoldReceived,
    KeysReceived,
    Message,
    Opening,
    StreamEnded,
    StreamStarted,
)

BOTH, CALLER, AGENT = genesys_media("external", "internal"), genesys_media("external"), genesys_media("internal")
SILENT, LOUD = b"\xff" * 160, b"\x80" * 160


def begun(*media: dict[str, object]) -> GenesysStream:
    stream = GenesysStream(Opening())
    stream.receive(genesys_open(*media))
    stream.to_send()
    return stream


def sent(stream: GenesysStream) -> list[dict[str, object]]:
    return [json.loads(message) for message in stream.to_send()]


def kinds(stream: GenesysStream) -> list[object]:
    return [message["type"] for message in sent(stream)]


def test_a_session_is_opened() -> None:
    stream = GenesysStream(Opening())
    assert stream.receive(genesys_open()) == [StreamStarted(CONVERSATION, FORMAT, "+15550100", "100")]
    assert sent(stream) == [
        {
            "version": "2",
            "id": SESSION,
            "type": "opened",
            "seq": 1,
            "clientseq": 1,
            "parameters": {"startPaused": False, "media": [CALLER | {"channels": ["external"]}]},
        }
    ]


@pytest.mark.parametrize(
    ("media", "channels"),
    [
        ((BOTH, CALLER, AGENT), ["external"]),
        ((AGENT, BOTH), ["external", "internal"]),
        ((genesys_media("external", format="L16"), BOTH), ["external", "internal"]),
    ],
)
def test_the_caller_alone_is_asked_for_where_that_is_offered(
    media: tuple[dict[str, object], ...], channels: list[str]
) -> None:
    stream = GenesysStream(Opening())
    stream.receive(genesys_open(*media))
    (opened,) = sent(stream)
    assert opened["parameters"] == {"startPaused": False, "media": [genesys_media() | {"channels": channels}]}


@pytest.mark.parametrize(
    "media", [AGENT, genesys_media("external", format="L16"), genesys_media("external", rate=16000)]
)
def test_where_the_caller_is_not_to_be_heard_there_is_no_session(media: dict[str, object]) -> None:
    with pytest.raises(NoCommonCodec):
        GenesysStream(Opening()).receive(genesys_open(media))


def test_of_two_channels_the_callers_is_heard() -> None:
    assert begun().receive(b"abcd") == [AudioReceived(b"abcd")]
    assert begun(BOTH).receive(b"aXbY") == [AudioReceived(b"ab")]
    assert begun(genesys_media("internal", "external")).receive(b"XaYb") == [AudioReceived(b"ab")]


def test_a_probe_is_no_call() -> None:
    stream = GenesysStream(Opening())
    assert stream.receive(genesys_open(conversation="00000000-0000-0000-0000-000000000000")) == []
    assert kinds(stream) == ["opened"]
    assert stream.receive(genesys(2, "close", reason="end")) == [StreamEnded()]
    assert kinds(stream) == ["closed"]


def test_what_comes_in_a_session() -> None:
    stream = begun()
    assert stream.receive(genesys(2, "ping", rtt="PT0.1S")) == []
    assert stream.receive(genesys(3, "dtmf", digit="#")) == [KeysReceived("#")]
    assert stream.receive(genesys(4, "paused")) == [HoldReceived(on=True)]
    assert stream.receive(genesys(5, "resumed", start="PT1S", discarded="PT2S")) == [HoldReceived(on=False)]
    assert stream.receive(genesys(6, "update", language="en-GB")) == []
    assert stream.receive(genesys(7, "discarded", start="PT1S", discarded="PT2S")) == []
    assert stream.receive(genesys(8, "error", code=429, message="slow down")) == []
    assert stream.receive(genesys(9, "close", reason="end")) == [StreamEnded()]
    told = sent(stream)
    assert [message["type"] for message in told] == ["pong", "updated", "closed"]
    assert [message["seq"] for message in told] == [2, 3, 4]
    assert [message["clientseq"] for message in told] == [2, 6, 9]
    assert stream.over


def test_audio_goes_in_messages_that_genesys_takes() -> None:
    stream = begun()
    for frame in [SILENT] * 20 + [LOUD] + [SILENT] * 12:
        stream.play(frame)
    assert stream.to_send() == [LOUD + SILENT * 11], "silence is where nothing is sent"
    assert CHUNK_OCTETS == 12 * 160


def test_a_bot_that_is_interrupted() -> None:
    stream = begun()
    stream.play(LOUD)
    stream.clear()
    (event,) = sent(stream)
    assert (event["type"], event["parameters"]) == ("event", {"entities": [{"type": "barge_in", "data": {}}]})


def test_the_last_words_are_heard_before_the_end() -> None:
    stream = begun()
    stream.play(LOUD)
    stream.hang_up()
    assert stream.to_send() == [LOUD]
    stream.receive(genesys(2, "playback_started"))
    assert stream.to_send() == []
    stream.receive(genesys(3, "playback_completed"))
    (disconnect,) = sent(stream)
    assert (disconnect["type"], disconnect["parameters"]) == ("disconnect", {"reason": "completed"})
    assert not stream.over
    stream.receive(genesys(4, "close", reason="disconnect"))
    assert kinds(stream) == ["closed"]
    assert stream.over


def test_where_nothing_is_said_the_end_is_at_once() -> None:
    stream = begun()
    stream.hang_up()
    assert kinds(stream) == ["disconnect"]
    stream = GenesysStream(Opening())
    stream.hang_up()
    assert stream.over and stream.to_send() == []


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        genesys(3, "ping"),
        genesys(1, "ping"),
        genesys_open().replace('"seq": 1', '"seq": 2'),
        genesys(2, "ping").replace(SESSION, "another"),
        genesys(2, "ping").replace('"2"', '"3"'),
        genesys(2, "dtmf", digit="99"),
        genesys(2, "dtmf"),
        bytes(MAX_AUDIO + 1),
    ],
)
def test_what_no_reading_allows(message: Message) -> None:
    with pytest.raises(ProtocolError):
        begun().receive(message)


@pytest.mark.parametrize(
    "message",
    [
        b"audio",
        genesys(1, "ping"),
        genesys_open(genesys_media()),
        genesys_open(genesys_media("external", "external", "external")),
        genesys_open(genesys_media("elsewhere")),
        genesys_open().replace("+15550100", "\\u0007"),
    ],
)
def test_what_no_beginning_allows(message: Message) -> None:
    with pytest.raises(ProtocolError):
        GenesysStream(Opening()).receive(message)
