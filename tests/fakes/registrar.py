"""A registrar and its proxy, message by message: asks who calls, binds contacts, answers OPTIONS, or does not."""

from sipmessage import Request, Response

from voice.wire.sip.auth import Authenticator
from voice.wire.sip.digest import Algorithm
from voice.wire.sip.grammar import read_address
from voice.wire.sip.message import Address, make_response, stateless_tag

USER, PASSWORD = "alice", "wonder"


class Registrar:
    """Knows alice. `came` is all that it was asked, `bound` by contact for how many seconds.

    `says` answers everything by that status, `mute` nothing at all; `least_s` is what it wants to be asked for at
    least, `most_s` what it grants at most.
    """

    def __init__(self, *, asks: bool = True, least_s: int = 0, most_s: int = 3_600) -> None:
        self.came: list[Request] = []
        self.bound: dict[str, int] = {}
        self.says = 0
        self.mute = False
        self.headers: dict[str, str] = {}
        self._least_s = least_s
        self._most_s = most_s
        self._asks = Authenticator("carrier", {USER: PASSWORD}, bytes(32), tuple(Algorithm)) if asks else None
        self._tokens = 0

    def methods(self) -> list[str]:
        return [request.method for request in self.came]

    def answer(self, request: Request, source: Address, now: float) -> Response | None:
        """The final response, or None."""
        if self.mute:
            return None
        self.came.append(request)
        tag = stateless_tag(request)
        if self.says:
            return make_response(request, self.says, to_tag=tag, headers=self.headers)
        if request.method != "REGISTER":
            return make_response(request, 200, to_tag=tag)
        if self._asks is not None:
            self._tokens += 1
            verdict = self._asks.judge(request, source[0], f"nonce{self._tokens}", now)
            if not isinstance(verdict, str):
                return verdict
        asked = int(request.headers["Expires"])
        if 0 < asked < self._least_s:
            return make_response(request, 423, to_tag=tag, headers={"Min-Expires": str(self._least_s)})
        contact = str(read_address(request.headers["Contact"]).uri)
        self.bound[contact] = min(asked, self._most_s)
        if not asked:
            del self.bound[contact]
        response = make_response(request, 200, to_tag=tag)
        others = ["<sip:elsewhere@192.0.2.77>;expires=9"]
        response.headers.setlist("Contact", others + [f"<{uri}>;expires={s}" for uri, s in self.bound.items()])
        return response
