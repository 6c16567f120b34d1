"""Figures that others keep, log lines on a full disk, and what start-up may cost."""

import asyncio
import io
import json
import sys
import time
from collections import Counter

import pytest
import structlog
from prometheus_client import generate_latest

from dialog.events import CallQualityMeasured, Record, StreamQuality
from voice.observe import LoopLag, Metrics, configure_logging


def test_counts_that_others_keep_are_read_when_they_are_asked_for() -> None:
    metrics, dropped = Metrics(), Counter[str]()
    metrics.count("centralino_dropped", "Datagrams", "reason", lambda: dropped)
    metrics.gauge("centralino_late_ms", "Lateness", "quantile", lambda: {"p50": 1.5})
    dropped["empty"] += 3
    text = generate_latest(metrics.registry).decode()
    assert 'centralino_dropped_total{reason="empty"} 3.0\n' in text
    assert 'centralino_late_ms{quantile="p50"} 1.5\n' in text


def test_how_calls_sounded_is_a_figure_each_way() -> None:
    metrics = Metrics()
    heard = StreamQuality(packets=100, lost=9, jitter_ms=1.0, mos=3.21)
    metrics(Record(call_id="c1", seq=0, at_ms=0, event=CallQualityMeasured(inbound=heard)))
    text = generate_latest(metrics.registry).decode()
    assert 'centralino_mean_opinion_score_bucket{le="3.1",way="inbound"} 0.0\n' in text
    assert 'centralino_mean_opinion_score_bucket{le="3.6",way="inbound"} 1.0\n' in text
    assert 'way="outbound"' not in text


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_line_that_cannot_be_written_is_lost_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    configure_logging(as_json=False, with_pii=False)
    try:
        structlog.get_logger("test").info("call started")
    finally:
        structlog.reset_defaults()


@pytest.mark.parametrize("with_pii", [False, True])
def test_personal_data_stands_under_one_key_or_nowhere(monkeypatch: pytest.MonkeyPatch, with_pii: bool) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging(as_json=True, with_pii=with_pii)
    try:
        structlog.get_logger("test").info("call started", call_id="c1", pii={"caller": "sip:a@b"})
    finally:
        structlog.reset_defaults()
    line = json.loads(written.getvalue())
    assert line.pop("pii", None) == ({"caller": "sip:a@b"} if with_pii else None)
    assert "sip:a@b" not in json.dumps(line)


async def test_what_start_up_held_the_loop_for_refuses_no_call() -> None:
    lag = LoopLag()
    running = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - the collection after start-up, as the loop feels it
    lag.forgive()
    await asyncio.sleep(0.1)
    assert lag() < 200
    running.cancel()
