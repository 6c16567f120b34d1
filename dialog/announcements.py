"""What the node itself says to callers, whichever bot answers. A bot in another language needs all of it translated."""

from pydantic import BaseModel, ConfigDict, Field

from dialog.commands import NobodyWhy


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
    next: str = Field(default="You are next.", description="place 1 in the queue")
    place: str = Field(default="You are number {position} in the queue.", description="any other place")
    minute: str = Field(default="It will take about one minute.", description="the estimate, where it is short")
    minutes: str = Field(default="It will take about {minutes} minutes.", description="a longer one")
    key_back: str = Field(default="Press 1 to go back to me.", description="what one who waits may do")
    key_callback: str = Field(default="Press 2 to be called back.", description="the same, for who has a number")
    called_back: str = Field(
        default="All right. Somebody will call you back. Goodbye.", description="key 2 was pressed; the call ends"
    )
    person_lost: str = Field(
        default="I am sorry, the line to my colleague broke.", description="the caller waits again, in front"
    )
    not_put_through: str = Field(
        default="I am sorry, I could not put you through.", description="a transfer by the bot failed"
    )
    recorded: str = Field(
        default="This call is recorded.", description="to whoever is called by an agent, where calls are recorded"
    )
    closed: str = Field(
        default="I am sorry, nobody is here to take your call at this hour.", description="outside `desk.hours`"
    )
    nobody: str = Field(
        default="I am sorry, nobody is free to take your call now.", description="nobody takes calls, or all declined"
    )
    full: str = Field(default="I am sorry, too many callers are waiting already.", description="more than `desk.queue`")
    too_long: str = Field(default="I am sorry, this takes too long.", description="`desk.longest_wait_s` is over")

    def waiting(self, position: int, estimate_s: int | None) -> str:
        """The caller's place in the queue, from 1, and how long it may take where that is known."""
        place = self.next if position == 1 else self.place.replace("{position}", str(position))
        if not estimate_s:
            return place
        minutes = max(1, round(estimate_s / 60))
        return f"{place} {self.minute if minutes == 1 else self.minutes.replace('{minutes}', str(minutes))}"

    def choice(self, *, callback: bool) -> str:
        """What one who waits may do; who calls without a number cannot be called back."""
        return f"{self.key_back} {self.key_callback}" if callback else self.key_back

    def turned_away(self, why: NobodyWhy) -> str:
        """Why no person will come."""
        return {
            NobodyWhy.CLOSED: self.closed,
            NobodyWhy.NOBODY: self.nobody,
            NobodyWhy.DECLINED: self.nobody,
            NobodyWhy.FULL: self.full,
            NobodyWhy.TOO_LONG: self.too_long,
        }[why]

    def fixed(self) -> tuple[str, ...]:
        """Those that are always the same, for a voice that keeps them ready."""
        waiting = (self.next, self.minute, self.key_back, self.key_callback, self.called_back, self.person_lost)
        ours = (self.our_fault, self.longest_call, self.not_put_through, self.recorded)
        return (*ours, *waiting, self.closed, self.nobody, self.full, self.too_long)
