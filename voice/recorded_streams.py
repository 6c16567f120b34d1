"""The streams of a recording session as one leg of a call: all of them are heard, and nothing is said."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from dialog.events import CallQualityMeasured
from dsp.parts import Part
from voice.cast import Cast
from voice.media.recorder import Tape
from voice.media.tracks import LEFT, RIGHT, Track, Tracks
from voice.ports import Frame, FrameSink, Leg, LegStats, Pcm, Played, Room

StreamSink = Callable[[int, Frame], None]
"""Called with the number of a stream and each of its frames, as a `FrameSink` is."""


class RecordableLeg(Leg, Protocol):
    """A leg that can be recorded."""

    def record(self, recording: Tape | None) -> None:
        """Write both directions from the next tick on; None ends it."""
        ...


class RecordedStreams:
    """`RecordableLeg` over the legs of the streams, by their number in the offer. Its clock is that of the oldest leg;
    frames of all streams are told in its time."""

    def __init__(self) -> None:
        self.cast = Cast()
        self.paused = False
        self._legs: dict[int, RecordableLeg] = {}
        self._past = LegStats()  # of streams that are over
        self._tick = -1
        self._sink: FrameSink = _nobody_listens
        self._stream_sink: StreamSink = _nobody_hears
        self._failed: Callable[[Exception], None] = _nobody_listens
        self._changed: Callable[[], None] = lambda: None
        self._tracks: Tracks | None = None
        self._track_of: dict[int, Track] = {}

    # what the recording session does

    def add(self, number: int, leg: RecordableLeg) -> None:
        """One more stream."""
        self._legs[number] = leg
        leg.listen(partial(self._on_frame, number))
        leg.on_failure(lambda error: self._failed(error))
        self._tape(number)

    def remove(self, number: int) -> None:
        """The stream is over; nothing, where there is none of that number."""
        leg = self._legs.pop(number, None)
        if leg is not None:
            leg.close()
            self._past = _sum(self._past, leg.stats)
            self._track_of.pop(number, None)

    def settle(self, cast: Cast, *, paused: bool) -> None:
        """Streams have come or gone, or other people speak in them; or none is heard for now."""
        self.cast, self.paused = cast, paused
        for number, track in self._track_of.items():
            track.side = self._side(number)
        self._changed()

    # what the call's mind asks

    @property
    def numbers(self) -> tuple[int, ...]:
        """The streams there are."""
        return tuple(self._legs)

    def follow(self, sink: StreamSink, changed: Callable[[], None]) -> None:
        """Frames of each stream go to `sink`; `changed` is called after each `settle`."""
        self._stream_sink, self._changed = sink, changed

    # a call's leg

    @property
    def stats(self) -> LegStats:
        stats = [leg.stats for leg in self._legs.values()]
        return replace(_sum(*stats, self._past), receiving=any(each.receiving for each in stats))

    @property
    def quality(self) -> CallQualityMeasured | None:
        """Of the caller's stream, the oldest where there are several."""
        return next((leg.quality for number, leg in self._legs.items() if self._side(number) == LEFT), None)

    @property
    def queued_ms(self) -> int:
        return 0

    def listen(self, sink: FrameSink) -> None:
        self._sink = sink

    def on_failure(self, sink: Callable[[Exception], None]) -> None:
        self._failed = sink

    def play(self, playback: int, pcm: Pcm, *, last: bool) -> bool:
        return False

    def stop(self) -> Played | None:
        return None

    def send_keys(self, digits: str) -> bool:
        return False

    def keep_echo(self) -> None:
        pass  # nothing is ever played

    def enter(self, room: Room | None, part: Part = Part.PARTY) -> None:
        pass  # whoever speaks here hears nobody of ours

    def record(self, recording: Tape | None) -> None:
        """The caller on the left, agents on the right."""
        self._tracks = None if recording is None else Tracks(recording)
        for number in self._legs:
            self._tape(number)

    def close(self) -> None:
        for leg in self._legs.values():
            leg.close()

    def _tape(self, number: int) -> None:
        if self._tracks is not None:
            self._track_of[number] = Track(self._tracks, self._side(number))
        self._legs[number].record(self._track_of.get(number))

    def _side(self, number: int) -> int:
        speakers = self.cast.speakers
        return RIGHT if number < len(speakers) and speakers[number] == "agent" else LEFT

    def _on_frame(self, number: int, frame: Frame) -> None:
        if number == next(iter(self._legs), None):
            self._tick += 1
            self._sink(replace(frame, tick=self._tick))
        if self._tick >= 0:
            self._stream_sink(number, replace(frame, tick=self._tick))


def _sum(*stats: LegStats) -> LegStats:
    return LegStats(
        packets_received=sum(each.packets_received for each in stats),
        packets_lost=sum(each.packets_lost for each in stats),
        packets_sent=sum(each.packets_sent for each in stats),
        late_frames=sum(each.late_frames for each in stats),
        packets_refused=sum(each.packets_refused for each in stats),
        reports_received=sum(each.reports_received for each in stats),
    )


def _nobody_listens(_told: object) -> None:
    """The call has not begun."""


def _nobody_hears(_number: int, _frame: Frame) -> None:
    """Nor has its mind."""
