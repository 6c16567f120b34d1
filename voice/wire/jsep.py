"""The offer of a browser and our answer (JSEP, RFC 9429; SDP, RFC 8866), as far as one audio call needs them.

One audio section, both ways until it is held (RFC 3264 section 8.4), and at most one data channel section beside it,
bundled (RFC 9143). Of the offer's candidates only addresses are read, and none is used unless a STUN or TURN server of
ours is configured: otherwise we check only addresses from which a check with our password came, so that an offer cannot
make us send a datagram anywhere. mDNS names (which hide the browser's addresses) are never resolved.
"""

import ipaddress
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

from dialog.errors import NoCommonCodec, ProtocolError
from voice.wire.sdp import Direction

CodecName = Literal["opus", "PCMU", "PCMA"]
CandidateKind = Literal["host", "srflx", "relay"]

MAX_OFFER_BYTES = 64 * 1024
_MAX_LINES = 2_000
_MAX_SECTIONS = 8
_MAX_FINGERPRINTS = 8
_MAX_CANDIDATES = 16

_SECTION = re.compile(r"(audio|video|application) ([0-9]{1,5}) ([A-Z/]{1,32}) (\S.{0,1000})")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_ICE_USER = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_FINGERPRINT = re.compile(r"([A-Za-z0-9-]{1,16}) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){19,63})")
_CANDIDATE = re.compile(
    r"([A-Za-z0-9+/]{1,32}) 1 [Uu][Dd][Pp] ([0-9]{1,10}) ([0-9A-Fa-f.:]{2,45}) ([0-9]{1,5}) "
    r"typ (host|srflx|relay)(?: |$)"
)
_RTPMAP = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9.-]{1,32})/([0-9]{1,6})(?:/([0-9]))?")
_NUMBER = re.compile(r"[0-9]{1,9}")

_DIGESTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}  # RFC 8122 section 5, without what is broken
_STATIC = {"PCMU": 0, "PCMA": 8}  # RFC 3551 section 6
_OPUS = "minptime=20;useinbandfec=1;stereo=0;sprop-stereo=0;maxplaybackrate=16000;sprop-maxcapturerate=16000"
"""We hear and speak 16 kHz mono and tick at 20 ms: the browser need not send more (RFC 7587 section 6.1).

What repairs a loss is in the next packet: told of it by our receiver reports, the browser sends more of that. Feedback
beyond reports (RFC 4585) is not agreed to. NACK: what is sent again costs a round trip of delay, and a packet that
comes after its tick is of no use; where it would come in time, FEC is there before. transport-cc steers a video's rate:
24 kbit/s of speech have nothing to give up. Reduced-size RTCP (RFC 5506) saves nothing at one report a second.
"""
_MEDIA_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF")
_CHANNEL_PROTOCOLS = ("UDP/DTLS/SCTP", "DTLS/SCTP")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digest of a DTLS certificate (RFC 8122)."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Fingerprint":
        """Raises ProtocolError."""
        match = _FINGERPRINT.fullmatch(text)
        if match is None:
            raise ProtocolError("SDP fingerprint")
        return cls(match[1].lower(), match[2].upper())

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """An address that one side may be reached at, by UDP (RFC 8839 section 5.1). Where one that is not the host's own
    was seen from is told to nobody."""

    foundation: str
    priority: int
    host: str
    port: int
    kind: CandidateKind = "host"

    @classmethod
    def parse(cls, text: str) -> "IceCandidate":
        """Raises ProtocolError for what is none, or is of no use: TCP, another component, a name."""
        match = _CANDIDATE.match(text)
        if match is None or not 0 < int(match[4]) <= 65_535:
            raise ProtocolError("SDP candidate")
        try:
            address = ipaddress.ip_address(match[3])
        except ValueError:
            raise ProtocolError("SDP candidate that names no address") from None
        if address.is_multicast or address.is_unspecified:
            raise ProtocolError("SDP candidate that is nobody's address")
        return cls(match[1], int(match[2]), str(address), int(match[4]), cast(CandidateKind, match[5]))

    def __str__(self) -> str:
        seen_from = "" if self.kind == "host" else f" raddr {'::' if ':' in self.host else '0.0.0.0'} rport 9"
        return f"{self.foundation} 1 udp {self.priority} {self.host} {self.port} typ {self.kind}{seen_from}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What one side says of its transport: ICE user and password, certificate digests, and addresses."""

    user: str
    password: str
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[IceCandidate, ...] = ()


@dataclass(frozen=True, slots=True)
class _Section:
    kind: str
    protocol: str
    formats: tuple[str, ...]
    mid: str
    attributes: dict[str, list[str]]

    def one(self, name: str) -> str:
        """The first value of an attribute, "" when there is none."""
        return self.attributes.get(name, [""])[0]

    @property
    def direction(self) -> Direction:
        """Which way its sound flows, as the browser sees it. The address 0.0.0.0 says nothing of that: with ICE it
        holds nobody (RFC 8839 section 4.4.1.1.1)."""
        return next((way for way in Direction if way in self.attributes), Direction.SENDRECV)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a browser offers, reduced to what the call uses; `direction` is the browser's view."""

    codec: CodecName
    payload_type: int
    event_payload_type: int | None
    remote: Identity
    sctp_port: int | None
    max_message_size: int
    direction: Direction
    _sections: tuple[_Section, ...]
    _audio: int
    _channel: int | None

    @classmethod
    def parse(cls, text: str) -> "Offer":
        """Read an offer that begins a call. Raises ProtocolError for what is no usable offer, NoCommonCodec when no
        codec is shared."""
        offer = cls._read(text)
        if offer.direction is not Direction.SENDRECV:
            raise ProtocolError("SDP audio is not sendrecv")
        return offer

    def renewed(self, text: str) -> "Offer":
        """Read an offer of the same browser in the call that this one began, or its answer to ours: connection and
        format are the same, and only who hears may be another.

        Raises ProtocolError for what is none, NoCommonCodec for other sound or another connection.
        """
        again = self._read(text)
        if again._kept != self._kept:
            raise NoCommonCodec("a page's call keeps its connection and its audio format")
        return again

    @property
    def _kept(self) -> tuple[object, ...]:
        """What stays as it is in a call."""
        remote = self.remote
        connection = (remote.user, remote.password, frozenset(remote.fingerprints), self._audio, self._channel)
        return (self.codec, self.payload_type, self.event_payload_type, *connection)

    @classmethod
    def _read(cls, text: str) -> "Offer":
        session, sections = _split(text)
        audio = next((i for i, section in enumerate(sections) if section.kind == "audio"), None)
        if audio is None:
            raise ProtocolError("SDP offers no audio")
        section = sections[audio]
        if section.protocol not in _MEDIA_PROTOCOLS:
            raise ProtocolError(f"SDP audio over {section.protocol}")
        if "rtcp-mux" not in section.attributes:
            raise ProtocolError("SDP without rtcp-mux")
        codec, payload_type, event_payload_type = _choose_codec(section)
        channel = _bundled_channel(session, sections, audio)
        return cls(
            codec=codec,
            payload_type=payload_type,
            event_payload_type=event_payload_type,
            remote=_identity(session, section),
            sctp_port=None if channel is None else _number(sections[channel].one("sctp-port"), 5000, 65_535),
            max_message_size=65_536 if channel is None else _number(sections[channel].one("max-message-size"), 65_536),
            direction=section.direction,
            _sections=tuple(sections),
            _audio=audio,
            _channel=channel,
        )

    def answer(self, local: Identity, session_id: int, version: int = 1) -> str:
        """Our answer, by its `version`: the audio and the data channel taken, every other section refused
        with port 0."""
        accepted = [i for i in (self._audio, self._channel) if i is not None]
        mids = " ".join(self._sections[i].mid for i in sorted(accepted) if self._sections[i].mid)
        lines = ["v=0", f"o=- {session_id} {version} IN IP4 0.0.0.0", "s=-", "t=0 0"]
        if mids:
            lines.append(f"a=group:BUNDLE {mids}")
        lines.append("a=msid-semantic: WMS *")
        for index, section in enumerate(self._sections):
            if index == self._audio:
                lines += self._audio_lines(section, local)
            elif index == self._channel:
                lines += self._channel_lines(section, local)
            else:
                lines += [f"m={section.kind} 0 {section.protocol} {section.formats[0]}", "a=inactive"]
                lines += [f"a=mid:{section.mid}"] if section.mid else []
        return "\r\n".join(lines) + "\r\n"

    def _audio_lines(self, section: _Section, local: Identity) -> list[str]:
        formats = [str(self.payload_type)]
        clock_hz = 48_000 if self.codec == "opus" else 8_000
        described = [f"a=rtpmap:{self.payload_type} {self.codec}/{clock_hz}{'/2' if self.codec == 'opus' else ''}"]
        if self.codec == "opus":
            described.append(f"a=fmtp:{self.payload_type} {_OPUS}")
        if self.event_payload_type is not None:
            formats.append(str(self.event_payload_type))
            described.append(f"a=rtpmap:{self.event_payload_type} telephone-event/{clock_hz}")
            described.append(f"a=fmtp:{self.event_payload_type} 0-15")
        return [
            f"m=audio {_port(local)} {section.protocol} {' '.join(formats)}",
            f"c={_connection(local)}",
            "a=rtcp-mux",
            f"a={self.direction.mirrored}",
            "a=msid:centralino voice",
            *described,
            "a=ptime:20",
            "a=maxptime:20",
            *_transport_lines(section, local),
        ]

    def _channel_lines(self, section: _Section, local: Identity) -> list[str]:
        return [
            f"m=application {_port(local)} {section.protocol} webrtc-datachannel",
            f"c={_connection(local)}",
            "a=sctp-port:5000",
            "a=max-message-size:65536",
            *_transport_lines(section, local),
        ]


def _port(local: Identity) -> int:
    return local.candidates[0].port if local.candidates else 9


def _connection(local: Identity) -> str:
    host = local.candidates[0].host if local.candidates else "0.0.0.0"
    return f"IN {'IP6' if ':' in host else 'IP4'} {host}"


def _transport_lines(section: _Section, local: Identity) -> list[str]:
    return [
        *([f"a=mid:{section.mid}"] if section.mid else []),
        f"a=ice-ufrag:{local.user}",
        f"a=ice-pwd:{local.password}",
        *(f"a=fingerprint:{fingerprint}" for fingerprint in local.fingerprints),
        "a=setup:active",
        *(f"a=candidate:{candidate}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]


def _split(text: str) -> tuple[dict[str, list[str]], list[_Section]]:
    """Session attributes, and the sections with theirs. Lines of no meaning to us are passed over."""
    if len(text) > MAX_OFFER_BYTES:
        raise ProtocolError(f"SDP of {len(text)} characters")
    lines = re.split(r"\r?\n", text)
    if len(lines) > _MAX_LINES:
        raise ProtocolError(f"SDP of {len(lines)} lines")
    if lines[0] != "v=0":
        raise ProtocolError("SDP does not begin with v=0")
    session: dict[str, list[str]] = {}
    attributes = session
    found: list[tuple[re.Match[str], dict[str, list[str]]]] = []
    for line in lines:
        if line.startswith("m="):
            match = _SECTION.fullmatch(line[2:])
            if match is None or len(found) == _MAX_SECTIONS:
                raise ProtocolError("SDP media line")
            attributes = {}
            found.append((match, attributes))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            attributes.setdefault(name, []).append(value)
    sections = []
    for match, attributes in found:
        formats = tuple(match[4].split())
        mid = attributes.get("mid", [""])[0]
        if not formats or not all(_TOKEN.fullmatch(part) for part in (*formats, *filter(None, [mid]))):
            raise ProtocolError("SDP media line or mid")
        sections.append(_Section(match[1], match[3], formats, mid, attributes))
    named = [section.mid for section in sections if section.mid]
    if len(named) != len(set(named)):
        raise ProtocolError("SDP with one mid twice")
    return session, sections


def _identity(session: dict[str, list[str]], section: _Section) -> Identity:
    def of(name: str) -> list[str]:
        return section.attributes.get(name) or session.get(name, [])

    user, password, setup = ((of(name) or [""])[0] for name in ("ice-ufrag", "ice-pwd", "setup"))
    if not _ICE_USER.fullmatch(user) or not _ICE_PASSWORD.fullmatch(password):
        raise ProtocolError("SDP without ICE user and password")
    if "ice-lite" in session:
        raise ProtocolError("SDP of an ICE-lite agent")
    if setup not in ("actpass", "passive"):
        # RFC 9429 section 5.2.1: offers say actpass; a browser never insists on being the DTLS client
        raise ProtocolError("SDP setup is not actpass")
    offered = of("fingerprint")
    if len(offered) > _MAX_FINGERPRINTS:
        raise ProtocolError(f"SDP with {len(offered)} fingerprints")
    fingerprints = tuple(
        fingerprint
        for fingerprint in map(Fingerprint.parse, offered)
        if _DIGESTS.get(fingerprint.algorithm, 0) * 3 - 1 == len(fingerprint.value)
    )
    if not fingerprints:
        raise ProtocolError("SDP without a usable fingerprint")
    return Identity(user, password, fingerprints, tuple(_candidates(section)))


def _candidates(section: _Section) -> Iterator[IceCandidate]:
    for text in section.attributes.get("candidate", [])[:_MAX_CANDIDATES]:
        with suppress(ProtocolError):  # browsers offer TCP and names beside what is of use
            yield IceCandidate.parse(text)


def _choose_codec(section: _Section) -> tuple[CodecName, int, int | None]:
    """Opus before PCMU before PCMA, and the key events of the same clock (RFC 4733 section 2.1)."""
    formats = [int(part) for part in section.formats if _NUMBER.fullmatch(part) and int(part) < 128]
    names: dict[tuple[str, int, str], int] = {
        (name.lower(), 8_000, ""): number for name, number in _STATIC.items() if number in formats
    }
    for value in reversed(section.attributes.get("rtpmap", [])):
        match = _RTPMAP.fullmatch(value)
        if match is not None and int(match[1]) in formats:
            channels = "2" if match[4] == "2" else ""
            names[match[2].lower(), int(match[3]), channels] = int(match[1])
    choices: tuple[tuple[CodecName, int, str], ...] = (("opus", 48_000, "2"), ("PCMU", 8_000, ""), ("PCMA", 8_000, ""))
    for codec, clock_hz, channels in choices:
        payload_type = names.get((codec.lower(), clock_hz, channels))
        if payload_type is not None:
            return codec, payload_type, names.get(("telephone-event", clock_hz, ""))
    raise NoCommonCodec("the browser offers none of Opus, PCMU and PCMA")


def _bundled_channel(session: dict[str, list[str]], sections: list[_Section], audio: int) -> int | None:
    """The data channel section that shares the audio's transport; one that does not is refused."""
    for index, section in enumerate(sections):
        if section.kind == "application" and section.protocol in _CHANNEL_PROTOCOLS:
            for group in session.get("group", []):
                semantics, *mids = group.split()[:64] or [""]
                if semantics == "BUNDLE" and section.mid in mids and sections[audio].mid in mids:
                    return index
    return None


def _number(text: str, default: int, most: int = 1 << 30) -> int:
    return min(int(text), most) if _NUMBER.fullmatch(text) and int(text) > 0 else default
