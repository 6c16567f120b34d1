"""What the node itself says to callers, whichever bot answers. A bot in another language needs all of it translated."""

from pydantic import BaseModel, ConfigDict, Field


class Announcements(BaseModel):
    """What the node itself says to callers, whichever bot answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    our_fault: str = Field(
        default="I am sorry, something is wrong on our side. Please call again.",
        description="the bot failed and nobody goes on for it",
    )
    longest_call: str = Field(
        default="This call has reached its longest time and ends here. Goodbye.",
        description="`limits.longest_call_s` is over",
    )

    def fixed(self) -> tuple[str, ...]:
        """Those that are always the same, for a voice that keeps them ready."""
        return (self.our_fault, self.longest_call)
