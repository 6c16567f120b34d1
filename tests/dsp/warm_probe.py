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
    from dsp import g711, g722, levels, mix, plc, resample, tones, vad

    rows, pcm, wide = np.arange(3, dtype=np.int32), np.ones((3, 160), np.int16), np.ones((3, 320), np.int16)
    law, payload, values = np.zeros(3, np.uint8), np.zeros((3, 160), np.uint8), np.zeros(3, np.float32)
    g711.encode(rows, pcm, law, payload)
    g711.decode(rows, payload, law, pcm)
    g711.decode_block(g711.encode_block(pcm[0], g711.A_LAW), g711.A_LAW)
    g722.Encoder(3).process(rows, wide, payload)
    g722.Encoder(3).follow(rows, payload)
    g722.Decoder(3).process(rows, payload, wide)
    resample.Upsampler(3).process(rows, pcm, wide)
    resample.Downsampler(3).process(rows, wide, pcm)
    resample.resample(np.ones(999, np.float32), 24_000, 16_000)
    levels.measure(rows, pcm, values, np.zeros(3, np.uint16))
    mix.Mixer(3).process(rows, np.array([2, 1], np.int32), law, law, wide, wide.copy())
    plc.Concealer(3).process(rows, pcm, np.ones(3, np.uint8))
    tones.DtmfDetector(3).process(rows, pcm, law)
    silero = vad.SileroVad(3)
    for _ in range(3):
        silero.process(rows, pcm, values)


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
