"""The kernels of a tick, in order, each called once for all legs. Row r of every buffer is the leg in row r."""

import numpy as np

from dsp import g711
from dsp.kernel import NARROW_TICK, WIDE_TICK, Pcm, Rows
from dsp.levels import measure
from dsp.mix import Mixer
from dsp.plc import Concealer
from dsp.resample import Downsampler, Upsampler
from dsp.tones import DtmfDetector
from dsp.vad import SileroVad
from voice.media.codecs import G711Name

LAWS: dict[G711Name, int] = {"PCMU": g711.MU_LAW, "PCMA": g711.A_LAW}
SILENT_OCTETS = {g711.MU_LAW: 0xFF, g711.A_LAW: 0xD5}

_FADE = np.linspace(0, 1, NARROW_TICK, endpoint=False, dtype=np.float32)


def translation(law: int, into: int) -> bytes:
    """For `bytes.translate`: octets of one law into those of another, as a G.711 gateway does it."""
    return g711.encode_block(g711.decode_block(np.arange(256, dtype=np.uint8), law), into).tobytes()


def rows_of(numbers: list[int]) -> Rows:
    """Row numbers as the kernels want them."""
    return np.array(numbers, np.int32)


class Hearing:
    """What legs say, from G.711 octets or 16 kHz audio to audio, level, voice and keys.

    A G.711 row is filled in `octets` (or marked in `lost`), by its `law`; any other row brings its audio in `wide`.
    """

    def __init__(self, capacity: int) -> None:
        self.law = np.zeros(capacity, np.uint8)
        self.octets = np.zeros((capacity, NARROW_TICK), np.uint8)
        self.lost = np.zeros(capacity, np.uint8)
        self.narrow = np.zeros((capacity, NARROW_TICK), np.int16)
        self.wide = np.zeros((capacity, WIDE_TICK), np.int16)
        self.level_dbfs = np.zeros(capacity, np.float32)
        self.probability = np.zeros(capacity, np.float32)
        self.digit = np.zeros(capacity, np.uint8)
        self._peak = np.zeros(capacity, np.uint16)
        self._concealer = Concealer(capacity)
        self._up = Upsampler(capacity)
        self._down = Downsampler(capacity)
        self._tones = DtmfDetector(capacity)
        self._vad = SileroVad(capacity)

    def process(self, g711_rows: Rows, codec_rows: Rows, tone_rows: Rows) -> None:
        """One tick. `tone_rows` are the rows whose far end sends keys as tones, of whatever codec."""
        if g711_rows.size:
            g711.decode(g711_rows, self.octets, self.law, self.narrow)
            self._concealer.process(g711_rows, self.narrow, self.lost)
            self._up.process(g711_rows, self.narrow, self.wide)
        if codec_rows.size:
            self._down.process(codec_rows, self.wide, self.narrow)
        if tone_rows.size:
            self._tones.process(tone_rows, self.narrow, self.digit)
        rows = np.concatenate((g711_rows, codec_rows))
        measure(rows, self.wide, self.level_dbfs, self._peak)
        self._vad.process(rows, self.narrow, self.probability)

    def begin(self, row: int) -> None:
        """Another leg takes `row`."""
        self.wide[row] = 0
        self.probability[row] = 0
        self.digit[row] = 0
        self._concealer.reset(row)
        self._up.reset(row)
        self._down.reset(row)
        self._tones.reset(row)
        self._vad.reset(row)


class Speaking:
    """What legs are told: 16 kHz in `wide`, and for G.711 rows the octets of the packet, by the row's `law`.

    `wide` is filled with what is played to each leg and holds the mix once the rooms are mixed; `part` is what the row
    is in its room (`dsp.parts.Part`), and one that is marked `deaf` is told nothing of it.
    """

    def __init__(self, capacity: int) -> None:
        self.law = np.zeros(capacity, np.uint8)
        self.wide = np.zeros((capacity, WIDE_TICK), np.int16)
        self.part = np.zeros(capacity, np.uint8)
        self.deaf = np.zeros(capacity, np.uint8)
        self.octets = np.zeros((capacity, NARROW_TICK), np.uint8)
        self._mixer = Mixer(capacity)
        self._narrow = np.zeros((capacity, NARROW_TICK), np.int16)
        self._down = Downsampler(capacity)

    def mix(self, member_rows: Rows, room_sizes: Rows, said: Pcm) -> None:
        """Let the legs of each room hear each other's `said` i16[C, 320]. `member_rows` stand room after room."""
        if member_rows.size:
            self._mixer.process(member_rows, room_sizes, self.part, self.deaf, said, self.wide)

    def process(self, g711_rows: Rows) -> None:
        """One tick."""
        if g711_rows.size:
            self._down.process(g711_rows, self.wide, self._narrow)
            g711.encode(g711_rows, self._narrow, self.law, self.octets)

    def turn(self, row: int, passed: Pcm, *, to_mix: bool) -> bytes:
        """G.711 octets of a tick between the mix of `row` and what is `passed` on to it, i16[160] at 8 kHz. The mix is
        6 ms later, by the two filters on its way: one fades into the other, a step would click."""
        weight = _FADE if to_mix else 1 - _FADE
        faded = np.rint(self._narrow[row] * weight + passed * (1 - weight)).astype(np.int16)
        return g711.encode_block(faded, int(self.law[row])).tobytes()

    def begin(self, row: int) -> None:
        """Another leg takes `row`."""
        self._down.reset(row)
