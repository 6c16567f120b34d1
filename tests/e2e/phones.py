"""Two telephones that are not ours, baresip and sipp, each driven turn by turn.

Neither waits by a script of its own: the conversation tells them when to speak, as a person who listens would.
"""

import json
import os
import select
import signal
import socket
import subprocess
import time
import wave
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from dsp.g711 import A_LAW, MU_LAW, encode_block
from dsp.resample import resample
from tests.e2e.callers import LINE_HZ, Sound, nothing, tones
from tests.e2e.node import free_port, wait_for
from tests.peers import peer
from voice.ports import RATE_HZ, Pcm
from voice.wire.sip.dialog import bracketed

ANSWER_S = 20.0
END_S = 15.0
_WAV_HEADER_BYTES = 44


Move = Sound | str
"""What a caller does in one turn: speak, or press keys."""


class Phone(Protocol):
    """One call of a telephone. `folder` is its own, `moves` is what it will do, in order."""

    name: str

    def dial(self) -> None:
        """Call, and return once the call is answered."""
        ...

    def move(self) -> None:
        """Do the next of `moves`, now; returns at once."""
        ...

    def hang_up(self) -> None: ...

    def wait_over(self) -> None:
        """The far end has hung up, and the telephone has taken it well."""
        ...

    def heard(self) -> Pcm | None:
        """What the telephone recorded since the answer, so far, at 16 kHz; None for one that records nothing."""
        ...

    def close(self) -> None:
        """End its process, whatever state it is in. Idempotent."""
        ...


@dataclass
class Baresip:
    """Debian's baresip with files for a microphone; keys go as telephone events (RFC 4733).

    Driven by its control port (netstrings of JSON); what it heard is its own recording, behind its own decoder.
    """

    folder: Path
    caller: str
    target: str
    codec: str
    moves: tuple[Move, ...] = ()
    authority: Path | None = None
    """Whose certificate it trusts: it calls by TLS then, and encrypted or not at all."""
    name: str = "baresip"
    account: str = ""
    """Parameters of its account (`;auth_user=...`), and of the account's URI before them."""
    uri: str = ""
    settings: str = ""
    port: int = 0
    """Its SIP port; 0: any."""
    host: str = "127.0.0.1"
    _process: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None
    _received: bytes = b""
    _events: list[str] = field(default_factory=list)
    _moved: int = 0
    ended: str = ""
    """Why its call is over, as it says."""

    def dial(self) -> None:
        self.start()
        self.call()
        self.until("CALL_ESTABLISHED", ANSWER_S)

    def call(self) -> None:
        """Call, and do not wait for the answer."""
        self.tell("dial", self.target)

    def start(self) -> None:
        """Be there, and call nobody yet."""
        uri, encryption, modules = f"{self.caller}@{bracketed(self.host)}{self.uri}", "", ""
        if self.authority is not None:
            uri, encryption = f"{uri};transport=tls", ";mediaenc=srtp-mand"
            modules = f"module srtp.so\nsip_cafile {self.authority}\nsip_verify_server yes\n"
        self._start(f"<sip:{uri}>;regint=0{encryption}", modules)

    def _start(self, account: str, modules: str = "") -> None:
        """Run the program, with one account and, beside the usual ones, `modules` as its configuration has them."""
        program = peer("baresip", "baresip-core")
        port = free_port()
        self._write("silence.wav", nothing())
        (self.folder / "accounts").write_text(
            f"{account};audio_codecs={self.codec.lower()}/{self._rate_hz}/1{self.account}\n"
        )
        (self.folder / "contacts").write_text("")
        (self.folder / "config").write_text(
            f"poll_method epoll\nsip_listen {bracketed(self.host)}:{self.port}\nnet_interface {self.host}\n"
            "audio_source aufile,silence.wav\naudio_player nothing,nil\naudio_alert nothing,nil\n"
            "audio_channels 1\nausrc_srate 8000\nauplay_srate 8000\n"
            f"rtp_ports {(first := 44_000 + port % 5_000 * 2)}-{first + 20}\njitter_buffer_delay 1-5\n"
            f"module_path {_modules(program)}\nmodule stdio.so\nmodule g711.so\nmodule g722.so\n"
            f"module aufile.so\nmodule sndfile.so\n{modules}"
            "module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
            f"ctrl_tcp_listen 127.0.0.1:{port}\nsnd_path .\n{self.settings}"
        )
        with (self.folder / "baresip.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-f", str(self.folder)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._control = wait_for(f"baresip's control port; {self.folder}", lambda: _connect(port), ANSWER_S)

    def move(self) -> None:
        move = self.moves[self._moved]
        self._moved += 1
        if isinstance(move, Sound):
            self._write(f"turn{self._moved}.wav", move)
            self.tell("ausrc", f"aufile,turn{self._moved}.wav")
            return
        for key in move:
            self.tell("sndcode", key)
            time.sleep(0.2)

    @property
    def heard_ms(self) -> int:
        """How much `heard` would give now."""
        return (self._recording.stat().st_size - _WAV_HEADER_BYTES) // 2 * 1000 // self._rate_hz

    def until_heard(self, milliseconds: int) -> None:
        """Wait until its recording is that long."""
        wait_for(f"{milliseconds} ms of sound", lambda: True if self.heard_ms >= milliseconds else None, ANSWER_S)

    def forget(self, event: str) -> None:
        """Let `until` wait for the next `event`, whatever was told before."""
        self._events = [told for told in self._events if told != event]

    def start_over(self) -> None:
        """Another call follows: what was told and recorded of the one before is forgotten."""
        self._events.clear()
        for recording in self.folder.glob("dump-*.wav"):
            recording.unlink()

    def hang_up(self) -> None:
        self.tell("hangup")
        self.until("CALL_CLOSED", END_S)

    def wait_over(self) -> None:
        self.until("CALL_CLOSED", END_S)

    def heard(self) -> Pcm:
        # read as it stands: the header of a file that is being written says nothing of its length
        pcm = np.fromfile(self._recording, "<i2", offset=_WAV_HEADER_BYTES).astype(np.int16)
        return pcm if self._rate_hz == RATE_HZ else resample(pcm, self._rate_hz, RATE_HZ)

    def close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def _rate_hz(self) -> int:
        """At which its codec samples, and it records."""
        return RATE_HZ if self.codec == "G722" else LINE_HZ

    @property
    def _recording(self) -> Path:
        (path,) = self.folder.glob("dump-*-dec.wav")
        return path

    def _write(self, name: str, sound: Sound) -> None:
        with wave.open(str(self.folder / name), "wb") as file:
            file.setparams((1, 2, LINE_HZ, 0, "NONE", ""))
            file.writeframes(sound.pcm.astype("<i2").tobytes())

    def tell(self, command: str, params: str = "") -> None:
        """A command of its menu."""
        assert self._control is not None
        body = json.dumps({"command": command, "params": params} if params else {"command": command}).encode()
        self._control.sendall(b"%d:%s," % (len(body), body))

    def until(self, event: str, limit_s: float) -> None:
        """Wait until it has told `event`."""
        wait_for(f"{event} of baresip ({self.folder})", lambda: self._has(event), limit_s)

    def _has(self, event: str) -> bool | None:
        assert self._control is not None
        while select.select([self._control], [], [], 0)[0]:
            data = self._control.recv(65_536)
            if not data:
                break
            self._received += data
        while (colon := self._received.find(b":")) > 0:
            end = colon + 1 + int(self._received[:colon])
            if len(self._received) <= end:
                break
            message = json.loads(self._received[colon + 1 : end])
            self._received = self._received[end + 1 :]
            if message.get("event"):
                self._events.append(str(message["type"]))
                if message["type"] == "CALL_CLOSED":
                    self.ended = str(message.get("param", ""))
        return True if event in self._events else None


@dataclass
class Sipp:
    """Debian's sipp: its scenario waits for a cue before each turn, and streams the turn's sound as RTP.

    A cue is an INFO request with the call's id, sent to sipp's port by us: sipp takes it for the far end's.
    It offers no telephone events, so keys go as tones in the sound.
    """

    folder: Path
    caller: str
    target: str
    codec: str
    moves: tuple[Move, ...]
    name: str = "sipp"
    _process: subprocess.Popen[bytes] | None = None
    _port: int = 0
    _cues: int = 0

    def dial(self) -> None:
        program = peer("sipp", "sip-tester")
        self._port = free_port(socket.SOCK_DGRAM)
        self._write("silence.raw", nothing())
        for number, move in enumerate(self.moves):
            self._write(f"turn{number}.raw", move if isinstance(move, Sound) else tones(move))
        (self.folder / "scenario.xml").write_text(_scenario(self.caller, self.codec, len(self.moves)))
        with (self.folder / "sipp.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program, self.target.removeprefix("sip:").partition("@")[2],
                    "-s", self.target.removeprefix("sip:").partition("@")[0],
                    "-sf", "scenario.xml", "-m", "1", "-i", "127.0.0.1", "-p", str(self._port),
                    "-mi", "127.0.0.1", "-mp", str(50_000 + self._port % 5_000 * 2), "-cid_str", f"{self.caller}@sipp",
                    "-nostdin", "-trace_err", "-trace_msg", "-message_file", "messages.log",
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TERM": "dumb"},
            )  # fmt: skip
        wait_for(f"sipp's ACK ({self.folder})", self._answered, ANSWER_S)

    def move(self) -> None:
        self._cue("INFO")

    def hang_up(self) -> None:
        self._cue("OPTIONS")
        self.wait_over()

    def wait_over(self) -> None:
        assert self._process is not None
        code = self._process.wait(END_S)
        assert code == 0, f"sipp ended with {code}: {(self.folder / 'sipp.log').read_text(errors='replace')[-2_000:]}"

    def heard(self) -> Pcm | None:
        return None

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _answered(self) -> bool | None:
        assert self._process is not None
        assert self._process.poll() is None, f"sipp ended early ({self.folder})"
        messages = self.folder / "messages.log"
        return True if messages.exists() and "\nACK " in messages.read_text(errors="replace") else None

    def _write(self, name: str, sound: Sound) -> None:
        law = A_LAW if self.codec == "PCMA" else MU_LAW
        (self.folder / name).write_bytes(encode_block(sound.pcm, law).tobytes())

    def _cue(self, method: str) -> None:
        self._cues += 1
        request = (
            f"{method} sip:{self.caller}@127.0.0.1:{self._port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-cue-{self._cues}\r\n"
            f"From: <sip:cue@127.0.0.1>;tag=cue\r\nTo: <sip:{self.caller}@127.0.0.1>;tag=1\r\n"
            f"Call-ID: {self.caller}@sipp\r\nCSeq: {self._cues} {method}\r\nContent-Length: 0\r\n\r\n"
        )
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as cue:
            cue.sendto(request.encode(), ("127.0.0.1", self._port))


def _scenario(caller: str, codec: str, moves: int) -> str:
    """sipp's scenario: call, stream silence, and at each cue the next sound, until either side hangs up."""
    payload_type = {"PCMU": 0, "PCMA": 8}[codec]

    def stream(name: str) -> str:
        return f'<action><exec rtp_stream="{name}.raw,1,{payload_type},{codec}/8000"/></action>'

    def request(method: str, target: str, number: int, body: str = "") -> str:
        # the far end's tag is kept from its answer: the last message may have been a cue
        tag = "" if method == "INVITE" else "[peer_tag_param]\n[routes]"
        return (
            f"<![CDATA[\n{method} {target} SIP/2.0\n"
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
            f"From: <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]\n"
            f"To: <sip:[service]@[remote_ip]:[remote_port]>{tag}\n"
            f"Call-ID: [call_id]\nCSeq: {number} {method}\nContact: <sip:{caller}@[local_ip]:[local_port]>\n"
            f"Max-Forwards: 70\n{body and 'Content-Type: application/sdp'}\nContent-Length: [len]\n\n{body}]]>"
        ).replace("\n\nContent-Length", "\nContent-Length")

    sdp = (
        "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
        f"m=audio [media_port] RTP/AVP {payload_type}\na=rtpmap:{payload_type} {codec}/8000\na=ptime:20\n"
    )
    cues = "".join(
        '<recv request="BYE" optional="true" next="1"/><recv request="OPTIONS" optional="true" next="2"/>\n'
        f'<recv request="INFO">{stream(f"turn{number}")}</recv>\n'
        for number in range(moves)
    )
    answer = (
        "<![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
        "Content-Length: 0\n\n]]>"
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
        '<scenario name="conversation">\n'
        f'<send retrans="500">{request("INVITE", "sip:[service]@[remote_ip]:[remote_port]", 1, sdp)}</send>\n'
        '<recv response="100" optional="true"/><recv response="180" optional="true"/>\n'
        f'<recv response="200" rrs="true">{stream("silence")}</recv>\n'
        f"<send>{request('ACK', '[next_url]', 1)}</send>\n{cues}"
        '<recv request="OPTIONS" optional="true" next="2"/><recv request="BYE"/>\n'
        f'<label id="1"/><send next="3">{answer}</send>\n'
        f'<label id="2"/><send retrans="500">{request("BYE", "[next_url]", 2)}</send><recv response="200"/>\n'
        '<label id="3"/></scenario>\n'
    )


def _modules(program: str) -> Path:
    """Debian keeps baresip's modules beside its libraries, not beside the program."""
    return next(Path(program).resolve().parent.parent.glob("lib/**/baresip/modules"))


def _connect(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=5.0)
    except ConnectionRefusedError:
        return None


PHONES: dict[str, type[Baresip] | type[Sipp]] = {"baresip": Baresip, "sipp": Sipp}
