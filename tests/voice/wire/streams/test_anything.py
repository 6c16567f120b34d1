"""Whatever comes, a stream understands it or says that it is wrong, and nothing else."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.errors import PeerError
from tests.voice.wire.streams.frames import GOOD
from voice.wire.streams.audiosocket import AudioSocketStream
from voice.wire.streams.stream import MediaStream, Message, Opening

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
