"""What rings: one call at one agent, from the queue or from a colleague."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agent_assist.desk import messages
from agent_assist.desk.presence import Input


class OfferEnd(StrEnum):
    """How an offer ends, as the agent's screen is told."""

    ANSWERED = "answered"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    GONE = "gone"  # the agent's page or audio went away
    TAKEN = "taken"  # a colleague picked the call
    CALLER = "caller"  # the caller hung up or chose, or the colleague who transfers ended the call

    @property
    def follows(self) -> Input:
        """What that is to the agent's presence."""
        return _FOLLOWS[self]


_FOLLOWS = {
    OfferEnd.ANSWERED: Input.JOINED,
    OfferEnd.DECLINED: Input.DECLINED,
    OfferEnd.NO_ANSWER: Input.UNANSWERED,
    OfferEnd.GONE: Input.GONE,
    OfferEnd.TAKEN: Input.WITHDRAWN,
    OfferEnd.CALLER: Input.WITHDRAWN,
}


@dataclass(slots=True)
class Offer:
    """A call that rings until `until` (the desk's clock). `answered`: the call was told to connect and has not said
    yet whether it could. `by` is the colleague who transfers it."""

    call_id: str
    agent: str
    brief: messages.Brief
    until: float
    by: str = ""
    answered: bool = False

    def view(self, now: float) -> messages.Offer:
        """As the screen is told."""
        return messages.Offer(
            call_id=self.call_id, brief=self.brief, expires_s=round(max(0.0, self.until - now), 1), by=self.by
        )


class Offers:
    """All that rings: a call at one agent at a time, and an agent by one call."""

    def __init__(self) -> None:
        self._by_call: dict[str, Offer] = {}

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._by_call

    def __len__(self) -> int:
        return len(self._by_call)

    def __iter__(self) -> Iterator[Offer]:
        return iter(tuple(self._by_call.values()))

    def add(self, offer: Offer) -> None:
        """One more rings."""
        self._by_call[offer.call_id] = offer

    def remove(self, offer: Offer) -> None:
        """It rings no more."""
        del self._by_call[offer.call_id]

    def get(self, call_id: str) -> Offer | None:
        """Where that call rings."""
        return self._by_call.get(call_id)

    def at(self, agent: str) -> Offer | None:
        """What rings at that agent."""
        return next((offer for offer in self._by_call.values() if offer.agent == agent), None)
