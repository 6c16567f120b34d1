"""Run by test_warm in a fresh process: what numba compiles during and after `warm()`, as JSON."""

import json
import sys

import numpy as np
from numba.core import event


class Compilations(event.Listener):
    """Names of the functions that numba compiles (loading from its cache is not compiling)."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_start(self, event: event.Event) -> None:
        self.names.append(str(event.data["dispatcher"]))

    def on_end(self, event: event.Event) -> None:
        pass


def use_everything() -> None:
    """Calls as a node makes them, not as `warm` makes them: several rows, real sizes."""
    from dsp import (
        echo,
        echo_loss,
        features,
        g711,
        g722,
        gain,
        gate,
        jitter,
        levels,
        limiter,
        mix,
        noise,
        plc,
        polyphase,
        progress,
        resample,
        stretch,
        tones,
        vad,
    )

    rows, pcm, wide = np.arange(3, dtype=np.int32), np.ones((3, 160), np.int16), np.ones((3, 320), np.int16)
    law, payload, values = np.zeros(3, np.uint8), np.zeros((3, 160), np.uint8), np.zeros(3, np.float32)
    g711.encode(rows, pcm, law, payload)
    g711.decode(rows, payload, law, pcm)
    g711.decode_block(g711.encode_block(pcm[0], g711.A_LAW), g711.A_LAW)
    g722.Encoder(3).process(rows, wide, payload)
    g722.Encoder(3).follow(rows, payload)
    g722.Decoder(3).process(rows, payload, wide)
    polyphase.Converter(3, 24_000, 16_000).process(rows, np.ones((3, 480), np.int16), wide)
    resample.Upsampler(3).process(rows, pcm, wide)
    resample.Downsampler(3).process(rows, wide, pcm)
    resample.resample(np.ones(999, np.float32), 24_000, 16_000)
    features.LogMel(3).process(rows, wide, np.zeros((3, 2, 80), np.float32))
    levels.measure(rows, pcm, values, np.zeros(3, np.uint16))
    buffer = jitter.JitterBuffers(3)
    for n in range(5):
        buffer.push(2, n, n * 80, 1, bytes(80), n)
        jitter.skip(buffer.state, 1, n, 0, 1, n)
        jitter.want(buffer.state, 2, n, 5.0)
        buffer.pop(2, n)
    jitter.moved(buffer.state, 2, 5, 3.0)
    jitter.peek_next(buffer.state, 2)
    jitter.cover(buffer.state, 2, 1)
    jitter.clear_row(buffer.state, 2, 960, False)
    mix.Mixer(3).process(rows, np.array([2, 1], np.int32), law, law, wide, wide.copy())
    plc.Concealer(3).process(rows, pcm, np.ones(3, np.uint8))
    stretcher = stretch.Stretcher(3, 320)
    for row in (0, 0, 1, 2):
        stretcher.feed(np.full(1, row, np.int32), wide)
    stretcher.needed(0, -100)
    stretcher.process(rows, law, wide)
    stretcher.reset(0)
    gain.GainControl(3).process(rows, values, values, 0.01)
    limiter.Limiter(3).process(rows, wide, values)
    comfort = noise.ComfortNoise(3)
    comfort.take(1, bytes([noise.level_octet(-50.0), 100, 200]))
    comfort.listen(rows, values, values)
    comfort.process(rows, pcm, guess=False)
    comfort.reset(1)
    detector = progress.ProgressDetector(3)
    detector.await_silence(1, 50)
    detector.process(rows, pcm, law)
    detector.reset(1)
    echo_loss.EchoLossMeter(3).process(rows, wide, wide)
    canceller = echo.EchoCanceller(3, 16_000, most=1)
    canceller.process(rows, wide, wide)
    canceller.reset(0)
    tones.DtmfDetector(3).process(rows, pcm, law)
    silero = vad.SileroVad(3)
    for _ in range(3):
        silero.process(rows, pcm, values, law)
    silero.reset(2)
    gates = gate.Gate(3)
    gates.process(rows, values, values, law)
    gates.reset(2)


def main() -> None:
    compilations = Compilations()
    event.register("numba:compile", compilations)  # type: ignore[no-untyped-call]
    from dsp.warm import warm

    steps: list[tuple[str, int, int]] = []
    warm(lambda name, done, total: steps.append((name, done, total)))
    during = list(compilations.names)
    use_everything()
    after = compilations.names[len(during) :]
    json.dump({"during": during, "after": after, "steps": steps}, sys.stdout)


if __name__ == "__main__":
    main()
