"""A call outside in our stead: the caller's side is asked for it, and tells what came of it."""

from collections.abc import Callable
from typing import Literal

from dialog.errors import PeerForbidden, ProtocolError
from dialog.events import Event
from dialog.people_events import TransferFailed, TransferRequested
from voice.services import Refer


class Referral:
    """Of one call; one is under way at a time. `tell` notes an event in its journal. Without `refer` the caller's side
    can call nobody."""

    def __init__(self, refer: Refer | None, tell: Callable[[Event], None]) -> None:
        self._refer = refer
        self._tell = tell
        self._asked = False

    def ask(self, to: str, agent: str = "") -> bool:
        """Let the caller's side call `to`; False, and the journal says why, where it cannot."""
        self._tell(TransferRequested(target=to, agent=agent))
        why = self._obstacle(to)
        if why is None:
            self._asked = True
            return True
        self._tell(TransferFailed(why=why))
        return False

    def _obstacle(self, to: str) -> Literal["browser", "not_allowed", "busy"] | None:
        """What keeps the caller here; None when the far end has been asked."""
        if self._refer is None:
            return "browser"
        try:
            return None if self._refer(to) else "busy"
        except (PeerForbidden, ProtocolError):
            return "not_allowed"

    def concluded(self, status: int) -> bool | None:
        """Whether the caller is elsewhere, by the SIP status that tells; None when that was not asked for."""
        if not self._asked:
            return None
        self._asked = False
        if 200 <= status < 300:
            return True
        self._tell(TransferFailed(why="failed", status=status))
        return False
