"""Messages in and out of a WebSocket that carries SIP: the subprotocol `sip` of RFC 7118, one message a frame.

The WebSocket itself (RFC 6455) is read and written by the `websockets` library, without its sockets.
"""

import logging
from collections.abc import Sequence

from websockets.exceptions import InvalidOrigin, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from voice.wire.sip.framing import MESSAGE_S, PONG
from voice.wire.sip.guard import MAX_DATAGRAM

ANY_ORIGIN = "*"
SIP = Subprotocol("sip")

_log = logging.getLogger("voice.net.sip_websocket")
_log.disabled = True  # whoever breaks the protocol is counted by `fault`, and fills no log


class WebSocketFraming:
    """The server's end of one connection, as `framing.Framing` is that of a stream.

    `origins` are the pages (`https://host`) that may connect; a program that names no page may, too. `fault` is empty
    until the connection is of no more use; a handshake or a message that is not whole after MESSAGE_S is "slow".
    """

    def __init__(self, origins: Sequence[str], now: float) -> None:
        self.fault = ""
        self.over = False
        allowed = None if ANY_ORIGIN in origins else [*map(Origin, origins), None]
        self._protocol = ServerProtocol(origins=allowed, subprotocols=[SIP], max_size=MAX_DATAGRAM, logger=_log)
        self._begun: float | None = now
        self._pieces = bytearray()

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take bytes; return the messages they complete."""
        if self.fault or self.over:
            return []
        messages: list[bytes] = []
        self._protocol.receive_data(data)
        events = self._protocol.events_received()
        for event in events:
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame):
                messages += self._take(event)
        if not events:
            self._begun = now if self._begun is None else self._begun
        elif not self._pieces:
            self._begun = None
        self._find_fault()
        return messages

    def wrap(self, message: bytes) -> bytes:
        """`message` as it is sent; nothing before the handshake is done, or after the end."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(message)
        return self.to_send()

    def to_send(self) -> bytes:
        """Take what the WebSocket itself has to say: the handshake, pongs, its end."""
        return b"".join(self._protocol.data_to_send())

    def deadline(self) -> float | None:
        """When `on_timer` is due, or None."""
        return None if self._begun is None else self._begun + MESSAGE_S

    def on_timer(self, now: float) -> None:
        """Lose patience with what has not ended in time."""
        due = self.deadline()
        if due is not None and due <= now:
            self.fault, self._begun = "slow", None

    def _take(self, frame: Frame) -> list[bytes]:
        if frame.opcode is Opcode.CLOSE:
            self.over = True
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return []  # pings are answered by the library
        self._pieces += frame.data
        if not frame.fin:
            return []
        message = bytes(self._pieces)
        self._pieces.clear()
        if message.strip(b"\r\n"):
            return [message]
        if message and self._protocol.state is OPEN:
            self._protocol.send_text(PONG)  # a keep-alive (RFC 5626 section 4.4.1)
        return []

    def _find_fault(self) -> None:
        refused, broken = self._protocol.handshake_exc, self._protocol.parser_exc
        if refused is not None:
            self.fault = "origin" if isinstance(refused, InvalidOrigin) else "not WebSocket"
        elif broken is not None:
            self.fault = "oversize" if isinstance(broken, PayloadTooBig) else "malformed WebSocket"
