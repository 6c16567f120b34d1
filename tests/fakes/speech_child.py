"""The child as the host's ears and mouth see it: a port that keeps what was sent."""

from dataclasses import dataclass, field

from voice.speech import wire


@dataclass
class FakeChild:
    sent: list[wire.ToChild] = field(default_factory=list)

    def send(self, message: wire.ToChild) -> None:
        self.sent.append(message)

    def audio(self) -> bytes:
        """All audio of the messages so far."""
        return b"".join(message.pcm for message in self.sent if isinstance(message, wire.Audio))
