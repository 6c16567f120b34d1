"""The target set of a call that we place: whom it is for, and where a 3xx sends it from there (RFC 3261 section
8.1.3.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from voice.wire.sip.message import NO_HEADERS, Address

MOST = 5
"""So many are called at most, the first among them."""


@dataclass(frozen=True, slots=True)
class Target:
    """`number`, whose address is `uri`, reached at `address`; None: by the trunk's proxy."""

    number: str
    uri: str
    address: Address | None = None


class Targets:
    """Each is called once, `first` first and then in the order in which they were named."""

    def __init__(self, first: Target) -> None:
        self._named = [first]
        self._statuses: list[int] = []

    @property
    def present(self) -> Target:
        """Who is called now."""
        return self._named[len(self._statuses)]

    @property
    def history(self) -> Mapping[str, str]:
        """The header that tells the present one whom the call was for before (RFC 7044)."""
        if not self._statuses:
            return NO_HEADERS
        entries = [
            f"<{target.uri}?Reason=SIP%3Bcause%3D{status}>;index={index}"
            for index, (target, status) in enumerate(zip(self._named, self._statuses, strict=False), start=1)
        ]
        return {"History-Info": ", ".join([*entries, f"<{self.present.uri}>;index={len(entries) + 1}"])}

    def refused(self, status: int, others: Iterable[Target]) -> bool:
        """The present one refused, and named `others` instead; False where there is nobody left to call."""
        self._statuses.append(status)
        for target in others:
            if target not in self._named and len(self._named) < MOST:
                self._named.append(target)
        # a 6xx speaks for all of them (RFC 3261 section 21.6)
        return status < 600 and len(self._statuses) < len(self._named)
