"""Machines at the far end of a call, as its sound gives them away: what they are, and what they mean by SIP."""

from collections.abc import Callable, Mapping
from typing import Literal

from dsp.progress import Progress

Machine = Literal["answering_machine", "fax", "busy", "congestion", "unobtainable"]
"""See `dialog.events.MachineHeard`."""

ANSWERS: Mapping[Progress, Machine] = {
    Progress.BEEP: "answering_machine",
    Progress.FAX_ANSWERING: "fax",
    Progress.BUSY: "busy",
    Progress.CONGESTION: "congestion",
    Progress.SIT: "unobtainable",
}
"""What is at the other end of a call that we placed."""

STATUSES: Mapping[str, int] = {"busy": 486, "congestion": 503, "unobtainable": 404, "fax": 606}
"""Of those that nobody has to do with: such a call is over, as if it had been refused so (RFC 3398 section 7.2.4.1; of
a fax RFC 3261 section 21.6.4)."""

FAX_S = 30.0
"""A fax that calls says so from the first second on, every 3.5 s (ITU-T T.30 section 4.2)."""

_CALLS_OF_A_FAX = 2
"""One may be anything's tone."""


class CallingFax:
    """Follows a call that came; `found` is called, once, when it is a fax that calls."""

    def __init__(self, found: Callable[[], None]) -> None:
        self._found = found
        self._heard = 0

    def on_progress(self, progress: Progress) -> None:
        """What the caller's sound says."""
        self._heard += progress is Progress.FAX_CALLING
        if progress is Progress.FAX_CALLING and self._heard == _CALLS_OF_A_FAX:
            self._found()
