"""Who speaks in a call, by name: agents, and whoever else came in, as the journal tells it."""

from dialog.event import Speaker
from dialog.events import Event
from dialog.people_events import (
    AgentJoined,
    SupervisionChanged,
    ThirdJoined,
    ThirdLeft,
)


class Speakers:
    """Follows the events of a call in their order; `agents` and `thirds` are all who took part so far."""

    def __init__(self) -> None:
        self.agents: list[str] = []
        self.thirds: list[str] = []
        self._agent = ""
        self._present: list[str] = []

    def follow(self, event: Event) -> None:
        """Who is in the call after `event`."""
        match event:
            case AgentJoined(agent=agent):
                self._agent = agent
                _add(self.agents, agent)
            case ThirdJoined(target=third) | SupervisionChanged(supervisor=third, how="join"):
                _add(self.thirds, third)
                _add(self._present, third)
            case ThirdLeft(target=third) | SupervisionChanged(supervisor=third):
                self._present = [other for other in self._present if other != third]

    def name(self, speaker: Speaker) -> str:
        """Whose words they are; of two thirds it may be either. A caller has no name here."""
        names = {"caller": "", "agent": self._agent, "third": " or ".join(self._present)}
        return names[speaker]


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
