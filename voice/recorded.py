"""A call that others hold: every stream that a recording client sends is heard, and written down under who speaks."""

from collections.abc import Callable

from dialog.event import Speaker
from dialog.events import Event, RecordingPaused
from dialog.people_events import AgentJoined, AgentLeft
from voice.listener import Listener
from voice.mind import Numbers
from voice.ports import Ears, Frame
from voice.recorded_streams import RecordedStreams


class Recorded:
    """The mind of such a call. It says nothing, and takes no commands: `end` is for a call whose time is over."""

    def __init__(
        self,
        streams: RecordedStreams,
        ears: Ears,
        numbers: Numbers,
        tell: Callable[[Event], None],
        end: Callable[[str], None],
    ) -> None:
        self._streams = streams
        self._ears = ears
        self._numbers = numbers
        self._tell = tell
        self._end = end
        self._listeners: dict[int, tuple[Speaker, Listener]] = {}
        self._agents: tuple[str, ...] = ()
        self._paused = False
        streams.follow(self._on_stream, self._settle)
        self._settle()

    def on_frame(self, frame: Frame) -> None:
        """One tick; what was said in it comes by stream."""

    def press(self, key: str) -> None:
        """Keys are not for us."""

    def expire(self) -> None:
        """The longest time is over, and there is nobody to tell."""
        self._end("longest_call")

    def gone(self) -> None:
        """The recording is over, for whatever reason: nobody is shown the call any more."""
        self._say_who(())

    def close(self) -> None:
        """Listen no more. Idempotent."""
        self._streams.follow(lambda _number, _frame: None, lambda: None)
        for number in tuple(self._listeners):
            self._drop(number)

    def _settle(self) -> None:
        """Who speaks where, who is in the call, and whether anything is heard, as it is now."""
        speakers = self._streams.cast.speakers
        present = {number: speakers[number] for number in self._streams.numbers if number < len(speakers)}
        for number, (speaker, _) in tuple(self._listeners.items()):
            if present.get(number) != speaker:
                self._drop(number)
        for number, speaker in present.items():
            if number not in self._listeners:
                counted = self._numbers.caller if speaker == "caller" else self._numbers.agent
                self._listeners[number] = (speaker, Listener(self._ears, speaker, counted, self._tell))
        self._say_who(self._streams.cast.agents)
        if self._streams.paused != self._paused:
            self._paused = self._streams.paused
            self._tell(RecordingPaused(on=self._paused))

    def _say_who(self, agents: tuple[str, ...]) -> None:
        former, self._agents = self._agents, agents
        for agent in former:
            if agent not in agents:
                self._tell(AgentLeft(agent=agent, why="transferred" if agents else "ended"))
        for agent in agents:
            if agent not in former:
                self._tell(AgentJoined(agent=agent))

    def _on_stream(self, number: int, frame: Frame) -> None:
        found = self._listeners.get(number)
        if found is not None:
            found[1].on_frame(frame, yielding=True, floor_is_free=True)

    def _drop(self, number: int) -> None:
        _, listener = self._listeners.pop(number)
        listener.forget()
        listener.close()
