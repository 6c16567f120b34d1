"""The nursery and its children at their sockets: what they say, and how they end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dialog.actions import Expect
from tests.voice.speech.human import prompt, words
from voice.speech import wire
from voice.speech.keeper import nursery_environment
from voice.speech.nursery import EXIT_REFUSED
from voice.speech.settings import EngineSettings

ROOT = Path(__file__).parents[3]


class End:
    """Our end of a socket to the nursery or a child."""

    def __init__(self, ours: socket.socket) -> None:
        self.socket = ours
        self.socket.settimeout(20)
        self._receiver = wire.host_receiver()
        self._held: list[wire.ToHost] = []

    def send(self, *messages: wire.ToChild) -> None:
        self.socket.sendall(b"".join(map(wire.encode, messages)))

    def next(self, *kinds: type[wire.ToHost]) -> wire.ToHost:
        """The next message of one of `kinds`; others are passed over."""
        while True:
            while self._held:
                message = self._held.pop(0)
                if isinstance(message, kinds):
                    return message
            data = self.socket.recv(1 << 16)
            assert data, "the socket was closed"
            self._held += self._receiver.receive(data)

    def closed(self) -> bool:
        """Whether the other end closes the socket; what it says before is passed over."""
        while self.socket.recv(1 << 16):
            pass
        return True


class Nursery:
    """A real one."""

    def __init__(self, settings: EngineSettings, **environment: str) -> None:
        ours, theirs = socket.socketpair()
        self.end = End(ours)
        options = ["--fd", str(theirs.fileno()), "--settings", msgspec.json.encode(settings).decode()]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "voice.speech.nursery", *options],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**nursery_environment(), **environment},
                stderr=subprocess.PIPE,
            )

    def child(self) -> End:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.end.socket, [b"f"], [theirs.fileno()])
        return End(ours)

    def close(self) -> tuple[int, str]:
        """Its exit code and last words."""
        self.end.socket.close()
        code = self.process.wait(10)
        assert self.process.stderr is not None
        with self.process.stderr:
            return code, self.process.stderr.read().decode()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(EngineSettings())
    loaded = made.end.next(wire.Loaded)
    assert isinstance(loaded, wire.Loaded)
    assert (loaded.recogniser, loaded.language) == ("moonshine", "en")
    yield made
    code, said = made.close()
    assert code == 0
    assert said.startswith("speech child: a message of") and said.count("\n") == 1  # of the test with garbage


@pytest.fixture
def child(nursery: Nursery) -> Iterator[End]:
    made = nursery.child()
    yield made
    made.socket.close()


def pid_of(child: End) -> int:
    ready = child.next(wire.Ready)
    assert isinstance(ready, wire.Ready)
    return ready.pid


def gone(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process ends in time; one that waits for a foreign parent to bury it has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if _state(pid) in ("", "Z"):
            return True
        time.sleep(0.02)
    return False


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_the_nursery_has_one_thread_and_no_thread_of_a_model(nursery: Nursery) -> None:
    """Else a fork would copy locks that nobody will open. onnxruntime's telemetry would be such a thread."""
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert len(list(Path(f"/proc/{nursery.process.pid}/task").iterdir())) == 1


def test_a_child_hears_and_speaks(child: End) -> None:
    sound = prompt("vm-goodbye").tobytes()
    child.send(wire.Begin(1, 1, Expect.FREE))
    child.send(*(wire.Audio(1, sound[at : at + wire.AUDIO_BYTES]) for at in range(0, len(sound), wire.AUDIO_BYTES)))
    child.send(wire.Final(1), wire.Ping(3))
    assert child.next(wire.Pong) == wire.Pong(3, 0)  # at once, while the decoding has hardly begun
    read = child.next(wire.Read)
    assert isinstance(read, wire.Read)
    assert words(read.hypotheses[0][0]) == "goodbye"
    child.send(wire.Speak(1, "Goodbye.", 1.0))
    spoken = child.next(wire.Spoken)
    assert isinstance(spoken, wire.Spoken)
    assert len(spoken.pcm) > 8_000


def test_a_child_ends_with_its_socket_and_is_buried(nursery: Nursery, child: End) -> None:
    pid = pid_of(child)
    child.socket.close()
    assert gone(pid)
    deadline = time.monotonic() + 5
    while _state(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _state(pid) == ""


def test_garbage_ends_a_child_and_no_other(nursery: Nursery, child: End) -> None:
    other = nursery.child()
    child.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert child.closed()
    other.send(wire.Ping(1))
    assert other.next(wire.Pong) == wire.Pong(1, 0)
    other.socket.close()


def test_half_a_message_and_the_end_is_the_end(child: End) -> None:
    pid = pid_of(child)
    child.socket.sendall(wire.encode(wire.Ping(1))[:-1])
    child.socket.close()
    assert gone(pid)


def test_orders_for_what_there_is_not_are_nothing(child: End) -> None:
    child.send(wire.Audio(9, bytes(3_200)), wire.Final(9), wire.End(9), wire.Cancel(9), wire.Audio(9, b"odd"))
    child.send(wire.Begin(9, 1, Expect.FREE), wire.Audio(9, b"odd"), wire.Final(9))
    assert child.next(wire.Read) == wire.Read(9, 1, 0, ())


def test_a_child_at_work_is_killed_alone(nursery: Nursery, child: End) -> None:
    os.kill(pid_of(child), signal.SIGKILL)
    assert child.closed()
    second = nursery.child()
    second.send(wire.Ping(1))
    assert second.next(wire.Pong) == wire.Pong(1, 0)
    second.socket.close()


@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        (EngineSettings(), "engine.model_missing", "make setup"),
        (EngineSettings(recogniser="vosk", model="nowhere"), "ours.configuration", "'nowhere' is not known"),
        (EngineSettings(recogniser="magic"), "ours.configuration", "no engine named 'magic'"),
    ],
)
def test_what_it_cannot_do_it_says_in_one_line(
    tmp_path: Path, settings: EngineSettings, code: str, reason: str
) -> None:
    nursery = Nursery(settings, CENTRALINO_CACHE=str(tmp_path))
    refused = nursery.end.next(wire.Refused)
    assert isinstance(refused, wire.Refused)
    assert refused.code == code
    assert reason in refused.reason
    assert "\n" not in refused.reason
    assert nursery.close() == (EXIT_REFUSED, "")


def test_nothing_outlives_a_host_that_is_killed() -> None:
    """The host's death, not its care, ends its children: even one that is stopped."""
    code = (
        "import socket, subprocess, sys\n"
        "ours, theirs = socket.socketpair()\n"
        "args = [sys.executable, '-m', 'voice.speech.nursery', '--fd', str(theirs.fileno()), '--settings', '{}']\n"
        "nursery = subprocess.Popen(args, pass_fds=[theirs.fileno()])\n"
        "ours.recv(1000)\n"
        "mine, childs = socket.socketpair()\n"
        "socket.send_fds(ours, [b'f'], [childs.fileno()])\n"
        "childs.close()\n"
        "print(nursery.pid, mine.recv(1000).hex(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=nursery_environment(), stdin=pipe, stdout=pipe) as host:
        assert host.stdout is not None
        nursery, hexed = host.stdout.readline().decode().split()
        (ready,) = wire.host_receiver().receive(bytes.fromhex(hexed))
        assert isinstance(ready, wire.Ready)
        os.kill(ready.pid, signal.SIGSTOP)
        host.kill()
    assert gone(int(nursery))
    assert gone(ready.pid)
