"""Who sits where at a desk in memory, and with which call."""

from dataclasses import dataclass, field

from agent_assist.desk.messages import (
    Brief,
    CallChanged,
    CallState,
    CallView,
    Me,
    Offer,
    Supervisor,
    Third,
    WrapUp,
)
from dialog.commands import How
from dialog.events import Record

DISPOSITIONS = ("solved", "follow-up", "not reached", "wrong number")


def sample_brief(reason: str = "asked for a person") -> Brief:
    """What the screen shows of a call before it is answered."""
    return Brief(
        caller="sip:+3225550123@192.0.2.7",
        transport="sip",
        bot="helpdesk",
        reason=reason,
        skill="billing",
        summary="Asked for a person. Wanted to have a bill explained; account number 1234 5678. The bot told the bill:"
        " 42 euros and 40 cents. Open: whether to pay it.",
        slots=(("account_number", "12345678"),),
        waited_s=34,
    )


@dataclass
class Call:
    """A call at the desk."""

    call_id: str
    brief: Brief
    records: list[Record] = field(default_factory=list)
    on_hold: bool = False
    paused: bool = False
    transferring_to: str = ""
    third: Third | None = None
    supervisors: dict[str, How] = field(default_factory=dict)
    observed: bool = False

    def view(self, supervisor: str = "", of: str = "") -> CallView:
        """As its agent sees it, or a `supervisor`, who is in the call `of` that agent."""
        return CallView(
            call_id=self.call_id,
            brief=self.brief,
            records=tuple(self.records),
            observed=self.observed,
            supervised=self.supervisors.get(supervisor, "none"),
            of=of,
            **dict(self._state),
        )

    def changed(self, trouble: str = "") -> CallChanged:
        return CallChanged(call_id=self.call_id, trouble=trouble, **dict(self._state))

    @property
    def _state(self) -> CallState:
        supervisors = tuple(Supervisor(agent=agent, how=how) for agent, how in self.supervisors.items())
        return CallState(
            on_hold=self.on_hold,
            paused=self.paused,
            transferring_to=self.transferring_to,
            third=self.third,
            supervisors=supervisors,
        )


@dataclass
class Seat:
    """One agent's state: what the snapshot of its screen is made of."""

    me: Me
    skills: tuple[str, ...] = ()
    offer: Offer | None = None
    call: Call | None = None
    watched: str = ""  # whose call a supervisor is in
    reason: str = ""  # of the call that the node places
    wrap_up: WrapUp | None = None
