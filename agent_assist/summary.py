"""A call in figures, told from its journal as it grows: for the webhook, and for the head of a call's page."""

from pydantic import BaseModel, ConfigDict

from dialog.events import (
    BargedIn,
    CallEnded,
    CallQualityMeasured,
    EngineFailed,
    FinalHeard,
    KeysPressed,
    Record,
    RecordingGapped,
    SilencePassed,
    TurnTimed,
)
from dialog.people_events import HandoffRequested


class CallSummary(BaseModel):
    """Counts of one call, and the slowest and the middle answer (ms from last voice to first audio; 0 for none).

    `recording_gapped`: something is missing in the recording. `mos_inbound` and `mos_outbound`: how well the caller was
    heard, and how well the caller heard, as a mean opinion score of 1..4.5 (see `CallQualityMeasured`); None: not
    known, as the round trip may be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    utterances: int = 0
    key_entries: int = 0
    silences: int = 0
    barge_ins: int = 0
    engine_failures: int = 0
    handoff: bool = False
    recording_gapped: bool = False
    answer_ms_median: int = 0
    answer_ms_longest: int = 0
    late_frames: int = 0
    lost_packets: int = 0
    round_trip_ms: int | None = None
    mos_inbound: float | None = None
    mos_outbound: float | None = None


class Summariser:
    """Takes records one by one; holds counts and the answer times, nothing that was said."""

    def __init__(self) -> None:
        self._counts: dict[type, int] = {}
        self._answers_ms: list[int] = []
        self._late_frames = 0
        self._lost_packets = 0
        self._quality = CallQualityMeasured()

    def take(self, record: Record) -> None:
        """Count one record."""
        event = record.event
        self._counts[type(event)] = self._counts.get(type(event), 0) + 1
        if isinstance(event, TurnTimed):
            self._answers_ms.append(event.first_audio_ms)
        elif isinstance(event, CallQualityMeasured):
            self._quality = event
        elif isinstance(event, CallEnded):
            self._late_frames, self._lost_packets = event.late_frames, event.lost_packets

    @property
    def summary(self) -> CallSummary:
        """The figures so far."""
        count = self._counts.get
        answers = sorted(self._answers_ms)
        quality = self._quality
        return CallSummary(
            utterances=count(FinalHeard, 0),
            key_entries=count(KeysPressed, 0),
            silences=count(SilencePassed, 0),
            barge_ins=count(BargedIn, 0),
            engine_failures=count(EngineFailed, 0),
            handoff=HandoffRequested in self._counts,
            recording_gapped=RecordingGapped in self._counts,
            answer_ms_median=answers[len(answers) // 2] if answers else 0,
            answer_ms_longest=answers[-1] if answers else 0,
            late_frames=self._late_frames,
            lost_packets=self._lost_packets,
            round_trip_ms=quality.round_trip_ms,
            mos_inbound=None if quality.inbound is None else quality.inbound.mos,
            mos_outbound=None if quality.outbound is None else quality.outbound.mos,
        )
