"""All arrays of an engine, made at the start, one row a leg.

The event loop writes into a free row, into rings where it is named as the writer, and else nothing: what it wants goes
as commands. The line thread owns the rest but for `Judgement`, which is the judging thread's, and what `Heard` says.

Of each tuple there is a function that makes it, and its type for signatures. Memory that no leg has used yet costs
nothing: the system gives it as it is touched (`memory`).
"""

from typing import NamedTuple

import numpy as np

from voice.media.engine import zeros
from voice.media.engine.external import BATCHED
from voice.media.engine.layout import STREAM, Counters, Records
from voice.media.engine.line import Hearing, Inbound, Speaking, hearing, inbound, speaking
from voice.media.engine.shared import Heard, Judgement, Shared, heard, judgement, shared


class Engine(NamedTuple):
    """All of it, for Python. Compiled code takes the parts: a function of all these arrays takes seconds to compile."""

    inbound: Inbound
    hearing: Hearing
    speaking: Speaking
    heard: Heard
    judgement: Judgement
    shared: Shared
    staged: Records  # [C], STREAM; written by the event loop
    time: Counters  # [2]: scratch of the line thread
    time_judging: Counters


def engine(capacity: int, *, batched: bool = BATCHED) -> Engine:
    return Engine(
        inbound=inbound(capacity, batched=batched),
        hearing=hearing(capacity),
        speaking=speaking(capacity),
        heard=heard(capacity),
        judgement=judgement(capacity),
        shared=shared(capacity),
        staged=np.zeros(capacity, STREAM),
        time=zeros.counters(2),
        time_judging=zeros.counters(2),
    )
