"""G.711 and G.722, which must agree with the libraries to the bit."""

from collections.abc import Callable

import numpy as np

from bench import rivals
from bench.contests.contest import Contest, Prepare, every_row, sound, ticks_of
from dsp import g711, g722
from dsp.kernel import Bytes, Pcm


def _g711_encode(law: int, rival: Callable[[Pcm], Bytes], must: str) -> Prepare:
    def prepare(batch: int) -> Contest:
        rows, laws, pcm = every_row(batch), np.full(batch, law, np.uint8), sound(batch, 160)
        out = np.zeros((batch, 160), np.uint8)
        g711.encode(rows, pcm, laws, out)
        np.testing.assert_array_equal(out.reshape(-1), rival(pcm))
        return Contest(lambda: g711.encode(rows, pcm, laws, out), {"audioop": lambda: rival(pcm)}, must=must)

    return prepare


def _g711_decode(law: int, rival: Callable[[Bytes], Pcm], must: str) -> Prepare:
    def prepare(batch: int) -> Contest:
        rows, laws, out = every_row(batch), np.full(batch, law, np.uint8), np.zeros((batch, 160), np.int16)
        payload = np.random.default_rng(1).integers(0, 256, (batch, 160)).astype(np.uint8)
        g711.decode(rows, payload, laws, out)
        np.testing.assert_array_equal(out.reshape(-1), rival(payload))
        return Contest(lambda: g711.decode(rows, payload, laws, out), {"audioop": lambda: rival(payload)}, must=must)

    return prepare


def _g722_encode(batch: int) -> Contest:
    """Each row goes on from its own past, as the library's does."""
    rows, ticks = every_row(batch), ticks_of(sound(batch, 20 * 320), 320)
    coder, rival, out = g722.Encoder(batch), rivals.FfmpegG722(batch), np.zeros((batch, 160), np.uint8)
    for tick in ticks:
        coder.process(rows, tick, out)
        np.testing.assert_array_equal(out, rival.encode(tick))
    return Contest(lambda: coder.process(rows, ticks[0], out), {"ffmpeg": lambda: rival.encode(ticks[0])})


def _g722_decode(batch: int) -> Contest:
    rows, payload = every_row(batch), np.random.default_rng(1).integers(0, 256, (batch, 160)).astype(np.uint8)
    coder, rival, out = g722.Decoder(batch), rivals.FfmpegG722(batch), np.zeros((batch, 320), np.int16)
    for _ in range(5):
        coder.process(rows, payload, out)
        np.testing.assert_array_equal(out, rival.decode(payload))
    return Contest(lambda: coder.process(rows, payload, out), {"ffmpeg": lambda: rival.decode(payload)})


CONTESTS: dict[str, Prepare] = {
    "mu_law_encode": _g711_encode(g711.MU_LAW, rivals.encode_mu_law, ">= 28"),
    "mu_law_decode": _g711_decode(g711.MU_LAW, rivals.decode_mu_law, ">= 6"),
    "a_law_encode": _g711_encode(g711.A_LAW, rivals.encode_a_law, ">= 22"),
    "a_law_decode": _g711_decode(g711.A_LAW, rivals.decode_a_law, ">= 6"),
    "g722_encode": _g722_encode,
    "g722_decode": _g722_decode,
}
