"""Several labelled streams: answered one by one, refused, paused, given up."""

from collections.abc import Callable

import pytest

from dialog.errors import NotEncrypted, ProtocolError
from voice.wire.labelled import MAX_STREAMS, LabelledStream, Terms, describe, read_streams
from voice.wire.sdes import SECRET_OCTETS, Crypto, Keys, Sdes, Srtp, Suite
from voice.wire.sdp import Codec, Direction, parse_sdp

HEAD = "v=0\r\no=src 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"


def stream(
    label: str = "", *, port: int = 40_000, formats: str = "0", protocol: str = "RTP/AVP", more: str = ""
) -> str:
    named = f"a=label:{label}\r\n" if label else ""
    return f"m=audio {port} {protocol} {formats}\r\na=sendonly\r\n{named}{more}"


def read(*streams: str) -> tuple[LabelledStream, ...]:
    return read_streams(parse_sdp((HEAD + "".join(streams)).encode()), "192.0.2.1")


def answered(*streams: str) -> list[str]:
    """The lines of our answer from the first m= line on; ports are counted from 20000."""
    found = read(*streams)
    lines = describe(found, range(20_000, 20_000 + 2 * len(found), 2), "192.0.2.1", 7, 3).decode().split("\r\n")
    assert lines[:5] == ["v=0", "o=- 7 3 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
    return lines[5:-1]


def test_each_stream_is_heard_at_a_port_of_its_own_under_its_label() -> None:
    assert answered(stream("96"), stream("97", port=40_002, formats="18 8 0", more="a=rtcp-mux\r\n")) == [
        "m=audio 20000 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        "a=ptime:20",
        "a=label:96",
        "a=recvonly",
        "m=audio 20002 RTP/AVP 8",
        "a=rtpmap:8 PCMA/8000",
        "a=ptime:20",
        "a=rtcp-mux",
        "a=label:97",
        "a=recvonly",
    ]


def test_what_each_came_to_is_told() -> None:
    first, second = read(stream("96"), stream("97", port=40_002, formats="8"))
    assert first.agreed is not None and second.agreed is not None
    assert (first.agreed.codec, first.agreed.remote_port) == (Codec.PCMU, 40_000)
    assert (second.agreed.codec, second.agreed.remote_port) == (Codec.PCMA, 40_002)
    assert first.agreed.direction is Direction.RECVONLY
    assert not first.paused


def test_we_hear_and_say_nothing_whatever_is_offered() -> None:
    offered = stream("1").replace("a=sendonly\r\n", "")
    assert answered(offered)[-1] == "a=recvonly"
    assert answered(offered + "a=recvonly\r\n")[-1] == "a=inactive"


def test_a_stream_that_is_paused_stays_and_is_silent() -> None:
    paused = stream("1").replace("sendonly", "inactive")
    (found,) = read(paused)
    assert found.paused
    assert answered(paused)[-1] == "a=inactive"


@pytest.mark.parametrize(
    "refused",
    [
        stream("2", port=0),
        stream("2", formats="18"),
        stream("2", protocol="UDP/TLS/RTP/SAVPF"),
        "m=video 40004 RTP/AVP 34\r\na=label:2\r\n",
    ],
    ids=["given up", "codec", "protocol", "video"],
)
def test_a_stream_that_is_not_heard_keeps_its_place(refused: str) -> None:
    found = read(stream("1"), refused, stream("3"))
    assert [each.agreed is None for each in found] == [False, True, False]
    assert [each.label for each in found] == ["1", "2", "3"]
    assert [line.split()[1] for line in answered(stream("1"), refused, stream("3")) if line.startswith("m=")] == [
        "20000",
        "0",
        "20004",
    ]


def test_streams_beyond_the_most_are_refused() -> None:
    found = read(stream("x", formats="18"), *(stream(f"{n}") for n in range(MAX_STREAMS + 2)))
    assert [each.agreed is None for each in found] == [True, *[False] * MAX_STREAMS, True, True]


def test_a_stream_without_a_label_gets_none() -> None:
    assert read(stream())[0].label == ""
    assert not any(line.startswith("a=label") for line in answered(stream()))


def terms(policy: Srtp, former: Keys | None = None) -> Callable[[int], Terms]:
    """Of each stream, with a secret of its own."""
    return lambda number: Terms(Sdes(policy, bytes([number]) * SECRET_OCTETS, former))


def test_each_stream_is_encrypted_with_keys_of_its_own() -> None:
    suite = Suite.CM_128_80
    keys = [Crypto(1, suite, bytes([9 + n]) * suite.key_octets) for n in range(2)]
    offered = HEAD + "".join(
        stream(f"{n}", protocol="RTP/SAVP", more=f"{key.attribute}\r\n") for n, key in enumerate(keys)
    )
    found = read_streams(parse_sdp(offered.encode()), "192.0.2.1", terms(Srtp.DEMANDED))
    agreed = [each.agreed.keys for each in found if each.agreed and each.agreed.keys]
    assert [each.theirs for each in agreed] == keys
    assert agreed[0].ours.key != agreed[1].ours.key
    told = describe(found, [1, 2], "192.0.2.1", 1, 1).decode()
    assert all(str(each.ours) in told for each in agreed)
    assert told.count("RTP/SAVP") == told.count("a=label") == told.count("a=recvonly") == 2


def test_a_stream_in_the_clear_is_not_taken_where_encryption_is_demanded_but_may_be_given_up() -> None:
    with pytest.raises(NotEncrypted):
        read_streams(parse_sdp((HEAD + stream("1")).encode()), "192.0.2.1", terms(Srtp.DEMANDED))
    (given_up,) = read_streams(parse_sdp((HEAD + stream("1", port=0)).encode()), "192.0.2.1", terms(Srtp.DEMANDED))
    assert given_up.agreed is None


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read(stream("1").replace("a=sendonly", "c=IN IP4 recorder.example\r\na=sendonly"))
