"""Whatever comes, a stream understands it or says that it is wrong, and nothing else."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.errors import PeerError
from tests.voice.wire.streams.frames import (
    ASTERISK_START,
    asterisk_start,
    genesys,
    genesys_media,
    genesys_open,
    twilio,
    twilio_start,
)
from voice.wire.streams.asterisk import AsteriskStream
from voice.wire.streams.audiosocket import AudioSocketStream, Kind, packed
from voice.wire.streams.freeswitch import FreeswitchStream
from voice.wire.streams.genesys import GenesysStream
from voice.wire.streams.stream import MediaStream, Message, Opening
from voice.wire.streams.twilio import TwilioStream

GOOD: dict[type[MediaStream], list[Message]] = {
    TwilioStream: [
        twilio_start(caller="1"),
        twilio("media", media={"payload": "/38A"}),
        twilio("dtmf", dtmf={"digit": "1"}),
        twilio("mark", mark={"name": "farewell"}),
        twilio("stop"),
    ],
    AsteriskStream: [
        ASTERISK_START.format(format="ulaw"),
        asterisk_start(),
        "DTMF_END digit:1",
        "MEDIA_XOFF",
        "QUEUE_DRAINED",
        b"audio",
    ],
    FreeswitchStream: ['{"caller": "1"}', '{"event": "dtmf", "digit": "1"}', '{"type": "mark", "data": {}}', b"audio"],
    GenesysStream: [
        genesys_open(genesys_media("external", "internal")),
        *(genesys(2, kind, digit="1") for kind in ("ping", "dtmf", "paused", "playback_completed", "close")),
        b"audio",
    ],
    AudioSocketStream: [
        packed(Kind.UUID, bytes(16)),
        packed(Kind.AUDIO, bytes(320)),
        packed(Kind.DTMF, b"1"),
        packed(Kind.HANGUP),
        b"\x10",
    ],
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8), each))


@st.composite
def damaged(draw: st.DrawFn, good: Message) -> Message:
    """`good`, or with a member replaced, or with a piece cut out."""
    kind = draw(st.sampled_from(("good", "member", "cut")))
    if kind == "member" and isinstance(good, str) and good.startswith("{"):
        tree = json.loads(good)
        part = tree
        while True:
            name = draw(st.sampled_from(sorted(part))) if part else "new"
            below = part.get(name)
            if not isinstance(below, dict) or draw(st.booleans()):
                part[name] = draw(values)
                return json.dumps(tree)
            part = below
    if kind == "good":
        return good
    start, end = sorted((draw(st.integers(0, len(good))), draw(st.integers(0, len(good)))))
    if isinstance(good, str):
        return good[:start] + good[end:]
    return good[:start] + good[end:]


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.NAME)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_anything(kind: type[MediaStream], data: st.DataObject) -> None:
    good = GOOD[kind]
    anything = st.binary(max_size=64) if kind is AudioSocketStream else st.text(max_size=64) | st.binary(max_size=64)
    parameters = data.draw(st.dictionaries(st.sampled_from(("caller", "dialled", "uuid", "rate")), st.text(max_size=8)))
    stream = kind(Opening(parameters))
    with suppress(PeerError):
        stream.receive(good[0])
        for _ in range(data.draw(st.integers(1, 6))):
            stream.receive(data.draw(anything | st.sampled_from(good).flatmap(damaged)))
            stream.play(bytes(160))
            stream.clear()
    stream.hang_up()
    assert all(isinstance(message, (str, bytes)) for message in stream.to_send())
