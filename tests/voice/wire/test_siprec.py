"""Recording metadata: whole documents, changes, those that are wrong, and rubbish."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire import xml_element
from voice.wire.siprec import (
    MAX_OBJECTS,
    Attendance,
    CommunicationSession,
    Metadata,
    Participant,
    Sending,
    Stream,
    parse_metadata,
)

SLOWEST_S = 0.05
NAMESPACE = "urn:ietf:params:xml:ns:recording:1"
WHOLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="{NAMESPACE}">
  <datamode>complete</datamode>
  <group group_id="g1">
    <associate-time>2026-11-02T09:30:00Z</associate-time>
    <call-center xmlns="urn:example:callcenter"><participant participant_id="nobody"/></call-center>
  </group>
  <session session_id="s1">
    <sipSessionID>1f2e;remote=3d4c</sipSessionID>
    <group-ref>g1</group-ref>
    <start-time>2026-11-02T09:30:00Z</start-time>
  </session>
  <participant participant_id="p1">
    <nameID aor="sip:+3225550123@carrier.example"><name xml:lang="en">Ann
      &amp; Sons</name></nameID>
  </participant>
  <participant participant_id="p2"><nameID aor="sip:2001@pbx.example"/></participant>
  <stream stream_id="a" session_id="s1"><label>96</label></stream>
  <stream stream_id="b" session_id="s1"><label> 97 </label></stream>
  <sessionrecordingassoc session_id="s1"><associate-time>2026-11-02T09:30:00Z</associate-time></sessionrecordingassoc>
  <participantsessionassoc participant_id="p1" session_id="s1"><param name="x"/></participantsessionassoc>
  <participantsessionassoc participant_id="p2" session_id="s1"/>
  <participantstreamassoc participant_id="p1"><send>a</send><recv>b</recv></participantstreamassoc>
  <participantstreamassoc participant_id="p2"><send>b</send><recv>a</recv></participantstreamassoc>
</recording>
""".encode()
ANN = Participant("p1", "sip:+3225550123@carrier.example", "Ann & Sons")
EVE = Participant("p2", "sip:2001@pbx.example")
BOB = Participant("p3", "sip:2002@pbx.example", "Bob")


def document(content: str, mode: str = "partial", namespace: str = NAMESPACE) -> bytes:
    return f'<recording xmlns="{namespace}"><datamode>{mode}</datamode>{content}</recording>'.encode()


def whole() -> Metadata:
    return parse_metadata(WHOLE)


def test_a_whole_document_is_read() -> None:
    assert whole() == Metadata(
        complete=True,
        sessions=(CommunicationSession("s1", ("1f2e;remote=3d4c",)),),
        participants=(ANN, EVE),
        streams=(Stream("a", "s1", "96"), Stream("b", "s1", "97")),
        attendances=(Attendance("p1", "s1"), Attendance("p2", "s1")),
        sendings=(Sending("p1", ("a",)), Sending("p2", ("b",))),
    )


def test_who_speaks_in_a_stream_is_told_by_its_label() -> None:
    assert (whole().speaker("96"), whole().speaker("97")) == (ANN, EVE)
    assert whole().speaker("98") is None
    assert Metadata().speaker("") is None


def test_who_comes_and_goes_is_told_by_changes() -> None:
    change = parse_metadata(
        document(
            '<participant participant_id="p3"><nameID aor="sip:2002@pbx.example"><name>Bob</name></nameID>'
            '</participant><participantsessionassoc participant_id="p2" session_id="s1">'
            "<disassociate-time>2026-11-02T09:40:00Z</disassociate-time></participantsessionassoc>"
            '<participantsessionassoc participant_id="p3" session_id="s1"/>'
            '<participantstreamassoc participant_id="p2"><send>b</send><disassociate-time>2026-11-02T09:40:00Z'
            "</disassociate-time></participantstreamassoc>"
            '<participantstreamassoc participant_id="p3"><send>b</send></participantstreamassoc>'
        )
    )
    after = whole().updated(change)
    assert after.present == (ANN, BOB)
    assert (after.speaker("96"), after.speaker("97")) == (ANN, BOB)
    assert after.complete


def test_who_has_left_the_call_speaks_in_no_stream_of_it() -> None:
    change = document(
        '<participantsessionassoc participant_id="p1" session_id="s1"><disassociate-time/></participantsessionassoc>'
    )
    assert whole().updated(parse_metadata(change)).speaker("96") is None


def test_a_whole_document_takes_the_place_of_all_before() -> None:
    later = parse_metadata(document('<participant participant_id="p3"/>', mode="complete"))
    assert whole().updated(later) == later == Metadata(participants=(Participant("p3"),))


def test_a_session_that_has_ended_says_so() -> None:
    change = parse_metadata(document('<session session_id="s1"><stop-time>2026-11-02T09:50:00Z</stop-time></session>'))
    assert [each.ended for each in whole().updated(change).sessions] == [True]


def test_a_document_that_names_no_mode_is_whole_and_one_of_the_drafts_is_read_as_well() -> None:
    draft = '<recording xmlns="urn:ietf:params:xml:ns:recording"><participant participant_id="p1"/></recording>'
    assert parse_metadata(draft.encode()) == Metadata(participants=(Participant("p1"),))
    assert parse_metadata(draft.encode("utf-16")).complete


def test_long_names_are_cut() -> None:
    name = "x" * 10_000
    read = parse_metadata(
        document(f'<participant participant_id="p"><nameID aor="{name}"><name>{name}</name></nameID></participant>')
    )
    (participant,) = read.participants
    assert len(participant.aor) == len(participant.name) == xml_element.MAX_TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no XML",
        b"<recording/>",
        b'<other xmlns="urn:ietf:params:xml:ns:recording:1"/>',
        WHOLE[:-20],
        WHOLE + b"<more/>",
        document("", mode="whatever"),
        document("<participant/>"),
        document('<participant participant_id=""/>'),
        document(f'<stream stream_id="{"x" * (xml_element.MAX_ID + 1)}"/>'),
        document('<participantstreamassoc participant_id="p" participant_id="p"/>'),
        document("<a>" * xml_element.MAX_DEPTH + "</a>" * xml_element.MAX_DEPTH),
        document("<a/>" * xml_element.MAX_ELEMENTS),
        document("<a " + " ".join(f'b{n}=""' for n in range(xml_element.MAX_ATTRIBUTES + 1)) + "/>"),
        document("x" * xml_element.MAX_BYTES),
        document("&undefined;"),
        document("\x00"),
        b'<!DOCTYPE recording SYSTEM "http://192.0.2.1/x.dtd">' + document(""),
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + document("<label>&a;</label>"),
        b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + document("&b;"),
        b'<?xml version="1.0" encoding="no-such"?>' + document(""),
        b'<?xml version="1.0" encoding="rot13"?>' + document(""),
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_metadata_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_metadata(data)


def test_changes_do_not_grow_without_end() -> None:
    known = Metadata()
    with pytest.raises(ProtocolError, match="without end"):
        for number in range(MAX_OBJECTS + 1):
            known = known.updated(parse_metadata(document(f'<participant participant_id="p{number}"/>')))


@given(st.binary(max_size=2_000))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_metadata(data)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, len(WHOLE)), st.binary(max_size=40))
def test_a_document_with_a_hole_in_it_is_refused_or_read(start: int, end: int, filling: bytes) -> None:
    try:
        read = parse_metadata(WHOLE[:start] + filling + WHOLE[end:])
        whole().updated(read).speaker("96")
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        document("<a>" + "&#65;" * 13_000 + "</a>"),
        document("<a b='" + "&lt;" * 16_000 + "'/>"),
        document("<a " + " ".join(f"b{n}=''" for n in range(6_000)) + "/>"),
        document("<participant participant_id='p'/>" * 1_000),
        document("".join(f"<stream stream_id='{n}'><label>x</label></stream>" for n in range(500))),
        document("<!--" + "-" * 60_000),
        document("<a" * 30_000),
    ],
    ids=["references", "attribute", "attributes", "participants", "streams", "comment", "open"],
)
def test_no_document_takes_long(data: bytes) -> None:
    began = time.thread_time()
    with contextlib.suppress(ProtocolError):
        whole().updated(parse_metadata(data)).speaker("x")
    assert time.thread_time() - began < SLOWEST_S
