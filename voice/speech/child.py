"""The speech child: models and worker threads behind one socket. Run as `python -m voice.speech.child --fd N`.

It holds nothing the host could not give it again, and it ends with the host: when the socket closes, and by the
kernel's parent-death signal should the host be killed while a model loads.
"""

import argparse
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from types import TracebackType

from dialog.errors import CentralinoError, ProtocolError
from voice.speech import wire
from voice.speech.engines.catalogue import open_recogniser, open_voice
from voice.speech.scheduler import Scheduler
from voice.speech.settings import SpeechSettings

EXIT_CRASHED = 70
EXIT_GARBAGE = 76
RECEIVE_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1


class Child:
    """One life of the child: configure, serve, end."""

    def __init__(self, host: socket.socket) -> None:
        self._host = host
        self._sending = threading.Lock()
        self._scheduler: Scheduler | None = None

    def serve(self) -> int:
        """Until the host closes the socket. The main thread only reads, so a ping is answered whatever runs."""
        receiver = wire.child_receiver()
        while data := self._receive():
            try:
                messages = receiver.receive(data)
            except ProtocolError as error:
                sys.stderr.write(f"speech child: {error}\n")
                return EXIT_GARBAGE
            for message in messages:
                self._handle(message)
        return 0

    def _receive(self) -> bytes:
        try:
            return self._host.recv(RECEIVE_BYTES)
        except ConnectionError:
            return b""

    def _send(self, message: wire.ToHost) -> None:
        data = wire.encode(message)
        with self._sending:
            try:
                self._host.sendall(data)
            except OSError:  # the host is gone, and nobody else wants the answer
                os._exit(0)

    def _handle(self, message: wire.ToChild) -> None:
        scheduler = self._scheduler
        match message:
            case wire.Ping(number):
                self._send(wire.Pong(number, scheduler.busy_ms() if scheduler else 0))
            case wire.Configure(settings):
                threading.Thread(target=self._load, args=(settings,), name="load", daemon=True).start()
            case _ if scheduler is None:
                return  # the host waits for Ready and sends all again
            case wire.Begin(stream, utterance, expect):
                scheduler.begin(stream, utterance, expect)
            case wire.Audio(stream, pcm, again):
                scheduler.push(stream, pcm, again=again)
            case wire.Final(stream):
                scheduler.final(stream)
            case wire.End(stream):
                scheduler.end(stream)
            case wire.Speak(request, text, pace, ahead):
                scheduler.speak(request, text, pace, ahead=ahead)
            case wire.Cancel(request):
                scheduler.cancel(request)

    def _load(self, settings: SpeechSettings) -> None:
        start = time.monotonic()
        if settings.nice:
            os.setpriority(os.PRIO_PROCESS, 0, settings.nice)
        try:
            recogniser = open_recogniser(settings)
            voice = open_voice(settings)
            recogniser.warm()
        except CentralinoError as error:
            self._send(wire.Refused(error.code, str(error)))
            return
        self._scheduler = Scheduler(recogniser, voice, self._send, settings.threads)
        can = recogniser.capabilities
        load_ms = int((time.monotonic() - start) * 1000)
        self._send(wire.Ready(os.getpid(), can.engine, can.model, can.language, load_ms))


def main() -> int:
    """Entry point of the child process."""
    parser = argparse.ArgumentParser(prog="voice.speech.child")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the host, inherited")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the host's to handle
    threading.excepthook = _crash
    code = Child(socket.socket(fileno=arguments.fd)).serve()
    sys.stderr.flush()
    os._exit(code)  # worker threads may be inside a model; nothing here needs an orderly end


def _crash(crash: threading.ExceptHookArgs) -> None:
    """A thread that dies takes the process with it: half a child would answer pings and nothing else."""
    trace: TracebackType | None = crash.exc_traceback
    where = "?"
    while trace is not None:
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    # the message of an error may quote what a caller said; its kind and place are enough
    sys.stderr.write(f"speech child: {crash.exc_type.__name__} at {where}\n")
    sys.stderr.flush()
    os._exit(EXIT_CRASHED)


if __name__ == "__main__":
    sys.exit(main())
