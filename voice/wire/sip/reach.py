"""Where peers reach us, by each transport: what our Via and Contact headers say (RFC 3261 8.1.1.7 and 8.1.1.8)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from sipmessage import Request

from voice.wire.sip.dialog import bracketed
from voice.wire.sip.flow import PARAMETER, Flow
from voice.wire.sip.grammar import UNESCAPED
from voice.wire.sip.message import ALLOW, SDP, SUPPORTED, Address, make_via


@dataclass(slots=True)
class Reach:
    """Our host and UDP port, as peers are told, and the ports of connections by transport (see `flow`).

    `connects` says whether there are connections to be had: if so, requests too long for UDP go by TCP. `told` may have
    another host for a peer at an IP address; "" where it has none. `flows` says whether a peer there reaches us by the
    flow by which we registered: it is asked to do so in our calls, too.
    """

    host: str
    port: int
    stream_ports: dict[str, int] = field(default_factory=dict)
    connects: bool = False
    told: Callable[[str], str] = lambda address: ""
    flows: Callable[[str], bool] = lambda address: False

    def identity(self, addr: Address, user: str = "") -> Mapping[str, str]:
        """The headers that tell `addr` who and what we are (section 11.2); `user` is the name that we register there.
        In calls `ob` asks it to come by the same flow (RFC 5626 section 4.3)."""
        way = f"{self._port(addr)}"
        if isinstance(addr, Flow) and addr.transport in self.stream_ports:
            way += f";transport={PARAMETER[addr.transport]}"
        if not user and self.flows(addr[0]):
            way += ";ob"
        name = f"{quote(user, safe=UNESCAPED)}@" if user else ""
        contact = f"<sip:{name}{bracketed(self._host(addr))}:{way}>"
        return {"Contact": contact, "Allow": ALLOW, "Accept": SDP, "Supported": SUPPORTED}

    def via(self, addr: Address, branch: str) -> str:
        """A Via value for a request to `addr`."""
        transport = addr.transport if isinstance(addr, Flow) else "UDP"
        return make_via(bracketed(self._host(addr)), self._port(addr), branch, transport)

    def redirect(self, request: Request, addr: Address) -> None:
        """Let the Via of a request of ours name the way to `addr`; its branch stays."""
        request.headers.set("Via", self.via(addr, request.headers["Via"].rpartition("branch=")[2]))

    def _host(self, addr: Address) -> str:
        return self.told(addr[0]) or self.host

    def _port(self, addr: Address) -> int:
        """Our port for whoever is at `addr`; where we take no connections it is that of UDP."""
        return self.stream_ports.get(addr.transport, self.port) if isinstance(addr, Flow) else self.port
