"""A speech child: worker threads behind one socket, forked by the nursery with the models in its memory.

It holds nothing the host could not give it again. It ends with its socket, and with the nursery by the kernel's
parent-death signal.
"""

import os
import socket
import sys
import threading
from types import TracebackType

from dialog.errors import ProtocolError
from voice.speech import wire
from voice.speech.engines.base import Recogniser, Voice
from voice.speech.scheduler import Scheduler
from voice.speech.settings import EngineSettings

EXIT_CRASHED = 70
EXIT_GARBAGE = 76
RECEIVE_BYTES = 1 << 16


class Child:
    """One life of a child."""

    def __init__(self, host: socket.socket, recogniser: Recogniser, voice: Voice, settings: EngineSettings) -> None:
        self._host = host
        self._sending = threading.Lock()
        self._scheduler = Scheduler(recogniser, voice, self._send, settings.threads, settings.nice)

    def serve(self) -> int:
        """Until the host closes the socket. The main thread only reads, so a ping is answered whatever runs."""
        threading.excepthook = _crash
        self._send(wire.Ready(os.getpid()))
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
                self._send(wire.Pong(number, scheduler.busy_ms()))
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
