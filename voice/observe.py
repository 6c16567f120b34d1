"""What the house tells its keeper: log lines, figures, and how late the event loop is."""

import asyncio
import contextlib
import io
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dialog.events import (
    BargedIn,
    CallEnded,
    CallQualityMeasured,
    CallStarted,
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    Record,
    ReplyGiven,
    TurnTimed,
)

_PROBE_S = 0.05


def configure_logging(*, as_json: bool, with_pii: bool) -> None:
    """One line an event on standard error. What callers say or key in stands under `pii`, and only on request."""

    def without_pii(logger: object, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        if not with_pii:
            event.pop("pii", None)
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_pii,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Unfailing(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


class _Unfailing(io.TextIOBase):
    """A stream that loses what it cannot write: a call must not end because the disk of its log is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class LoopLag:
    """The event loop's worst lateness of late, in ms: what admission looks at."""

    def __init__(self) -> None:
        self._lag_ms = 0.0
        self._due = time.monotonic()

    def forgive(self) -> None:
        """What held the loop until now was the start of the node, not load: calls need not be refused for it."""
        self._lag_ms = 0.0
        self._due = time.monotonic() + _PROBE_S

    def __call__(self) -> float:
        return self._lag_ms

    async def run(self) -> None:
        """Measure until cancelled. The worst fades by half in a second, so one hiccup refuses no calls for long."""
        while True:
            self._due = time.monotonic() + _PROBE_S
            await asyncio.sleep(_PROBE_S)
            late_ms = (time.monotonic() - self._due) * 1000
            self._lag_ms = max(late_ms, self._lag_ms * 0.966)


class _Kept(Collector):
    """Figures that are read when they are asked for."""

    def __init__(
        self,
        family: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        what: str,
        label: str,
        read: Callable[[], Mapping[str, float]],
    ) -> None:
        self._family = family
        self._name = name
        self._what = what
        self._label = label
        self._read = read

    def collect(self) -> Iterator[Metric]:
        family = self._family(self._name, self._what, labels=[self._label])
        for key, value in self._read().items():
            family.add_metric([str(key)], value)
        yield family


class Metrics:
    """Figures for /metrics, told from the journals; a listener of every call."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._live = Gauge("centralino_calls_live", "Calls in progress", registry=self.registry)
        self._calls = Counter("centralino_calls", "Calls ended", ["transport", "cause"], registry=self.registry)
        self._late = Counter("centralino_late_frames", "Frames sent over 20 ms late", registry=self.registry)
        self._lost = Counter("centralino_lost_packets", "RTP packets that never came", registry=self.registry)
        self._utterances = Counter("centralino_utterances", "Utterances understood", registry=self.registry)
        self._replies = Counter("centralino_replies", "Replies by engine", ["engine"], registry=self.registry)
        self._barge_ins = Counter("centralino_barge_ins", "Replies cut by callers", ["by"], registry=self.registry)
        self._failures = Counter(
            "centralino_engine_failures", "Engine failures", ["engine", "code"], registry=self.registry
        )
        self._recoveries = Counter("centralino_engine_recoveries", "Engines back", ["engine"], registry=self.registry)
        self._answer = Histogram(
            "centralino_answer_seconds",
            "Last voiced sample of the caller to first packet of the answer",
            buckets=(0.3, 0.5, 0.7, 0.9, 1.2, 1.5, 2.0, 3.0, 5.0),
            registry=self.registry,
        )
        self._opinion = Histogram(
            "centralino_mean_opinion_score",
            "Estimated mean opinion score of calls (ITU-T G.107), inbound and outbound",
            ["way"],
            buckets=(2.58, 3.10, 3.60, 4.03, 4.34, 4.5),
            registry=self.registry,
        )
        self._transports: dict[str, str] = {}

    def count(self, name: str, what: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Expose counts that somebody else keeps, one figure for each key of what `read` returns."""
        self.registry.register(_Kept(CounterMetricFamily, name, what, label, read))

    def gauge(self, name: str, what: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Expose a state that somebody else knows, one figure for each key of what `read` returns."""
        self.registry.register(_Kept(GaugeMetricFamily, name, what, label, read))

    def __call__(self, record: Record) -> None:
        match record.event:
            case CallStarted(transport=transport):
                self._live.inc()
                self._transports[record.call_id] = transport
            case CallEnded() as ended:
                self._live.dec()
                self._calls.labels(self._transports.pop(record.call_id, ""), ended.cause).inc()
                self._late.inc(ended.late_frames)
                self._lost.inc(ended.lost_packets)
            case CallQualityMeasured(inbound=inbound, outbound=outbound):
                for way, stream in (("inbound", inbound), ("outbound", outbound)):
                    if stream is not None:
                        self._opinion.labels(way).observe(stream.mos)
            case FinalHeard():
                self._utterances.inc()
            case ReplyGiven(engine=engine):
                self._replies.labels(engine).inc()
            case BargedIn(by=by):
                self._barge_ins.labels(by).inc()
            case EngineFailed(engine=engine, code=code):
                self._failures.labels(engine, code).inc()
            case EngineRecovered(engine=engine):
                self._recoveries.labels(engine).inc()
            case TurnTimed(first_audio_ms=first_audio_ms):
                self._answer.observe(first_audio_ms / 1000)
            case _:
                pass
