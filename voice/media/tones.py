"""Keys in the sound itself, for far ends that take no telephone-events."""

from dsp.tones import dtmf_tone
from voice.ports import RATE_HZ, TICK_MS, TICK_SAMPLES, Pcm
from voice.wire.dtmf import KEY_TICKS, KEYS, Presses

_TONES = [dtmf_tone(key, KEY_TICKS * TICK_MS, RATE_HZ).reshape(KEY_TICKS, TICK_SAMPLES) for key in KEYS]

ECHO_TICKS = 25
"""A line gives back some of what is sent, half a second later at most: tones until then are not the far end's keys."""


class ToneSender(Presses):
    """Turns digits into ticks of tone and of the pause after it."""

    def take(self, out: Pcm) -> bool:
        """Fill one tick `out` i16[320]; False, and nothing filled, when there is no key. Tick thread."""
        code, tick = self.step()
        if not tick:
            return False
        out[:] = _TONES[code][tick - 1] if tick <= KEY_TICKS else 0
        return True
