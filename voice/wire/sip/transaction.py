"""One transaction: the interpreter of the tables in `tables.py` (RFC 3261 section 17, RFC 6026).

Sans-I/O: messages and times come in by arguments; what is to be sent and told is fetched from `to_send` and `events`.
"""

from dataclasses import dataclass
from typing import Protocol

from sipmessage import Request, Response

from voice.wire.sip.flow import Flow
from voice.wire.sip.guard import Received
from voice.wire.sip.message import Address, make_ack
from voice.wire.sip.tables import (
    CLIENT,
    CLIENT_INVITE,
    SERVER,
    SERVER_INVITE,
    TIMER,
    Do,
    Input,
    Machine,
    State,
)

Datagram = tuple[bytes, Address]


@dataclass(frozen=True, slots=True)
class MessagePassed:
    """The transaction's user must see this message."""

    received: Received


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came (timers B, F) or can come any more, or no ACK for a refusal (timer H)."""


TransactionEvent = MessagePassed | TimedOut


class TransactionUser(Protocol):
    """Whoever a transaction reports to; `source` is where the message came from."""

    def on_passed(self, transaction: "Transaction", received: Received, source: Address, now: float) -> None: ...

    def on_timed_out(self, transaction: "Transaction", now: float) -> None: ...


class Transaction:
    """A client or server transaction of one request.

    `addr` is where its messages go, `user` who hears of its events, `key` what matching messages share. `fallback` is
    where a request goes that no connection takes, `disconnected` whether it was lost that way.
    """

    __slots__ = (
        "_events",
        "_kept",
        "_machine",
        "_outbox",
        "_timers",
        "addr",
        "disconnected",
        "fallback",
        "key",
        "request",
        "state",
        "user",
    )

    def __init__(self, machine: Machine, request: Request, addr: Address, now: float) -> None:
        self.request = request
        self.addr = addr
        self.user: TransactionUser | None = None
        self.key: tuple[str, ...] = ()
        self.fallback: Address | None = None
        self.disconnected = False
        self.state = machine.first
        self._machine = machine
        self._kept = b""
        self._outbox: list[bytes] = []
        self._events: list[TransactionEvent] = []
        self._timers: dict[Input, tuple[float, float]] = {}
        self._start_timers(now)

    @classmethod
    def client(cls, request: Request, addr: Address, now: float) -> "Transaction":
        """Open a client transaction and send its request."""
        self = cls(CLIENT_INVITE if request.method == "INVITE" else CLIENT, request, addr, now)
        self._kept = bytes(request)
        self._outbox.append(self._kept)
        return self

    @classmethod
    def server(cls, request: Request, addr: Address, now: float) -> "Transaction":
        """Open a server transaction for a request just received; `addr` is where responses go."""
        return cls(SERVER_INVITE if request.method == "INVITE" else SERVER, request, addr, now)

    @property
    def terminated(self) -> bool:
        return self.state is State.TERMINATED

    @property
    def fresh(self) -> bool:
        """Whether nothing has come or gone after the request."""
        return self.state in (State.CALLING, State.TRYING)

    @property
    def pending(self) -> bool:
        """Whether no final response has come or gone yet."""
        return self.state in (State.CALLING, State.TRYING, State.PROCEEDING)

    def receive(self, received: Received, now: float) -> None:
        """Take a response, a retransmitted request or an ACK that matches this transaction."""
        message = received.message
        if isinstance(message, Response):
            self._step(_input_of(message.code), now, received)
        else:
            self._step(Input.ACK if message.method == "ACK" else Input.REQUEST, now, received)

    def respond(self, response: Response, now: float) -> None:
        """Send a response (server transactions); after a final one, only its own kind is taken."""
        self._step(_input_of(response.code), now, data=bytes(response))

    def disconnect(self, now: float) -> None:
        """The connection failed: a request that nobody has answered yet is lost (RFC 3261 section 17.1.4)."""
        self.disconnected = self.fresh
        self._step(Input.LOST, now)

    def reroute(self, addr: Address, now: float) -> None:
        """Send the request, whose Via fits `addr`, anew to there."""
        self.addr = addr
        self._kept = bytes(self.request)
        self._outbox.append(self._kept)
        self._start_timers(now)

    def abandon(self) -> None:
        """Forget the transaction at once (RFC 3261 section 9.1: a cancelled INVITE that nobody answers)."""
        self.state = State.TERMINATED
        self._timers.clear()

    def deadline(self) -> float | None:
        """When `on_timer` is due, or None."""
        return min((due for due, _ in self._timers.values()), default=None)

    def on_timer(self, now: float) -> None:
        """Run every timer that is due, in order of time."""
        while True:
            due = [(at, timer.value, timer) for timer, (at, _) in self._timers.items() if at <= now]
            if not due:
                return
            at, _, timer = min(due)
            _, interval = self._timers.pop(timer)
            row = self._step(timer, now)
            if row and TIMER[timer].doubling:
                cap = TIMER[timer].cap
                # RFC 3261 section 17.1.2.2: once a provisional response came, timer E runs at T2 straight away
                interval = cap if self.state is State.PROCEEDING else min(2 * interval, cap)
                self._timers[timer] = (at + interval, interval)

    def to_send(self) -> list[Datagram]:
        """Take what is to be sent."""
        taken, self._outbox = self._outbox, []
        return [(data, self.addr) for data in taken]

    def events(self) -> list[TransactionEvent]:
        """Take what the user must know."""
        taken, self._events = self._events, []
        return taken

    def _step(self, cause: Input, now: float, received: Received | None = None, data: bytes = b"") -> bool:
        row = self._machine.rows.get((self.state, cause))
        if row is None:
            return False
        for action in row.do:
            self._do(action, received, data)
        if row.state is not self.state:
            self.state = row.state
            self._start_timers(now)
        return True

    def _do(self, action: Do, received: Received | None, data: bytes) -> None:
        if action is Do.SEND:
            self._kept = data
            self._outbox.append(data)
        elif action is Do.RESEND:
            if self._kept:
                self._outbox.append(self._kept)
        elif action is Do.TIME_OUT:
            self._events.append(TimedOut())
        elif received is not None:
            if action is Do.TELL:
                self._events.append(MessagePassed(received))
            elif isinstance(received.message, Response):
                self._outbox.append(bytes(make_ack(self.request, received.message)))

    def _start_timers(self, now: float) -> None:
        names = self._machine.entry.get(self.state)
        if names is None and not self.terminated:
            return
        self._timers = {}
        for name in names or ():
            timer, reliable = TIMER[name], isinstance(self.addr, Flow)
            if not (reliable and timer.doubling):
                seconds = 0.0 if reliable and timer.lingering else timer.seconds
                self._timers[name] = (now + seconds, seconds)


def _input_of(status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE
