"""Word errors at 16 kHz and through G.711, processor time, and how long texts take, live and after a kill.

Word error rates are of finals of the configured recogniser over whole recordings: `raw` compares the texts as they
are written, `normalised` after `bench/normalise.py`, without what `bench/recognise_exclusions.tsv` lists. Through
G.711 means 8 kHz and mu-law and back. Live figures speak some of the recordings at their own pace through a
`SpeechHost`: the first partial counts from the first sample, the final from the question for it.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import structlog

from bench.corpus import Recording, debian_prompts, load
from bench.figures import Figure
from bench.normalise import normalised
from dialog.actions import Expect
from dsp import g711
from dsp.resample import resample
from voice.ports import RATE_HZ, TICK_MS, TICK_SAMPLES, EarsBack, EarsEvent, FinalText, PartialText, Pcm
from voice.speech.engines.base import Recogniser
from voice.speech.engines.catalogue import open_recogniser
from voice.speech.host import SpeechHost
from voice.speech.settings import EngineSettings

EXCLUSIONS = Path(__file__).with_name("recognise_exclusions.tsv")
WORD_ERRORS = "<= 3.5"
BACK_MS = "<= 3000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recordings, which recogniser, and how much of the rest."""
    parser.add_argument("--corpus", type=Path, help="WAV files and transcripts.tsv; default: Debian's prompts")
    parser.add_argument("--every", type=int, default=1, help="only every n-th recording")
    parser.add_argument("--recogniser", default="moonshine")
    parser.add_argument("--model", default="", help="of the recogniser, where it takes one")
    parser.add_argument("--live", type=int, default=20, help="recordings that are spoken at their own pace")
    parser.add_argument("--kills", type=int, default=10, help="how often the child is killed")
    parser.add_argument("--errors", action="store_true", help="print what was misread to standard error")


def run(options: argparse.Namespace) -> list[Figure]:
    """All figures of the corpus. Bounds are set for the default corpus only: another has other words."""
    settings = EngineSettings(recogniser=options.recogniser, model=options.model)
    recordings = load(options.corpus or debian_prompts())[:: options.every]
    default = options.corpus is None and options.recogniser == "moonshine"
    recogniser = open_recogniser(settings)
    recogniser.warm()
    figures = _word_errors(recogniser, recordings, WORD_ERRORS if default else "", show=options.errors)
    figures += _cost_with_partials(recogniser, recordings[:: max(1, len(recordings) // 20)])
    figures += asyncio.run(
        _live(settings, recordings[:: max(1, len(recordings) // max(1, options.live))], options.kills)
    )
    return figures


def through_g711(pcm: Pcm) -> Pcm:
    """What a telephone line leaves of 16 kHz sound."""
    narrow = resample(pcm, RATE_HZ, 8_000)
    line = g711.decode_block(g711.encode_block(narrow, g711.MU_LAW), g711.MU_LAW)
    return resample(line, 8_000, RATE_HZ)


def excluded() -> dict[str, str]:
    """Recordings whose transcripts are at fault, with the reasons."""
    lines = (line for line in EXCLUSIONS.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("\t", 1) for line in lines)


@dataclass(frozen=True, slots=True)
class _Heard:
    text: str
    cpu_s: float


def _word_errors(recogniser: Recogniser, recordings: Sequence[Recording], must: str, *, show: bool) -> list[Figure]:
    left_out = excluded()
    counted = [recording for recording in recordings if recording.name not in left_out]
    audio_s = sum(recording.pcm.size for recording in counted) / RATE_HZ
    figures = [
        Figure("recordings", len(counted), "files"),
        Figure("recordings_excluded", len(recordings) - len(counted), "files"),
        Figure("words", sum(len(normalised(recording.text).split()) for recording in counted), "words"),
        Figure("audio", round(audio_s, 1), "s"),
    ]
    truth = [recording.text for recording in counted]
    for name, line in (("16khz", lambda pcm: pcm), ("g711", through_g711)):
        heard = [_final(recogniser, line(recording.pcm)) for recording in counted]
        texts = [each.text for each in heard]
        plain = [normalised(text) for text in truth], [normalised(text) for text in texts]
        if show:
            _print_errors(name, counted, *plain)
        bound = must if name == "g711" else ""
        figures += [
            Figure(f"wer.{name}.raw", round(100 * jiwer.wer(truth, texts), 2), "%"),
            Figure(f"wer.{name}.normalised", round(100 * jiwer.wer(*plain), 2), "%", bound),
            Figure(f"cpu.{name}.final", round(sum(each.cpu_s for each in heard) / audio_s, 4), "CPU s per audio s"),
        ]
    return figures


def _final(recogniser: Recogniser, pcm: Pcm) -> _Heard:
    stream = recogniser.open(Expect.FREE)
    began = time.process_time()
    stream.push(pcm)
    hypotheses = stream.final().hypotheses
    cpu_s = time.process_time() - began
    stream.close()
    return _Heard(hypotheses[0].text if hypotheses else "", cpu_s)


def _print_errors(name: str, counted: Sequence[Recording], truth: list[str], heard: list[str]) -> None:
    for recording, said, text in zip(counted, truth, heard, strict=True):
        if said != text:
            print(f"{name} {recording.name}\n  said  {said}\n  heard {text}", file=sys.stderr)


def _cost_with_partials(recogniser: Recogniser, recordings: Sequence[Recording]) -> list[Figure]:
    """Processor time of a whole utterance as the child spends it: partials as they fall due, then the final."""
    began = time.process_time()
    for recording in recordings:
        stream = recogniser.open(Expect.FREE)
        for at in range(0, recording.pcm.size, TICK_SAMPLES):
            stream.push(recording.pcm[at : at + TICK_SAMPLES])
            if (at + TICK_SAMPLES) * 1000 // RATE_HZ >= stream.next_partial_ms:
                stream.partial()
        stream.final()
        stream.close()
    audio_s = sum(recording.pcm.size for recording in recordings) / RATE_HZ
    return [Figure("cpu.with_partials", round((time.process_time() - began) / audio_s, 4), "CPU s per audio s")]


class _Line:
    """A stream of the host, with the time of each event."""

    def __init__(self, host: SpeechHost) -> None:
        self.events: list[tuple[float, EarsEvent]] = []
        self._came = asyncio.Event()
        self.stream = host.ears.open(self._hear)

    def _hear(self, event: EarsEvent) -> None:
        self.events.append((time.perf_counter(), event))
        self._came.set()

    async def first(self, kind: type[EarsEvent]) -> tuple[float, EarsEvent]:
        async with asyncio.timeout(30):
            while True:
                for at, event in self.events:
                    if isinstance(event, kind):
                        return at, event
                self._came.clear()
                await self._came.wait()


async def _live(settings: EngineSettings, recordings: Sequence[Recording], kills: int) -> list[Figure]:
    logging_before = structlog.get_config()
    # the report is all that may stand on standard output
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    host = SpeechHost(settings)
    await host.start()
    load_ms = host.describe().load_ms
    try:
        partials, finals = [], []
        for number, recording in enumerate(recordings):
            partial_ms, final_ms = await _spoken(host, number, through_g711(recording.pcm))
            finals.append(final_ms)
            if partial_ms is not None:
                partials.append(partial_ms)
        backs = [await _killed(host, nursery=False) for _ in range(kills)]
        cold = [await _killed(host, nursery=True) for _ in range(kills)]
    finally:
        await host.close()
        structlog.configure(**logging_before)
    return [
        *_percentiles("first_partial", partials),
        *_percentiles("final", finals),
        *_percentiles("kill_to_ready", backs, BACK_MS),
        *_percentiles("kill_with_nursery_to_ready", cold),
        Figure("load", load_ms, "ms"),
    ]


async def _spoken(host: SpeechHost, number: int, pcm: Pcm) -> tuple[float | None, float]:
    """One recording at its own pace: ms to the first partial with words, and from the question to the final."""
    line = _Line(host)
    line.stream.begin(number, Expect.FREE)
    began = time.perf_counter()
    for tick, at in enumerate(range(0, pcm.size, TICK_SAMPLES)):
        await asyncio.sleep(max(0.0, began + tick * TICK_MS / 1000 - time.perf_counter()))
        line.stream.push(pcm[at : at + TICK_SAMPLES])
    asked = time.perf_counter()
    line.stream.final()
    answered, _ = await line.first(FinalText)
    line.stream.close()
    shown = [at for at, event in line.events if isinstance(event, PartialText) and event.text]
    return (shown[0] - began) * 1000 if shown else None, (answered - asked) * 1000


async def _killed(host: SpeechHost, *, nursery: bool) -> float:
    """ms from a kill to the next child's readiness; pauses first, as a child that dies young is another case.

    With the `nursery` killed too the models are loaded anew.
    """
    await asyncio.sleep(1.2)
    line = _Line(host)
    child = host.describe().pid
    parent = _parent(child)
    killed = time.perf_counter()
    if nursery:
        os.kill(parent, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    back, _ = await line.first(EarsBack)
    line.stream.close()
    return (back - killed) * 1000


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _percentiles(name: str, values_ms: Sequence[float], must: str = "") -> list[Figure]:
    if not values_ms:
        return []
    return [
        Figure(f"{name}.p50", round(float(np.percentile(values_ms, 50)), 1), "ms"),
        Figure(f"{name}.p95", round(float(np.percentile(values_ms, 95)), 1), "ms", must),
    ]
