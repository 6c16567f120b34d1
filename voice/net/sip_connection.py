"""One connection of SIP: bytes in, whole messages out by a callback; who stalls, idles or floods is cut."""

import asyncio
from typing import Protocol, cast

from voice.wire.sip.flow import Flow

MAX_UNSENT = 1 << 18
"""Bytes that may wait for a peer to read them; beyond, it is cut."""

SILENT_S = 32.0
"""How long a connection that was taken may say nothing: 64*T1, as long as a transaction waits for its answer."""

PONG_S = 10.0
"""How long the answer to a keep-alive is waited for (RFC 5626 section 4.4.1)."""

PING = b"\r\n\r\n"

IDLE_S = 900.0
"""How long one that has spoken may be quiet; keep-alives come more often (RFC 5626 section 4.4.1)."""


class MessageFraming(Protocol):
    """How messages stand in the bytes of a connection: `framing.Framing`, `sip_websocket.WebSocketFraming`."""

    @property
    def fault(self) -> str: ...

    @property
    def over(self) -> bool: ...

    def receive(self, data: bytes, now: float) -> list[bytes]: ...

    def wrap(self, message: bytes) -> bytes: ...

    def to_send(self) -> bytes: ...

    def deadline(self) -> float | None: ...

    def on_timer(self, now: float) -> None: ...


class ConnectionOwner(Protocol):
    """Whoever holds the connections."""

    def on_opened(self, connection: "SipConnection") -> None: ...

    def on_message(self, data: bytes, flow: Flow) -> None: ...

    def on_closed(self, connection: "SipConnection", reason: str) -> None:
        """It is over; `reason` says why we cut it, empty where we did not."""
        ...


class SipConnection(asyncio.Protocol):
    """A connection with `flow`. `spoken` says that a message came or went by it."""

    def __init__(self, flow: Flow, owner: ConnectionOwner, framing: MessageFraming) -> None:
        self.flow = flow
        self.spoken = False
        self._owner = owner
        self._framing = framing
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._active = 0.0
        self._pinged: float | None = None
        self._reason = ""

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send one message; a peer that leaves too many unread is cut."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(self._framing.wrap(data))
        self._active = self._now()
        self.spoken = True
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self.cut("does not read")

    def keep_alive(self) -> None:
        """Ask whether the far end is there (RFC 5626 section 3.5.1); one that says nothing in time is cut."""
        if self._transport is not None and self.usable and self._pinged is None:
            self._transport.write(PING)
            self._pinged = self._now()
            self._set_timer()

    def cut(self, reason: str) -> None:
        """Close at once; nothing that waits is sent any more."""
        if self._transport is not None and not self._reason:
            self._reason = reason
            self._transport.abort()

    def close(self) -> None:
        """Close once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._active = self._now()
        self._set_timer()
        self._owner.on_opened(self)

    def data_received(self, data: bytes) -> None:
        self._active = self._now()
        self._pinged = None
        messages = self._framing.receive(data, self._active)
        for message in messages:
            self.spoken = True
            self._owner.on_message(message, self.flow)
        if (own := self._framing.to_send()) and self._transport is not None and not self._transport.is_closing():
            self._transport.write(own)
        self._judge()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._owner.on_closed(self, self._reason)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _judge(self) -> None:
        if self._framing.over:
            self.close()
        elif self._framing.fault:
            self.cut(self._framing.fault)
        else:
            self._set_timer()

    def _deadline(self) -> float:
        idle = self._active + (IDLE_S if self.spoken else SILENT_S)
        message = self._framing.deadline()
        pong = None if self._pinged is None else self._pinged + PONG_S
        return min(due for due in (idle, message, pong) if due is not None)

    def _set_timer(self) -> None:
        """See to it that the timer runs no later than it must; one that runs too early is set again."""
        due = self._deadline()
        if self._timer is None or self._timer.cancelled() or self._timer.when() > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._now()
        self._framing.on_timer(now)
        if not self._framing.fault and self._active + (IDLE_S if self.spoken else SILENT_S) <= now:
            self.cut("idle")
        elif self._pinged is not None and self._pinged + PONG_S <= now:
            self.cut("no pong")
        self._judge()
