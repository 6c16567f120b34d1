"""A leg in virtual time: the test says what the caller does in each tick, and reads what was played."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dialog.events import CallQualityMeasured
from dsp.parts import Part
from voice.media.recorder import Tape
from voice.ports import QUEUE_MS, TICK_MS, TICK_SAMPLES, Frame, FrameSink, LegStats, Pcm, Played, Room


@dataclass
class _Item:
    playback: int
    pcm: Pcm
    last: bool
    taken: int = 0


@dataclass
class FakeLeg:
    """Plays out 20 ms a tick, as a real leg does, with no jitter allowance.

    `behind` frames are on their way to the event loop when a tick is over. Not `sending`, as on hold, the queue
    stands; not `receiving`, the far end is on hold; when it is `dead`, nothing comes in any more.
    """

    behind: int = 0
    sent: list[Pcm] = field(default_factory=list)
    closed: bool = False
    tick_count: int = 0
    received: int = 0
    reports: int = 0
    room: Room | None = None
    part: Part = Part.PARTY
    keyed: str = ""
    keeps_echo: bool = False
    receiving: bool = True
    sending: bool = True
    dead: bool = False
    quality: CallQualityMeasured | None = None
    recording: Tape | None = None

    def __post_init__(self) -> None:
        self._failure_sink: Callable[[Exception], None] = lambda error: None
        self._sink: FrameSink | None = None
        self._queue: deque[_Item] = deque()
        self._frames: deque[Frame] = deque()
        self.played: dict[int, int] = {}  # ms by playback

    @property
    def stats(self) -> LegStats:
        return LegStats(
            packets_received=self.received,
            packets_sent=len(self.sent),
            receiving=self.receiving,
            reports_received=self.reports,
        )

    @property
    def queued_ms(self) -> int:
        return sum(item.pcm.size - item.taken for item in self._queue) * TICK_MS // TICK_SAMPLES

    def listen(self, sink: FrameSink) -> None:
        self._sink = sink

    def on_failure(self, sink: Callable[[Exception], None]) -> None:
        self._failure_sink = sink

    def fail(self, error: Exception) -> None:
        """The leg cannot go on."""
        self._failure_sink(error)

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        if self.queued_ms >= QUEUE_MS:
            return False
        self._queue.append(_Item(playback, pcm, last))
        return True

    def stop(self) -> Played | None:
        if not self._queue:
            return None
        playback = self._queue[0].playback
        self._queue.clear()
        return Played(playback, self.played.get(playback, 0), done=False)

    def send_keys(self, digits: str) -> bool:
        self.keyed += digits
        return True

    def keep_echo(self) -> None:
        self.keeps_echo = True

    def enter(self, room: Room | None, part: Part = Part.PARTY) -> None:
        self.room, self.part = room, part

    def record(self, recording: Tape | None) -> None:
        self.recording = recording

    def close(self) -> None:
        self.closed = True

    def tick(self, voice: float = 0.0, keys: str = "") -> None:
        """One tick: `voice` is the probability of speech, `keys` the digits that begin."""
        out = np.zeros(TICK_SAMPLES, np.int16)
        moved: dict[int, bool] = {}
        filled = 0
        while self.sending and self._queue and (filled < TICK_SAMPLES or not self._queue[0].pcm.size):
            item = self._queue[0]
            piece = item.pcm[item.taken : item.taken + TICK_SAMPLES - filled]
            out[filled : filled + piece.size] = piece
            item.taken += piece.size
            filled += piece.size
            self.played[item.playback] = self.played.get(item.playback, 0) + piece.size * 1000 // 16_000
            done = item.taken >= item.pcm.size
            moved[item.playback] = moved.get(item.playback, False) or (done and item.last)
            if not done:
                break
            self._queue.popleft()
        self.sent.append(out)
        self.received += not self.dead
        played = tuple(Played(key, self.played[key], done) for key, done in moved.items())
        level = -20.0 if voice >= 0.5 else -70.0
        pcm = np.full(TICK_SAMPLES, int(voice * 1000), np.int16)
        if self.recording is not None:
            self.recording.write(pcm, out)
        self._frames.append(Frame(self.tick_count, pcm, voice, level, keys, played))
        self.tick_count += 1
        while len(self._frames) > self.behind:
            frame = self._frames.popleft()
            if self._sink is not None and not self.closed:
                self._sink(frame)
