"""Recognition as the calls see it: streams that outlive the child that serves them."""

from dataclasses import dataclass

import numpy as np
import structlog

from dialog.actions import Expect
from dialog.ports import Hypothesis
from voice.ports import RATE_HZ, EarsBack, EarsEvent, EarsGapped, EarsLost, EarsSink, FinalText, PartialText, Pcm
from voice.speech import wire
from voice.speech.link import ChildPort

log = structlog.get_logger("voice.speech")

KEPT_BYTES = 30 * RATE_HZ * 2
"""Audio of the running utterance that is kept to be decoded again."""
BATCH_BYTES = RATE_HZ // 10 * 2
"""Audio is sent in tenths of a second: a message per tick would cost the loop five times as much."""
MAX_LOSSES = 2
"""An utterance that was being heard when this many children died is suspected of killing them."""


@dataclass(slots=True, eq=False)
class _Utterance:
    """The running utterance of a stream, with all that another child needs to take it over."""

    number: int
    expect: Expect
    kept: bytearray
    sent: int = 0
    wanted_ms: int | None = None
    losses: int = 0

    @property
    def given_up(self) -> bool:
        """No further child is risked for it: it reads as no words, whenever that is asked."""
        return self.losses >= MAX_LOSSES


class HostStream:
    """One leg's recogniser (`voice.ports.EarsStream`)."""

    def __init__(self, ears: "HostEars", number: int, sink: EarsSink) -> None:
        self._ears = ears
        self._number = number
        self._sink = sink
        self._utterance: _Utterance | None = None
        self._closed = False

    def begin(self, utterance: int, expect: Expect) -> None:
        if self._closed:
            return
        self._utterance = _Utterance(utterance, expect, bytearray())
        self._ears.send(wire.Begin(self._number, utterance, expect))

    def push(self, pcm: Pcm) -> None:
        running = self._utterance
        if running is None or running.given_up:
            return
        sound = pcm.astype("<i2", copy=False).tobytes()
        taken = sound[: KEPT_BYTES - len(running.kept)]
        running.kept += taken
        if len(running.kept) - running.sent >= BATCH_BYTES:
            self._flush(running)
        if len(taken) < len(sound):
            self._tell(EarsGapped(_ms(len(sound) - len(taken))))

    def final(self) -> None:
        running = self._utterance
        if running is None:
            return
        if running.given_up:
            self._give_up(running)
            return
        running.wanted_ms = _ms(len(running.kept))
        self._flush(running)
        self._ears.send(wire.Final(self._number))

    def end(self) -> None:
        if self._utterance is not None:
            self._utterance = None
            self._ears.send(wire.End(self._number))

    def close(self) -> None:
        if not self._closed:
            self.end()
            self._closed = True
            self._ears.forget(self._number)

    def lost(self, code: str) -> None:
        """The child is gone."""
        if self._utterance is not None:
            self._utterance.losses += 1
        self._tell(EarsLost(code))

    def back(self, after_ms: int | None) -> None:
        """A child is ready; None for the node's first one. It is given the running utterance from its start."""
        if after_ms is not None:
            self._tell(EarsBack(after_ms))
        running = self._utterance
        if running is None:
            return
        if running.given_up:
            if running.wanted_ms is not None:
                self._give_up(running)
            return
        self._ears.send(wire.Begin(self._number, running.number, running.expect))
        running.sent = 0
        self._flush(running, again=True)
        if running.wanted_ms is not None:
            self._ears.send(wire.Final(self._number))

    def heard(self, message: wire.Partial | wire.Read | wire.Gapped) -> None:
        """What the child says of this stream; of an utterance that is over it is dropped."""
        running = self._utterance
        if running is None or running.number != message.utterance:
            return
        match message:
            case wire.Partial(text=text):
                self._tell(PartialText(running.number, text))
            case wire.Gapped(gap_ms=gap_ms):
                self._tell(EarsGapped(gap_ms))
            case wire.Read(audio_ms=audio_ms, hypotheses=readings):
                if running.wanted_ms is not None and audio_ms >= running.wanted_ms:
                    running.wanted_ms = None
                hypotheses = tuple(Hypothesis(text, confidence) for text, confidence in readings)
                self._tell(FinalText(running.number, audio_ms, hypotheses, redecoded=running.losses > 0))

    def _give_up(self, running: _Utterance) -> None:
        self._tell(FinalText(running.number, _ms(len(running.kept)), (), redecoded=True))

    def _tell(self, event: EarsEvent) -> None:
        try:
            self._sink(event)
        except Exception:  # one call's fault: the child's messages to the other calls go on
            log.exception("ears sink failed")
            self.close()

    def _flush(self, running: _Utterance, *, again: bool = False) -> None:
        if not self._ears.ready:
            return  # all is kept, and sent when a child is there
        for at in range(running.sent, len(running.kept), wire.AUDIO_BYTES):
            sound = bytes(running.kept[at : at + wire.AUDIO_BYTES])
            self._ears.send(wire.Audio(self._number, sound, again))
        running.sent = len(running.kept)


class HostEars:
    """Recognition for the whole node (`voice.ports.Ears`)."""

    def __init__(self) -> None:
        self._link: ChildPort | None = None
        self._streams: dict[int, HostStream] = {}
        self._opened = 0

    @property
    def ready(self) -> bool:
        """A child is there and its models are loaded."""
        return self._link is not None

    def open(self, sink: EarsSink) -> HostStream:
        """A stream for one leg; close it with the leg."""
        self._opened += 1
        stream = HostStream(self, self._opened, sink)
        self._streams[self._opened] = stream
        return stream

    def send(self, message: wire.ToChild) -> None:
        """To the child, if there is one."""
        if self._link is not None:
            self._link.send(message)

    def forget(self, number: int) -> None:
        """The stream is closed."""
        self._streams.pop(number, None)

    def attach(self, link: ChildPort, after_ms: int | None) -> None:
        """A child is ready."""
        self._link = link
        for stream in list(self._streams.values()):
            stream.back(after_ms)

    def detach(self, code: str) -> None:
        """The child is gone."""
        self._link = None
        for stream in list(self._streams.values()):
            stream.lost(code)

    def receive(self, message: wire.Partial | wire.Read | wire.Gapped) -> None:
        """To the stream it is for, unless that is closed."""
        stream = self._streams.get(message.stream)
        if stream is not None:
            stream.heard(message)


def _ms(size_bytes: int) -> int:
    return size_bytes // 2 * 1000 // RATE_HZ


def pcm_of(sound: bytes) -> Pcm:
    """Samples of a message."""
    return np.frombuffer(sound, "<i2").astype(np.int16)
