"""What loss, stretching and resampling do to human speech, against simpler ways and against Opus.

Loss: with the same ticks lost, concealed by `dsp.plc`, played as silence and with the tick before repeated; at 16 kHz
Opus besides, with its own concealment. Each is compared with what the same codec gives when nothing is lost, by STOI
(1 is all understood: Taal et al., ICASSP 2010) and by the distance of spectra. Stretching: by 5 %, against ticks
dropped or played twice; each joint is compared with what around there is most like it.
"""

import argparse
import subprocess
import tempfile
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from pystoi import stoi

from bench.corpus import debian_prompts, load
from bench.figures import Figure
from bench.likeness import distance_db, largest_step, log_spectra, snr_db, spectral_distance_db
from dsp.kernel import NARROW_HZ, NARROW_TICK, WIDE_HZ, WIDE_TICK, Bytes, Pcm
from dsp.plc import Concealer
from dsp.resample import Downsampler, Upsampler, resample
from dsp.stretch import Stretcher
from tests.fakes.coders import OpusCoder

PERCENT = (1, 2, 5, 10, 20, 30)
BURSTS = (1, 4)
_ROW = np.zeros(1, np.int32)
_LEAST_S, _MOST_S = 3, 8
_AUDIBLE_STEP = 300
_DRAWN_S = 2.5

Way = Callable[[Pcm, Bytes], Pcm]


def ticks_of(x: Pcm, tick: int) -> Pcm:
    """`x` as [ticks, 1, tick], a copy, without the rest that fills no tick."""
    return x[: x.size // tick * tick].reshape(-1, 1, tick).copy()


def concealed(x: Pcm, lost: Bytes) -> Pcm:
    """By `dsp.plc`; the tick's length follows from that of `lost`. What is lost holds rubbish on entry."""
    ticks = ticks_of(x, x.size // lost.size)
    concealer = Concealer(1, ticks.shape[2])
    for tick, flag in zip(ticks, lost, strict=True):
        if flag:
            tick[:] = 12_345
        concealer.process(_ROW, tick, np.array([flag], np.uint8))
    return ticks.reshape(-1)


def silenced(x: Pcm, lost: Bytes) -> Pcm:
    """Nothing in place of what is lost."""
    return np.where(lost[:, None] != 0, 0, x.reshape(lost.size, -1)).astype(np.int16).reshape(-1)


def repeated(x: Pcm, lost: Bytes) -> Pcm:
    """The tick before in place of what is lost."""
    out = x.reshape(lost.size, -1).copy()
    for i in range(1, len(out)):
        if lost[i]:
            out[i] = out[i - 1]
    return out.reshape(-1)


def opus_concealed(x: Pcm, lost: Bytes) -> Pcm:
    """Through Opus, which makes up what is lost; 20 ms at 16 kHz."""
    codec = OpusCoder()
    payloads = [codec.encode(tick[0]) for tick in ticks_of(x, WIDE_TICK)]
    decoded = [codec.decode(None if flag else payload) for payload, flag in zip(payloads, lost, strict=True)]
    return np.concatenate(decoded)


@dataclass(frozen=True, slots=True)
class Stretched:
    """A sound whose length was changed: where in the original each tick begins, and which ticks begin with a joint."""

    pcm: Pcm
    origins: list[int]
    joints: list[int]


def stretched(x: Pcm, tick: int, slower: float) -> Stretched:
    """By `dsp.stretch`: the delay grows by `slower` ms a ms; negative shrinks."""
    stretcher, quiet, out = Stretcher(1, tick), np.zeros(1, np.uint8), np.zeros((1, tick), np.int16)
    frames, joints, at = iter(ticks_of(x, tick)), list[int](), 0
    parts, origins = list[Pcm](), list[int]()
    try:
        while True:
            behind = len(parts) * tick - at
            for _ in range(stretcher.needed(0, (slower * len(parts) - behind / tick) * 20)):
                stretcher.feed(_ROW, next(frames))
            stretcher.process(_ROW, quiet, out)
            if stretcher.moved(0):
                joints.append(len(parts))
            parts.append(out[0].copy())
            origins.append(at)
            at += tick - stretcher.moved(0)
    except StopIteration:
        return Stretched(np.concatenate(parts), origins, joints)


def cut(x: Pcm, tick: int, slower: float) -> Stretched:
    """Whole ticks are dropped, or played twice."""
    origins: list[int] = []
    at = 0
    while at + tick <= x.size:
        origins.append(at)
        behind = len(origins) - at // tick - 1
        due = slower * len(origins) - behind
        at += tick * (0 if due >= 1 else 2 if due <= -1 else 1)
    joints = [i for i in range(1, len(origins)) if origins[i] - origins[i - 1] != tick]
    return Stretched(np.concatenate([x[at : at + tick] for at in origins]), origins, joints)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--recordings", type=int, default=10, help="how many, of 3 to 8 s each")
    parser.add_argument("--percent", type=int, nargs="*", default=PERCENT, help="how much is lost, in turn")
    parser.add_argument("--pictures", type=Path, help="draw the spectrograms of docs/media.md into this folder (sox)")


def run(options: argparse.Namespace) -> list[Figure]:
    """Each condition over all recordings."""
    wide = _speech(options.recordings)
    narrow = [resample(x, WIDE_HZ, NARROW_HZ) for x in wide]
    if options.pictures is not None:
        _draw(options.pictures, narrow[0])
    return [*_loss(narrow, wide, options.percent), *_stretching(narrow, wide), *_resampling(narrow)]


def _speech(count: int) -> list[Pcm]:
    """Recordings at 16 kHz from all over the corpus, whole ticks."""
    known = [each.pcm for each in load(debian_prompts()) if _LEAST_S <= each.pcm.size / WIDE_HZ <= _MOST_S]
    chosen = known[:: max(1, len(known) // count)][:count]
    return [x[: x.size // WIDE_TICK * WIDE_TICK] for x in chosen]


def losses(count: int, percent: float, burst: int, rng: np.random.Generator) -> Bytes:
    """Which of `count` ticks are lost: `percent` of them, `burst` in a row."""
    lost = np.zeros(count, np.uint8)
    rate = percent / 100
    starts = rng.random(count) < rate / (burst * (1 - rate) + rate)
    at = 0
    while at < count:
        if starts[at]:
            lost[at : at + burst] = 1
            at += burst
        else:
            at += 1
    return lost


def _loss(narrow: list[Pcm], wide: list[Pcm], percents: Iterable[int]) -> Iterator[Figure]:
    at_8k: dict[str, Way] = {"concealed": concealed, "silence": silenced, "repeated": repeated}
    at_16k: dict[str, Way] = {**at_8k, "opus": opus_concealed}
    whole = [opus_concealed(x, np.zeros(x.size // WIDE_TICK, np.uint8)) for x in wide]
    for burst in BURSTS:
        for percent in percents:
            rng = np.random.default_rng(percent)
            lost = [losses(x.size // WIDE_TICK, percent, burst, rng) for x in wide]
            for band, signals, hz, ways in (("8k", narrow, NARROW_HZ, at_8k), ("16k", wide, WIDE_HZ, at_16k)):
                found = {}
                for name, way in ways.items():
                    clean = whole if way is opus_concealed else signals
                    heard = [way(x, flags) for x, flags in zip(signals, lost, strict=True)]
                    found[name] = distance = _mean(map(spectral_distance_db, clean, heard, [hz] * len(heard)))
                    prefix = f"loss_{percent:02}.burst_{burst}.{band}.{name}"
                    yield Figure(f"{prefix}.stoi", round(_mean(map(stoi, clean, heard, [hz] * len(heard))), 4), "")
                    yield Figure(f"{prefix}.distance", round(distance, 3), "dB")
                closer = min(found["silence"], found["repeated"]) / found["concealed"]
                yield Figure(f"loss_{percent:02}.burst_{burst}.{band}.closer", round(closer, 2), "times", ">= 1")


def _stretching(narrow: list[Pcm], wide: list[Pcm]) -> Iterator[Figure]:
    for name, slower in (("faster_5", -0.05), ("slower_5", 0.05)):
        for band, signals, hz, tick in (("8k", narrow, NARROW_HZ, NARROW_TICK), ("16k", wide, WIDE_HZ, WIDE_TICK)):
            ours = [stretched(x, tick, slower) for x in signals]
            length = sum(each.pcm.size for each in ours) / sum(each.origins[-1] + tick for each in ours)
            prefix = f"{name}.{band}"
            yield Figure(f"{prefix}.length", round(100 * length, 1), "%")
            for way, made in (("periods", ours), ("ticks", [cut(x, tick, slower) for x in signals])):
                distance = _mean(chain.from_iterable(map(_joints_db, signals, made, [hz] * len(made))))
                step = max(map(_worst_step, signals, made, [tick] * len(made)))
                yield Figure(f"{prefix}.{way}.joint", round(distance, 3), "dB")
                yield Figure(f"{prefix}.{way}.step", round(step, 2), "times", "<= 1.25" if way == "periods" else "")


def _joints_db(x: Pcm, made: Stretched, hz: int) -> list[float]:
    """Distance of 30 ms around each joint from the most similar 30 ms of `x` around there; where it is quiet, none."""
    tick = hz // 50
    size, distances = 3 * tick // 2, list[float]()
    for i in made.joints:
        start, origin = i * tick - tick // 2, made.origins[i]
        around = x[max(0, origin - 3 * tick // 2) : origin + 3 * tick]
        if around.size >= size and largest_step(around) > _AUDIBLE_STEP:
            there = log_spectra(np.lib.stride_tricks.sliding_window_view(around, size)[:: tick // 32], hz)
            here = log_spectra(made.pcm[start : start + size][None], hz)
            distances.append(min(distance_db(here, each[None]) for each in there))
    return distances


def _worst_step(x: Pcm, made: Stretched, tick: int) -> float:
    """The largest step of a tick in parts of the largest in `x` around there, where it is not quiet."""
    worst = 0.0
    for i in made.joints:
        origin = made.origins[i]
        around = largest_step(x[max(0, origin - tick) : origin + 3 * tick])
        if around > _AUDIBLE_STEP:
            worst = max(worst, largest_step(made.pcm[i * tick - 1 : (i + 1) * tick]) / around)
    return worst


def _resampling(narrow: list[Pcm]) -> Iterator[Figure]:
    """8 to 16 to 8 kHz, the delay of the filters taken out."""
    distances, noises = [], []
    for x in narrow:
        up, down = Upsampler(1), Downsampler(1)
        wide, back, parts = np.zeros((1, WIDE_TICK), np.int16), np.zeros((1, NARROW_TICK), np.int16), list[Pcm]()
        for tick in ticks_of(x, NARROW_TICK):
            up.process(_ROW, tick, wide)
            down.process(_ROW, wide, back)
            parts.append(back[0].copy())
        y = _delayed(np.concatenate(parts), -(up.DELAY_SAMPLES + down.DELAY_SAMPLES) / 2)
        distances.append(spectral_distance_db(x, y))
        noises.append(snr_db(x[NARROW_TICK:-NARROW_TICK], y[NARROW_TICK:-NARROW_TICK]))
    yield Figure("resampled.distance", round(_mean(distances), 3), "dB")
    yield Figure("resampled.snr", round(_mean(noises), 1), "dB")


def _delayed(x: Pcm, samples: float) -> Pcm:
    """`x` later by a time that may be a part of a sample."""
    turned = np.exp(-2j * np.pi * np.fft.rfftfreq(x.size) * samples)
    return np.rint(np.fft.irfft(np.fft.rfft(x) * turned, x.size)).astype(np.int16)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _draw(folder: Path, x: Pcm) -> None:
    """What stands in docs/media.md: every row of a picture is a way, from the same beginning."""
    lost = losses(x.size // NARROW_TICK, 10, 1, np.random.default_rng(4))
    _spectrogram(
        folder / "loss.png", "Spoken; a tenth lost: silence; concealed", [x, silenced(x, lost), concealed(x, lost)]
    )
    shorter = [cut(x, NARROW_TICK, -0.06).pcm, stretched(x, NARROW_TICK, -0.06).pcm]
    _spectrogram(folder / "stretch.png", "Spoken; 6 % shorter: ticks dropped; pitch periods left out", [x, *shorter])


def _spectrogram(path: Path, title: str, channels: list[Pcm]) -> None:
    """One above the other, by sox."""
    size = min(int(_DRAWN_S * NARROW_HZ), *(each.size for each in channels))
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "sound.wav"
        with wave.open(str(source), "wb") as file:
            file.setnchannels(len(channels))
            file.setsampwidth(2)
            file.setframerate(NARROW_HZ)
            file.writeframes(np.stack([each[:size] for each in channels], 1).astype("<i2").tobytes())
        command = ["sox", str(source), "-n", "spectrogram", "-t", title, "-x", "900", "-Y", "600", "-o", str(path)]
        subprocess.run(command, check=True)
