"""Reliable provisional responses (RFC 3262): those of ours wait for their PRACK, those of the peer's get one."""

import re
from collections import deque

from sipmessage import Request, Response

from dialog.errors import ProtocolError
from voice.wire.sip.auth import Login
from voice.wire.sip.core import Core, Unacknowledged, chance
from voice.wire.sip.dialog import Dialog
from voice.wire.sip.grammar import read_number
from voice.wire.sip.guard import MAX_CSEQ, Received
from voice.wire.sip.message import Address, names
from voice.wire.sip.transaction import Transaction

RELIABLE = "100rel"

MAX_WAITING = 4
"""Responses of ours that wait because one before them is not acknowledged; more are refused to the user."""

MAX_EARLY = 8
"""Callees that one INVITE of ours may reach by forking; provisional responses of more of them are passed over."""

_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+(\S+)\Z")


class ReliableResponses:
    """The callee's side: one response at a time is out, and repeated until its PRACK comes (section 3).

    `demanded` says that the caller takes provisional responses in no other way, `possible` that it takes them so.
    """

    def __init__(self, core: Core, invite: Transaction) -> None:
        self.demanded = names(invite.request, "Require", RELIABLE)
        self.possible = self.demanded or names(invite.request, "Supported", RELIABLE)
        self._core = core
        self._invite = invite
        self._number = int(chance(core) * 2**30)
        self._out: Unacknowledged | None = None
        self._described = False
        self._waiting: deque[Response] = deque()

    @property
    def settled(self) -> bool:
        """Whether everything sent is acknowledged: before that no call is answered (section 3)."""
        return self._out is None

    @property
    def full(self) -> bool:
        """Whether no more can wait."""
        return len(self._waiting) >= MAX_WAITING

    @property
    def described(self) -> bool:
        """Whether the response that waits for its PRACK has a session description."""
        return self._out is not None and self._described

    def send(self, response: Response, now: float) -> None:
        """Send a response, or keep it until the one before is acknowledged."""
        self._waiting.append(response)
        self._send_next(now)

    def awaits(self, prack: Request) -> bool:
        """Whether `prack` acknowledges the response that is out (section 7.2). Raises ProtocolError."""
        match = _RACK.match(prack.headers.get("RAck") or "")
        if match is None:
            raise ProtocolError("malformed RAck")
        sequence = int(self._invite.request.headers["CSeq"].split()[0])
        number, invited = read_number(match[1], 2**32 - 1), read_number(match[2], MAX_CSEQ)
        return self._out is not None and (number, invited, match[3]) == (self._out.sequence, sequence, "INVITE")

    def acknowledged(self, now: float) -> None:
        """The PRACK of the response that was out has come: the next may go."""
        self._out = None
        self._send_next(now)

    def end(self) -> None:
        """The INVITE has its final response, or is cancelled: nothing is repeated any more."""
        self._out = None
        self._waiting.clear()

    def deadline(self) -> float | None:
        return self._out.deadline() if self._out else None

    def on_timer(self, now: float) -> bool:
        """Repeat what is out, if it is time; False when no PRACK came for 64*T1."""
        return self._out is None or self._out.on_timer(now, self._core)

    def _send_next(self, now: float) -> None:
        if self._out is not None or not self._waiting:
            return
        response = self._waiting.popleft()
        self._number += 1
        self._described = bool(response.body)
        response.headers.set("Require", RELIABLE)
        response.headers.set("RSeq", str(self._number))
        self._core.respond(self._invite, response, now)
        self._out = Unacknowledged(bytes(response), self._invite.addr, self._number, now, longest_s=float("inf"))


class EarlyDialogs:
    """The caller's side: an early dialog for each callee heard of (RFC 3261 section 12.1), and their PRACKs."""

    def __init__(self, core: Core, login: Login | None) -> None:
        self._core = core
        self._login = login
        self._dialogs: dict[str, Dialog] = {}
        self._numbers: dict[str, int] = {}

    def dialog(self, invite: Request, received: Received, source: Address) -> Dialog | None:
        """The dialog that a response to `invite` belongs to; None for one without a tag, and for one too many."""
        tag = received.to_tag
        if tag and tag not in self._dialogs and len(self._dialogs) < MAX_EARLY:
            self._dialogs[tag] = Dialog.from_answer(invite, received, source)
            self._dialogs[tag].login = self._login
        return self._dialogs.get(tag)

    def confirmed(self, invite: Request, received: Received, source: Address) -> Dialog:
        """The dialog of a 2xx: its routes are those of the 2xx, its numbers go on (RFC 3261 section 13.2.2.4)."""
        dialog = Dialog.from_answer(invite, received, source)
        dialog.login = self._login
        early = self._dialogs.get(received.to_tag)
        if early is None:
            return dialog
        early.routes, early.target, early.source = dialog.routes, dialog.target, source
        early.allowed = dialog.allowed or early.allowed
        return early

    def acknowledge(self, received: Received, dialog: Dialog | None, now: float) -> bool:
        """Send the PRACK of a response that wants one; False for a copy, or one out of order (section 4)."""
        message = received.message
        if not names(message, "Require", RELIABLE):
            return True
        try:
            number = read_number(message.headers.get("RSeq") or "", 2**32 - 1)
        except ProtocolError:
            return False
        if dialog is None or self._numbers.get(dialog.remote_tag, number - 1) != number - 1:
            return False
        self._numbers[dialog.remote_tag] = number
        dialog.refresh(received)
        hop = dialog.next_hop()
        prack = dialog.request("PRACK", self._core.via(hop))
        prack.headers.set("RAck", f"{number} {received.cseq.sequence} INVITE")
        self._core.request(prack, hop, now, None)
        return True
