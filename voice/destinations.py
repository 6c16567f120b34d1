"""Where a caller may be sent: numbers and SIP addresses outside, by a list of patterns (`sip.transfer_to`)."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from dialog.errors import PeerForbidden, ProtocolError
from voice.settings.numbers import as_dialled
from voice.wire.sip.dialog import bracketed
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.refer import ReferTo

_NUMBER = re.compile(r"\+?[0-9*]{1,40}\Z")
_ADDRESS = re.compile(
    r"(?:tel:\+?[0-9*]{1,40}|sips?:[A-Za-z0-9+*_.\-]{1,64}@(?:[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?)\Z"
)
"""No parameters, no headers, no password: a pattern then says all that there is to say about an address."""


class Destinations:
    """Those that match one of `patterns`, in which `*` is anything, `?` one character and `[1-5]` one of those.

    A number is matched without the spaces, hyphens, points, slashes and brackets that people write into it.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(patterns)

    def find(self, text: str, host: str) -> ReferTo:
        """Who is meant by `text`; a mere number is one of the telephone exchange at `host`.

        Raises PeerForbidden where callers may not be sent there, ProtocolError where it is neither number nor address.
        """
        number = as_dialled(text)
        is_number = _NUMBER.match(number) is not None
        if not is_number and not _ADDRESS.match(text):
            raise ProtocolError("neither a number nor a SIP address")
        wanted = number if is_number else text
        if not any(fnmatchcase(wanted, pattern) for pattern in self._patterns):
            raise PeerForbidden("no pattern of sip.transfer_to fits")
        return ReferTo(WireURI.parse(f"sip:{number}@{bracketed(host)}" if is_number else text))
