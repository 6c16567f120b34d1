"""Moonshine's encoder and decoder by onnxruntime: audio to tokens, with the probability of each token.

A decoder loop of our own, because the ready-made ones give no probabilities and cannot be interrupted. Greedy: the
most probable token is fed back until the end token. Architecture: Jeffries et al., "Moonshine: Speech Recognition
for Live Transcription and Voice Commands", arXiv 2410.15608 (6.5 tokens a second bound its output).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from voice.ports import RATE_HZ, Pcm
from voice.speech.models import MoonshineFiles

Floats = npt.NDArray[np.float32]

START_TOKEN = 1
END_TOKEN = 2
MAX_TOKENS_PER_S = 6.5
SPARE_TOKENS = 8
"""Short utterances have more tokens a second than long ones."""
SURE_OF_NOTHING = 0.98
"""An utterance may be said to have no words only with this probability. On noise and tones Base has 0.993 and more, on
digits in noise, whose first words it hears well enough, 0.3 to 0.97."""
LONGEST_CYCLE = 12
LOOPED_TOKENS = 16
"""A cycle of up to 12 tokens that fills 16 is the decoder caught in a loop; "zero zero zero zero" is not."""
HASTY_LOOPED_TOKENS = 8
"""The same for the beginning of a sentence, where loops are common and a word lost comes back with the next partial."""
SHORTEST_AUDIO = RATE_HZ // 10
SPACE = "▁".encode()


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text of one piece of audio; `probability` is the mean over its `tokens` tokens, the end included.

    `looped`: the decoder repeated itself, and `text` ends with the first round.
    """

    text: str
    probability: float
    tokens: int
    looped: bool = False


NOTHING = Decoded("", 1.0, 0)


class MoonshineModel:
    """One size of Moonshine; `decode` may run on several threads."""

    def __init__(self, files: MoonshineFiles) -> None:
        self._encoder = _session(files.encoder)
        self._decoder = _session(files.decoder)
        self._pieces = _token_bytes(files.tokenizer)
        self._encoder_masked = any(i.name == "attention_mask" for i in self._encoder.get_inputs())
        inputs = self._decoder.get_inputs()
        self._decoder_masked = any(i.name == "encoder_attention_mask" for i in inputs)
        pasts = [i for i in inputs if i.name.startswith("past_key_values")]
        self._past_names = [i.name for i in pasts]
        _, self._heads, _, self._width = pasts[0].shape
        self._outputs = [o.name for o in self._decoder.get_outputs()]

    def decode(
        self, pcm: Pcm, stop: Callable[[], bool] = lambda: False, looped_tokens: int = LOOPED_TOKENS
    ) -> Decoded | None:
        """The words of `pcm`; None when `stop` turned true before the end was reached."""
        if pcm.size < SHORTEST_AUDIO:
            return NOTHING
        audio = (pcm.astype(np.float32) / 32768.0)[None]
        mask = np.ones(audio.shape, np.int64)
        feeds: dict[str, npt.NDArray[np.generic]] = {"input_values": audio}
        if self._encoder_masked:
            feeds["attention_mask"] = mask
        hidden: Floats = self._encoder.run(None, feeds)[0]
        if stop():
            return None
        max_tokens = int(audio.size / RATE_HZ * MAX_TOKENS_PER_S) + SPARE_TOKENS
        return self._words(hidden, mask, max_tokens, stop, looped_tokens)

    def _words(
        self,
        hidden: Floats,
        mask: npt.NDArray[np.int64],
        max_tokens: int,
        stop: Callable[[], bool],
        looped_tokens: int,
    ) -> Decoded | None:
        feeds: dict[str, npt.NDArray[np.generic]] = {"encoder_hidden_states": hidden}
        if self._decoder_masked:
            feeds["encoder_attention_mask"] = mask
        for name in self._past_names:
            length = 0 if ".decoder." in name else hidden.shape[1]
            feeds[name] = np.zeros((1, self._heads, length, self._width), np.float32)
        tokens: list[int] = []
        probabilities: list[float] = []
        token, cached, loop = START_TOKEN, False, None
        while len(tokens) < max_tokens:
            feeds["input_ids"] = np.array([[token]], np.int64)
            feeds["use_cache_branch"] = np.array([cached])
            results = self._decoder.run(self._outputs, feeds)
            logits = results[0][0, -1]
            token = int(logits.argmax())
            probability = _probability(logits, token)
            if token == END_TOKEN and not tokens and probability < SURE_OF_NOTHING:
                token = int(np.argsort(logits)[-2])
                probability = _probability(logits, token)
            probabilities.append(probability)
            if token == END_TOKEN:
                break
            tokens.append(token)
            loop = loop_start(tokens, looped_tokens)
            if loop is not None:
                del tokens[loop:], probabilities[loop:]
                break
            if stop():
                return None
            for name, value in zip(self._outputs[1:], results[1:], strict=True):
                # the first step computes the keys and values of the audio, later ones only those of the words
                if not cached or ".decoder." in name:
                    feeds[name.replace("present", "past_key_values")] = value
            cached = True
        return Decoded(self._text(tokens), float(np.mean(probabilities)), len(probabilities), loop is not None)

    def _text(self, tokens: list[int]) -> str:
        return b"".join(map(self._piece, tokens)).decode("utf-8", "ignore").strip()

    def _piece(self, token: int) -> bytes:
        piece = self._pieces[token]
        if len(piece) == 6 and piece.startswith(b"<0x"):  # a byte the vocabulary has no piece for
            return bytes([int(piece[3:5], 16)])
        return piece.replace(SPACE, b" ")


def loop_start(tokens: list[int], looped_tokens: int = LOOPED_TOKENS) -> int | None:
    """Where the second round of a decoder's loop begins, or None; looks at the end of `tokens` only."""
    for cycle in range(1, LONGEST_CYCLE + 1):
        rounds = max(-(-looped_tokens // cycle), 3)
        start = len(tokens) - rounds * cycle
        if start >= 0 and tokens[start:] == tokens[start : start + cycle] * rounds:
            return start + cycle
    return None


def _probability(logits: Floats, token: int) -> float:
    return float(1.0 / np.exp(logits - logits[token]).sum())


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # the files were optimised when they were made; doing it again costs 0.4 s at every start and gains nothing
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _token_bytes(path: Path) -> list[bytes]:
    """The token table: each entry a length (one byte, or two when the first has its high bit set) and the bytes."""
    table = path.read_bytes()
    pieces: list[bytes] = []
    at = 0
    while at < len(table):
        length = table[at]
        at += 1
        if length & 0x80:
            length = table[at] * 128 + length - 128
            at += 1
        pieces.append(table[at : at + length])
        at += length
    return pieces
