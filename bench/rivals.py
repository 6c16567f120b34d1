"""What the kernels are measured against: the best library for each, driven as well as we know how.

Each rival takes a batch of one tick a call and returns what the kernel returns, so that `bench.kernels` can compare.
"""

import ctypes
import warnings

import av
import kaldi_native_fbank
import numpy as np
import numpy.typing as npt
import onnxruntime
import soxr
from av.audio.frame import AudioFrame

from dsp.kernel import Bytes, Floats, Pcm
from dsp.tones import DIGITS, HIGH_HZ, LOW_HZ
from tools.silero_weights import model_path

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop


def encode_mu_law(pcm: Pcm) -> Bytes:
    """audioop, the whole batch in one call: it keeps no state, so this is its best case."""
    return np.frombuffer(audioop.lin2ulaw(pcm.data, 2), np.uint8)


def decode_mu_law(payload: Bytes) -> Pcm:
    """audioop, the whole batch in one call."""
    return np.frombuffer(audioop.ulaw2lin(payload.data, 2), np.int16)


def encode_a_law(pcm: Pcm) -> Bytes:
    """audioop, the whole batch in one call."""
    return np.frombuffer(audioop.lin2alaw(pcm.data, 2), np.uint8)


def decode_a_law(payload: Bytes) -> Pcm:
    """audioop, the whole batch in one call."""
    return np.frombuffer(audioop.alaw2lin(payload.data, 2), np.int16)


def levels(pcm: Pcm) -> list[tuple[int, int]]:
    """audioop: RMS and peak of each tick; numpy takes five times as long."""
    ticks = [memoryview(tick) for tick in pcm]
    return [(audioop.rms(tick, 2), audioop.max(tick, 2)) for tick in ticks]


def mix(said: Pcm, told: Pcm, size: int) -> list[bytes]:
    """audioop: rows in rooms of `size`, one after the other; right only while no sum of a room leaves int16."""
    mixes = []
    for begin in range(0, len(said), size):
        room = [(memoryview(said[row]), memoryview(told[row])) for row in range(begin, begin + size)]
        total = bytes(2 * said.shape[1])
        for words, played in room:
            total = audioop.add(audioop.add(total, words, 2), played, 2)
        mixes += [audioop.add(total, audioop.mul(words, 2, -1), 2) for words, _ in room]
    return mixes


def mix_numpy(said: Pcm, told: Pcm, size: int) -> Pcm:
    """numpy, all rooms at once, because all are of one `size`."""
    total = (said.astype(np.int32) + told).reshape(-1, size, said.shape[1]).sum(axis=1, dtype=np.int32)
    mixes: Pcm = np.clip(np.repeat(total, size, axis=0) - said, -32_768, 32_767).astype(np.int16)
    return mixes


class FfmpegG722:
    """FFmpeg's by PyAV, a codec a call and direction."""

    def __init__(self, calls: int) -> None:
        self._encoders = [av.AudioCodecContext.create("g722", "w") for _ in range(calls)]
        self._decoders = [av.AudioCodecContext.create("g722", "r") for _ in range(calls)]
        for codec in self._encoders + self._decoders:
            codec.sample_rate, codec.layout = 16_000, "mono"
        for codec in self._encoders:
            codec.format = "s16"

    def encode(self, pcm: Pcm) -> list[Bytes]:
        octets = []
        for codec, row in zip(self._encoders, pcm, strict=True):
            frame = AudioFrame.from_ndarray(row[None], format="s16", layout="mono")
            frame.sample_rate = 16_000
            (packet,) = codec.encode(frame)
            octets.append(np.frombuffer(bytes(packet), np.uint8))
        return octets

    def decode(self, payload: Bytes) -> list[Pcm]:
        samples = []
        for codec, row in zip(self._decoders, payload, strict=True):
            (frame,) = codec.decode(av.Packet(row.tobytes()))
            samples.append(frame.to_ndarray()[0])
        return samples


class Soxr:
    """One soxr stream a call, int16, at its medium quality (which is as fast as its lowest)."""

    def __init__(self, batch: int, from_hz: int, to_hz: int) -> None:
        self._streams = [soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="MQ") for _ in range(batch)]

    def process(self, pcm: Pcm) -> list[Pcm]:
        return [stream.resample_chunk(tick) for stream, tick in zip(self._streams, pcm, strict=True)]


class KaldiLogMel:
    """kaldi-native-fbank, a stream a call, each begun with 15 ms of silence as ours are."""

    def __init__(self, batch: int) -> None:
        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither = 0
        options.mel_opts.num_bins = 80
        self._streams = [kaldi_native_fbank.OnlineFbank(options) for _ in range(batch)]
        for stream in self._streams:
            stream.accept_waveform(16_000, np.zeros(240, np.float32))

    def process(self, pcm: Pcm) -> list[list[Floats]]:
        """The two frames of each call."""
        frames = []
        for stream, tick in zip(self._streams, pcm.astype(np.float32) / np.float32(32_768), strict=True):
            stream.accept_waveform(16_000, tick)
            ready = stream.num_frames_ready
            frames.append([stream.get_frame(ready - 2).copy(), stream.get_frame(ready - 1).copy()])
            stream.pop(2)  # which frees what the originals show
        return frames


class NumpyDtmf:
    """The same windows and tests as dsp.tones, by one matrix product a tick. There is no compiled DTMF library with
    wheels on PyPI (`SpandspDtmf` is Debian's), and Goertzel filters by scipy.signal.lfilter are slower than this."""

    def __init__(self, batch: int) -> None:
        radians = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ) / 8_000 * np.arange(120)[:, None]
        self._table = np.concatenate([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
        self._past = np.zeros((batch, 240), np.float32)
        self._digit = np.zeros(batch, np.int64)
        self._run = np.zeros(batch, np.int64)
        self._held = np.zeros(batch, np.int64)
        self._missed = np.zeros(batch, np.int64)

    def process(self, pcm: Pcm) -> list[str]:
        """The digit that began in each row's tick, or an empty string."""
        self._past[:, :80] = self._past[:, 160:]
        self._past[:, 80:] = pcm
        windows = np.lib.stride_tricks.sliding_window_view(self._past, 120, axis=1)[:, ::40]
        sums = windows @ self._table
        power = sums[..., :8] ** 2 + sums[..., 8:] ** 2
        low, high = power[..., :4].argmax(2), power[..., 4:].argmax(2)
        low_power, high_power = power[..., :4].max(2), power[..., 4:].max(2)
        energy = np.einsum("rwn,rwn->rw", windows, windows)
        speaks = ((low_power + high_power) / 60 >= 0.65 * energy) & (energy > 8e6)
        speaks &= (high_power < 3.5 * low_power) & (low_power < 10 * high_power)
        found = np.where(speaks, low * 4 + high + 1, 0)
        began = [""] * len(pcm)
        for window in range(found.shape[1]):
            digit = found[:, window]
            self._run = np.where((digit == self._digit) & (digit > 0), self._run + 1, np.minimum(digit, 1))
            self._digit = digit
            for row in np.flatnonzero((self._run >= 5) & (digit != self._held)):
                began[row] = DIGITS[digit[row] - 1]
                self._held[row] = digit[row]
            self._missed = np.where(digit == self._held, 0, self._missed + 1)
            self._held[self._missed >= 6] = 0
        return began


class SpandspDtmf:
    """The detector of the telephone world, from Debian's libspandsp2, a call at a time. Raises OSError without it."""

    def __init__(self, batch: int) -> None:
        library = ctypes.CDLL("libspandsp.so.2")
        library.dtmf_rx_init.restype = ctypes.c_void_p
        library.dtmf_rx_init.argtypes = [ctypes.c_void_p] * 3
        library.dtmf_rx.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
        library.dtmf_rx_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        self._take, self._get = library.dtmf_rx, library.dtmf_rx_get
        self._states = [library.dtmf_rx_init(None, None, None) for _ in range(batch)]

    def process(self, pcm: Pcm) -> None:
        start, step = pcm.ctypes.data, pcm.strides[0]
        for row, state in enumerate(self._states):
            self._take(state, start + row * step, pcm.shape[1])

    def digits(self) -> list[str]:
        """What each call heard since it was asked last, 127 digits at most."""
        heard = []
        for state in self._states:
            text = ctypes.create_string_buffer(128)
            self._get(state, text, 127)
            heard.append(text.value.decode("ascii"))
        return heard


class NumpyEchoLoss:
    """The sums of dsp.echo_loss in float64, all rows at once; for rows to which something is always played."""

    def __init__(self, batch: int) -> None:
        self._played = np.zeros((batch, 69))
        self._heard = np.zeros(batch)
        self._sums = np.zeros((5, batch, 64))
        self._ticks = 0.0

    def process(self, said: Pcm, heard: Pcm) -> tuple[npt.NDArray[np.float64], ...]:
        """Loss in dB, delay in ms and confidence of each row."""
        powers = [np.square(x.reshape(len(x), 5, -1) / 32_768).mean(axis=2) for x in (said, heard)]
        self._sums *= 0.99
        self._ticks = self._ticks * 0.99 + 1
        for played, came in zip(powers[0].T, powers[1].T, strict=True):
            self._played[:, 1:] = self._played[:, :-1]
            self._played[:, 0] = played + (self._played[:, 1] - played) * 0.75
            self._heard = came + (self._heard - came) * 0.75
            x, y = self._played[:, :64], self._heard[:, None]
            self._sums += np.stack([x * y, x, x * x, y + 0 * x, y * y + 0 * x])
        products, x, xx, y, yy = self._sums / (5 * self._ticks)
        covariance, variance = np.maximum(products - x * y, 0), xx - x * x + 1e-14
        best = np.argmax(covariance**2 / variance, axis=1)
        covariance, variance, rest = (
            each[np.arange(best.size), best] for each in (covariance, variance, yy - y * y + 1e-18)
        )
        unlike = np.maximum(1 - covariance**2 / variance / rest, 0)
        confidence = np.sqrt(np.maximum(1 - unlike * (1 + 20 / self._ticks), 0))
        return -10 * np.log10(np.maximum(covariance / variance, 1e-10)), best * 4.0, confidence


def soxr_stream(from_hz: int, to_hz: int) -> soxr.ResampleStream:
    """One stream of float32."""
    return soxr.ResampleStream(from_hz, to_hz, 1, quality="MQ")


class OnnxSilero:
    """onnxruntime on one thread over the original model: `batch` calls in one run, or a run a call."""

    def __init__(self, batch: int, *, together: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model_path()), options)
        group = batch if together else 1
        self._inputs = np.zeros((batch, 288), np.float32)
        self._states = [np.zeros((2, group, 128), np.float32) for _ in range(batch // group)]
        self._rate = np.array(8_000)

    def process(self, chunks: Floats) -> npt.NDArray[np.float32]:
        """A step: 256 new samples a row, f32[batch, 256], to a probability a row."""
        self._inputs[:, :32] = self._inputs[:, 256:]
        self._inputs[:, 32:] = chunks
        found = []
        for i, inputs in enumerate(np.split(self._inputs, len(self._states))):
            feed = {"input": inputs, "state": self._states[i], "sr": self._rate}
            probability, self._states[i] = self._session.run(None, feed)
            found.append(probability[:, 0])
        return np.concatenate(found)
