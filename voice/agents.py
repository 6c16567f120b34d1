"""Agents' audio: one connection an agent, opened when the agent is ready and kept between calls.

It stands before a caller comes, so that an answer connects the two within a tick.
"""

import asyncio
from collections.abc import Callable

from dialog.errors import Overloaded
from voice.browser_lines import BrowserLine, BrowserLines
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane

REPLACED = "replaced"
"""Why a line ends when the agent opens another: a page that was loaded again, or a second one."""

AudioListener = Callable[[str, bool], None]
"""Told (agent, connected) when an agent's audio comes up or goes away."""


class AgentLines(BrowserLines):
    """At most `places` agents with audio at once; the newest line of an agent is the one that counts."""

    def __init__(self, plane: MediaPlane, tasks: asyncio.TaskGroup, places: int, changed: AudioListener) -> None:
        super().__init__(plane, tasks)
        self._places = places
        self._changed = changed
        self._current: dict[str, BrowserLine] = {}
        self._silenced: set[BrowserLine] = set()

    def leg(self, agent: str) -> MediaLeg | None:
        """The agent's audio, while it is there."""
        line = self._current.get(agent)
        return line.leg if line is not None and line not in self._silenced else None

    def _admit(self, who: str) -> None:
        others = {line.who for line in self._lines.values()} - {who}
        if len(others) >= self._places:
            raise Overloaded("every agent's place is taken")

    def _connected(self, line: BrowserLine, leg: MediaLeg) -> None:
        former = self._current.get(line.who)
        self._current[line.who] = line
        leg.on_failure(lambda _error: self._close(line, "error"))
        if former is not None:
            self._changed(line.who, False)  # whoever was connected with the old leg is so no more
            self._close(former, REPLACED)
        self._changed(line.who, True)

    def _keyed(self, line: BrowserLine, digits: str) -> None:
        """An agent's keys are telephone events in the audio; a page that cannot send them has none."""

    def _silent(self, line: BrowserLine, silent: bool) -> None:
        if self._current.get(line.who) is not line:
            return
        (self._silenced.add if silent else self._silenced.discard)(line)
        self._changed(line.who, not silent)

    def _over(self, line: BrowserLine, cause: str) -> None:
        self._silenced.discard(line)
        if self._current.get(line.who) is line:
            del self._current[line.who]
            self._changed(line.who, False)
