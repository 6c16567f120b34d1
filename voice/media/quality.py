"""How a leg sounds, estimated from what its packets met on their way: the E-model in its simplified form.

ITU-T G.107 (06/2015) rates a connection R = Ro - Is - Id - Ie,eff + A. With all that is not measured here at its
default, Ro - Is is 93.2 and A is 0. Of delay, Id follows the fit of Cole and Rosenbluth ("Voice over IP performance
monitoring", ACM CCR 31(2), 2001). Of loss, Ie,eff = Ie + (95 - Ie) Ppl / (Ppl / BurstR + Bpl) is G.107's equation 7-29,
for losses at random (BurstR 1) and with what G.113 appendix I gives for G.711 with concealment. It gives nothing for
Opus, which is rated alike.

An estimate to compare calls by, not a measurement of speech.
"""

from dataclasses import dataclass

from dialog.events import CallQualityMeasured, StreamQuality
from voice.media.playout import ALLOWANCE_MS
from voice.ports import TICK_MS
from voice.wire.reports import Told

_BASE = 93.2
_EQUIPMENT = 0.0  # Ie
_ROBUSTNESS_PERCENT = 25.1  # Bpl
_HIGHEST_MOS = 4.5


def rating(delay_ms: float, loss_percent: float) -> float:
    """R, 0..93.2, from the delay from mouth to ear and the packets that were not there to be heard."""
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    loss = _EQUIPMENT + (95 - _EQUIPMENT) * loss_percent / (loss_percent + _ROBUSTNESS_PERCENT)
    return max(0.0, _BASE - delay - loss)


def mean_opinion(r: float) -> float:
    """The mean opinion score that a rating stands for, 1..4.5 (G.107 annex B)."""
    if r >= 100:
        return _HIGHEST_MOS
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What became of a leg's packets, and of the ticks for which there was none; `delay_ms` is the jitter buffer's."""

    received: int = 0
    lost: int = 0
    late: int = 0
    repeated: int = 0
    overflowed: int = 0
    concealed: int = 0
    delay_ms: int = 0


def measure(arrivals: Arrivals, told: Told) -> CallQualityMeasured | None:
    """The quality of a leg whose packets came so, and that was told so much; None when that is nothing.

    Each way takes half the round trip, a packet's length, and the delay of the buffer at its end: ours as it stands,
    the far end's as it usually is. Without a round trip the way itself counts as none: the estimate is a best case.
    """
    way_ms = (told.round_trip_ms or 0.0) / 2 + TICK_MS
    inbound = outbound = None
    came = arrivals.received - arrivals.repeated + arrivals.lost
    if came > 0:
        missing = arrivals.lost + arrivals.late + arrivals.overflowed
        inbound = _stream(came, arrivals.lost, missing, told.jitter_ms or 0.0, way_ms + arrivals.delay_ms)
    if told.far_lost is not None and told.far_expected:
        outbound = _stream(
            told.far_expected, told.far_lost, told.far_lost, told.far_jitter_ms or 0.0, way_ms + ALLOWANCE_MS
        )
    if inbound is None and outbound is None:
        return None
    return CallQualityMeasured(
        round_trip_ms=None if told.round_trip_ms is None else round(told.round_trip_ms),
        inbound=inbound,
        outbound=outbound,
        late_packets=arrivals.late,
        concealed_frames=arrivals.concealed,
    )


def _stream(packets: int, lost: int, missing: int, jitter_ms: float, delay_ms: float) -> StreamQuality:
    score = mean_opinion(rating(delay_ms, min(100.0, 100 * missing / packets)))
    return StreamQuality(packets=packets, lost=lost, jitter_ms=round(jitter_ms, 1), mos=round(score, 2))
