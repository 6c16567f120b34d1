"""An agent's telephone that is not ours: baresip, which registers, is rung and picked up."""

from dataclasses import dataclass

from tests.e2e.phones import ANSWER_S, END_S, Baresip


@dataclass
class DeskPhone(Baresip):
    """`caller` is its account, `target` the registrar (`HOST:PORT`); `password` is the account's."""

    password: str = ""
    transport: str = "udp"

    def register(self) -> None:
        """Come up and register; whether it is, the registrar knows: baresip may say so before anybody listens."""
        registrar = f"{self.target};transport={self.transport}"
        self._start(f"<sip:{self.caller}@{registrar}>;auth_pass={self.password};regint=120;answermode=manual")

    def rings(self) -> None:
        """Wait until a call rings."""
        self.until("CALL_INCOMING", ANSWER_S)

    def pick_up(self) -> None:
        self.tell("accept")
        self.until("CALL_ESTABLISHED", ANSWER_S)

    def decline(self) -> None:
        self.tell("hangup")
        self.until("CALL_CLOSED", END_S)
