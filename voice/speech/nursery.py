"""The process that loads the models once and forks a child for each socket it is given.

Run as `python -m voice.speech.nursery --fd N --settings JSON`. A fork shares the loaded models and takes 20 ms; a
start from nothing takes one to two seconds of processor time, which on a busy machine is longer than a caller waits.
The nursery itself never touches audio, so what kills a child leaves it whole.

A process may be forked only while it has one thread: the models are loaded by a thread that has ended by then, and
engines must have none of their own at rest.
"""

import argparse
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dialog.errors import CentralinoError, EngineError
from voice.speech import wire
from voice.speech.child import Child
from voice.speech.engines.base import Recogniser, Voice
from voice.speech.engines.catalogue import open_recogniser, open_voice
from voice.speech.settings import EngineSettings

EXIT_REFUSED = 78
THREADS_END_S = 1.0
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


@dataclass(frozen=True, slots=True)
class _Engines:
    recogniser: Recogniser
    voice: Voice


def main() -> int:
    """Entry point of the nursery's process, and, by forking, of every child's."""
    parser = argparse.ArgumentParser(prog="voice.speech.nursery")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the host, inherited")
    parser.add_argument("--settings", required=True, help="JSON of voice.speech.settings")
    arguments = parser.parse_args()
    _tie_to_parent("speech-nursery")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's to handle
    settings = msgspec.json.decode(arguments.settings, type=EngineSettings)
    host = socket.socket(fileno=arguments.fd)
    started = time.monotonic()
    loaded = _loaded(settings)
    if _threads_at_rest() > 1:
        loaded = EngineError(f"{settings.recogniser} or {settings.voice} keeps threads, so it cannot be forked")
    if isinstance(loaded, CentralinoError):
        host.sendall(wire.encode(wire.Refused(loaded.code, str(loaded))))
        return EXIT_REFUSED
    can = loaded.recogniser.capabilities
    load_ms = int((time.monotonic() - started) * 1000)
    host.sendall(wire.encode(wire.Loaded(can.engine, can.model, can.language, load_ms)))
    gc.collect()
    gc.freeze()  # what is loaded is never collected: children need not copy its pages to look at it
    return _serve(host, loaded, settings)


def _loaded(settings: EngineSettings) -> _Engines | CentralinoError:
    """The engines, or why there are none; loaded at the children's low priority, in a thread that then ends."""
    outcome: list[_Engines | CentralinoError] = []

    def load() -> None:
        if settings.nice:
            os.setpriority(os.PRIO_PROCESS, 0, settings.nice)  # on Linux of this thread alone
        try:
            engines = _Engines(open_recogniser(settings), open_voice(settings))
        except CentralinoError as error:
            outcome.append(error)
        else:
            engines.recogniser.warm()
            outcome.append(engines)

    thread = threading.Thread(target=load, name="load")
    thread.start()
    thread.join()
    if not outcome:
        sys.exit(1)  # the thread has said why
    return outcome[0]


def _threads_at_rest() -> int:
    """Threads of this process, once those that are ending have ended."""
    deadline = time.monotonic() + THREADS_END_S
    while (count := len(list(Path("/proc/self/task").iterdir()))) > 1 and time.monotonic() < deadline:
        time.sleep(0.005)
    return count


def _serve(host: socket.socket, engines: _Engines, settings: EngineSettings) -> int:
    """Fork a child for each socket the host sends, until it closes ours."""
    nursery = os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    while True:
        data, descriptors, _, _ = socket.recv_fds(host, 1, 1)
        if not data:
            return 0
        for descriptor in descriptors:
            if os.fork() == 0:
                host.close()
                _tie_to_parent("speech-child")
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                if os.getppid() != nursery:
                    os._exit(0)
                code = Child(socket.socket(fileno=descriptor), engines.recogniser, engines.voice, settings).serve()
                sys.stderr.flush()
                os._exit(code)  # worker threads may be inside a model; nothing here needs an orderly end
            os.close(descriptor)


def _tie_to_parent(name: str) -> None:
    """Die with the parent, whatever this process is doing; and have a name of one's own in `top`."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NAME, name.encode())


if __name__ == "__main__":
    sys.exit(main())
