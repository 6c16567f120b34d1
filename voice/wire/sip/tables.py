"""The four transaction machines as tables: RFC 3261 section 17 as corrected by RFC 6026.

A row says: in this state, on this input, go there and do these things, for this reason. An input without a row is
absorbed. `ENTRY` names the timers that run while a state lasts; `TIMER` gives their lengths.
"""

from dataclasses import dataclass
from enum import Enum, auto

T1 = 0.5
"""Estimate of the round trip, seconds (RFC 3261 table 4)."""
T2 = 4.0
"""Longest interval between retransmissions of requests other than INVITE and of INVITE responses, seconds."""
T4 = 5.0
"""Longest time a message stays in the network, seconds."""


class State(Enum):
    """States of all four machines."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen to a transaction: something received, something its user asks, or a timer."""

    REQUEST = auto()
    ACK = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    A = auto()
    B = auto()
    D = auto()
    E = auto()
    F = auto()
    G = auto()
    H = auto()
    I = auto()  # noqa: E741  (the RFC's name)
    J = auto()
    K = auto()
    L = auto()
    M = auto()
    LOST = auto()
    """The connection failed, or could not be made."""


class Do(Enum):
    """What a transaction does on a row."""

    SEND = auto()
    """Send what was given, and keep it for retransmission."""
    RESEND = auto()
    """Send again what was kept."""
    ACK = auto()
    """Send the ACK of a final response other than 2xx."""
    TELL = auto()
    """Hand the message to the transaction's user."""
    TIME_OUT = auto()
    """Tell the user that no answer came, or none can come."""


@dataclass(frozen=True, slots=True)
class Row:
    """Next state, what to do on the way, and the place in the RFC."""

    state: State
    do: tuple[Do, ...]
    cite: str


@dataclass(frozen=True, slots=True)
class Timer:
    """Length in seconds; a `doubling` timer runs again after twice the time, up to `cap`.

    Over a connection nothing is lost or doubled: `doubling` timers, which repeat, do not run, and `lingering` ones,
    which wait for late copies, are over at once.
    """

    seconds: float
    doubling: bool = False
    cap: float = float("inf")
    lingering: bool = False


TIMER = {
    Input.A: Timer(T1, doubling=True),
    Input.B: Timer(64 * T1),
    Input.D: Timer(32.0, lingering=True),
    Input.E: Timer(T1, doubling=True, cap=T2),
    Input.F: Timer(64 * T1),
    Input.G: Timer(T1, doubling=True, cap=T2),
    Input.H: Timer(64 * T1),
    Input.I: Timer(T4, lingering=True),
    Input.J: Timer(64 * T1, lingering=True),
    Input.K: Timer(T4, lingering=True),
    Input.L: Timer(64 * T1),
    Input.M: Timer(64 * T1),
}
"""RFC 3261 table 4, RFC 6026 section 7."""

Rows = dict[tuple[State, Input], Row]


@dataclass(frozen=True, slots=True)
class Machine:
    """A table with its first state and the timers each state starts on entry."""

    name: str
    first: State
    rows: Rows
    entry: dict[State, tuple[Input, ...]]


CALLING, TRYING, PROCEEDING = State.CALLING, State.TRYING, State.PROCEEDING
COMPLETED, ACCEPTED, CONFIRMED, TERMINATED = State.COMPLETED, State.ACCEPTED, State.CONFIRMED, State.TERMINATED

CLIENT_INVITE = Machine(
    "client INVITE",
    CALLING,
    {
        (CALLING, Input.A): Row(CALLING, (Do.RESEND,), "RFC 3261 17.1.1.2"),
        (CALLING, Input.B): Row(TERMINATED, (Do.TIME_OUT,), "RFC 3261 17.1.1.2"),
        (CALLING, Input.LOST): Row(TERMINATED, (Do.TIME_OUT,), "RFC 3261 17.1.4"),
        (CALLING, Input.PROVISIONAL): Row(PROCEEDING, (Do.TELL,), "RFC 3261 17.1.1.2"),
        (CALLING, Input.SUCCESS): Row(ACCEPTED, (Do.TELL,), "RFC 6026 7.2"),
        (CALLING, Input.FAILURE): Row(COMPLETED, (Do.ACK, Do.TELL), "RFC 3261 17.1.1.2"),
        (PROCEEDING, Input.PROVISIONAL): Row(PROCEEDING, (Do.TELL,), "RFC 3261 17.1.1.2"),
        (PROCEEDING, Input.SUCCESS): Row(ACCEPTED, (Do.TELL,), "RFC 6026 7.2"),
        (PROCEEDING, Input.FAILURE): Row(COMPLETED, (Do.ACK, Do.TELL), "RFC 3261 17.1.1.2"),
        (COMPLETED, Input.FAILURE): Row(COMPLETED, (Do.ACK,), "RFC 3261 17.1.1.2"),
        (COMPLETED, Input.D): Row(TERMINATED, (), "RFC 3261 17.1.1.2"),
        (ACCEPTED, Input.SUCCESS): Row(ACCEPTED, (Do.TELL,), "RFC 6026 7.2"),
        (ACCEPTED, Input.M): Row(TERMINATED, (), "RFC 6026 7.2"),
    },
    {CALLING: (Input.A, Input.B), COMPLETED: (Input.D,), ACCEPTED: (Input.M,)},
)

CLIENT = Machine(
    "client non-INVITE",
    TRYING,
    {
        (TRYING, Input.E): Row(TRYING, (Do.RESEND,), "RFC 3261 17.1.2.2"),
        (TRYING, Input.F): Row(TERMINATED, (Do.TIME_OUT,), "RFC 3261 17.1.2.2"),
        (TRYING, Input.LOST): Row(TERMINATED, (Do.TIME_OUT,), "RFC 3261 17.1.4"),
        (TRYING, Input.PROVISIONAL): Row(PROCEEDING, (Do.TELL,), "RFC 3261 17.1.2.2"),
        (TRYING, Input.SUCCESS): Row(COMPLETED, (Do.TELL,), "RFC 3261 17.1.2.2"),
        (TRYING, Input.FAILURE): Row(COMPLETED, (Do.TELL,), "RFC 3261 17.1.2.2"),
        (PROCEEDING, Input.E): Row(PROCEEDING, (Do.RESEND,), "RFC 3261 17.1.2.2"),
        (PROCEEDING, Input.F): Row(TERMINATED, (Do.TIME_OUT,), "RFC 3261 17.1.2.2"),
        (PROCEEDING, Input.PROVISIONAL): Row(PROCEEDING, (Do.TELL,), "RFC 3261 17.1.2.2"),
        (PROCEEDING, Input.SUCCESS): Row(COMPLETED, (Do.TELL,), "RFC 3261 17.1.2.2"),
        (PROCEEDING, Input.FAILURE): Row(COMPLETED, (Do.TELL,), "RFC 3261 17.1.2.2"),
        (COMPLETED, Input.K): Row(TERMINATED, (), "RFC 3261 17.1.2.2"),
    },
    {TRYING: (Input.E, Input.F), COMPLETED: (Input.K,)},
)
"""Timers E and F go on through PROCEEDING: only states named in `entry` restart or stop timers."""

SERVER_INVITE = Machine(
    "server INVITE",
    PROCEEDING,
    {
        (PROCEEDING, Input.REQUEST): Row(PROCEEDING, (Do.RESEND,), "RFC 3261 17.2.1"),
        (PROCEEDING, Input.PROVISIONAL): Row(PROCEEDING, (Do.SEND,), "RFC 3261 17.2.1"),
        (PROCEEDING, Input.SUCCESS): Row(ACCEPTED, (Do.SEND,), "RFC 6026 7.1"),
        (PROCEEDING, Input.FAILURE): Row(COMPLETED, (Do.SEND,), "RFC 3261 17.2.1"),
        (COMPLETED, Input.REQUEST): Row(COMPLETED, (Do.RESEND,), "RFC 3261 17.2.1"),
        (COMPLETED, Input.G): Row(COMPLETED, (Do.RESEND,), "RFC 3261 17.2.1"),
        (COMPLETED, Input.H): Row(TERMINATED, (Do.TIME_OUT,), "RFC 3261 17.2.1"),
        (COMPLETED, Input.ACK): Row(CONFIRMED, (), "RFC 3261 17.2.1"),
        (CONFIRMED, Input.I): Row(TERMINATED, (), "RFC 3261 17.2.1"),
        (ACCEPTED, Input.SUCCESS): Row(ACCEPTED, (Do.SEND,), "RFC 6026 7.1"),
        (ACCEPTED, Input.ACK): Row(ACCEPTED, (Do.TELL,), "RFC 6026 7.1"),
        (ACCEPTED, Input.L): Row(TERMINATED, (), "RFC 6026 7.1"),
    },
    {COMPLETED: (Input.G, Input.H), CONFIRMED: (Input.I,), ACCEPTED: (Input.L,)},
)
"""A retransmitted INVITE in ACCEPTED is absorbed: the 2xx is repeated by the user of the transaction (13.3.1.4)."""

SERVER = Machine(
    "server non-INVITE",
    TRYING,
    {
        (TRYING, Input.PROVISIONAL): Row(PROCEEDING, (Do.SEND,), "RFC 3261 17.2.2"),
        (TRYING, Input.SUCCESS): Row(COMPLETED, (Do.SEND,), "RFC 3261 17.2.2"),
        (TRYING, Input.FAILURE): Row(COMPLETED, (Do.SEND,), "RFC 3261 17.2.2"),
        (PROCEEDING, Input.REQUEST): Row(PROCEEDING, (Do.RESEND,), "RFC 3261 17.2.2"),
        (PROCEEDING, Input.PROVISIONAL): Row(PROCEEDING, (Do.SEND,), "RFC 3261 17.2.2"),
        (PROCEEDING, Input.SUCCESS): Row(COMPLETED, (Do.SEND,), "RFC 3261 17.2.2"),
        (PROCEEDING, Input.FAILURE): Row(COMPLETED, (Do.SEND,), "RFC 3261 17.2.2"),
        (COMPLETED, Input.REQUEST): Row(COMPLETED, (Do.RESEND,), "RFC 3261 17.2.2"),
        (COMPLETED, Input.J): Row(TERMINATED, (), "RFC 3261 17.2.2"),
    },
    {COMPLETED: (Input.J,)},
)
