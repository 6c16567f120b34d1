"""Hold music: how it sounds to a meter, and what becomes of a file of the operator's."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialog.errors import ConfigurationError
from dsp.resample import resample
from dsp.tones import DtmfDetector
from voice.media.music import LEVEL_DBFS, LONGEST_S, hold_music, load_music
from voice.ports import RATE_HZ, Pcm


def level_dbfs(pcm: Pcm) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)) / 32_768))


def seam(pcm: Pcm) -> tuple[float, float]:
    """The step from the end to the beginning, and the largest step of all others."""
    steps = np.abs(np.diff(np.append(pcm, pcm[0]).astype(np.int32)))
    return float(steps[-1]), float(steps[:-1].max())


def tune(rate_hz: int, channels: int, seconds: float = 2.0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """A tone of 440 Hz, full scale, on the first channel only."""
    sound = np.zeros((int(seconds * rate_hz), channels), np.float32)
    sound[:, 0] = 0.999 * np.sin(2 * np.pi * 440 * np.arange(len(sound)) / rate_hz)
    return sound


@pytest.mark.parametrize("seconds", [32.0, 10.0, 1.0])
def test_the_tune_is_level_loops_without_a_click_and_fits_the_telephone(seconds: float) -> None:
    pcm = hold_music(seconds)
    assert pcm.dtype == np.int16
    assert pcm.shape == (seconds * RATE_HZ,)
    assert level_dbfs(pcm) == pytest.approx(LEVEL_DBFS, abs=0.1)
    assert np.abs(pcm.astype(np.int32)).max() < 16_000
    last, others = seam(pcm)
    assert last < others / 2
    energy = np.abs(np.fft.rfft(pcm.astype(np.float64))) ** 2
    hz = np.fft.rfftfreq(pcm.size, 1 / RATE_HZ)
    assert energy[(hz < 300) | (hz > 3_400)].sum() < 1e-4 * energy.sum()


def test_the_tune_is_calm_and_always_the_same() -> None:
    begun = time.process_time()
    pcm = hold_music()
    assert time.process_time() - begun < 0.5
    seconds = [level_dbfs(second) for second in pcm.reshape(-1, RATE_HZ)]
    assert max(seconds) < LEVEL_DBFS + 3
    assert min(seconds) > LEVEL_DBFS - 8
    assert np.array_equal(pcm, hold_music())


def test_the_tune_is_no_key_when_a_telephone_echoes_it() -> None:
    detector, digit, rows = DtmfDetector(1), np.zeros(1, np.uint8), np.zeros(1, np.int32)
    for tick in resample(hold_music(), RATE_HZ, 8_000).reshape(-1, 1, 160):
        detector.process(rows, tick, digit)
        assert not digit[0]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 2), (48_000, 2)])
def test_a_file_of_any_rate_is_brought_to_the_level(tmp_path: Path, name: str, rate_hz: int, channels: int) -> None:
    soundfile.write(tmp_path / name, tune(rate_hz, channels), rate_hz)
    pcm = load_music(tmp_path / name)
    assert pcm.dtype == np.int16
    assert pcm.size == pytest.approx(2 * RATE_HZ, rel=0.05)  # MP3 knows whole blocks only
    assert level_dbfs(pcm) == pytest.approx(LEVEL_DBFS, abs=0.1)
    spectrum = np.abs(np.fft.rfft(pcm[: 2 * RATE_HZ] * np.hanning(pcm[: 2 * RATE_HZ].size)))
    assert np.argmax(spectrum) * RATE_HZ / pcm[: 2 * RATE_HZ].size == pytest.approx(440, abs=2)


def test_a_file_goes_over_into_itself_and_peaks_are_not_cut_off(tmp_path: Path) -> None:
    step = np.linspace(-0.5, 0.5, 16_000)
    soundfile.write(tmp_path / "ramp.wav", step, RATE_HZ)
    assert seam(load_music(tmp_path / "ramp.wav"))[0] < 10
    beat = np.zeros(160_000)
    beat[8_000] = 0.9
    soundfile.write(tmp_path / "beat.wav", beat, RATE_HZ)
    assert load_music(tmp_path / "beat.wav").max() == 32_767
    soundfile.write(tmp_path / "still.wav", 0 * beat, RATE_HZ)
    assert not load_music(tmp_path / "still.wav").any()


@pytest.mark.parametrize("name", ["missing.wav", "", "text.wav", "text.raw", "cut.flac"])
def test_what_cannot_be_read_names_the_setting(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "text.raw").write_text("not a sound")
    soundfile.write(tmp_path / "cut.flac", tune(8_000, 1), 8_000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:30])
    with pytest.raises(ConfigurationError, match=r"^desk\.music: .*; name a"):
        load_music(tmp_path / name)


def test_a_file_too_long_or_empty_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(LONGEST_S * 8_000 + 1, np.int16), 8_000)
    soundfile.write(tmp_path / "full.flac", np.zeros(LONGEST_S * 8_000, np.int16), 8_000)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.int16), 8_000)
    with pytest.raises(ConfigurationError, match=r"desk\.music: .*longer than 300 s"):
        load_music(tmp_path / "long.flac")
    with pytest.raises(ConfigurationError, match=r"desk\.music: .*no sound"):
        load_music(tmp_path / "empty.wav")
    assert load_music(tmp_path / "full.flac").size == LONGEST_S * RATE_HZ
